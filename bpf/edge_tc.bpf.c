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

__attribute__((noinline)) int weir_read_skb(struct __sk_buff *skb)
{
	return (int)read_all(skb);
}

static __always_inline __u32 read_frame(void *ctx)
{
	return (__u32)weir_read_skb(ctx);
}

static __always_inline __u32 interface_of(void *ctx)
{
	return ((struct __sk_buff *)ctx)->ifindex;
}

static __always_inline const struct weir_owner *owner_of(void *ctx, __u32 direction)
{
	struct bpf_sock *sk = ((struct __sk_buff *)ctx)->sk;

	if (sk && direction == WEIR_OUT)
		sk = bpf_sk_fullsock(sk);
	return sk && direction == WEIR_OUT ? bpf_sk_storage_get(&owners, sk, 0, 0) : 0;
}

static __always_inline void tell_socket(void *ctx, __u32 direction, struct weir_attempt *attempt)
{
	if (direction == WEIR_IN)
		return;
	attempt->cgroup = bpf_skb_cgroup_id(ctx);
	attempt->cookie = bpf_get_socket_cookie(ctx);
}

static __always_inline int judge_skb(struct __sk_buff *skb, __u32 direction)
{
	struct passage *p = this_passage();
	struct bpf_sock *sk = skb->sk;

	if (!p)
		return TC_ACT_SHOT;
	clear_passage(p);
	p->direction = direction;
	p->length = skb->len;
	p->many = skb->gso_segs > 1;
	if (sk && direction == WEIR_OUT)
		sk = bpf_sk_fullsock(sk);
	if (sk && direction == WEIR_OUT) /* the kernel's own: no process made it, and no cgroup's gate noted it */
		p->own = sk->family == AF_INET6 && sk->type == SOCK_RAW && !bpf_sk_storage_get(&owners, sk, 0, 0);
	return judge_frame(skb, p) == WEIR_ALLOW ? TC_ACT_UNSPEC : TC_ACT_SHOT;
}

SEC("tc")
int weir_edge_in(struct __sk_buff *skb)
{
	return judge_skb(skb, WEIR_IN);
}

SEC("tc")
int weir_edge_out(struct __sk_buff *skb)
{
	return judge_skb(skb, WEIR_OUT);
}

char LICENSE[] __weak SEC("license") = "GPL";
