/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The edge gate: every frame of the host's interfaces, both ways, whoever made it.
 *
 * What leaves is admitted by an `out` row, and opens a flow; or it answers what came in by an `in` row. What comes in
 * is admitted if it answers a flow that this host opened, or by an `in` row. All else falls, and nobody is told.
 *
 * Flows are kept by both ends, in two tables: `opened`, in which only what leaves makes entries, and `accepted`, in
 * which what comes in makes them, but only where an `in` row admits it; of TCP not for a SYN, which anybody can forge
 * by the million. An entry that was pushed out is made again by the next packet that a row admits, or, of TCP, found
 * in the kernel's own table of connections. So a full table refuses, for a while, and never admits.
 *
 * Whoever includes this has defined packet_load(), defines tell_circumstance(), and calls judge_frame().
 */
#ifndef WEIR_EDGE_BPF_H
#define WEIR_EDGE_BPF_H

#include "bpf/ask.bpf.h"
#include "bpf/edge_maps.bpf.h"
#include "bpf/frame.bpf.h"
#include "bpf/report_merged.bpf.h"
#include "bpf/sockets.bpf.h"

#define SECOND_NS 1000000000ull

/* One frame on its way. */
struct passage {
	__u64 answer;     /* of weir_ask(), or in its form */
	__u64 now;        /* boot clock, ns */
	__u32 generation; /* of the policy in force when it came */
	__u32 direction;
	__u32 own;        /* a kernel on this link made it for itself */
	__u32 connected;  /* going out: a TCP socket of this host has the connection */
	__u32 opener;     /* of an ICMP error: the way that opened the flow of what it quotes */
	__u64 nothing;    /* 0, but the verifier doesn't know it */
	struct weir_frame frame;
	struct weir_packet packet;
};
_Static_assert(sizeof(struct weir_packet) % 8 == 0, "forget_how() goes through it by words");

/* What only the hook knows of a frame, and only an event tells: interface, and going out also cgroup, cookie and owner
 * of the socket; gives the owner. */
static __always_inline const struct weir_owner *tell_circumstance(const struct passage *p, struct weir_attempt *);

static __always_inline int allowed(const struct passage *p)
{
	return p->answer & WEIR_ANSWER_ALLOWED;
}

static __always_inline void allow(struct passage *p)
{
	p->answer |= WEIR_ANSWER_ALLOWED;
}

static __always_inline void refuse(struct passage *p, __u32 reason)
{
	p->answer = (p->answer & ~(0xff00ull | WEIR_ANSWER_ALLOWED)) | reason << 8;
}

static __always_inline void ask_rows_of(struct passage *p, const struct weir_edge_key *ends, __u32 direction)
{
	const __u32 *remote = (const __u32 *)ends->remote;
	__u32 port = direction == WEIR_OUT ? ends->remote_port : ends->local_port;

	p->answer = weir_ask((__u64)remote[1] << 32 | remote[0], (__u64)remote[3] << 32 | remote[2],
			     circumstances(direction, ends->protocol, port, edge_zone, p->own));
}

static __always_inline void make_key(struct weir_edge_key *key, const struct weir_packet *packet)
{
	__builtin_memcpy(key->local, packet->local, sizeof(key->local));
	__builtin_memcpy(key->remote, packet->remote, sizeof(key->remote));
	key->local_port = packet->local_port;
	key->remote_port = packet->remote_port;
	key->protocol = packet->protocol;
	key->zone = (__u8)edge_zone;
}

static __always_inline __u64 lifetime(__u8 protocol, __u32 phase)
{
	if (protocol == WEIR_IPPROTO_ICMP || protocol == WEIR_IPPROTO_ICMPV6)
		return WEIR_LIFE_ICMP * SECOND_NS;
	if (protocol != WEIR_IPPROTO_TCP)
		return (phase & WEIR_PHASE_ANSWERED ? WEIR_LIFE_OTHER : WEIR_LIFE_ONCE) * SECOND_NS;
	if (phase & WEIR_PHASE_RESET)
		return WEIR_LIFE_TCP_RESET * SECOND_NS;
	if ((phase & WEIR_PHASE_FIN_OUT) && (phase & WEIR_PHASE_FIN_IN))
		return WEIR_LIFE_TCP_CLOSING * SECOND_NS;
	return (phase & WEIR_PHASE_ANSWERED ? WEIR_LIFE_TCP : WEIR_LIFE_TCP_OPENING) * SECOND_NS;
}

static __always_inline int is_alive(const struct weir_edge_flow *flow, const struct weir_edge_key *key, __u64 now)
{
	return flow && flow->seen + lifetime(key->protocol, flow->phase) >= now;
}

/* What this packet says of its flow. `keeps`: it keeps it alive. Words that would not change are not written: the
 * processors share them. */
static __always_inline void note_packet(struct weir_edge_flow *flow, const struct passage *p, __u32 opener, __u32 keeps)
{
	__u32 flags = p->packet.protocol == WEIR_IPPROTO_TCP ? p->packet.tcp_flags : 0;
	__u32 phase = flow->phase;

	if (p->direction != opener)
		phase |= WEIR_PHASE_ANSWERED;
	if (flags & WEIR_TCP_FIN)
		phase |= p->direction == WEIR_OUT ? WEIR_PHASE_FIN_OUT : WEIR_PHASE_FIN_IN;
	if (flags & WEIR_TCP_RST)
		phase |= WEIR_PHASE_RESET;
	if (phase != flow->phase)
		flow->phase = phase;
	if (keeps && p->now - flow->seen > SECOND_NS)
		flow->seen = p->now;
}

/*
 * Does the packet belong to a flow of this table, which was opened the way of `opener`? A policy that came after the
 * flow judges it anew. Only the side that a row speaks of keeps a flow alive: answers alone don't.
 */
static __always_inline int belongs(struct passage *p, void *table, const struct weir_edge_key *key, __u32 opener)
{
	struct weir_edge_flow *flow = bpf_map_lookup_elem(table, key);

	if (!is_alive(flow, key, p->now))
		return 0;
	if (flow->generation != p->generation) {
		ask_rows_of(p, key, opener);
		if (!allowed(p))
			return 0;
		flow->generation = answer_generation(p->answer);
	}
	note_packet(flow, p, opener, p->direction == opener);
	allow(p);
	return 1;
}

static __always_inline void begin(const struct passage *p, void *table, const struct weir_edge_key *key, __u32 phase)
{
	struct weir_edge_flow flow = {.seen = p->now, .generation = answer_generation(p->answer), .phase = phase};

	bpf_map_update_elem(table, key, &flow, BPF_ANY);
}

static __always_inline int is_tcp(const struct passage *p)
{
	return p->packet.protocol == WEIR_IPPROTO_TCP;
}

static __always_inline int has_flags(const struct passage *p, __u32 flags)
{
	return (p->packet.tcp_flags & (WEIR_TCP_SYN | WEIR_TCP_ACK)) == flags;
}

static __always_inline int is_syn(const struct passage *p)
{
	return is_tcp(p) && has_flags(p, WEIR_TCP_SYN);
}

static __always_inline __u32 differ(const __u8 *address, const __u32 *other)
{
	const __u32 *a = (const __u32 *)address;

	return (a[0] ^ other[0]) | (a[1] ^ other[1]) | (a[2] ^ other[2]) | (a[3] ^ other[3]);
}

/*
 * The flow of the packet that an ICMP error quotes: NULL when there is none, and then it is refused. `key` and `opener`
 * become the flow's.
 */
static __noinline struct weir_edge_flow *quoted_flow(struct passage *p, struct weir_edge_key *key)
{
	struct weir_edge_flow *flow;

	refuse(p, WEIR_REASON_NO_FLOW);
	if (weir_parse_quote(&p->frame, &p->packet, key)) {
		refuse(p, WEIR_REASON_MALFORMED);
		return 0;
	}
	key->zone = (__u8)edge_zone;
	/* An error goes to who sent what it quotes, and to nobody else. Going out, that is the peer: from here its packet
	 * looks the other way round. */
	if (p->direction == WEIR_OUT) {
		__u16 port = key->local_port;

		if (differ(key->local, p->packet.remote))
			return 0;
		__builtin_memcpy(key->local, key->remote, sizeof(key->local));
		__builtin_memcpy(key->remote, p->packet.remote, sizeof(key->remote));
		key->local_port = key->remote_port;
		key->remote_port = port;
	} else if (differ(key->local, p->packet.local)) {
		return 0;
	}
	flow = bpf_map_lookup_elem(&opened, key);
	p->opener = WEIR_OUT;
	if (is_alive(flow, key, p->now))
		return flow;
	flow = bpf_map_lookup_elem(&accepted, key);
	p->opener = WEIR_IN;
	return is_alive(flow, key, p->now) ? flow : 0;
}

/* An ICMP error, either way, is admitted when the packet that it quotes belongs to a flow. */
static __always_inline void judge_error(struct passage *p, struct weir_edge_key *key)
{
	const struct weir_edge_flow *flow = quoted_flow(p, key);

	if (!flow)
		return;
	if (flow->generation == p->generation)
		allow(p);
	else
		ask_rows_of(p, key, p->opener);
}

static __always_inline void make_fragment_key(struct weir_fragment_key *key, const struct passage *p)
{
	__builtin_memcpy(key->source, p->direction == WEIR_OUT ? p->packet.local : p->packet.remote,
			 sizeof(key->source));
	__builtin_memcpy(key->destination, p->direction == WEIR_OUT ? p->packet.remote : p->packet.local,
			 sizeof(key->destination));
	key->id = p->packet.part_id;
	if (p->frame.ethertype == WEIR_ETH_IPV4)
		key->protocol = p->packet.protocol;
	key->zone = (__u8)edge_zone;
	key->direction = (__u8)p->direction;
}

/* A later part of a datagram: with its first, and not over it. */
static __noinline void judge_part(struct passage *p)
{
	struct weir_fragment_key key = {};
	struct weir_fragment *first;

	make_fragment_key(&key, p);
	first = bpf_map_lookup_elem(&fragments, &key);
	refuse(p, WEIR_REASON_FRAGMENT);
	if (first && first->seen + WEIR_LIFE_FRAGMENTS * SECOND_NS >= p->now && first->generation == p->generation &&
	    p->packet.part_at >= first->end)
		allow(p);
}

static __always_inline void judge_out(struct passage *p, struct weir_edge_key *key)
{
	make_key(key, &p->packet);
	if (!is_syn(p) && belongs(p, &opened, key, WEIR_OUT))
		return;
	if (p->packet.opens) {
		ask_rows_of(p, key, WEIR_OUT);
		if (allowed(p)) {
			begin(p, &opened, key, is_syn(p) ? 0 : WEIR_PHASE_ANSWERED);
			return;
		}
	}
	if (is_syn(p) || belongs(p, &accepted, key, WEIR_IN))
		return;
	/* Answers of TCP to what has no entry: the first one, a reset, and those of a connection that this host has. */
	if (is_tcp(p) && (has_flags(p, WEIR_TCP_SYN | WEIR_TCP_ACK) || (p->packet.tcp_flags & WEIR_TCP_RST) ||
			  p->connected)) {
		__u32 bare = p->packet.needed == p->packet.total;

		ask_rows_of(p, key, WEIR_IN);
		if (!allowed(p))
			return;
		if (p->connected)
			begin(p, &accepted, key, WEIR_PHASE_ANSWERED);
		else if (!bare)
			refuse(p, WEIR_REASON_NO_FLOW);
		return;
	}
	if (!p->packet.opens)
		refuse(p, WEIR_REASON_NO_FLOW);
}

static __always_inline void judge_in(struct passage *p, struct weir_edge_key *key)
{
	__u32 answers = 0; /* it comes from where a row lets this host open */

	make_key(key, &p->packet);
	if (!is_syn(p) && belongs(p, &opened, key, WEIR_OUT))
		return;
	/* Before a packet that belongs to none of them is refused, or makes an entry, the kernel is asked: it knows the
	 * connections that are older than the policy, and those whose entry was pushed out. Only for peers that a row
	 * names, so that a flood does not come here. */
	if (is_tcp(p) && !is_syn(p)) {
		ask_rows_of(p, key, WEIR_OUT);
		if (allowed(p)) {
			__u32 state = socket_state(p->frame.ctx, &p->packet, p->packet.remote_port);

			if (state && state != BPF_TCP_LISTEN) {
				begin(p, &opened, key, WEIR_PHASE_ANSWERED);
				return;
			}
			answers = 1;
		}
	}
	if (!p->packet.opens) {
		refuse(p, WEIR_REASON_NO_FLOW);
		return;
	}
	if (!is_syn(p) && belongs(p, &accepted, key, WEIR_IN))
		return;
	ask_rows_of(p, key, WEIR_IN);
	if (allowed(p) && !is_syn(p))
		begin(p, &accepted, key, 0);
	else if (!allowed(p) && answers)
		refuse(p, WEIR_REASON_NO_FLOW);
}

/* The hop limit that a kernel gives to what it says to its link, see packet.bpf.c. */
static __always_inline int has_own_hop_limit(const struct weir_packet *packet)
{
	__u32 type = packet->remote_port;

	if (packet->protocol != WEIR_IPPROTO_ICMPV6)
		return 0;
	if ((type >= 130 && type <= 132) || type == 143)
		return packet->hop_limit == 1;
	return packet->hop_limit == 255;
}

/* The verifier walks on from here once for each way in which the packet could be read, unless it forgets what it learned
 * of it on that way. It costs a few instructions. */
static __always_inline void forget_how(struct passage *p)
{
	volatile __u64 *words = (volatile __u64 *)&p->packet;

	for (__u32 i = 0; i < sizeof(p->packet) / 8; i++)
		words[i] ^= p->nothing;
}

/* The packet in the frame. 0, or the reason to refuse; WEIR_REASON_FRAGMENT of a later part, too. */
static __noinline __u32 read_packet(struct passage *p)
{
	__u32 reason;

	if (p->frame.ethertype == WEIR_ETH_IPV4)
		reason = weir_parse_v4(&p->frame, p->direction, &p->packet);
	else
		reason = weir_parse_v6(&p->frame, p->direction, &p->packet);
	if (!reason)
		reason = weir_check_lengths(&p->frame, p->direction, &p->packet);
	if (!reason)
		reason = weir_check_flags(&p->packet);
	p->own = has_own_hop_limit(&p->packet) && (p->direction == WEIR_IN || p->own);
	if (!reason && p->own && p->direction == WEIR_OUT)
		reason = weir_check_own(&p->frame, &p->packet);
	forget_how(p);
	return reason ^ (__u32)p->nothing;
}

static __noinline void note_first_part(const struct passage *p)
{
	struct weir_fragment_key part = {};
	struct weir_fragment first = {
		.seen = p->now,
		.generation = p->generation,
		.end = p->packet.total - p->packet.parts,
	};

	make_fragment_key(&part, p);
	bpf_map_update_elem(&fragments, &part, &first, BPF_ANY);
}

static __always_inline void judge_packet(struct passage *p)
{
	struct weir_edge_key key = {};
	__u32 reason = read_packet(p);

	if (reason == WEIR_REASON_FRAGMENT && p->packet.part_at) {
		judge_part(p);
		return;
	}
	if (reason) {
		refuse(p, reason);
		return;
	}
	if (p->packet.error)
		judge_error(p, &key);
	else if (p->direction == WEIR_OUT)
		judge_out(p, &key);
	else
		judge_in(p, &key);
	if (p->packet.more && allowed(p))
		note_first_part(p);
}

static __always_inline int is_listed(const struct weir_trailer *trailer, __u16 ethertype)
{
	for (__u32 i = 0; i < WEIR_ETHERTYPES; i++)
		if (trailer && trailer->ethertypes[i] == ethertype)
			return 1;
	return 0;
}

/* Frames that are not IP. */
static __always_inline void judge_link(struct passage *p, void *image)
{
	__u32 reason = WEIR_REASON_ETHERTYPE;

	if (p->frame.ethertype == WEIR_ETH_ARP)
		reason = weir_check_arp(&p->frame);
	else if (is_listed(image_line(image, 1), p->frame.ethertype))
		reason = 0;
	if (reason)
		refuse(p, reason);
	else
		allow(p);
}

static __noinline int report(const struct passage *p)
{
	struct weir_attempt attempt = {.gate = WEIR_GATE_EDGE, .operation = WEIR_OP_PACKET};

	const struct weir_owner *owner = tell_circumstance(p, &attempt);

	weir_copy16(attempt.local, p->packet.local);
	weir_copy16(attempt.remote, p->packet.remote);
	attempt.local_port = p->packet.local_port;
	attempt.remote_port = p->packet.remote_port;
	attempt.reason = answer_reason(p->answer);
	if (attempt.reason == WEIR_REASON_ETHERTYPE)
		attempt.local_port = attempt.remote_port = p->frame.ethertype;
	attempt.protocol = p->packet.protocol;
	attempt.tcp_flags = p->packet.tcp_flags;
	attempt.direction = (__u8)p->direction;
	attempt.observe = !!(p->answer & WEIR_ANSWER_OBSERVE);
	attempt.generation = answer_generation(p->answer);
	attempt.length = p->frame.length - p->frame.base;
	return weir_report_merged(&attempt, owner, p->now);
}

/*
 * Judges one frame. `p` has its direction and `frame` with context, length and `many`; going out also `connected`, and
 * in `own` whether the socket is the kernel's. WEIR_ALLOW, or WEIR_REFUSE; what is refused has been reported.
 */
static __always_inline int judge_frame(struct passage *p)
{
	const struct weir_header *header = 0;
	void *image = published_image();
	__u32 reason = WEIR_REASON_NO_POLICY;

	if (image)
		header = image_line(image, 0);
	if (header) {
		p->now = bpf_ktime_get_boot_ns();
		p->nothing = header->magic ^ WEIR_MAGIC;
		p->generation = header->generation;
		p->answer = (__u64)header->generation << 32 |
			    (header->flags & WEIR_IMAGE_OBSERVE ? WEIR_ANSWER_OBSERVE : 0);
		reason = weir_parse_link(&p->frame, edge_link_header);
	}
	if (reason || !image) {
		refuse(p, reason);
	} else if (p->frame.ethertype != WEIR_ETH_IPV4 && p->frame.ethertype != WEIR_ETH_IPV6) {
		judge_link(p, image);
	} else {
		judge_packet(p);
	}
	return allowed(p) ? WEIR_ALLOW : report(p);
}

#endif /* WEIR_EDGE_BPF_H */
