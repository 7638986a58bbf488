/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The edge gate: every frame of the host's interfaces, both ways, whoever made it.
 *
 * What leaves is admitted by an `out` row, and opens a flow; or it answers what came in by an `in` row. What comes in
 * is admitted if it answers a flow that this host opened, or by an `in` row. All else falls, and nobody is told.
 *
 * Flows are kept by both ends, in two tables: `opened`, in which only what leaves makes entries (and what comes in on a
 * TCP connection that a socket of this host has already), and `accepted`, in
 * which what comes in makes them, but only where an `in` row admits it; of TCP not for a SYN, which anybody can forge
 * by the million. An entry that was pushed out is made again by the next packet that a row admits, or, of TCP, found
 * in the kernel's own table of connections. So a full table refuses, for a while, and never admits.
 *
 * Whoever includes this has defined packet_load(), defines read_frame(), interface_of(), owner_of() and tell_socket(), and calls
 * judge_frame().
 */
#ifndef WEIR_EDGE_BPF_H
#define WEIR_EDGE_BPF_H

#include "bpf/ask.bpf.h"
#include "bpf/edge_maps.bpf.h"
#include "bpf/frame.bpf.h"
#include "bpf/report_merged.bpf.h"
#include "bpf/sockets.bpf.h"

#define SECOND_NS 1000000000ull

/* On this processor's counters, which nothing but this gate counts in; and no frame is judged in the middle of another. */
#define count_own(counter, field) ((counter)->field++)

/* One frame on its way. */
struct passage {
	__u64 answer; /* of weir_ask(), or in its form */
	__u64 now; /* as edge_clock() tells it */
	__u32 generation; /* of the policy in force when it came */
	__u32 direction;
	__u32 length; /* of the frame, in bytes */
	__u32 many; /* as in struct weir_frame */
	__u32 base; /* where the IP header is */
	__u32 ethertype;
	__u32 own; /* a kernel on this link made it for itself */
	__u32 unwritten; /* a row that was asked needs the journal */
	__u64 asked; /* what weir_ask() was asked last */
	struct weir_packet packet;
	struct weir_edge_key key; /* its flow; of an ICMP error: that of what it quotes, once it was read */
	__u64 full_at; /* stays from frame to frame: when the table of like refusals was found full */
};

static __always_inline void clear_passage(struct passage *p)
{
	__builtin_memset(p, 0, __builtin_offsetof(struct passage, full_at));
}

/* The frame that this processor judges: soft interrupts are off as long as it does. It stands here and not on the stack
 * because that is short, and because the verifier then knows nothing of how the packet was read, and does not walk on
 * once for each way. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct passage);
} passages __weak SEC(".maps");

/* Monotonic clock, ns. Lifetimes are told by seconds, and reading the exact clock is a quarter of what a packet costs. */
static __always_inline __u64 edge_clock(void)
{
	return has_coarse_clock ? bpf_ktime_get_coarse_ns() : bpf_ktime_get_ns();
}

static __always_inline struct passage *this_passage(void)
{
	__u32 slot = 0;

	return bpf_map_lookup_elem(&passages, &slot);
}

/* Reads link header, packet and what an ICMP error quotes into this_passage(); 0, or the reason to refuse. A global
 * function, which the verifier walks through once. */
static __always_inline __u32 read_frame(void *ctx);

/* What only the hook knows of a frame: its interface; going out, the owner of its socket; and what only an event tells,
 * going out: cgroup and cookie of the socket. */
static __always_inline __u32 interface_of(void *ctx);
static __always_inline const struct weir_owner *owner_of(void *ctx, __u32 direction);
static __always_inline void tell_socket(void *ctx, __u32 direction, struct weir_attempt *);

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
	p->answer = answer_refused(p->answer, reason);
}

/* Whose a packet is nobody knows here: the edge's rows have no users. */
static __always_inline void ask_again(struct passage *p, const __u32 remote[4], __u64 what)
{
	p->asked = what;
	p->answer = weir_ask((__u64)remote[1] << 32 | remote[0], (__u64)remote[3] << 32 | remote[2], what, 0);
	p->unwritten |= lacks_journal(p->answer);
}

/* Ask the rows of `direction`, which is not always the way the packet travels, about its flow. */
static __always_inline void ask_rows(struct passage *p, __u32 direction)
{
	__u32 port = direction == WEIR_OUT ? p->key.remote_port : p->key.local_port;

	ask_again(p, (const __u32 *)p->key.remote, circumstances(direction, p->key.protocol, port, edge_zone, p->own));
}

/* Of a flow that the packet belongs to: the generation that it need not be judged by anew. None has the number 0. */
static __always_inline __u32 lasting_generation(const struct passage *p)
{
	return answer_lasts(p->answer) ? answer_generation(p->answer) : 0;
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

static __always_inline int is_alive(const struct weir_edge_flow *flow, const struct passage *p)
{
	return flow && flow->seen + lifetime(p->key.protocol, flow->phase) >= p->now;
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
 * flow judges it anew, and each packet of what a row admits that ends or needs the journal. Only the side that a row speaks of keeps a flow alive: answers alone don't.
 */
static __always_inline int belongs(struct passage *p, void *table, __u32 opener)
{
	struct weir_edge_flow *flow = bpf_map_lookup_elem(table, &p->key);
	__u32 generation;

	if (!is_alive(flow, p))
		return 0;
	if (flow->generation != p->generation) {
		ask_rows(p, opener);
		if (!allowed(p))
			return 0;
		generation = lasting_generation(p);
		if (flow->generation != generation)
			flow->generation = generation;
	}
	note_packet(flow, p, opener, p->direction == opener);
	allow(p);
	return 1;
}

static __always_inline void begin(const struct passage *p, void *table, __u32 phase)
{
	struct weir_edge_flow flow = {.seen = p->now, .generation = lasting_generation(p), .phase = phase};

	bpf_map_update_elem(table, &p->key, &flow, BPF_ANY);
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

/* Of an ICMP error: the key becomes that of the packet that it quotes. An error goes to who sent what it quotes, and to
 * nobody else. 0, or the reason to refuse. */
static __always_inline __u32 read_quote(struct weir_frame *frame, struct passage *p)
{
	struct weir_edge_key *key = &p->key;
	__u16 port;

	if (weir_parse_quote(frame, &p->packet, key))
		return WEIR_REASON_MALFORMED;
	if (p->direction == WEIR_IN)
		return differ(key->local, p->packet.local) ? WEIR_REASON_NO_FLOW : 0;
	/* Going out, the peer sent it: from here its packet looks the other way round. */
	if (differ(key->local, p->packet.remote))
		return WEIR_REASON_NO_FLOW;
	__builtin_memcpy(key->local, key->remote, sizeof(key->local));
	__builtin_memcpy(key->remote, p->packet.remote, sizeof(key->remote));
	port = key->local_port;
	key->local_port = key->remote_port;
	key->remote_port = port;
	if (key->asks)
		key->asks = WEIR_ROLE_ACCEPTER;
	return 0;
}

/* An ICMP error, either way, is admitted when the packet that it quotes belongs to a flow. */
static __always_inline void judge_error(struct passage *p)
{
	const struct weir_edge_flow *flow = bpf_map_lookup_elem(&opened, &p->key);
	__u32 opener = WEIR_OUT;

	if (!is_alive(flow, p)) {
		flow = bpf_map_lookup_elem(&accepted, &p->key);
		opener = WEIR_IN;
		if (!is_alive(flow, p)) {
			refuse(p, WEIR_REASON_NO_FLOW);
			return;
		}
	}
	if (flow->generation == p->generation)
		allow(p);
	else
		ask_rows(p, opener);
}

static __always_inline void make_fragment_key(struct weir_fragment_key *key, const struct passage *p)
{
	__builtin_memcpy(key->source, p->direction == WEIR_OUT ? p->packet.local : p->packet.remote,
			 sizeof(key->source));
	__builtin_memcpy(key->destination, p->direction == WEIR_OUT ? p->packet.remote : p->packet.local,
			 sizeof(key->destination));
	key->id = p->packet.part_id;
	if (p->ethertype == WEIR_ETH_IPV4)
		key->protocol = p->packet.protocol;
	key->zone = (__u8)edge_zone;
	key->direction = (__u8)p->direction;
}

/* A later part of a datagram: with its first, and not over it. */
static __always_inline void judge_part(struct passage *p)
{
	struct weir_fragment_key key = {};
	struct weir_fragment *first;

	make_fragment_key(&key, p);
	first = bpf_map_lookup_elem(&fragments, &key);
	refuse(p, WEIR_REASON_FRAGMENT);
	if (!first || first->seen + WEIR_LIFE_FRAGMENTS * SECOND_NS < p->now || first->generation != p->generation ||
	    p->packet.part_at < first->end)
		return;
	if (first->asked)
		ask_again(p, p->packet.remote, first->asked);
	else
		allow(p);
}

/* Has a TCP socket of this host the packet's connection? The kernel knows those that are older than the policy, and
 * those whose entry was pushed out. */
static __always_inline int is_connected(void *ctx, const struct passage *p)
{
	__u32 state = socket_state(ctx, &p->packet, p->packet.remote_port);

	return state && state != BPF_TCP_LISTEN && state != BPF_TCP_CLOSE;
}

static __always_inline void judge_out(void *ctx, struct passage *p)
{
	__u32 answers_first = is_tcp(p) &&
			      (has_flags(p, WEIR_TCP_SYN | WEIR_TCP_ACK) || (p->packet.tcp_flags & WEIR_TCP_RST));

	if (!is_syn(p) && belongs(p, &opened, WEIR_OUT))
		return;
	if (p->packet.opens) {
		ask_rows(p, WEIR_OUT);
		if (allowed(p)) {
			begin(p, &opened, is_tcp(p) && !is_syn(p) ? WEIR_PHASE_ANSWERED : 0);
			return;
		}
	}
	if (is_syn(p) || belongs(p, &accepted, WEIR_IN))
		return;
	if (is_tcp(p)) { /* answers to what has no entry: the first one, a reset, a connection that this host has */
		ask_rows(p, WEIR_IN);
		if (!allowed(p))
			return;
		if (answers_first && p->packet.needed == p->packet.total)
			return;
		if (!answers_first && is_connected(ctx, p)) {
			begin(p, &accepted, WEIR_PHASE_ANSWERED);
			return;
		}
		refuse(p, WEIR_REASON_NO_FLOW);
	}
	if (!p->packet.opens)
		refuse(p, WEIR_REASON_NO_FLOW);
}

static __always_inline void judge_in(void *ctx, struct passage *p)
{
	__u32 answers = 0; /* it comes from where a row lets this host open */

	if (!is_syn(p) && belongs(p, &opened, WEIR_OUT))
		return;
	if (!is_syn(p) && p->packet.opens && belongs(p, &accepted, WEIR_IN))
		return;
	/* The kernel is asked only about peers that a row names: a flood does not come here. */
	if (is_tcp(p) && !is_syn(p)) {
		ask_rows(p, WEIR_OUT);
		if (allowed(p)) {
			if (is_connected(ctx, p)) {
				begin(p, &opened, WEIR_PHASE_ANSWERED);
				return;
			}
			answers = 1;
		}
	}
	if (!p->packet.opens) {
		refuse(p, WEIR_REASON_NO_FLOW);
		return;
	}
	ask_rows(p, WEIR_IN);
	if (allowed(p) && !is_syn(p))
		begin(p, &accepted, 0);
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

static __always_inline __u32 read_packet(struct weir_frame *frame, struct passage *p)
{
	__u32 reason, later;

	if (frame->ethertype == WEIR_ETH_IPV4)
		reason = weir_parse_v4(frame, p->direction, &p->packet);
	else
		reason = weir_parse_v6(frame, p->direction, &p->packet);
	later = reason == WEIR_REASON_FRAGMENT && p->packet.part_at;
	if (!reason || later)
		reason = weir_check_lengths(frame, p->direction, &p->packet);
	if (!reason && later)
		return WEIR_REASON_FRAGMENT;
	if (!reason)
		reason = weir_check_flags(&p->packet);
	p->own = has_own_hop_limit(&p->packet) && (p->direction == WEIR_IN || p->own);
	if (!reason && p->own && p->direction == WEIR_OUT)
		reason = weir_check_own(frame, &p->packet);
	if (reason)
		return reason;
	p->key.zone = (__u8)edge_zone;
	if (p->packet.error)
		return read_quote(frame, p);
	/* In the words that they were written in: the processor waits for the memory when it reads longer ones. */
	weir_copy16((__u32 *)p->key.local, p->packet.local);
	weir_copy16((__u32 *)p->key.remote, p->packet.remote);
	p->key.local_port = p->packet.local_port;
	p->key.remote_port = p->packet.remote_port;
	p->key.protocol = p->packet.protocol;
	/* Identifier and type may be the same number: a question must not pass for an answer then. */
	if (p->packet.protocol == WEIR_IPPROTO_ICMP || p->packet.protocol == WEIR_IPPROTO_ICMPV6)
		p->key.asks = p->packet.opens == (p->direction == WEIR_OUT) ? WEIR_ROLE_OPENER : WEIR_ROLE_ACCEPTER;
	return 0;
}

/* What read_frame() does, on any hook. */
static __always_inline __u32 read_all(void *ctx)
{
	struct passage *p = this_passage();
	struct weir_frame frame = {.ctx = ctx};
	__u32 reason;

	if (!p)
		return WEIR_REASON_MALFORMED;
	frame.length = p->length;
	frame.many = p->many;
	reason = weir_parse_link(&frame, edge_link_header);
	p->base = frame.base;
	p->ethertype = frame.ethertype;
	if (reason)
		return reason;
	if (frame.ethertype == WEIR_ETH_ARP)
		return weir_check_arp(&frame, p->direction);
	if (frame.ethertype == WEIR_ETH_IPV4 || frame.ethertype == WEIR_ETH_IPV6)
		return read_packet(&frame, p);
	return WEIR_REASON_ETHERTYPE;
}

static __always_inline void note_first_part(const struct passage *p)
{
	struct weir_fragment_key part = {};
	struct weir_fragment first = {
		.seen = p->now,
		.generation = p->generation,
		.end = p->packet.total - p->packet.parts,
	};

	if (p->answer & WEIR_ANSWER_ENDS) {
		if (p->packet.error) /* no row speaks of who sends it; and errors are short */
			return;
		first.asked = p->asked;
	}
	make_fragment_key(&part, p);
	bpf_map_update_elem(&fragments, &part, &first, BPF_ANY);
}

static __always_inline int is_listed(const struct weir_trailer *trailer, __u32 ethertype)
{
	for (__u32 i = 0; i < WEIR_ETHERTYPES; i++)
		if (trailer && trailer->ethertypes[i] && trailer->ethertypes[i] == ethertype)
			return 1;
	return 0;
}

/* A frame that was read, with the reason that was found to refuse it, or 0. */
static __always_inline void judge_read(void *ctx, struct passage *p, void *image, __u32 reason)
{
	if (reason == WEIR_REASON_FRAGMENT && p->packet.part_at) {
		judge_part(p);
	} else if (reason == WEIR_REASON_ETHERTYPE && is_listed(image_line(image, 1), p->ethertype)) {
		allow(p);
	} else if (reason) {
		refuse(p, reason);
	} else if (p->ethertype == WEIR_ETH_ARP) {
		allow(p);
	} else {
		if (p->packet.error)
			judge_error(p);
		else if (p->packet.alone)
			ask_rows(p, p->direction);
		else if (p->direction == WEIR_OUT)
			judge_out(ctx, p);
		else
			judge_in(ctx, p);
		if (p->packet.more && allowed(p))
			note_first_part(p);
	}
}

/* The EtherType of what is refused for it stands in the place of the ports. */
static __always_inline int tells_ethertype(const struct passage *p)
{
	return answer_reason(p->answer) == WEIR_REASON_ETHERTYPE;
}

/* The port of the side that serves; of ICMP: the type. */
static __always_inline __u16 service_of(const struct passage *p)
{
	if (tells_ethertype(p))
		return (__u16)p->ethertype;
	if (p->packet.protocol == WEIR_IPPROTO_ICMP &&
	    !p->packet.opens) /* an echo reply: its identifier is no service */
		return 0;
	if (p->packet.protocol == WEIR_IPPROTO_ICMPV6 && !p->packet.opens)
		return 129;
	return p->direction == WEIR_OUT ? p->packet.remote_port : p->packet.local_port;
}

/* Into the ring buffer, with all that is known of it; -1 when that is full. Apart, as few refusals come here. */
static __noinline int report_first(void *ctx, const struct passage *p, const struct weir_merge_key *like,
				   struct weir_counter *counter)
{
	struct weir_attempt attempt = {.local = p->packet.local, .remote = p->packet.remote, .like = *like};

	tell_socket(ctx, p->direction, &attempt);
	attempt.local_port = p->packet.local_port;
	attempt.remote_port = p->packet.remote_port;
	if (tells_ethertype(p))
		attempt.local_port = attempt.remote_port = (__u16)p->ethertype;
	attempt.tcp_flags = p->packet.tcp_flags;
	attempt.length = p->length - p->base;
	return send_event(&attempt, owner_of(ctx, p->direction), counter);
}

static __always_inline void make_merge_key(struct weir_merge_key *key, const struct passage *p, __u32 ifindex,
					   const struct weir_owner *owner)
{
	weir_copy16((__u32 *)key->local, p->packet.local);
	weir_copy16((__u32 *)key->remote, p->packet.remote);
	key->ifindex = ifindex;
	key->pid = owner ? owner->pid : 0;
	key->generation = answer_generation(p->answer);
	key->port = service_of(p);
	key->protocol = p->packet.protocol;
	key->gate = WEIR_GATE_EDGE;
	key->direction = (__u8)p->direction;
	key->reason = answer_reason(p->answer);
	key->verdict = p->answer & WEIR_ANSWER_OBSERVE ? WEIR_ALLOW : WEIR_REFUSE;
	key->scope = (__u8)scope;
	key->operation = WEIR_OP_PACKET;
	key->cookie = 0;
	key->zero[0] = key->zero[1] = key->zero[2] = 0;
}

/* Counts what is refused; reports the first of its like: anybody on the network can make it a million a second. Gives the verdict that holds: WEIR_REFUSE, or WEIR_ALLOW where
 * the policy only observes. */
static __always_inline int report(void *ctx, struct passage *p)
{
	const struct weir_owner *owner = owner_of(ctx, p->direction);
	struct weir_counter *counter;
	struct weir_merge_key key;
	struct weir_merge *like;
	__u32 slot = WEIR_MERGE_EDGE;
	void *table;

	make_merge_key(&key, p, interface_of(ctx), owner);
	counter = counter_of(&key);
	if (!counter) /* can't be: the index is in range by construction */
		return WEIR_REFUSE;
	if (key.verdict == WEIR_ALLOW)
		count_own(counter, observed);
	else
		count_own(counter, refused);
	table = bpf_map_lookup_elem(&merges, &slot);
	like = table ? bpf_map_lookup_elem(table, &key) : 0;
	/* A table that is full is full for the next frames, too: it is tried once for each tick of the coarse clock. */
	if (table && !like && p->full_at != p->now) {
		int failed = begin_like(table, &key, owner, 0);

		if (!failed && !report_first(ctx, p, &key, counter))
			return key.verdict;
		if (!failed || failed == ALREADY_THERE) /* the ring buffer is full; another processor was faster */
			like = bpf_map_lookup_elem(table, &key);
		else
			p->full_at = p->now;
	}
	if (like) {
		count_own(counter, merged); /* before it can be taken away: as in send_event() */
		count_like(like, p->now);
	} else {
		count_own(counter, summed);
	}
	return key.verdict;
}

/* What a row of a window admitted: its connection, of an ICMP error the one that it quotes. */
static __noinline void note_admitted(void *ctx, const struct passage *p)
{
	const struct weir_owner *owner = owner_of(ctx, p->direction);
	struct weir_merge_key key;

	make_merge_key(&key, p, interface_of(ctx), owner);
	if (p->packet.error) {
		weir_copy16((__u32 *)key.local, (const __u32 *)p->key.local);
		weir_copy16((__u32 *)key.remote, (const __u32 *)p->key.remote);
	}
	key.port = circumstances_port(p->asked);
	key.protocol = circumstances_protocol(p->asked);
	key.direction = circumstances_direction(p->asked);
	key.verdict = WEIR_ALLOW;
	count_admitted(&key, owner, 0, answer_row(p->answer), p->now);
}

/*
 * Judges the frame of `p`, which was all zero but for direction, length and `many`, and going out `connected` and
 * whether the socket is the kernel's, in `own`. WEIR_ALLOW, or WEIR_REFUSE; what is refused has been reported.
 */
static __always_inline int judge_frame(void *ctx, struct passage *p)
{
	const struct weir_header *header = 0;
	void *image = published_image();

	if (image)
		header = image_line(image, 0);
	p->now = edge_clock();
	if (header) {
		p->generation = header->generation;
		p->answer = (__u64)header->generation << 32 |
			    (header->flags & WEIR_IMAGE_OBSERVE ? WEIR_ANSWER_OBSERVE : 0);
		judge_read(ctx, p, image, read_frame(ctx));
	} else {
		refuse(p, WEIR_REASON_NO_POLICY);
	}
	if (allowed(p)) {
		if (p->answer & WEIR_ANSWER_WINDOW)
			note_admitted(ctx, p);
		return WEIR_ALLOW;
	}
	if (p->unwritten)
		refuse(p, WEIR_REASON_JOURNAL);
	return report(ctx, p);
}

#endif /* WEIR_EDGE_BPF_H */
