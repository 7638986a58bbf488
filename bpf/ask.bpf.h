/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a gate asks for a verdict. weir_ask() is a global function: the verifier checks it once, by itself, and not
 * again on every path of every gate that leads to it. Its arguments and its answer are therefore plain numbers.
 */
#ifndef WEIR_ASK_BPF_H
#define WEIR_ASK_BPF_H

#include "bpf/verdict.bpf.h"

/* The answer: generation of the image that judged << 32 | reason or row << 8 | these. */
#define WEIR_ANSWER_ALLOWED 1ull
#define WEIR_ANSWER_OBSERVE 2ull
/* By a row with a deadline, or that needs the journal: it is of this packet, and nobody keeps it for the next. */
#define WEIR_ANSWER_ENDS 4ull
/* By a row with a deadline, which stands in the place of the reason: what it admits is counted. */
#define WEIR_ANSWER_WINDOW 8ull
#define WEIR_ANSWER_WHY 0xffffff00ull

static __always_inline __u32 answer_generation(__u64 answer)
{
	return answer >> 32;
}

static __always_inline __u8 answer_reason(__u64 answer)
{
	return answer & WEIR_ANSWER_WINDOW ? WEIR_REASON_NONE : (__u8)(answer >> 8);
}

/* Only of one with WEIR_ANSWER_WINDOW. */
static __always_inline __u32 answer_row(__u64 answer)
{
	return (__u32)(answer & WEIR_ANSWER_WHY) >> 8;
}

/* An answer, or what was one, turned into a refusal. */
static __always_inline __u64 answer_refused(__u64 answer, __u32 reason)
{
	const __u64 kept = ~(WEIR_ANSWER_WHY | WEIR_ANSWER_ALLOWED | WEIR_ANSWER_ENDS | WEIR_ANSWER_WINDOW);

	return (answer & kept) | (__u64)reason << 8;
}

/* May it be kept for the packets that follow? */
static __always_inline int answer_lasts(__u64 answer)
{
	return (answer & (WEIR_ANSWER_ALLOWED | WEIR_ANSWER_ENDS)) == WEIR_ANSWER_ALLOWED;
}

/* Did rows refuse for want of the journal? A gate that then asks about other rows says this all the same. */
static __always_inline __u32 lacks_journal(__u64 answer)
{
	return !(answer & WEIR_ANSWER_ALLOWED) && answer_reason(answer) == WEIR_REASON_JOURNAL;
}

/* Who made the socket, as weir_ask() takes it; 0: not known, and no row with a user holds. */
static __always_inline __u64 maker_of(const struct weir_owner *owner)
{
	return owner ? (__u64)(owner->made & 1) << 32 | owner->maker : 0;
}

/* The circumstances, packed: port, protocol, direction, zone, from_kernel as in struct weir_question. */
static __always_inline __u64 circumstances(__u32 direction, __u32 protocol, __u32 port, __u32 zone, __u32 from_kernel)
{
	return (__u64)port | (__u64)protocol << 16 | (__u64)direction << 24 | (__u64)zone << 32 |
	       (__u64)from_kernel << 40;
}

static __always_inline __u32 circumstances_port(__u64 what)
{
	return what & 0xffff;
}

static __always_inline __u32 circumstances_protocol(__u64 what)
{
	return (what >> 16) & 255;
}

static __always_inline __u32 circumstances_direction(__u64 what)
{
	return (what >> 24) & 1;
}

/*
 * Judges by the image in force. `remote_high` and `remote_low` are the two halves of the remote address as they lie
 * in memory (network order); `what` is circumstances(), `user` who made the socket. Tallies the row that admits.
 */
__u64 weir_ask(__u64 remote_high, __u64 remote_low, __u64 what, __u64 user);

#endif /* WEIR_ASK_BPF_H */
