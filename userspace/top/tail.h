// SPDX-License-Identifier: Apache-2.0
// The end of what `weir run` writes, as it grows: its journal, or its output.
#pragma once

#include "base/fd.h"

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace weir::top {

class Tail {
public:
	struct Sources {
		std::string journal; ///< directory; "": not looked at
		std::string file;    ///< JSON lines; "": not looked at
	};
	/// Of two that are there, the one that was written to last is followed, from then on.
	explicit Tail(Sources sources) : sources_(std::move(sources)) {}

	using Take = std::function<void(std::string_view line, bool is_past)>;
	/// Hands over the whole lines that have come since the last call; the first time the file's last MiB, as past.
	/// At most some MiB are read in one call: what there is beyond it is skipped, all but the end, and counted.
	/// Rotation, a shortened file and further segments of the journal are followed.
	void take(const Take &);

	[[nodiscard]] const std::string &path() const { return path_; } ///< "": none can be read
	[[nodiscard]] const std::string &problem() const { return problem_; }
	[[nodiscard]] std::uint64_t skipped() const { return skipped_; } ///< bytes

private:
	bool choose();
	bool open(const std::string &path);
	void read_on(const Take &);
	[[nodiscard]] std::string successor() const;

	Sources sources_;
	bool is_journal_ = false;
	std::string path_;
	std::string problem_;
	Fd file_;
	std::uint64_t offset_ = 0;
	std::uint64_t skipped_ = 0;
	std::string rest_; ///< of a line whose end has not come
	bool is_past_ = true; ///< what is read was there before anybody watched
	bool is_cut_ = false; ///< reading begins in the middle of a line
};

} // namespace weir::top
