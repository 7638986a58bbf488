// SPDX-License-Identifier: GPL-2.0-only
/* The verdict function, as the gates call it. */
#include "bpf/maps.bpf.h"
#include "bpf/verdict.bpf.h"
#include "bpf/ask.bpf.h"

/* Is the journal written, as far as is known? */
static __always_inline __u64 journal_is_written(void)
{
	__u32 slot = 0;
	const struct weir_lease *it = bpf_map_lookup_elem(&lease, &slot);

	return it && *(const volatile __u64 *)&it->until > bpf_ktime_get_boot_ns();
}

__attribute__((noinline)) __u64 weir_ask(__u64 remote_high, __u64 remote_low, __u64 what, __u64 user)
{
	struct weir_question question = {
		.remote = {(__u32)remote_high, remote_high >> 32, (__u32)remote_low, remote_low >> 32},
		.scope = scope,
		.direction = circumstances_direction(what),
		.protocol = circumstances_protocol(what),
		.port = circumstances_port(what),
		.zone = (what >> 32) & 255,
		.from_kernel = (what >> 40) & 1,
		.user = user,
	};
	struct weir_answer answer = {.verdict = WEIR_REFUSE};
	const struct weir_header *header = 0;
	void *image = published_image();

	if (image)
		header = image_line(image, 0);
	if (!header)
		return WEIR_REASON_NO_POLICY << 8;
	if (header->flags & WEIR_IMAGE_DEADLINES)
		question.now = bpf_ktime_get_boot_ns();
	if (header->flags & WEIR_IMAGE_JOURNAL)
		question.journal = journal_is_written();
	answer.reason = weir_judged_form(question.remote);
	if (!answer.reason) {
		/* Nothing at run time: the verifier forgets what the comparisons above told it of the address, and so
		 * walks the look-ups once and not once for each form of address. */
		__u32 nothing = header->magic ^ WEIR_MAGIC;

		for (int i = 0; i < 4; i++)
			question.remote[i] ^= nothing;
		weir_decide(image, header, &question, &answer);
	}
	return (__u64)header->generation << 32 |
	       (answer.window ? (__u64)answer.row << 8 & WEIR_ANSWER_WHY : (__u64)answer.reason << 8) |
	       (header->flags & WEIR_IMAGE_OBSERVE ? WEIR_ANSWER_OBSERVE : 0) | (answer.ends ? WEIR_ANSWER_ENDS : 0) |
	       (answer.window ? WEIR_ANSWER_WINDOW : 0) | (answer.verdict == WEIR_ALLOW ? WEIR_ANSWER_ALLOWED : 0);
}

char LICENSE[] __weak SEC("license") = "GPL";
