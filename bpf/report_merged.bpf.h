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

/* On this processor's counters, which nothing but this gate counts in; and no frame is judged in the middle of another. */
#define count_own(counter, field) ((counter)->field++)

#define ALREADY_THERE (-17) /* EEXIST */

static __always_inline void count_like(struct weir_merge *like, __u64 now)
{
	if (!like->first)
		like->first = now;
	like->last = now;
	__sync_fetch_and_add(&like->count, 1);
}

static __always_inline struct weir_counter *counter_of(const struct weir_merge_key *key)
{
	__u32 index = weir_counter_index(key->scope, key->gate, key->direction, key->reason);

	return bpf_map_lookup_elem(&counters, &index);
}

/* Makes the entry that the next ones of like are counted in: 0, when there was none. */
static __always_inline int begin_like(void *table, const struct weir_merge_key *key, const struct weir_owner *owner)
{
	struct weir_merge *like;
	int failed = bpf_map_update_elem(table, key, &nothing_yet, BPF_NOEXIST);

	if (failed || !owner)
		return failed;
	like = bpf_map_lookup_elem(table, key);
	if (like) {
		like->uid = owner->uid;
		like->gid = owner->gid;
		__builtin_memcpy(like->comm, owner->comm, sizeof(like->comm));
	}
	return 0;
}

#endif /* WEIR_REPORT_MERGED_BPF_H */
