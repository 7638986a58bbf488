/* SPDX-License-Identifier: GPL-2.0-only */
/* Refusals that are alike: the first is reported, the others are counted. So the records are bounded, and their counts
 * add up to what was refused. */
#ifndef WEIR_REPORT_MERGED_BPF_H
#define WEIR_REPORT_MERGED_BPF_H

#include "bpf/report.bpf.h"

static const struct weir_merge nothing_yet; /* not on the stack, which is short */

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
static __always_inline int begin_like(void *table, const struct weir_merge_key *key, const struct weir_owner *owner,
				      __u64 cgroup)
{
	struct weir_merge *like;
	int failed = bpf_map_update_elem(table, key, &nothing_yet, BPF_NOEXIST);

	if (failed || !(owner || cgroup))
		return failed;
	like = bpf_map_lookup_elem(table, key);
	if (like)
		like->cgroup = cgroup;
	if (like && owner) {
		like->uid = owner->uid;
		like->gid = owner->gid;
		__builtin_memcpy(like->comm, owner->comm, sizeof(like->comm));
	}
	return 0;
}

#endif /* WEIR_REPORT_MERGED_BPF_H */
