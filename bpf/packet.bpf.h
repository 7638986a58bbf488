/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From the bytes of an IP packet to what is judged. What is not understood is refused.
 *
 * Whoever includes this defines packet_load(ctx, offset, to, size): 0, or negative when the packet is shorter.
 */
#ifndef WEIR_PACKET_BPF_H
#define WEIR_PACKET_BPF_H

#include "bpf/verdict.bpf.h"

/* IANA protocol numbers that have a form of their own here. */
enum {
	WEIR_IPPROTO_HOPOPTS = 0,
	WEIR_IPPROTO_ICMP = 1,
	WEIR_IPPROTO_TCP = 6,
	WEIR_IPPROTO_UDP = 17,
	WEIR_IPPROTO_DCCP = 33,
	WEIR_IPPROTO_ROUTING = 43,
	WEIR_IPPROTO_FRAGMENT = 44,
	WEIR_IPPROTO_ICMPV6 = 58,
	WEIR_IPPROTO_DSTOPTS = 60,
	WEIR_IPPROTO_SCTP = 132,
	WEIR_IPPROTO_UDPLITE = 136,
	WEIR_IPPROTO_MPTCP = 262, /* Linux's socket(2) only; TCP on the wire */
};

#ifdef __clang__
#define WEIR_UNROLL _Pragma("clang loop unroll(full)")
#else
#define WEIR_UNROLL
#endif

/* Of bytes that packet_load() may fill by words. */
#define WEIR_ALIGNED __attribute__((aligned(8)))

#define WEIR_TCP_FIN 0x01
#define WEIR_TCP_SYN 0x02
#define WEIR_TCP_RST 0x04
#define WEIR_TCP_ACK 0x10

#define WEIR_EXTENSIONS 6u /* IPv6 extension headers looked through; a longer chain is refused */
#define WEIR_IP_OPTIONS 12u /* IPv4 options looked through, of at most 40 bytes (RFC 791 section 3.1) */

struct weir_packet {
	__u32 local[4];
	__u32 remote[4];
	/* Host order. Of ICMP echo: the side that serves has the request's type as its port, the side that asks
	 * has the identifier. Of other ICMP: both are the type. Of protocols without ports: 0. */
	__u16 local_port;
	__u16 remote_port;
	__u8 protocol;
	__u8 tcp_flags;
	__u8 hop_limit;
	__u8 opens; /* may open a flow: not an echo reply */
	__u8 error; /* an ICMP error; the packet that it quotes starts at `payload` */
	__u8 more;  /* a fragment that is not the last */
	__u8 alone; /* ICMP that is neither echo nor error: it belongs to no flow, and opens none */
	__u8 zero;
	__u32 payload; /* offset of what follows the IP headers; of an ICMP error: of the quote */
	__u32 total;   /* bytes from the IP header on, as the header says; 0 of IPv6: a jumbogram, or nothing */
	__u32 needed;  /* of these, what its headers fill */
	__u32 parts;   /* of a fragment: offset of what was cut into fragments; else 0 */
	__u32 part_at; /* of a fragment: where in that it begins, in bytes */
	__u32 part_id; /* of a fragment: identification, as it stands in the header */
	__u16 udp_length; /* of UDP, as its header says */
	__u16 zero2;
};

struct weir_ip4 {
	__u8 version_ihl;
	__u8 tos;
	__u8 total_length[2];
	__u8 id[2];
	__u8 fragment[2];
	__u8 ttl;
	__u8 protocol;
	__u8 checksum[2];
	__u32 source;
	__u32 destination;
};

struct weir_ip6 {
	__u8 version_class;
	__u8 flow[3];
	__u8 payload_length[2];
	__u8 next_header;
	__u8 hop_limit;
	__u32 source[4];
	__u32 destination[4];
};

static __always_inline void weir_set_v4(__u32 to[4], __u32 address)
{
	to[0] = 0;
	to[1] = 0;
	to[2] = WEIR_BE32(0xffff);
	to[3] = address;
}

static __always_inline void weir_copy16(__u32 to[4], const __u32 from[4])
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
}

/*
 * IPv4 options (RFC 791 section 3.1). A source route sends the packet elsewhere than its destination says, so it
 * is refused, and so is what can't be read. `end` is the header's length in bytes.
 */
static __always_inline __u32 weir_check_options(void *ctx, __u32 end)
{
	__u32 offset = sizeof(struct weir_ip4);

	for (__u32 i = 0; i < WEIR_IP_OPTIONS; i++) {
		__u8 option[2] WEIR_ALIGNED; /* type and length */

		if (offset >= end)
			break;
		if (packet_load(ctx, offset, option, 1))
			return WEIR_REASON_MALFORMED;
		if (option[0] == 0) /* end of the list */
			return 0;
		if (option[0] == 1) { /* no operation */
			offset++;
			continue;
		}
		if (option[0] == 0x83 || option[0] == 0x89) /* loose, strict source route */
			return WEIR_REASON_IP_OPTION;
		if (packet_load(ctx, offset, option, 2))
			return WEIR_REASON_MALFORMED;
		if (option[1] < 2)
			return WEIR_REASON_IP_OPTION;
		offset += option[1];
	}
	return offset == end ? 0 : WEIR_REASON_IP_OPTION;
}

static __always_inline __u32 weir_parse4(void *ctx, __u32 direction, struct weir_packet *packet)
{
	struct weir_ip4 ip;
	__u32 size, reason;

	if (packet_load(ctx, 0, &ip, sizeof(ip)))
		return WEIR_REASON_MALFORMED;
	size = (ip.version_ihl & 15u) * 4;
	if (ip.version_ihl >> 4 != 4 || size < sizeof(ip))
		return WEIR_REASON_MALFORMED;
	weir_set_v4(direction == WEIR_OUT ? packet->local : packet->remote, ip.source);
	weir_set_v4(direction == WEIR_OUT ? packet->remote : packet->local, ip.destination);
	packet->protocol = ip.protocol;
	packet->hop_limit = ip.ttl;
	packet->payload = size;
	packet->total = (__u32)ip.total_length[0] << 8 | ip.total_length[1];
	packet->needed = size;
	packet->more = !!(ip.fragment[0] & 0x20);
	packet->part_at = ((__u32)(ip.fragment[0] & 0x1f) << 8 | ip.fragment[1]) * 8;
	packet->part_id = (__u32)ip.id[0] << 8 | ip.id[1];
	if (packet->more || packet->part_at)
		packet->parts = size;
	/* Of every part: a source route stands in all of them. */
	if (size > sizeof(ip)) {
		reason = weir_check_options(ctx, size);
		if (reason)
			return reason;
	}
	/* Only the first fragment shows its ports. Sockets' own packets come here whole: the kernel cuts them
	 * after this hook and joins them before it, so a fragment is one that a raw socket made. */
	if ((ip.fragment[0] & 0x1f) | ip.fragment[1])
		return WEIR_REASON_FRAGMENT;
	return 0;
}

static __always_inline __u32 weir_parse6(void *ctx, __u32 direction, struct weir_packet *packet)
{
	struct weir_ip6 ip;
	__u32 offset = sizeof(ip);
	__u8 next;

	if (packet_load(ctx, 0, &ip, sizeof(ip)))
		return WEIR_REASON_MALFORMED;
	if (ip.version_class >> 4 != 6)
		return WEIR_REASON_MALFORMED;
	weir_copy16(direction == WEIR_OUT ? packet->local : packet->remote, ip.source);
	weir_copy16(direction == WEIR_OUT ? packet->remote : packet->local, ip.destination);
	packet->hop_limit = ip.hop_limit;
	packet->protocol = ip.next_header;
	packet->total = (__u32)ip.payload_length[0] << 8 | ip.payload_length[1];
	if (packet->total)
		packet->total += sizeof(ip);
	if (weir_is_v4(packet->remote)) /* must not appear on the wire, RFC 4038 section 4.2 */
		return WEIR_REASON_EMBEDDED;

	next = ip.next_header;
	/* Unrolled: the verifier of 5.10 takes a loop whose end falls through to its beginning for an endless one. */
	WEIR_UNROLL
	for (__u32 i = 0; i <= WEIR_EXTENSIONS; i++) {
		__u8 head[8] WEIR_ALIGNED; /* next header, length; of a fragment: offset and flags, identification */

		packet->protocol = next;
		packet->payload = offset;
		packet->needed = offset;
		if (next == WEIR_IPPROTO_ROUTING) /* the packet goes elsewhere than its destination says */
			return WEIR_REASON_EXTENSION;
		if (next != WEIR_IPPROTO_HOPOPTS && next != WEIR_IPPROTO_DSTOPTS && next != WEIR_IPPROTO_FRAGMENT)
			return 0;
		if (i == WEIR_EXTENSIONS)
			break;
		if (packet_load(ctx, offset, head, sizeof(head)))
			return WEIR_REASON_MALFORMED;
		if (next == WEIR_IPPROTO_FRAGMENT) {
			if (packet->parts) /* a fragment in a fragment hides from whoever looks at one of them only */
				return WEIR_REASON_EXTENSION;
			offset += 8;
			packet->more = head[3] & 1;
			packet->part_at = (__u32)head[2] << 8 | (head[3] & 0xf8);
			packet->part_id = (__u32)head[4] << 24 | (__u32)head[5] << 16 | (__u32)head[6] << 8 | head[7];
			packet->parts = offset;
			packet->needed = offset;
			if (packet->part_at)
				return WEIR_REASON_FRAGMENT;
		} else {
			offset += (head[1] + 1u) * 8;
		}
		next = head[0];
	}
	return WEIR_REASON_EXTENSION;
}

/* Ports, or what stands for them. */
static __always_inline __u32 weir_parse_ports(void *ctx, __u32 direction, struct weir_packet *packet)
{
	__u32 offset = packet->payload;
	__u8 b[16] WEIR_ALIGNED;
	__u16 source = 0, destination = 0;

	packet->opens = 1;
	switch (packet->protocol) {
	case WEIR_IPPROTO_TCP:
		if (packet_load(ctx, offset, b, 14))
			return WEIR_REASON_MALFORMED;
		packet->tcp_flags = b[13];
		packet->needed = offset + (b[12] >> 4) * 4;
		if (b[12] < 0x50)
			return WEIR_REASON_MALFORMED;
		source = (__u16)(b[0] << 8 | b[1]);
		destination = (__u16)(b[2] << 8 | b[3]);
		break;
	case WEIR_IPPROTO_UDP:
		if (packet_load(ctx, offset, b, 8))
			return WEIR_REASON_MALFORMED;
		packet->needed = offset + 8;
		packet->udp_length = (__u16)(b[4] << 8 | b[5]);
		source = (__u16)(b[0] << 8 | b[1]);
		destination = (__u16)(b[2] << 8 | b[3]);
		break;
	case WEIR_IPPROTO_UDPLITE:
	case WEIR_IPPROTO_SCTP:
	case WEIR_IPPROTO_DCCP:
		if (packet_load(ctx, offset, b, 4))
			return WEIR_REASON_MALFORMED;
		packet->needed = offset + 4;
		source = (__u16)(b[0] << 8 | b[1]);
		destination = (__u16)(b[2] << 8 | b[3]);
		break;
	case WEIR_IPPROTO_ICMP:
	case WEIR_IPPROTO_ICMPV6: {
		__u8 request = packet->protocol == WEIR_IPPROTO_ICMP ? 8 : 128;
		__u8 reply = packet->protocol == WEIR_IPPROTO_ICMP ? 0 : 129;
		__u16 ident;

		if (packet_load(ctx, offset, b, 8))
			return WEIR_REASON_MALFORMED;
		packet->needed = offset + 8;
		ident = (__u16)(b[4] << 8 | b[5]);
		source = b[0];
		destination = b[0];
		if (b[0] == request) {
			source = ident;
		} else if (b[0] == reply) {
			source = request;
			destination = ident;
			packet->opens = 0;
		} else if (packet->protocol == WEIR_IPPROTO_ICMP
				   ? b[0] == 3 || b[0] == 4 || b[0] == 11 || b[0] == 12
				   : b[0] < 128) { /* RFC 792, without redirect; RFC 4443 section 2.1 */
			packet->error = 1;
			packet->payload = offset + 8;
		} else {
			packet->alone = 1;
		}
		break;
	}
	default:
		break;
	}
	packet->local_port = direction == WEIR_OUT ? source : destination;
	packet->remote_port = direction == WEIR_OUT ? destination : source;
	return 0;
}

/* Fill `packet`, which is all zero; 0, or the reason to refuse (what could be read is filled in). */
static __always_inline __u32 weir_parse_v4(void *ctx, __u32 direction, struct weir_packet *packet)
{
	__u32 reason = weir_parse4(ctx, direction, packet);

	return reason ? reason : weir_parse_ports(ctx, direction, packet);
}

static __always_inline __u32 weir_parse_v6(void *ctx, __u32 direction, struct weir_packet *packet)
{
	__u32 reason = weir_parse6(ctx, direction, packet);

	return reason ? reason : weir_parse_ports(ctx, direction, packet);
}

static __always_inline __u32 weir_parse(void *ctx, __u32 direction, struct weir_packet *packet)
{
	__u8 version;
	__u32 reason;

	if (packet_load(ctx, 0, &version, 1))
		return WEIR_REASON_MALFORMED;
	if (version >> 4 == 4)
		reason = weir_parse4(ctx, direction, packet);
	else if (version >> 4 == 6)
		reason = weir_parse6(ctx, direction, packet);
	else
		reason = WEIR_REASON_MALFORMED;
	if (reason)
		return reason;
	return weir_parse_ports(ctx, direction, packet);
}

/*
 * The flow of the packet that an ICMP error quotes, as that packet's sender knows it: fills `quoted`, but for its zone. The
 * quote is no later part of a datagram, and has at least 8 bytes behind its IP header (RFC 792). Extension headers in
 * it are not looked through.
 */
static __always_inline __u32 weir_parse_quote(void *ctx, const struct weir_packet *packet, struct weir_edge_key *quoted)
{
	__u32 *local = (__u32 *)quoted->local, *remote = (__u32 *)quoted->remote;
	__u32 offset = packet->payload;
	__u8 b[8] WEIR_ALIGNED;

	if (packet->protocol == WEIR_IPPROTO_ICMP) {
		struct weir_ip4 ip;

		if (packet_load(ctx, offset, &ip, sizeof(ip)))
			return WEIR_REASON_MALFORMED;
		if (ip.version_ihl >> 4 != 4 || (ip.version_ihl & 15) < 5 || ((ip.fragment[0] & 0x1f) | ip.fragment[1]))
			return WEIR_REASON_MALFORMED;
		weir_set_v4(local, ip.source);
		weir_set_v4(remote, ip.destination);
		quoted->protocol = ip.protocol;
		offset += (ip.version_ihl & 15u) * 4;
	} else {
		struct weir_ip6 ip;

		if (packet_load(ctx, offset, &ip, sizeof(ip)))
			return WEIR_REASON_MALFORMED;
		if (ip.version_class >> 4 != 6)
			return WEIR_REASON_MALFORMED;
		weir_copy16(local, ip.source);
		weir_copy16(remote, ip.destination);
		quoted->protocol = ip.next_header;
		offset += sizeof(ip);
	}
	if (offset + sizeof(b) > packet->total || packet_load(ctx, offset, b, sizeof(b)))
		return WEIR_REASON_MALFORMED;
	if (quoted->protocol == WEIR_IPPROTO_ICMP || quoted->protocol == WEIR_IPPROTO_ICMPV6) {
		quoted->local_port = (__u16)(b[4] << 8 | b[5]);
		quoted->remote_port = b[0];
		quoted->asks = WEIR_ROLE_OPENER;
	} else {
		quoted->local_port = (__u16)(b[0] << 8 | b[1]);
		quoted->remote_port = (__u16)(b[2] << 8 | b[3]);
	}
	return 0;
}

#endif /* WEIR_PACKET_BPF_H */
