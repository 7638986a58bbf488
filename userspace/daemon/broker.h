// SPDX-License-Identifier: Apache-2.0
// What the process that records needs and has no right to: the kernel's answers to a few fixed questions. Asked of this
// process itself, or of a child that keeps the rights and takes nothing from outside but these questions.
#pragma once

#include "audit/sight.h"
#include "base/fd.h"
#include "base/result.h"
#include "compile/image.h"
#include "kernel/instance.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::daemon {

class Broker {
public:
	using Merges = std::vector<std::pair<weir_merge_key, weir_merge>>;

	/// This process asks. `metrics`: the file that write_metrics() writes; "": none.
	explicit Broker(kernel::Where where, std::string metrics = "")
		: where_(std::move(where)), metrics_(std::move(metrics))
	{}
	/// A child asks; it ends when this is gone. To be called before there are threads.
	static Result<Broker> start(kernel::Where, std::string metrics);
	Broker(Broker &&) noexcept = default;
	~Broker();

	/// Errors of kernel::open_ring() and Ring::of().
	Result<kernel::Ring> open_ring();
	/// Which instance has the name at present: another one, another number. 0: there is none, or nobody knows.
	std::uint64_t identity();
	/// As the functions of the same names in kernel::.
	Result<Image> read_image();
	Result<std::uint32_t> read_generation();
	Result<Merges> take_merges(bool admitted);
	Result<std::uint32_t> read_flags();
	Result<weir_lease> read_lease();
	Result<> write_lease(const weir_lease &);
	[[nodiscard]] const std::string &instance() const { return where_.instance; }

	/// `own`: what this process has to say of itself, behind what the kernel has. Does not wait for the writing.
	Result<> write_metrics(std::string_view own);

	/// Who an event is of.
	[[nodiscard]] audit::Sight sight();

	/// The child is gone, and nothing can be asked any more.
	[[nodiscard]] bool is_gone() const { return gone_; }

private:
	struct Answer;
	Result<Answer> ask(std::string question);

	kernel::Where where_;
	std::string metrics_;
	Fd socket_; ///< none: this process asks
	bool gone_ = false;
};

} // namespace weir::daemon
