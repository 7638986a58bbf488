// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sender of a flood: run by BPF_PROG_TEST_RUN on live frames, it gives each of them another source and puts it on
 * the wire, a million and more a second on one processor. What it changes it writes whole, as frames are used again.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define ETHERNET 14
#define IPV4 20
#define TCP 6

/* Set by who floods. */
__u32 target;   /* ifindex of the sender's end of the wire */
__u32 ip_sum;   /* of 16-bit words in host order, of the frame's headers with source, source port and checksums 0 */
__u32 tcp_sum;  /* with the pseudo header */
__u32 sources;  /* a mask: how many there are, from 11.0.0.0 on */

static __always_inline __u16 folded(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)~sum;
}

static __always_inline void put(__u8 *at, __u16 value)
{
	at[0] = value >> 8;
	at[1] = (__u8)value;
}

SEC("xdp")
int forge(struct xdp_md *ctx)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	__u32 random = bpf_get_prandom_u32();
	__u32 source = 0x0b000000 | (random & sources);
	__u16 port = 1024 + (random >> 20);

	if (data + ETHERNET + IPV4 + 20 > (__u8 *)(long)ctx->data_end)
		return XDP_DROP;
	put(data + ETHERNET + 12, source >> 16);
	put(data + ETHERNET + 14, (__u16)source);
	put(data + ETHERNET + 10, folded(ip_sum + (source >> 16) + (source & 0xffff)));
	put(data + ETHERNET + IPV4, port);
	if (data[ETHERNET + 9] == TCP)
		put(data + ETHERNET + IPV4 + 16, folded(tcp_sum + (source >> 16) + (source & 0xffff) + port));
	return bpf_redirect(target, 0);
}

char LICENSE[] SEC("license") = "GPL";
