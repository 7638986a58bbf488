// SPDX-License-Identifier: GPL-2.0-only
/*
 * The socket gate: connect(2), sendto(2) and sendmsg(2) that no row admits fail at once with EPERM, and the
 * process that tried is known. It is a courtesy, not the boundary: UDP-Lite, raw sockets and sockets that were
 * connected before pass it by. The packet gate judges all of them.
 *
 * The interface isn't known yet: a loopback address is taken for loopback, any other for the network or a tunnel. The
 * packet gate knows which, and judges by it.
 */
#include "bpf/maps.bpf.h"
#include "bpf/packet_load.bpf.h"
#include "bpf/packet.bpf.h"
#include "bpf/ask.bpf.h"
#include "bpf/report_cgroup.bpf.h"

#include <bpf/bpf_endian.h>

/* The unspecified address means this host (Linux: ip_route_output_key_hash_rcu(), ip6_datagram_connect()). */
static __always_inline void loopback_for_unspecified(__u32 a[4])
{
	if (a[0] | a[1] | a[3])
		return;
	if (a[2] == 0)
		a[3] = WEIR_BE32(1);
	else if (weir_is_v4(a))
		a[3] = WEIR_BE32(0x7f000001);
}

static __always_inline int is_loopback(const __u32 a[4])
{
	if (weir_is_v4(a))
		return (a[3] & WEIR_BE32(0xff000000)) == WEIR_BE32(0x7f000000);
	return a[0] == 0 && a[1] == 0 && a[2] == 0 && a[3] == WEIR_BE32(1);
}

static __always_inline __u64 ask(const __u32 remote[4], __u32 direction, __u32 protocol, __u32 port, __u64 user)
{
	__u32 zone = is_loopback(remote) ? WEIR_ZONE_LOOPBACK : WEIR_ZONE_NETWORK | WEIR_ZONE_TUNNEL;

	return weir_ask((__u64)remote[1] << 32 | remote[0], (__u64)remote[3] << 32 | remote[2],
			circumstances(direction, protocol, port, zone, 0), user);
}

/* The caller, if the socket is of its own making. The packet gate goes by who made it; by a socket that was passed on
 * nobody gets further, nor by a subflow that the kernel connects, whose caller may be anyone. */
static __always_inline __u64 user_of(const struct weir_owner *kept)
{
	__u64 caller = weir_user((__u32)bpf_get_current_uid_gid());

	return maker_of(kept) == caller ? caller : 0;
}

/* Notes who uses the socket now, which may not be who made it. */
static __always_inline void note_user(struct bpf_sock *sk, struct weir_owner *kept, struct weir_owner *owner)
{
	if (!kept) {
		bpf_sk_storage_get(&owners, sk, owner, BPF_SK_STORAGE_GET_F_CREATE);
	} else if (kept->pid != owner->pid) {
		owner->maker = kept->maker;
		owner->made = kept->made;
		*kept = *owner;
	}
}

/* Is this a reply, on a socket without a connection, to a peer that a row admitted? */
static __always_inline int answers_admitted(const struct weir_flow_key *key, const __u32 remote[4], __u64 user)
{
	const struct weir_flow *flow = bpf_map_lookup_elem(&flows, key);

	if (!flow || (flow->state & WEIR_STATE_ROLE) != WEIR_ROLE_ACCEPTER ||
	    flow->seen + WEIR_FLOW_LIFETIME_NS < bpf_ktime_get_boot_ns())
		return 0;
	return ask(remote, WEIR_IN, key->protocol, key->local_port, user) & WEIR_ANSWER_ALLOWED;
}

/* Apart, for the sake of the stack. */
static __noinline int report(const struct weir_flow_key *key, const struct weir_owner *owner, __u64 answer,
			     __u32 operation)
{
	struct weir_attempt attempt = {.like = {.gate = WEIR_GATE_SOCKET, .direction = WEIR_OUT}};

	attempt.local = (const __u32 *)attempt.like.local; /* not known yet */
	attempt.remote = (const __u32 *)key->remote;
	attempt.remote_port = key->remote_port;
	attempt.local_port = key->local_port;
	attempt.cookie = key->cookie;
	attempt.cgroup = bpf_get_current_cgroup_id();
	attempt.like.port = key->remote_port;
	attempt.like.protocol = key->protocol;
	attempt.like.operation = (__u8)operation;
	attempt.like.generation = answer_generation(answer);
	attempt.like.reason = answer_reason(answer);
	attempt.like.verdict = answer & WEIR_ANSWER_OBSERVE ? WEIR_ALLOW : WEIR_REFUSE;
	return weir_report(&attempt, owner);
}

static __always_inline int judge(struct bpf_sock_addr *ctx, __u32 remote[4], __u32 operation)
{
	struct weir_flow_key key = {};
	struct weir_owner owner, *kept = 0;
	struct bpf_sock *sk = ctx->sk;
	__u32 protocol = ctx->protocol;
	__u16 port = bpf_ntohs((__u16)ctx->user_port);
	__u64 answer, user;

	if (protocol == WEIR_IPPROTO_MPTCP)
		protocol = WEIR_IPPROTO_TCP;
	if (protocol == WEIR_IPPROTO_ICMP) /* ping sockets send echo requests only, net/ipv4/ping.c */
		port = 8;
	else if (protocol == WEIR_IPPROTO_ICMPV6)
		port = 128;
	loopback_for_unspecified(remote);
	key.cookie = bpf_get_socket_cookie(ctx);
	__builtin_memcpy(key.remote, remote, sizeof(key.remote));
	key.remote_port = port;
	key.local_port = sk ? (__u16)sk->src_port : 0;
	key.protocol = (__u8)protocol;
	key.scope = (__u8)scope;

	if (sk)
		kept = bpf_sk_storage_get(&owners, sk, 0, 0);
	user = user_of(kept);
	answer = ask(remote, WEIR_OUT, key.protocol, port, user);
	if (operation == WEIR_OP_SEND) {
		if (!(answer & WEIR_ANSWER_ALLOWED) && answers_admitted(&key, remote, user))
			answer |= WEIR_ANSWER_ALLOWED;
		/* Its packet will be judged, and the owner was noted when the socket was made. */
		if (answer & WEIR_ANSWER_ALLOWED)
			return 1;
	}

	weir_current(ctx, &owner);
	if (sk)
		note_user(sk, kept, &owner);
	if (answer & WEIR_ANSWER_ALLOWED)
		return 1;

	return report(&key, &owner, answer, operation);
}

static __always_inline int judge4(struct bpf_sock_addr *ctx, __u32 operation)
{
	__u32 address[4];

	weir_set_v4(address, ctx->user_ip4);
	return judge(ctx, address, operation);
}

static __always_inline int judge6(struct bpf_sock_addr *ctx, __u32 operation)
{
	__u32 address[4] = {ctx->user_ip6[0], ctx->user_ip6[1], ctx->user_ip6[2], ctx->user_ip6[3]};

	return judge(ctx, address, operation);
}

static __always_inline __u32 connect_operation(const struct bpf_sock_addr *ctx)
{
	return ctx->type == 1 /* SOCK_STREAM */ ? WEIR_OP_CONNECT : WEIR_OP_UDP_CONNECT;
}

SEC("cgroup/connect4")
int weir_connect4(struct bpf_sock_addr *ctx)
{
	return judge4(ctx, connect_operation(ctx));
}

SEC("cgroup/connect6")
int weir_connect6(struct bpf_sock_addr *ctx)
{
	return judge6(ctx, connect_operation(ctx));
}

SEC("cgroup/sendmsg4")
int weir_sendmsg4(struct bpf_sock_addr *ctx)
{
	return judge4(ctx, WEIR_OP_SEND);
}

SEC("cgroup/sendmsg6")
int weir_sendmsg6(struct bpf_sock_addr *ctx)
{
	return judge6(ctx, WEIR_OP_SEND);
}

/* Notes who makes a socket. Without the note a raw socket would pass for the kernel's own (WEIR_ROW_KERNEL), so
 * a socket that can't be noted isn't made. */
SEC("cgroup/sock_create")
int weir_sock_create(struct bpf_sock *sk)
{
	struct weir_owner owner;

	weir_current(sk, &owner);
	owner.maker = owner.uid;
	owner.made = 1;
	return bpf_sk_storage_get(&owners, sk, &owner, BPF_SK_STORAGE_GET_F_CREATE) ? 1 : 0;
}

char LICENSE[] __weak SEC("license") = "GPL";
