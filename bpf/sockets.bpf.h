/* SPDX-License-Identifier: GPL-2.0-only */
/* What the packet and edge gates ask of the kernel's own sockets. */
#ifndef WEIR_SOCKETS_BPF_H
#define WEIR_SOCKETS_BPF_H

#include "bpf/packet.bpf.h"

#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define SOCK_STREAM 1
#define SOCK_RAW 3
#define AF_INET6 10

/* Fields of a socket are read by their own names only: the verifier allows no pointer into a socket, and the compiler
 * would make one. */
#define FIELD(sk, name) (*(const volatile __u32 *)&(sk)->name)

/* Is the packet of the connection that the socket has? It isn't when somebody rewrote it on its way. */
static __always_inline int same_connection(const struct bpf_sock *sk, const struct weir_packet *packet)
{
	__u32 difference = packet->local_port ^ FIELD(sk, src_port);

	difference |= packet->remote_port ^ (__u32)bpf_ntohs(*(const volatile __u16 *)&sk->dst_port);
	if (weir_is_v4(packet->remote))
		return (difference | (packet->remote[3] ^ FIELD(sk, dst_ip4))) == 0;
	difference |= packet->remote[0] ^ FIELD(sk, dst_ip6[0]);
	difference |= packet->remote[1] ^ FIELD(sk, dst_ip6[1]);
	difference |= packet->remote[2] ^ FIELD(sk, dst_ip6[2]);
	difference |= packet->remote[3] ^ FIELD(sk, dst_ip6[3]);
	return difference == 0;
}

/* The state (BPF_TCP_...) of the TCP socket of this host that has the packet's connection, with that remote port; a
 * listening one where none has. 0: there is neither. Of the network namespace of the hook. */
static __always_inline __u32 socket_state(void *ctx, const struct weir_packet *packet, __u16 remote_port)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *found;
	__u32 size, state;

	if (weir_is_v4(packet->remote)) {
		tuple.ipv4.saddr = packet->remote[3];
		tuple.ipv4.daddr = packet->local[3];
		tuple.ipv4.sport = bpf_htons(remote_port);
		tuple.ipv4.dport = bpf_htons(packet->local_port);
		size = sizeof(tuple.ipv4);
	} else {
		weir_copy16(tuple.ipv6.saddr, packet->remote);
		weir_copy16(tuple.ipv6.daddr, packet->local);
		tuple.ipv6.sport = bpf_htons(remote_port);
		tuple.ipv6.dport = bpf_htons(packet->local_port);
		size = sizeof(tuple.ipv6);
	}
	found = bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!found)
		return 0;
	state = found->state;
	bpf_sk_release(found);
	return state;
}

#endif /* WEIR_SOCKETS_BPF_H */
