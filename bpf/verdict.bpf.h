/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * The verdict: one function, weir_decide(), that every gate calls.
 *
 * It is also compiled into user space (`weir explain`, the tests), so it calls no helper of its own: whoever
 * includes it defines image_line(), which gives a line of the image or NULL.
 *
 * The question is (scope, direction, protocol, service port, remote address); the answer is the first row of
 * the policy that admits it, or refuse. Three look-ups, whose cost doesn't grow with the number of rows:
 *
 *   port_class()     which rows have this port: two array steps
 *   address_class()  which rows have this address: binary search over the prefix lengths in use
 *   cell             port class x address class -> up to six rows, in order; the first whose conditions
 *                    (zone, origin, user, deadline, journal) hold decides
 */
#ifndef WEIR_VERDICT_BPF_H
#define WEIR_VERDICT_BPF_H

#include "bpf/abi.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif

/* A constant of 32 bits in network order. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define WEIR_BE32(x) ((__u32)__builtin_bswap32(x))
#else
#define WEIR_BE32(x) ((__u32)(x))
#endif

struct weir_question {
	__u32 remote[4]; /* network order; weir_judged_form() has been applied */
	__u32 scope;
	__u32 direction;
	__u32 protocol;
	__u32 port;        /* of the service: remote for out, local for in; ICMP: the type */
	__u32 zone;        /* enum weir_zone */
	__u32 from_kernel; /* the packet was made by a kernel on this link, not by a process */
	__u64 user;        /* who made the socket: weir_user(), or 0: not known */
	__u64 now;         /* boot clock, ns; only looked at when rows have deadlines */
	__u64 journal;     /* 1: it is written; only looked at when rows need it. */
};

static __always_inline __u64 weir_user(__u32 uid)
{
	return 1ull << 32 | uid;
}

struct weir_answer {
	__u32 verdict;
	__u32 reason;
	__u32 row;
	__u32 ends; /* the row has a deadline, or needs the journal: the answer holds for this packet only */
	__u32 window; /* it has a deadline: it is a window's */
};

/* Lines as the parts of the image see them. */
struct weir_protocol_line {
	struct weir_protocol protocol[8];
};
struct weir_page_line {
	__u16 entry[32];
};
struct weir_length_line {
	__u8 length[64];
};
struct weir_address_line {
	struct weir_address slot[WEIR_ADDRESS_SLOTS];
};
struct weir_cell_line {
	struct weir_cell slot[WEIR_CELL_SLOTS];
};
struct weir_row_line {
	struct weir_row row[WEIR_ROW_SLOTS];
};
struct weir_tally_line {
	__u64 tally[WEIR_TALLY_SLOTS];
};

static __always_inline int weir_is_v4(const __u32 a[4])
{
	return a[0] == 0 && a[1] == 0 && a[2] == WEIR_BE32(0xffff);
}

/*
 * Brings an address to the form that rows are compared with, in place. An IPv6 address that embeds an IPv4
 * address is judged by it (NAT64, RFC 6052) or refused, so that no IPv4 row can be passed by in IPv6 clothes.
 * 0, or WEIR_REASON_EMBEDDED.
 */
static __always_inline __u32 weir_judged_form(__u32 a[4])
{
	if (a[0] == 0 && a[1] == 0) {
		if (a[2] == 0) /* :: and ::1; else v4-compatible, RFC 4291 section 2.5.5.1 */
			return a[3] == 0 || a[3] == WEIR_BE32(1) ? 0 : WEIR_REASON_EMBEDDED;
		if (a[2] == WEIR_BE32(0xffff0000)) /* ::ffff:0:a.b.c.d, RFC 2765 */
			return WEIR_REASON_EMBEDDED;
		return 0;
	}
	if (a[0] == WEIR_BE32(0x0064ff9b)) {
		if (a[1] == 0 && a[2] == 0) { /* 64:ff9b::/96 */
			a[0] = 0;
			a[2] = WEIR_BE32(0xffff);
			return 0;
		}
		if ((a[1] & WEIR_BE32(0xffff0000)) == WEIR_BE32(0x00010000)) /* 64:ff9b:1::/48, RFC 8215 */
			return WEIR_REASON_EMBEDDED;
		return 0;
	}
	if ((a[0] & WEIR_BE32(0xffff0000)) == WEIR_BE32(0x20020000)) /* 6to4, RFC 3056 */
		return WEIR_REASON_EMBEDDED;
	if (a[0] == WEIR_BE32(0x20010000)) /* Teredo, RFC 4380 */
		return WEIR_REASON_EMBEDDED;
	return 0;
}

/* The class of the ports' row sets, 0 = no row of this scope and direction has this protocol and port. */
static __always_inline __u32 weir_port_class(void *image, const struct weir_header *header,
					     const struct weir_question *q)
{
	const struct weir_protocol_line *protocols;
	const struct weir_page_line *page;
	__u32 first_class, pages, entry;

	protocols = image_line(image, header->protocols + (q->scope * WEIR_DIRECTIONS + q->direction) * 32 +
					      ((q->protocol >> 3) & 31));
	if (!protocols)
		return 0;
	first_class = protocols->protocol[q->protocol & 7].first_class;
	pages = protocols->protocol[q->protocol & 7].pages;
	if (first_class == 0 || pages == 0)
		return first_class;

	page = image_line(image, pages + ((q->port >> 13) & 7));
	if (!page)
		return 0;
	entry = page->entry[(q->port >> 8) & 31];
	page = image_line(image, pages + WEIR_PAGE_LINES * (1 + entry) + ((q->port >> 5) & 7));
	if (!page)
		return 0;
	entry = page->entry[q->port & 31];
	return entry ? first_class + entry : 0;
}

/*
 * The look-ups below have no branches on what they find. The kernel's verifier walks every path, and paths that
 * fork at each compared entry of each step are more than it will walk. weir_opaque() keeps the compiler from
 * making a branch of the arithmetic.
 */
#define weir_opaque(x) __asm__ volatile("" : "+r"(x))

/* All ones when `difference` is 0, else 0. */
static __always_inline __u64 weir_if_zero(__u64 difference)
{
	__u64 negated = 0 - difference;

	weir_opaque(negated);
	return ((difference | negated) >> 63) - 1;
}

/* The 32-bit word `word` of the mask of a prefix length, network order. */
static __always_inline __u32 weir_mask(__u32 length, __u32 word)
{
	__s64 bits = (__s64)length - 32 * (__s64)word;

	weir_opaque(bits);
	bits &= ~(bits >> 63); /* not below 0 */
	bits -= 32;
	weir_opaque(bits);
	bits = 32 + (bits & (bits >> 63)); /* not above 32 */
	return WEIR_BE32((__u32)(0xffffffff00000000ull >> (bits & 63)));
}

/* The len_class of the entry (length, prefix), 0 = none. Every key has two buckets. */
static __always_inline __u64 weir_find_prefix(void *image, const struct weir_header *header, const __u32 p[4],
					      __u32 length)
{
	__u64 hash = weir_hash(((__u64)p[0] << 32) | p[1], ((__u64)p[2] << 32) | p[3], length);
	__u64 found = 0;

	for (int bucket = 0; bucket < 2; bucket++) {
		const struct weir_address_line *line =
			image_line(image, header->addresses + ((__u32)hash & header->address_mask));

		hash >>= 32;
		if (!line)
			return 0;
		for (int i = 0; i < (int)WEIR_ADDRESS_SLOTS; i++) {
			const struct weir_address *slot = &line->slot[i];
			__u64 difference = (slot->prefix[0] ^ p[0]) | (slot->prefix[1] ^ p[1]) |
					   (slot->prefix[2] ^ p[2]) | (slot->prefix[3] ^ p[3]) |
					   ((slot->len_class >> 24) ^ length);

			found |= slot->len_class & weir_if_zero(difference);
		}
	}
	return found;
}

/*
 * The class of the row sets of the longest prefix that holds the address. Binary search on prefix lengths
 * (Waldvogel et al., "Scalable High Speed IP Routing Lookups", SIGCOMM 1997): a hit means that the answer is
 * this entry's class or a longer prefix's; a miss means a shorter one. The compiler puts markers where a search
 * must go on to longer prefixes, each with the class that holds if nothing longer is found.
 */
static __always_inline __u32 weir_address_class(void *image, const struct weir_header *header, const __u32 a[4])
{
	__u32 v4 = (__u32)weir_is_v4(a);
	__u64 found = v4 ? header->default4 : header->default6;
	__u32 lengths = v4 ? header->lengths4 : header->lengths6;
	__u64 node = 1;

	for (__u32 step = 0; step < WEIR_LENGTH_STEPS; step++) {
		const struct weir_length_line *line = image_line(image, lengths + ((__u32)node >> 6));
		__u64 entry, miss;
		__u32 length, p[4];

		if (!line)
			break;
		length = line->length[node & 63];
		if (length == 0)
			break;
		p[0] = a[0] & weir_mask(length, 0);
		p[1] = a[1] & weir_mask(length, 1);
		p[2] = a[2] & weir_mask(length, 2);
		p[3] = a[3] & weir_mask(length, 3);
		entry = weir_find_prefix(image, header, p, length);
		miss = weir_if_zero(entry);
		found = (found & miss) | (entry & WEIR_MAX_CLASS & ~miss);
		node = 2 * node + 1 + miss; /* miss is 0 or -1 */
	}
	return (__u32)found;
}

/* What a row lacks to hold, the least first. Of all rows of a cell the least is told. */
enum weir_lack {
	WEIR_LACKS_NOTHING = 0,
	WEIR_LACKS_JOURNAL,
	WEIR_LACKS_TIME,
	WEIR_LACKS_USER,
	WEIR_LACKS_ORIGIN,
	WEIR_LACKS_ALL,
};

static __always_inline __u32 weir_reason_of(__u32 lack)
{
	const __u64 reasons = (__u64)WEIR_REASON_JOURNAL << 8 | (__u64)WEIR_REASON_CLOSED << 16 |
			      (__u64)WEIR_REASON_USER << 24 | (__u64)WEIR_REASON_ORIGIN << 32 |
			      (__u64)WEIR_REASON_NO_ROW << 40;

	return (__u32)(reasons >> (8 * lack & 63)) & 255;
}

static __always_inline __u32 weir_row_lacks(const struct weir_row *row, const struct weir_question *q)
{
	if (!(row->zones & q->zone))
		return WEIR_LACKS_ALL;
	if ((row->flags & WEIR_ROW_KERNEL) && !q->from_kernel)
		return WEIR_LACKS_ORIGIN;
	if ((row->flags & WEIR_ROW_USER) && q->user != weir_user(row->user))
		return WEIR_LACKS_USER;
	if (row->deadline && row->deadline <= q->now)
		return WEIR_LACKS_TIME;
	if ((row->flags & WEIR_ROW_JOURNAL) && !q->journal)
		return WEIR_LACKS_JOURNAL;
	return WEIR_LACKS_NOTHING;
}

/* The rows of a cell, as in struct weir_cell; all 0 when no row has this address and this port. */
static __always_inline void weir_find_rows(void *image, const struct weir_header *header, __u32 address_class,
					   __u32 port_class, __u32 rows[WEIR_CELL_ROWS])
{
	__u64 hash = weir_hash(address_class, port_class, 0);

	for (__u32 row = 0; row < WEIR_CELL_ROWS; row++)
		rows[row] = 0;
	for (int bucket = 0; bucket < 2; bucket++) {
		const struct weir_cell_line *line =
			image_line(image, header->cells + ((__u32)hash & header->cell_mask));

		hash >>= 32;
		if (!line)
			return;
		for (int i = 0; i < (int)WEIR_CELL_SLOTS; i++) {
			const struct weir_cell *slot = &line->slot[i];
			__u32 same = (__u32)weir_if_zero((slot->port_class ^ port_class) |
							 (slot->address_class ^ address_class));

			for (__u32 row = 0; row < WEIR_CELL_ROWS; row++)
				rows[row] |= slot->rows[row] & same;
		}
	}
}

/* Refuses unless a row admits, or loopback is open. */
static __always_inline void weir_decide(void *image, const struct weir_header *header, const struct weir_question *q,
					struct weir_answer *answer)
{
	const struct weir_trailer *trailer;
	__u32 rows[WEIR_CELL_ROWS];
	__u32 port_class, lack = WEIR_LACKS_ALL;

	answer->verdict = WEIR_REFUSE;
	answer->row = WEIR_NO_ROW;
	answer->ends = 0;
	answer->window = 0;

	port_class = weir_port_class(image, header, q);
	if (port_class) {
		weir_find_rows(image, header, weir_address_class(image, header, q->remote), port_class, rows);
		for (__u32 i = 0; i < WEIR_CELL_ROWS; i++) {
			__u32 row = rows[i] - 1, lacks = WEIR_LACKS_ALL;
			const struct weir_row_line *line;
			const struct weir_row *holds;
			struct weir_tally_line *tallies;

			if (row == WEIR_NO_ROW)
				break;
			line = image_line(image, header->rows + row / WEIR_ROW_SLOTS);
			if (line)
				lacks = weir_row_lacks(&line->row[row % WEIR_ROW_SLOTS], q);
			if (lacks) {
				lack = lacks < lack ? lacks : lack;
				continue;
			}
			holds = &line->row[row % WEIR_ROW_SLOTS];
			answer->window = holds->deadline != 0;
			answer->ends = answer->window || (holds->flags & WEIR_ROW_JOURNAL);
			tallies = image_line(image, header->tallies + row / WEIR_TALLY_SLOTS);
			if (tallies)
				__sync_fetch_and_add(&tallies->tally[row % WEIR_TALLY_SLOTS], 1);
			answer->verdict = WEIR_ALLOW;
			answer->reason = WEIR_REASON_NONE;
			answer->row = row;
			return;
		}
	}
	answer->reason = weir_reason_of(lack);
	if (q->zone != WEIR_ZONE_LOOPBACK)
		return;
	trailer = image_line(image, 1);
	if (trailer && (trailer->open_loopback & (1u << (q->scope & 31)))) {
		answer->verdict = WEIR_ALLOW;
		answer->reason = WEIR_REASON_NONE;
	}
}

#endif /* WEIR_VERDICT_BPF_H */
