// SPDX-License-Identifier: GPL-2.0-only
/*
 * The packet gate: every packet of every IP socket of the cgroup, both ways. This is the boundary.
 *
 * Rows speak of who opens: an `out` row admits what this host opens and the answers to it, an `in` row what a
 * peer opens and the answers to that. So each packet has a role. TCP: whoever sent the SYN opened, and the socket
 * keeps it. All else: a flow, by socket and peer, which is opened by the first packet that a row admits.
 *
 * A packet costs one look-up of what is known of its flow; a new generation of the policy makes all of it be
 * judged anew.
 */
#include "bpf/maps.bpf.h"
#include "bpf/packet_load.bpf.h"
#include "bpf/packet.bpf.h"
#include "bpf/ask.bpf.h"
#include "bpf/report_cgroup.bpf.h"
#include "bpf/sockets.bpf.h"

#include <linux/if_ether.h>

#define LOOPBACK_IFINDEX 1 /* in every network namespace, include/net/flow.h */

struct judgement {
	__u64 answer;     /* of weir_ask(), or in its form */
	__u32 generation; /* of the policy in force when the packet came */
	__u32 zone;       /* 0: not known yet, or of an interface that the edge gate doesn't hold */
	__u32 ifindex;    /* in the socket's network namespace */
	__u32 has_edge;   /* the policy in force has an edge */
	__u32 direction;  /* of travel */
	__u32 kernel;     /* no process made the packet, and it can't have come from beyond this link */
	__u32 unwritten;  /* a row that was asked needs the journal */
	__u32 asked;      /* what weir_ask() was asked last: the lower half of circumstances() */
	struct bpf_sock *sk;
	struct weir_packet packet;
};

static __always_inline int allowed(const struct judgement *j)
{
	return j->answer & WEIR_ANSWER_ALLOWED;
}

static __always_inline void refuse(struct judgement *j, __u32 reason)
{
	j->answer = answer_refused(j->answer, reason);
}

/* With an edge, each interface of the host is one that the edge gate holds, or its traffic is refused here. A socket of
 * another network namespace (a container's) has interfaces of its own: what leaves the host by them meets the edge. */
static __always_inline void find_zone(struct judgement *j, const struct weir_owner *owner)
{
	const struct weir_interface *interface;

	if (j->zone)
		return;
	if (!j->has_edge || (owner && owner->foreign)) {
		j->zone = WEIR_ZONE_NETWORK;
		return;
	}
	interface = bpf_map_lookup_elem(&interfaces, &j->ifindex);
	if (interface)
		j->zone = interface->zone;
}

/* Ask the rows of `direction`, which is not always the way the packet travels. */
static __always_inline void ask_about(struct judgement *j, __u32 direction, const __u32 remote[4], __u32 protocol,
				      __u32 port, __u32 kernel)
{
	const struct weir_owner *owner = 0;

	if (j->sk)
		owner = bpf_sk_storage_get(&owners, j->sk, 0, 0);
	find_zone(j, owner);
	if (!j->zone) {
		refuse(j, WEIR_REASON_INTERFACE);
		return;
	}
	j->answer = weir_ask((__u64)remote[1] << 32 | remote[0], (__u64)remote[3] << 32 | remote[2],
			     circumstances(direction, protocol, port, j->zone, kernel), maker_of(owner));
	j->asked = (__u32)circumstances(direction, protocol, port, 0, 0);
	j->unwritten |= lacks_journal(j->answer);
}

static __always_inline void ask_rows(struct judgement *j, __u32 direction)
{
	__u32 port = direction == WEIR_OUT ? j->packet.remote_port : j->packet.local_port;

	ask_about(j, direction, j->packet.remote, j->packet.protocol, port, j->kernel);
}

/* Whether a socket listens where this connection ends: so tells who opened a connection that is older than the
 * policy. A remote port of 0 finds the listener and not the connection itself. */
static __noinline int has_listener(struct __sk_buff *skb, const struct weir_packet *packet)
{
	return socket_state(skb, packet, 0) == BPF_TCP_LISTEN;
}

static __always_inline void judge_tcp(struct __sk_buff *skb, struct bpf_sock *sk, struct judgement *j)
{
	int syn = (j->packet.tcp_flags & (WEIR_TCP_SYN | WEIR_TCP_ACK)) == WEIR_TCP_SYN;
	int listening = sk->state == BPF_TCP_LISTEN;
	struct weir_note *note = bpf_sk_storage_get(&sockets, sk, 0, BPF_SK_STORAGE_GET_F_CREATE);
	__u64 state = note ? note->state[scope & (WEIR_SCOPES - 1)] : 0;
	__u32 role = state & WEIR_STATE_ROLE;
	int same = same_connection(sk, &j->packet);

	if (listening) {
		role = WEIR_ROLE_ACCEPTER;
	} else if (syn && j->direction == WEIR_OUT) {
		role = WEIR_ROLE_OPENER;
	} else {
		if (role && same && weir_is_admitted(state, j->generation, j->ifindex)) {
			j->answer |= WEIR_ANSWER_ALLOWED;
			return;
		}
		if (!role)
			role = has_listener(skb, &j->packet) ? WEIR_ROLE_ACCEPTER : WEIR_ROLE_OPENER;
	}

	ask_rows(j, role == WEIR_ROLE_OPENER ? WEIR_OUT : WEIR_IN);
	if (!note)
		return;
	if (listening) /* has no peer: only its role is kept, for the connections that it accepts */
		state = weir_state(0, role, 0, 0);
	else
		state = weir_state(answer_generation(j->answer), role, answer_lasts(j->answer) && same, j->ifindex);
	if (note->state[scope & (WEIR_SCOPES - 1)] != state)
		note->state[scope & (WEIR_SCOPES - 1)] = state;
}

/* An answer that the kernel itself makes, on a socket of its own: RST, the last ACKs of a connection, echo reply.
 * It goes where a row lets either side open. */
static __always_inline void judge_kernel_answer(struct judgement *j)
{
	ask_rows(j, WEIR_OUT);
	if (!allowed(j))
		ask_rows(j, WEIR_IN);
	if (!allowed(j) && j->zone)
		refuse(j, WEIR_REASON_KERNEL);
}

static __always_inline void make_key(struct weir_flow_key *key, __u64 cookie, const struct weir_packet *packet)
{
	key->cookie = cookie;
	__builtin_memcpy(key->remote, packet->remote, sizeof(key->remote));
	key->remote_port = packet->remote_port;
	key->local_port = packet->local_port;
	key->protocol = packet->protocol;
	key->scope = (__u8)scope;
}

static __always_inline int is_alive(const struct weir_flow *flow, __u64 now)
{
	return flow && flow->seen + WEIR_FLOW_LIFETIME_NS >= now;
}

/* An ICMP error is admitted when the packet that it quotes belongs to a flow of this very socket. */
static __always_inline void judge_error(struct __sk_buff *skb, __u64 cookie, struct judgement *j)
{
	struct weir_flow_key key = {};
	struct weir_edge_key quoted = {};
	const __u32 *remote = (const __u32 *)quoted.remote;
	struct weir_flow *flow;
	__u32 direction;

	if (weir_parse_quote(skb, &j->packet, &quoted)) {
		refuse(j, WEIR_REASON_MALFORMED);
		return;
	}
	key.cookie = cookie;
	__builtin_memcpy(key.remote, quoted.remote, sizeof(key.remote));
	key.remote_port = quoted.remote_port;
	key.local_port = quoted.local_port;
	key.protocol = quoted.protocol;
	key.scope = (__u8)scope;
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!is_alive(flow, bpf_ktime_get_boot_ns())) {
		refuse(j, WEIR_REASON_NO_FLOW);
		return;
	}
	if (weir_is_admitted(flow->state, j->generation, j->ifindex)) {
		j->answer |= WEIR_ANSWER_ALLOWED;
		return;
	}
	/* Another generation of the policy admitted that flow, or a row that ends: does this one still? */
	direction = (flow->state & WEIR_STATE_ROLE) == WEIR_ROLE_OPENER ? WEIR_OUT : WEIR_IN;
	ask_about(j, direction, remote, quoted.protocol, direction == WEIR_OUT ? quoted.remote_port : quoted.local_port,
		  0);
	if (j->answer & WEIR_ANSWER_WINDOW) /* it is counted with that flow, and not as one to who sent the error */
		weir_copy16(j->packet.remote, remote);
}

static __always_inline void judge_flow(struct __sk_buff *skb, __u64 cookie, struct judgement *j)
{
	struct weir_flow_key key = {};
	struct weir_flow *flow, opened = {};
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 role = WEIR_ROLE_NONE;

	if (j->packet.alone) {
		ask_rows(j, j->direction);
		return;
	}
	make_key(&key, cookie, &j->packet);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (is_alive(flow, now))
		role = flow->state & WEIR_STATE_ROLE;

	if (flow && role) {
		j->answer |= WEIR_ANSWER_ALLOWED;
		if (!weir_is_admitted(flow->state, j->generation, j->ifindex)) {
			ask_rows(j, role == WEIR_ROLE_OPENER ? WEIR_OUT : WEIR_IN);
			if (allowed(j))
				flow->state = weir_state(answer_generation(j->answer), role, answer_lasts(j->answer),
							 j->ifindex);
		}
		if (allowed(j)) {
			/* Only this host's own packets, or a row's, keep a flow alive: answers alone don't. */
			if (j->direction == WEIR_OUT || role == WEIR_ROLE_ACCEPTER)
				flow->seen = now;
			return;
		}
	}

	if (!j->packet.opens) {
		refuse(j, WEIR_REASON_NO_FLOW);
		return;
	}
	ask_rows(j, j->direction);
	if (!allowed(j))
		return;
	role = j->direction == WEIR_OUT ? WEIR_ROLE_OPENER : WEIR_ROLE_ACCEPTER;
	opened.state = weir_state(answer_generation(j->answer), role, answer_lasts(j->answer), j->ifindex);
	opened.seen = now;
	bpf_map_update_elem(&flows, &key, &opened, BPF_ANY);
}

/* The hop limit that a kernel gives to what it says to its link: 255 can't have crossed a router (RFC 4861 section
 * 3.1); messages about multicast listeners have 1, and no router passes them on (RFC 2710 section 3, RFC 3810
 * section 5). */
static __always_inline __u32 own_hop_limit(const struct weir_packet *packet)
{
	__u32 type = packet->remote_port;

	if (packet->protocol == WEIR_IPPROTO_ICMPV6 && ((type >= 130 && type <= 132) || type == 143))
		return 1;
	return 255;
}

static __always_inline void judge_parsed(struct __sk_buff *skb, struct bpf_sock *sk, struct judgement *j)
{
	__u32 kernel_socket = 0, process_socket = 0;

	if (sk && sk->protocol == WEIR_IPPROTO_TCP && sk->type == SOCK_STREAM &&
	    j->packet.protocol == WEIR_IPPROTO_TCP) {
		judge_tcp(skb, sk, j);
		return;
	}
	if (sk && sk->type == SOCK_RAW) {
		process_socket = !!bpf_sk_storage_get(&owners, sk, 0, 0);
		kernel_socket = !process_socket;
	}
	/* What comes in with it was made on this link, and is no process's to hear; what goes out must be the kernel's
	 * own. */
	if (j->packet.hop_limit == own_hop_limit(&j->packet))
		j->kernel = j->direction == WEIR_IN ? !process_socket : kernel_socket;

	if (kernel_socket && j->direction == WEIR_OUT)
		judge_kernel_answer(j);
	else if (j->packet.error && j->direction == WEIR_IN)
		judge_error(skb, bpf_get_socket_cookie(skb), j);
	else
		judge_flow(skb, bpf_get_socket_cookie(skb), j);
}

/* The port of the side that serves; of ICMP the type. An echo reply's identifier is no service. */
static __always_inline __u16 service_of(const struct judgement *j)
{
	__u16 reply = j->packet.protocol == WEIR_IPPROTO_ICMPV6 ? 129 : 0;
	__u16 port = j->direction == WEIR_OUT ? j->packet.remote_port : j->packet.local_port;
	__u32 icmp = j->packet.protocol == WEIR_IPPROTO_ICMP || j->packet.protocol == WEIR_IPPROTO_ICMPV6;

	return icmp && !j->packet.opens ? reply : port;
}

static __noinline int report(struct __sk_buff *skb, const struct judgement *j)
{
	struct weir_attempt attempt = {.like = {.gate = WEIR_GATE_PACKET, .operation = WEIR_OP_PACKET}};
	struct weir_owner *owner = 0;
	struct bpf_sock *sk = skb->sk;

	attempt.local = j->packet.local;
	attempt.remote = j->packet.remote;
	attempt.local_port = j->packet.local_port;
	attempt.remote_port = j->packet.remote_port;
	attempt.like.port = service_of(j);
	attempt.like.protocol = j->packet.protocol;
	attempt.tcp_flags = j->packet.tcp_flags;
	attempt.like.direction = (__u8)j->direction;
	attempt.like.reason = answer_reason(j->answer);
	attempt.like.verdict = j->answer & WEIR_ANSWER_OBSERVE ? WEIR_ALLOW : WEIR_REFUSE;
	attempt.like.generation = answer_generation(j->answer);
	attempt.like.ifindex = j->ifindex;
	attempt.length = skb->len;
	attempt.cookie = bpf_get_socket_cookie(skb);
	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk) {
		attempt.cgroup = bpf_sk_cgroup_id(sk);
		owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	}
	return weir_report(&attempt, owner);
}

/* What a row of a window admits: its connection, which need not be opened the way that this packet goes. */
static __noinline void note_admitted(struct __sk_buff *skb, const struct judgement *j)
{
	struct weir_merge_key key = {.gate = WEIR_GATE_PACKET, .verdict = WEIR_ALLOW, .operation = WEIR_OP_PACKET};
	struct weir_owner *owner = 0;
	struct bpf_sock *sk = skb->sk;
	__u64 cgroup = 0;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (sk) {
		cgroup = bpf_sk_cgroup_id(sk);
		owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	}
	weir_copy16((__u32 *)key.local, j->packet.local);
	weir_copy16((__u32 *)key.remote, j->packet.remote);
	key.ifindex = j->ifindex;
	key.generation = answer_generation(j->answer);
	key.port = circumstances_port(j->asked);
	key.protocol = circumstances_protocol(j->asked);
	key.direction = circumstances_direction(j->asked);
	key.scope = (__u8)scope;
	key.pid = owner ? owner->pid : 0;
	key.cookie = key.pid ? 0 : bpf_get_socket_cookie(skb);
	count_admitted(&key, owner, cgroup, answer_row(j->answer), bpf_ktime_get_ns());
}

/* Does it travel as what its header says that it is? A raw socket writes the version that it likes, and is sent to
 * where its own family's address leads. */
static __always_inline int same_family(const struct __sk_buff *skb, const struct weir_packet *packet)
{
	return skb->protocol == bpf_htons(weir_is_v4(packet->remote) ? ETH_P_IP : ETH_P_IPV6);
}

static __always_inline int judge_packet(struct __sk_buff *skb, __u32 direction)
{
	struct judgement j = {
		.direction = direction,
		.zone = skb->ifindex == LOOPBACK_IFINDEX ? WEIR_ZONE_LOOPBACK : 0,
		.ifindex = skb->ifindex,
	};
	const struct weir_header *header = 0;
	struct bpf_sock *sk = skb->sk;
	void *image = published_image();
	__u32 reason;

	if (sk)
		sk = bpf_sk_fullsock(sk);
	if (image)
		header = image_line(image, 0);
	reason = WEIR_REASON_NO_POLICY;
	if (header) {
		j.generation = header->generation;
		j.answer = (__u64)header->generation << 32 |
			   (header->flags & WEIR_IMAGE_OBSERVE ? WEIR_ANSWER_OBSERVE : 0);
		j.has_edge = header->flags & WEIR_IMAGE_EDGE;
		reason = weir_parse(skb, direction, &j.packet);
		if (!reason && !same_family(skb, &j.packet))
			reason = WEIR_REASON_MALFORMED;
	}
	j.sk = sk;
	if (reason)
		refuse(&j, reason);
	else
		judge_parsed(skb, sk, &j);
	if (allowed(&j)) {
		if (j.answer & WEIR_ANSWER_WINDOW)
			note_admitted(skb, &j);
		return 1;
	}
	if (j.unwritten)
		refuse(&j, WEIR_REASON_JOURNAL);
	return report(skb, &j);
}

SEC("cgroup_skb/egress")
int weir_egress(struct __sk_buff *skb)
{
	return judge_packet(skb, WEIR_OUT);
}

SEC("cgroup_skb/ingress")
int weir_ingress(struct __sk_buff *skb)
{
	return judge_packet(skb, WEIR_IN);
}

char LICENSE[] __weak SEC("license") = "GPL";
