// SPDX-License-Identifier: GPL-2.0-only
/*
 * The edge gate at traffic control (tcx or clsact): what goes out of an interface, and what comes in where the driver
 * has no XDP. Admitted packets go on to the programs behind this one.
 */
#include "bpf/edge_maps.bpf.h"
#include "bpf/verdict.bpf.h"

#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

struct weir_frame;
static __always_inline int skb_load(const struct weir_frame *frame, __u32 offset, void *to, __u32 size);
#define packet_load(frame, offset, to, size) skb_load(frame, offset, to, size)

#include "bpf/edge.bpf.h"

static __always_inline int skb_load(const struct weir_frame *frame, __u32 offset, void *to, __u32 size)
{
	return bpf_skb_load_bytes(frame->ctx, frame->base + offset, to, size);
}

static __always_inline const struct weir_owner *tell_circumstance(const struct passage *p, struct weir_attempt *attempt)
{
	struct __sk_buff *skb = p->frame.ctx;
	struct bpf_sock *sk = skb->sk;

	attempt->ifindex = skb->ifindex;
	if (p->direction == WEIR_IN)
		return 0;
	attempt->cgroup = bpf_skb_cgroup_id(skb);
	attempt->cookie = bpf_get_socket_cookie(skb);
	if (sk)
		sk = bpf_sk_fullsock(sk);
	return sk ? bpf_sk_storage_get(&owners, sk, 0, 0) : 0;
}

static __always_inline int action_of(int verdict)
{
	return verdict == WEIR_ALLOW ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int weir_edge_in(struct __sk_buff *skb)
{
	struct passage p = {
		.direction = WEIR_IN,
		.frame = {.ctx = skb, .length = skb->len, .many = skb->gso_segs > 1},
	};

	return action_of(judge_frame(&p));
}

/* States of a TCP socket in which it has a connection that both sides know of. */
static __always_inline int is_connected(__u32 state)
{
	return state != BPF_TCP_CLOSE && state != BPF_TCP_LISTEN && state != BPF_TCP_SYN_SENT;
}

SEC("tc")
int weir_edge_out(struct __sk_buff *skb)
{
	struct bpf_sock *sk = skb->sk;
	struct passage p = {
		.direction = WEIR_OUT,
		.frame = {.ctx = skb, .length = skb->len, .many = skb->gso_segs > 1},
	};

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk) {
		/* The kernel's own: no process made it, and no cgroup's gate noted it. */
		p.own = sk->family == AF_INET6 && sk->type == SOCK_RAW &&
			!bpf_sk_storage_get(&owners, sk, 0, 0);
		p.connected = sk->protocol == WEIR_IPPROTO_TCP && sk->type == SOCK_STREAM && is_connected(sk->state);
	}
	return action_of(judge_frame(&p));
}

char LICENSE[] __weak SEC("license") = "GPL";
