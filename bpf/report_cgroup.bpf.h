/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reports of the gates of a cgroup. A process can make them refuse a million times a second, so what is alike is
 * counted, and only the first of it reported, with all that is known of it: alike are the same attempts of the same
 * process. Who finds that table full is counted by his process alone, in another one: so whatever one process does, who
 * else tried something is known.
 */
#ifndef WEIR_REPORT_CGROUP_BPF_H
#define WEIR_REPORT_CGROUP_BPF_H

#include "bpf/report_merged.bpf.h"

/* All of the key but what the gate has filled in: port, protocol, gate, direction, reason, verdict, operation. */
static __always_inline void complete(struct weir_attempt *attempt, const struct weir_owner *owner)
{
	struct weir_merge_key *like = &attempt->like;

	weir_copy16((__u32 *)like->local, attempt->local);
	weir_copy16((__u32 *)like->remote, attempt->remote);
	like->pid = owner ? owner->pid : 0;
	like->cookie = like->pid ? 0 : attempt->cookie;
	like->scope = (__u8)scope;
}

/* What is left when it doesn't count who the peers are: the process. Sockets of no known one are counted together. */
static __always_inline void forget_peers(struct weir_merge_key *like)
{
	__builtin_memset(like->local, 0, sizeof(like->local));
	__builtin_memset(like->remote, 0, sizeof(like->remote));
	like->cookie = 0;
	like->port = 0;
}

/* In one table: 0: counted with those of its like. 1: it is the first of them, and has an entry now. -1: no room. */
static __always_inline int count_in(void *table, const struct weir_merge_key *key, const struct weir_owner *owner,
				    __u64 cgroup, struct weir_counter *counter, __u64 now, int may_begin)
{
	struct weir_merge *like = bpf_map_lookup_elem(table, key);

	if (!like) {
		int failed = may_begin ? begin_like(table, key, owner, cgroup) : -1;

		if (!failed)
			return 1;
		if (failed == ALREADY_THERE) /* another processor was faster */
			like = bpf_map_lookup_elem(table, key);
		if (!like)
			return -1;
	}
	count_one(counter, merged); /* before it can be taken away: as in send_event() */
	count_like(like, now);
	return 0;
}

/* Counts what is refused; reports the first of its like. Gives the verdict that holds: WEIR_REFUSE, or WEIR_ALLOW where
 * the policy only observes. */
static __always_inline int weir_report(struct weir_attempt *attempt, const struct weir_owner *owner)
{
	struct weir_counter *counter;
	__u64 now = bpf_ktime_get_ns();
	__u32 slot = WEIR_MERGE_ATTEMPTS, which = CROWDED_ATTEMPTS;
	__u64 *full_until;
	void *table;
	int counted;

	complete(attempt, owner);
	counter = count_attempt(attempt);
	if (!counter)
		return WEIR_REFUSE;
	table = bpf_map_lookup_elem(&merges, &slot);
	if (!table) { /* nobody put one there: each by itself */
		if (send_event(attempt, owner, counter))
			count_one(counter, lost);
		return verdict_of(attempt);
	}
	full_until = bpf_map_lookup_elem(&crowded, &which);
	counted =
		count_in(table, &attempt->like, owner, attempt->cgroup, counter, now, full_until && *full_until <= now);
	if (counted < 0) {
		if (full_until && *full_until <= now)
			*full_until = now + CROWDED_NS;
		slot = WEIR_MERGE_PROCESSES;
		table = bpf_map_lookup_elem(&merges, &slot);
		if (table) {
			forget_peers(&attempt->like);
			counted = count_in(table, &attempt->like, owner, attempt->cgroup, counter, now, 1);
		}
	}
	if (counted < 0) {
		count_one(counter, summed);
	} else if (counted && send_event(attempt, owner, counter)) {
		struct weir_merge *like = table ? bpf_map_lookup_elem(table, &attempt->like) : 0;

		if (like) { /* the ring buffer is full: it is counted with those that follow */
			count_one(counter, merged);
			count_like(like, now);
		} else {
			count_one(counter, lost);
		}
	}
	return verdict_of(attempt);
}

#endif /* WEIR_REPORT_CGROUP_BPF_H */
