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
#include "bpf/report.bpf.h"

#include <bpf/bpf_endian.h>
#include <linux/if_ether.h>

#define LOOPBACK_IFINDEX 1 /* in every network namespace, include/net/flow.h */
#define SOCK_STREAM 1
#define SOCK_RAW 3

struct judgement {
	__u64 answer;     /* of weir_ask(), or in its form */
	__u32 generation; /* of the policy in force when the packet came */
	__u32 zone;
	__u32 direction;  /* of travel */
	__u32 kernel;     /* no process made the packet, and it can't have come from beyond this link */
	struct weir_packet packet;
};

static __always_inline int allowed(const struct judgement *j)
{
	return j->answer & WEIR_ANSWER_ALLOWED;
}

static __always_inline void refuse(struct judgement *j, __u32 reason)
{
	j->answer = (j->answer & ~(0xff00ull | WEIR_ANSWER_ALLOWED)) | reason << 8;
}

/* Ask the rows of `direction`, which is not always the way the packet travels. */
static __always_inline void ask_rows(struct judgement *j, __u32 direction)
{
	const __u32 *remote = j->packet.remote;
	__u32 port = direction == WEIR_OUT ? j->packet.remote_port : j->packet.local_port;

	j->answer = weir_ask((__u64)remote[1] << 32 | remote[0], (__u64)remote[3] << 32 | remote[2],
			     circumstances(direction, j->packet.protocol, port, j->zone, j->kernel));
}

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

/* Whether a socket listens where this connection ends: so tells who opened a connection that is older than the
 * policy. A remote port of 0 finds the listener and not the connection itself. */
static __noinline int has_listener(struct __sk_buff *skb, const struct weir_packet *packet)
{
	struct bpf_sock_tuple tuple = {};
	struct bpf_sock *listener;
	__u32 size;
	int found;

	if (weir_is_v4(packet->remote)) {
		tuple.ipv4.saddr = packet->remote[3];
		tuple.ipv4.daddr = packet->local[3];
		tuple.ipv4.dport = bpf_htons(packet->local_port);
		size = sizeof(tuple.ipv4);
	} else {
		weir_copy16(tuple.ipv6.saddr, packet->remote);
		weir_copy16(tuple.ipv6.daddr, packet->local);
		tuple.ipv6.dport = bpf_htons(packet->local_port);
		size = sizeof(tuple.ipv6);
	}
	listener = bpf_skc_lookup_tcp(skb, &tuple, size, BPF_F_CURRENT_NETNS, 0);
	if (!listener)
		return 0;
	found = listener->state == BPF_TCP_LISTEN;
	bpf_sk_release(listener);
	return found;
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
		if (role && same && state == weir_state(j->generation, role, 1, j->zone)) {
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
		state = weir_state(answer_generation(j->answer), role, allowed(j) && same, j->zone);
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
	if (!allowed(j))
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
	struct weir_packet quoted = {};
	struct weir_flow *flow;
	__u32 direction;

	if (weir_parse_quote(skb, &j->packet, &quoted)) {
		refuse(j, WEIR_REASON_MALFORMED);
		return;
	}
	make_key(&key, cookie, &quoted);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (!is_alive(flow, bpf_ktime_get_boot_ns())) {
		refuse(j, WEIR_REASON_NO_FLOW);
		return;
	}
	if (flow->state == weir_state(j->generation, flow->state & WEIR_STATE_ROLE, 1, j->zone)) {
		j->answer |= WEIR_ANSWER_ALLOWED;
		return;
	}
	/* Another generation of the policy admitted that flow: would this one? */
	direction = (flow->state & WEIR_STATE_ROLE) == WEIR_ROLE_OPENER ? WEIR_OUT : WEIR_IN;
	j->answer = weir_ask((__u64)quoted.remote[1] << 32 | quoted.remote[0],
			     (__u64)quoted.remote[3] << 32 | quoted.remote[2],
			     circumstances(direction, quoted.protocol,
					   direction == WEIR_OUT ? quoted.remote_port : quoted.local_port, j->zone, 0));
}

static __always_inline void judge_flow(struct __sk_buff *skb, __u64 cookie, struct judgement *j)
{
	struct weir_flow_key key = {};
	struct weir_flow *flow, opened = {};
	__u64 now = bpf_ktime_get_boot_ns();
	__u32 role = WEIR_ROLE_NONE;

	make_key(&key, cookie, &j->packet);
	flow = bpf_map_lookup_elem(&flows, &key);
	if (is_alive(flow, now))
		role = flow->state & WEIR_STATE_ROLE;

	if (flow && role) {
		__u64 admitted = weir_state(j->generation, role, 1, j->zone);

		j->answer |= WEIR_ANSWER_ALLOWED;
		if (flow->state != admitted) {
			ask_rows(j, role == WEIR_ROLE_OPENER ? WEIR_OUT : WEIR_IN);
			if (allowed(j))
				flow->state = weir_state(answer_generation(j->answer), role, 1, j->zone);
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
	opened.state = weir_state(answer_generation(j->answer), role, 1, j->zone);
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
		.zone = skb->ifindex == LOOPBACK_IFINDEX ? WEIR_ZONE_LOOPBACK : WEIR_ZONE_NETWORK,
	};
	struct weir_attempt attempt = {.gate = WEIR_GATE_PACKET, .operation = WEIR_OP_PACKET};
	const struct weir_header *header = 0;
	struct weir_owner *owner = 0;
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
		reason = weir_parse(skb, direction, &j.packet);
		if (!reason && !same_family(skb, &j.packet))
			reason = WEIR_REASON_MALFORMED;
	}
	if (reason)
		refuse(&j, reason);
	else
		judge_parsed(skb, sk, &j);
	if (allowed(&j))
		return 1;

	weir_copy16(attempt.local, j.packet.local);
	weir_copy16(attempt.remote, j.packet.remote);
	attempt.local_port = j.packet.local_port;
	attempt.remote_port = j.packet.remote_port;
	attempt.protocol = j.packet.protocol;
	attempt.tcp_flags = j.packet.tcp_flags;
	attempt.direction = (__u8)direction;
	attempt.reason = answer_reason(j.answer);
	attempt.observe = !!(j.answer & WEIR_ANSWER_OBSERVE);
	attempt.generation = answer_generation(j.answer);
	attempt.ifindex = skb->ifindex;
	attempt.length = skb->len;
	attempt.cookie = bpf_get_socket_cookie(skb);
	if (sk) {
		attempt.cgroup = bpf_sk_cgroup_id(sk);
		owner = bpf_sk_storage_get(&owners, sk, 0, 0);
	}
	return weir_report(&attempt, owner);
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
