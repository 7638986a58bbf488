// SPDX-License-Identifier: GPL-2.0-only
/* The edge gate on what comes in, at the driver (XDP): before the kernel has spent anything on it. */
#include "bpf/edge_maps.bpf.h"
#include "bpf/verdict.bpf.h"

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

struct weir_frame;
static __always_inline int xdp_load(const struct weir_frame *frame, __u32 offset, void *to, __u32 size);
#define packet_load(frame, offset, to, size) xdp_load(frame, offset, to, size)

#include "bpf/edge.bpf.h"

#define FARTHEST 0x3fffu /* of what is read in a frame: the verifier wants a bound */

static __always_inline int xdp_load(const struct weir_frame *frame, __u32 offset, void *to, __u32 size)
{
	const struct xdp_md *ctx = frame->ctx;
	void *data = (void *)(long)ctx->data;
	void *end = (void *)(long)ctx->data_end;
	__u64 at = (__u64)frame->base + offset;

	weir_opaque(at);
	if (at > FARTHEST)
		return -1;
	data += at;
	weir_opaque(data);
	if (data + size > end)
		return -1;
	/* By words: of what may lie anywhere the compiler would copy byte by byte. */
	if (size % 4 == 0)
		for (__u32 i = 0; i < size / 4; i++)
			((__u32 *)to)[i] = ((const __u32 *)data)[i];
	else if (size % 2 == 0)
		for (__u32 i = 0; i < size / 2; i++)
			((__u16 *)to)[i] = ((const __u16 *)data)[i];
	else
		__builtin_memcpy(to, data, size);
	return 0;
}

__attribute__((noinline)) int weir_read_xdp(struct xdp_md *ctx)
{
	return (int)read_all(ctx);
}

static __always_inline __u32 read_frame(void *ctx)
{
	return (__u32)weir_read_xdp(ctx);
}

static __always_inline __u32 interface_of(void *ctx)
{
	return ((struct xdp_md *)ctx)->ingress_ifindex;
}

static __always_inline const struct weir_owner *owner_of(void *ctx, __u32 direction)
{
	(void)ctx;
	(void)direction;
	return 0;
}

static __always_inline void tell_socket(void *ctx, __u32 direction, struct weir_attempt *attempt)
{
	(void)ctx;
	(void)direction;
	(void)attempt;
}

SEC("xdp")
int weir_edge_xdp(struct xdp_md *ctx)
{
	struct passage *p = this_passage();

	if (!p)
		return XDP_DROP;
	clear_passage(p);
	p->direction = WEIR_IN;
	p->length = ctx->data_end - ctx->data;
	return judge_frame(ctx, p) == WEIR_ALLOW ? XDP_PASS : XDP_DROP;
}

char LICENSE[] __weak SEC("license") = "GPL";
