/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * From the bytes of a frame to its IP packet: what stands before the IP header, and whether what the headers say of
 * lengths is true. A packet on its way through the host's own stack needs neither (packet.bpf.h is enough); one on the
 * wire may have been made by anybody.
 *
 * Whoever includes this has defined packet_load() for a frame whose `base` is the offset of the IP header.
 */
#ifndef WEIR_FRAME_BPF_H
#define WEIR_FRAME_BPF_H

#include "bpf/packet.bpf.h"

/* IEEE 802 numbers. */
enum {
	WEIR_ETH_IPV4 = 0x0800,
	WEIR_ETH_ARP = 0x0806,
	WEIR_ETH_IPV6 = 0x86dd,
	WEIR_ETH_VLAN = 0x8100, /* 802.1Q */
	WEIR_ETH_QINQ = 0x88a8, /* 802.1ad */
};

#define WEIR_ETH_HEADER 14u
#define WEIR_VLAN_TAGS 2u     /* looked through; a third is of an EtherType that nothing admits */
#define WEIR_SHORTEST_FRAME 60u /* Ethernet pads to this, IEEE 802.3 clause 4.2.3.3 */

struct weir_frame {
	void *ctx;       /* of the hook, or whatever packet_load() reads by */
	__u32 base;      /* offset of what packet_load() counts from: 0, then the IP header */
	__u32 length;    /* bytes, from the link header on */
	__u32 many;      /* several packets in one, as the kernel joins them (GSO, GRO): lengths are of each */
	__u16 ethertype; /* behind VLAN tags */
	__u16 zero;
};

/* The longest frame that may have padding: drivers pad before they put tags in, or after. */
static __always_inline __u32 weir_padded(const struct weir_frame *frame)
{
	return frame->base ? WEIR_SHORTEST_FRAME + frame->base - WEIR_ETH_HEADER : 0;
}

/* Ethernet and IPv4, a question or an answer, and nothing behind it: a frame that goes out without a row must not
 * carry anything (RFC 826). What comes in is padded by others, not always with zeros. */
static __always_inline __u32 weir_check_arp(struct weir_frame *frame, __u32 direction)
{
	__u8 arp[8] WEIR_ALIGNED;

	if (packet_load(frame, 0, arp, sizeof(arp)))
		return WEIR_REASON_MALFORMED;
	if (arp[0] != 0 || arp[1] != 1 || arp[2] != 0x08 || arp[3] != 0 || arp[4] != 6 || arp[5] != 4 || arp[6] != 0 ||
	    (arp[7] != 1 && arp[7] != 2))
		return WEIR_REASON_ETHERTYPE;
	if (frame->length < frame->base + 28)
		return WEIR_REASON_MALFORMED;
	if (frame->length > weir_padded(frame))
		return WEIR_REASON_MALFORMED;
	if (direction == WEIR_IN)
		return 0;
	for (__u32 at = 28; at < WEIR_SHORTEST_FRAME - WEIR_ETH_HEADER; at++) {
		if (packet_load(frame, at, arp, 1))
			break;
		if (arp[0])
			return WEIR_REASON_MALFORMED;
	}
	return 0;
}

/* Moves `base` to what stands behind the link header and its VLAN tags. 0, or the reason to refuse. */
static __always_inline __u32 weir_parse_link(struct weir_frame *frame, __u32 link_header)
{
	__u8 type[2] WEIR_ALIGNED;
	__u8 version;

	if (link_header == 0) { /* a tunnel's interface: no frame, the packet's version tells what it is */
		if (packet_load(frame, 0, &version, 1))
			return WEIR_REASON_MALFORMED;
		frame->ethertype = version >> 4 == 6 ? WEIR_ETH_IPV6 : WEIR_ETH_IPV4;
		return 0;
	}
	if (packet_load(frame, link_header - 2, type, 2))
		return WEIR_REASON_MALFORMED;
	frame->base = link_header;
	frame->ethertype = (__u16)(type[0] << 8 | type[1]);
	for (__u32 tag = 0; tag < WEIR_VLAN_TAGS; tag++) {
		if (frame->ethertype != WEIR_ETH_VLAN && frame->ethertype != WEIR_ETH_QINQ)
			break;
		if (packet_load(frame, 2, type, 2))
			return WEIR_REASON_MALFORMED;
		frame->base += 4;
		frame->ethertype = (__u16)(type[0] << 8 | type[1]);
	}
	return 0;
}

/*
 * Do the lengths that the headers claim fit the frame? `packet` is parsed. What goes out must
 * not have anything behind the packet but the padding of a short frame: it would leave unjudged. Frames that come in
 * may have it, as some networks add it.
 */
static __always_inline __u32 weir_check_lengths(const struct weir_frame *frame, __u32 direction,
						const struct weir_packet *packet)
{
	__u32 there = frame->length - frame->base;

	if (frame->many) /* the total may be 0 then: it is past 64 KiB */
		return packet->needed > there ? WEIR_REASON_MALFORMED : 0;
	if (packet->total > there || packet->needed > packet->total) /* of IPv6 it may be 0 */
		return WEIR_REASON_MALFORMED;
	if (direction == WEIR_OUT && packet->total < there && frame->length > weir_padded(frame))
		return WEIR_REASON_MALFORMED;
	if (packet->parts && ((packet->more && (packet->total - packet->parts) % 8) ||
			      packet->part_at + packet->total - packet->parts > 0xffff))
		return WEIR_REASON_MALFORMED; /* RFC 791 section 3.2, RFC 8200 section 4.5 */
	if (packet->protocol == WEIR_IPPROTO_UDP && packet->udp_length != packet->total - packet->payload &&
	    !packet->more && !packet->part_at)
		return WEIR_REASON_MALFORMED;
	return 0;
}

/* Combinations that no TCP sends (RFC 9293 section 3.10.7): scans. 0, or the reason to refuse. */
static __always_inline __u32 weir_check_flags(const struct weir_packet *packet)
{
	__u32 flags = packet->tcp_flags & (WEIR_TCP_SYN | WEIR_TCP_ACK | WEIR_TCP_FIN | WEIR_TCP_RST);

	if (packet->protocol != WEIR_IPPROTO_TCP)
		return 0;
	/* SYN, SYN ACK, ACK, FIN ACK, RST, RST ACK */
	if (flags == WEIR_TCP_SYN || flags == (WEIR_TCP_SYN | WEIR_TCP_ACK) || flags == WEIR_TCP_ACK ||
	    flags == (WEIR_TCP_FIN | WEIR_TCP_ACK) || flags == WEIR_TCP_RST || flags == (WEIR_TCP_RST | WEIR_TCP_ACK))
		return 0;
	return WEIR_REASON_MALFORMED;
}

/* What a kernel tells its link for itself goes out without a row of the matrix (neighbour discovery, multicast
 * listeners), so it must be no longer than it has to be: no data fits in. `packet` is ICMPv6. */
static __always_inline __u32 weir_check_own(struct weir_frame *frame, const struct weir_packet *packet)
{
	__u32 size = packet->total - packet->payload;
	__u8 head[8] WEIR_ALIGNED;

	if (packet_load(frame, packet->payload, head, sizeof(head)))
		return WEIR_REASON_MALFORMED;
	switch (head[0]) {
	case 133: /* with the option of its own link-layer address, RFC 4861 section 4.1 */
		return size <= 16 ? 0 : WEIR_REASON_ORIGIN;
	case 135: /* that, and a nonce, RFC 7527 */
	case 136:
		return size <= 40 ? 0 : WEIR_REASON_ORIGIN;
	case 131:
	case 132: /* RFC 2710 section 3 */
		return size == 24 ? 0 : WEIR_REASON_ORIGIN;
	case 143: /* records of groups without sources: RFC 3810 section 5.2 */
		return size == 8u + 20u * ((__u32)head[6] << 8 | head[7]) ? 0 : WEIR_REASON_ORIGIN;
	default:
		return 0;
	}
}

#endif /* WEIR_FRAME_BPF_H */
