/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The edge gate's reports. Anybody on the network can make it refuse a million packets a second, so what is alike is
 * counted, and only the first of it reported: the records are bounded, and their counts add up to what was refused.
 */
#ifndef WEIR_REPORT_MERGED_BPF_H
#define WEIR_REPORT_MERGED_BPF_H

#include "bpf/edge_maps.bpf.h"
#include "bpf/report.bpf.h"

static const struct weir_merge nothing_yet; /* not on the stack, which is short */

static __always_inline void make_merge_key(struct weir_merge_key *key, const struct weir_attempt *attempt,
					   const struct weir_owner *owner)
{
	__builtin_memcpy(key->local, attempt->local, sizeof(key->local));
	__builtin_memcpy(key->remote, attempt->remote, sizeof(key->remote));
	key->ifindex = attempt->ifindex;
	key->pid = owner ? owner->pid : 0;
	key->generation = attempt->generation;
	key->port = attempt->service;
	key->protocol = attempt->protocol;
	key->gate = attempt->gate;
	key->direction = attempt->direction;
	key->reason = attempt->reason;
	key->verdict = (__u8)verdict_of(attempt);
	key->scope = (__u8)scope;
}

static __always_inline void count_like(struct weir_merge *like, __u64 now)
{
	if (!like->first)
		like->first = now;
	like->last = now;
	__sync_fetch_and_add(&like->count, 1);
}

/* As weir_report(). `now`: as edge_clock() tells it. */
static __always_inline int weir_report_merged(const struct weir_attempt *attempt, const struct weir_owner *owner,
					      __u64 now)
{
	struct weir_counter *counter = count_attempt(attempt);
	struct weir_merge_key key = {};
	struct weir_merge *like;
	__u32 slot = 0;
	void *table;

	if (!counter)
		return WEIR_REFUSE;
	make_merge_key(&key, attempt, owner);
	table = bpf_map_lookup_elem(&merges, &slot);
	if (!table) {
		count_one(counter, summed);
		return verdict_of(attempt);
	}
	like = bpf_map_lookup_elem(table, &key);
	if (!like) {
		int failed = bpf_map_update_elem(table, &key, &nothing_yet, BPF_NOEXIST);

		like = bpf_map_lookup_elem(table, &key);
		if (like && owner) {
			like->uid = owner->uid;
			like->gid = owner->gid;
			__builtin_memcpy(like->comm, owner->comm, sizeof(like->comm));
		}
		if (!failed && !send_event(attempt, owner)) {
			count_one(counter, reported);
			return verdict_of(attempt);
		}
		/* Another processor was faster, or the table is full, or the ring buffer. */
	}
	if (!like) {
		count_one(counter, summed);
		return verdict_of(attempt);
	}
	count_like(like, now);
	count_one(counter, merged);
	return verdict_of(attempt);
}

#endif /* WEIR_REPORT_MERGED_BPF_H */
