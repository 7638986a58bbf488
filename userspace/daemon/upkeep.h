// SPDX-License-Identifier: Apache-2.0
// All that `weir run` changes in the kernel: holds components and interfaces that appear, follows DNS names, ends windows;
// and reads back whether the kernel still has what was published. What it did are records.
#pragma once

#include "base/fd.h"
#include "daemon/components.h"
#include "daemon/hosts.h"
#include "daemon/interfaces.h"
#include "daemon/read_back.h"
#include "daemon/records.h"
#include "daemon/windows.h"
#include "kernel/instance.h"

#include <poll.h>

#include <string>
#include <utility>
#include <vector>

namespace weir::daemon {

class Upkeep {
public:
	/// `journal`: its directory; "": none.
	Upkeep(const kernel::Where &, const std::string &journal, std::int64_t keep_ns);

	/// Becomes readable when look() has something to do.
	void add_to(std::vector<pollfd> &) const;
	/// Does what was heard of.
	void look(Records &);
	/// Only what can't wait for room: a component that starts is unheld until then.
	void look_at_components(Records &records) { components_.look(records); }
	/// Once a second, and at the start.
	void tick(Records &);
	/// For the last time, or where no instance is: what others did.
	void end(Records &records) { windows_.tick(records); }
	/// All records are written: they need not be told again by the next run.
	void written();
	/// Another instance has taken the name.
	void look_again();
	/// True once after each look at the edge of this network namespace.
	[[nodiscard]] bool take_edge_is_here() { return std::exchange(edge_is_here_, false); }

private:
	Interfaces interfaces_;
	Components components_;
	Hosts hosts_;
	Windows windows_;
	ReadBack read_back_;
	bool edge_is_here_ = false;
};

/// The same in a process of its own, that keeps the rights to do it. What it says goes to the one that started it, which
/// writes it.
class UpkeepProcess {
public:
	static Result<UpkeepProcess> start(const kernel::Where &, const std::string &journal, std::int64_t keep_ns);

	/// Becomes readable when take() has something to do.
	[[nodiscard]] int fd() const { return socket_.get(); }
	/// Puts what came, as far as there is room. True: the edge is of this network namespace, and was looked at.
	bool take(Records &);
	/// All that was put is written.
	void written();
	/// It shall end; take() until is_gone().
	void end();
	[[nodiscard]] bool is_gone() const { return gone_; }

private:
	explicit UpkeepProcess(Fd socket) : socket_(std::move(socket)) {}

	Fd socket_;
	std::string rest_; ///< of a line that is not whole yet
	std::string mark_; ///< what it wants to hear when all until here is written; "": nothing
	bool gone_ = false;
};

} // namespace weir::daemon
