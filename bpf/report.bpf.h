/* SPDX-License-Identifier: GPL-2.0-only */
/* Each refusal is counted where it happens; what is reported goes into the ring buffer. */
#ifndef WEIR_REPORT_BPF_H
#define WEIR_REPORT_BPF_H

#include "bpf/maps.bpf.h"
#include "bpf/packet.bpf.h"

/* What a gate found out about the attempt that it refuses. The addresses stand where the gate has them: the stack of a
 * program is short. */
struct weir_attempt {
	const __u32 *local;
	const __u32 *remote;
	struct weir_merge_key like; /* what it has in common with others */
	__u64 cgroup;
	__u64 cookie;
	__u32 length;
	__u16 local_port;
	__u16 remote_port;
	__u64 tcp_flags;
};

static __always_inline int verdict_of(const struct weir_attempt *attempt)
{
	return attempt->like.verdict == WEIR_ALLOW ? WEIR_ALLOW : WEIR_REFUSE;
}

/* Atomic: a soft interrupt may run another gate in the middle of this one, on this processor. */
#define count_one(counter, field) __sync_fetch_and_add(&(counter)->field, 1)

static __always_inline struct weir_counter *count_attempt(const struct weir_attempt *attempt)
{
	const struct weir_merge_key *like = &attempt->like;
	__u32 index = weir_counter_index(like->scope, like->gate, like->direction, like->reason);
	struct weir_counter *counter = bpf_map_lookup_elem(&counters, &index);

	if (!counter) /* can't be: the index is in range by construction */
		return 0;
	if (verdict_of(attempt) == WEIR_ALLOW)
		count_one(counter, observed);
	else
		count_one(counter, refused);
	return counter;
}

/* Into the ring buffer, and counted before it can be read there, so that no reader has more than was counted; -1 when
 * the buffer is full, and nothing is counted. */
static __always_inline int send_event(const struct weir_attempt *attempt, const struct weir_owner *owner,
				      struct weir_counter *counter)
{
	const struct weir_trailer *trailer = 0;
	const struct weir_header *header;
	struct weir_event *event;
	void *image;

	event = bpf_ringbuf_reserve(&events, sizeof(*event), 0);
	if (!event)
		return -1;
	__builtin_memset(event, 0, sizeof(*event));
	event->time = bpf_ktime_get_boot_ns();
	event->cgroup = attempt->cgroup;
	event->cookie = attempt->cookie;
	image = published_image();
	header = image ? image_line(image, 0) : 0;
	if (header && header->generation == attempt->like.generation)
		trailer = image_line(image, 1);
	if (trailer)
		__builtin_memcpy(event->digest, trailer->digest, sizeof(event->digest));
	weir_copy16((__u32 *)event->local, attempt->local);
	weir_copy16((__u32 *)event->remote, attempt->remote);
	event->generation = attempt->like.generation;
	event->row = WEIR_NO_ROW;
	event->ifindex = attempt->like.ifindex;
	event->length = attempt->length;
	event->local_port = attempt->local_port;
	event->remote_port = attempt->remote_port;
	event->protocol = attempt->like.protocol;
	event->gate = attempt->like.gate;
	event->operation = attempt->like.operation;
	event->direction = attempt->like.direction;
	event->reason = attempt->like.reason;
	event->verdict = (__u8)verdict_of(attempt);
	event->scope = attempt->like.scope;
	event->tcp_flags = (__u8)attempt->tcp_flags;
	if (owner) {
		event->pid = owner->pid;
		event->uid = owner->uid;
		event->gid = owner->gid;
		__builtin_memcpy(event->comm, owner->comm, sizeof(event->comm));
	}
	count_one(counter, reported);
	bpf_ringbuf_submit(event, 0);
	return 0;
}

/* Is the socket of this hook of another network namespace than the policy's edge? `ctx` is the context of a
 * cgroup's sock_create, connect or sendmsg hook. Where it can't be told it is not: it is held then. */
static __always_inline __u32 weir_is_foreign(void *ctx)
{
	if (edge_netns)
		return bpf_get_netns_cookie(ctx) != edge_netns;
	if (edge_netns_is_initial)
		return bpf_get_netns_cookie(ctx) != bpf_get_netns_cookie(0);
	return 0;
}

/* The process that runs now, and nothing of who made the socket. Not for soft interrupts. */
static __always_inline void weir_current(void *ctx, struct weir_owner *owner)
{
	__u64 ids = bpf_get_current_uid_gid();

	owner->pid = bpf_get_current_pid_tgid() >> 32;
	owner->uid = (__u32)ids;
	owner->gid = ids >> 32;
	owner->foreign = weir_is_foreign(ctx);
	owner->maker = 0;
	owner->made = 0;
	bpf_get_current_comm(owner->comm, sizeof(owner->comm));
}

#endif /* WEIR_REPORT_BPF_H */
