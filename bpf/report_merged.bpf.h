/* SPDX-License-Identifier: GPL-2.0-only */
/* Refusals that are alike: the first is reported, the others are counted. So the records are bounded, and their counts
 * add up to what was refused. What rows of windows admit is counted in the same way, and nothing of it is reported by
 * itself. */
#ifndef WEIR_REPORT_MERGED_BPF_H
#define WEIR_REPORT_MERGED_BPF_H

#include "bpf/report.bpf.h"

static const struct weir_merge nothing_yet = {.row = WEIR_NO_ROW}; /* not on the stack, which is short */

#define ALREADY_THERE (-17) /* EEXIST */
#define CROWDED_NS 20000000ull /* a table that is full is full for the next ones, too: it is tried again after that */

enum crowded_table { CROWDED_ATTEMPTS, CROWDED_ADMITTED, CROWDED_TABLES };

/* Until when, by the monotonic clock, this processor tries no new entry in one of the tables. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, CROWDED_TABLES);
	__type(key, __u32);
	__type(value, __u64);
} crowded __weak SEC(".maps");

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

/* A packet that a row of a window admits: its key is whole, with that row's direction and service. */
static __always_inline void count_admitted(const struct weir_merge_key *key, const struct weir_owner *owner,
					   __u64 cgroup, __u32 row, __u64 now)
{
	struct weir_counter *counter = counter_of(key);
	__u32 slot = WEIR_MERGE_ADMITTED, which = CROWDED_ADMITTED;
	__u64 *full_until = bpf_map_lookup_elem(&crowded, &which);
	void *table = bpf_map_lookup_elem(&merges, &slot);
	struct weir_merge *like = table ? bpf_map_lookup_elem(table, key) : 0;

	if (!counter || !full_until) /* can't be: both are in range by construction */
		return;
	count_one(counter, observed);
	if (table && !like && *full_until <= now) {
		begin_like(table, key, owner, cgroup);
		like = bpf_map_lookup_elem(table, key); /* also when another processor was faster */
		if (like)
			like->row = row;
		else
			*full_until = now + CROWDED_NS;
	}
	if (like) {
		count_one(counter, merged); /* before it can be taken away: as in send_event() */
		count_like(like, now);
	} else {
		count_one(counter, summed);
	}
}

#endif /* WEIR_REPORT_MERGED_BPF_H */
