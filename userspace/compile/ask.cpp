// SPDX-License-Identifier: Apache-2.0
// The kernel's own verdict function, compiled for user space: what explain says is what the gates do.
#include "compile/image.h"

#include <cstring>

namespace {

struct Lines {
	const weir::Image &image;
};

/// What image_line() gives is taken as any part of the image, as C takes a void pointer.
struct Line {
	void *at;
	template <typename Part>
	operator Part *() const // NOLINT(google-explicit-constructor)
	{
		return static_cast<Part *>(at);
	}
};

/// As bpf_map_lookup_elem() in the kernel, but for the tallies: asking here decides nothing.
Line image_line(void *image, __u32 line)
{
	const auto &lines = static_cast<const Lines *>(image)->image.lines;
	const auto &header = *reinterpret_cast<const weir_header *>(lines.data());
	const bool is_tally = line >= header.tallies &&
			      line < header.tallies + (header.row_count + WEIR_TALLY_SLOTS - 1) / WEIR_TALLY_SLOTS;
	if (line >= lines.size() || is_tally)
		return {nullptr};
	return {const_cast<weir_line *>(&lines[line])};
}

} // namespace

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include "bpf/verdict.bpf.h"
#pragma GCC diagnostic pop

namespace weir {

Answer ask(const Image &image, const Question &q)
{
	weir_question question{};
	std::memcpy(question.remote, q.remote.bytes.data(), sizeof(question.remote));
	question.scope = q.scope;
	question.direction = q.dir == Direction::out ? WEIR_OUT : WEIR_IN;
	question.protocol = q.protocol;
	question.port = q.port;
	question.zone = q.zone;
	question.from_kernel = q.from_kernel ? 1 : 0;
	question.user = q.user ? weir_user(*q.user) : 0;
	question.now = q.now;
	question.journal = q.journal ? 1 : 0;
	if (const auto reason = weir_judged_form(question.remote))
		return {.reason = static_cast<weir_reason>(reason)};
	Lines lines{image};
	weir_answer answer{};
	weir_decide(&lines, &image.header(), &question, &answer);
	return {answer.verdict == WEIR_ALLOW, answer.row, static_cast<weir_reason>(answer.reason)};
}

} // namespace weir
