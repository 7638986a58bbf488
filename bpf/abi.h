/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * What the kernel programs and user space share: the layout of an image, of an event, of a counter.
 *
 * Byte order, once for all: addresses are 16 bytes in network order, IPv4 as v4-mapped
 * (::ffff:a.b.c.d, RFC 4291 section 2.5.5.2); every other number is in host order, ports included.
 * Padding is explicit and zero. Enumerations: zero refuses or means "none"; append, never renumber.
 * Layouts are asserted at the end of this file, in both languages.
 */
#ifndef WEIR_ABI_H
#define WEIR_ABI_H

#include <linux/types.h>

#define WEIR_MAGIC 0x72696577u /* "weir" */
#define WEIR_FORMAT 4u         /* of the image and of the events; a loader refuses any other */

/* ---- What is asked, and what is answered ------------------------------------------------------ */

enum weir_verdict { WEIR_REFUSE = 0, WEIR_ALLOW = 1 };

enum weir_direction { WEIR_OUT = 0, WEIR_IN = 1, WEIR_DIRECTIONS = 2 };

/* Where a packet travels. A row holds in the zones of its mask. */
enum weir_zone {
	WEIR_ZONE_LOOPBACK = 1, /* the loopback interface: "localhost" of the matrix */
	WEIR_ZONE_NETWORK = 2,  /* every other interface */
	WEIR_ZONE_TUNNEL = 4,   /* a tunnel's interface (WireGuard, tun, ...), where the policy has an edge */
};

enum weir_gate {
	WEIR_GATE_NONE = 0,
	WEIR_GATE_SOCKET = 1,
	WEIR_GATE_PACKET = 2,
	WEIR_GATE_EDGE = 3,
	WEIR_GATES = 4,
};

/* What was attempted when the gate judged. */
enum weir_operation {
	WEIR_OP_NONE = 0,
	WEIR_OP_CONNECT = 1,     /* connect() of a stream: a connection was asked for */
	WEIR_OP_UDP_CONNECT = 2, /* connect() of a datagram socket: sets a peer, sends no byte */
	WEIR_OP_SEND = 3,        /* sendto() or sendmsg() with an address */
	WEIR_OP_PACKET = 4,      /* a packet on its way */
	WEIR_OPERATIONS = 5,
};

enum weir_reason {
	WEIR_REASON_NONE = 0,
	WEIR_REASON_NO_ROW = 1,      /* no row of the matrix admits it */
	WEIR_REASON_NO_FLOW = 2,     /* an answer to nothing that this socket asked */
	WEIR_REASON_MALFORMED = 3,   /* truncated, or lengths that lie */
	WEIR_REASON_FRAGMENT = 4,    /* a fragment that hides its ports */
	WEIR_REASON_EXTENSION = 5,   /* IPv6 extension headers: routing header, or a chain past the bound */
	WEIR_REASON_IP_OPTION = 6,   /* IPv4 options that reroute, or that cannot be read */
	WEIR_REASON_EMBEDDED = 7,    /* an IPv6 address that hides an IPv4 one (6to4, Teredo, ...) */
	WEIR_REASON_ORIGIN = 8,      /* neighbour discovery that was not made by a kernel on this link */
	WEIR_REASON_KERNEL = 9,      /* the kernel's own answer (RST, echo reply) with no row for it */
	WEIR_REASON_NO_POLICY = 10,  /* no image is published: nothing is admitted */
	WEIR_REASON_INTERFACE = 11,  /* packet gate: by an interface that the edge gate doesn't hold */
	WEIR_REASON_ETHERTYPE = 12,  /* a frame that is neither IP nor ARP nor of a type that the site lists */
	WEIR_REASON_USER = 13,       /* a row admits it, but for another user */
	WEIR_REASON_CLOSED = 14,     /* the window whose row admitted it has ended */
	WEIR_REASON_JOURNAL = 15,    /* a row admits it, but only while the journal is written, and it is not */
	WEIR_REASONS = 16,
};

#define WEIR_NO_ROW 0xffffffffu

/* ---- Counters: one per (scope, gate, direction, reason) and processor -------------------------- */

#define WEIR_SCOPES 8u /* cgroups that one policy can name; its edge is one of them, the last */

/* refused + observed = reported + merged + summed + lost, on every processor, at every moment but inside the
 * program. Those of WEIR_REASON_NONE count no attempts but packets that a row of a window admitted: `observed`, and then
 * `merged` or `summed`. */
struct weir_counter {
	__u64 refused;  /* attempts refused */
	__u64 observed; /* attempts let through because the policy only observes */
	__u64 reported; /* of both: put into the ring buffer */
	__u64 merged;   /* of both: like one that was reported, counted in `merges` */
	__u64 summed;   /* of both: `merges` was full, counted here only */
	__u64 lost;     /* of both: the ring buffer was full, and no table was there */
};

#define WEIR_COUNTERS (WEIR_SCOPES * WEIR_GATES * WEIR_DIRECTIONS * WEIR_REASONS)

static inline __u32 weir_counter_index(__u32 scope, __u32 gate, __u32 direction, __u32 reason)
{
	return ((scope * WEIR_GATES + gate) * WEIR_DIRECTIONS + direction) * WEIR_REASONS + reason;
}

/* ---- Events ------------------------------------------------------------------------------------ */

#define WEIR_COMM_SIZE 16
#define WEIR_DIGEST_SIZE 32

/* One refusal, as it leaves the kernel. */
struct weir_event {
	__u64 time;       /* boot clock (CLOCK_BOOTTIME), nanoseconds */
	__u64 cgroup;     /* cgroup id (inode number in cgroup2): the process's or the socket's */
	__u64 cookie;     /* socket cookie, SO_COOKIE */
	__u8 digest[WEIR_DIGEST_SIZE]; /* SHA-256 of the policy that judged; zero if it was replaced since */
	__u8 local[16];   /* all zero where it is not known yet (socket gate) */
	__u8 remote[16];  /* as on the wire, or as given to the system call */
	__u32 generation; /* of the image that judged; 0 when there was none */
	__u32 row;        /* the row that decided, or WEIR_NO_ROW */
	__u32 pid;        /* process (thread group) id in the initial pid namespace; 0 = the kernel, or unknown */
	__u32 uid;
	__u32 gid;
	__u32 ifindex;    /* in the socket's network namespace; 0 at the socket gate */
	__u32 length;     /* bytes of the packet from its IP header on; 0 at the socket gate */
	__u16 local_port; /* of ICMP, see struct weir_packet */
	__u16 remote_port;
	__u8 protocol;    /* IANA number */
	__u8 gate;        /* enum weir_gate */
	__u8 operation;   /* enum weir_operation */
	__u8 direction;   /* enum weir_direction */
	__u8 reason;      /* enum weir_reason */
	__u8 verdict;     /* WEIR_REFUSE, or WEIR_ALLOW where the policy only observes */
	__u8 scope;       /* index of the cgroup in the policy */
	__u8 tcp_flags;   /* the header's octet 13 (RFC 9293 section 3.1), 0 for other protocols */
	char comm[WEIR_COMM_SIZE]; /* task name of the process, NUL-terminated */
};

/*
 * Refusals that are alike. The first is reported, with all that is known of it; the others are counted here until user
 * space takes the map away and puts an empty one in its place (`merges`, a slot for each table). What differs between
 * like refusals is left out: the port of the side that does not serve.
 */
enum weir_merge_table {
	WEIR_MERGE_EDGE = 0,      /* of the edge gate: anybody on the network can fill it */
	WEIR_MERGE_ATTEMPTS = 1,  /* of the gates of cgroups */
	WEIR_MERGE_PROCESSES = 2, /* of those, when that was full: by process, whoever the peers are */
	/* Of packet gate and edge: what rows with a deadline admit, which are those of windows. Each packet is counted, the
	 * first one, too, and both ways together: direction and port are those of the row that was asked. */
	WEIR_MERGE_ADMITTED = 3,
	WEIR_MERGE_TABLES = 4,
};

struct weir_merge_key {
	__u8 local[16];
	__u8 remote[16]; /* both zero: of several peers */
	__u64 cookie; /* of the socket, where no process is known; 0 at the edge */
	__u32 ifindex;
	__u32 pid; /* as in struct weir_event */
	__u32 generation;
	__u16 port; /* of the service: local of what comes in, remote of what goes out; EtherType if not IP */
	__u8 protocol;
	__u8 gate;
	__u8 direction;
	__u8 reason;
	__u8 verdict;
	__u8 scope;
	__u8 operation;
	__u8 zero[3];
};

struct weir_merge {
	__u64 count; /* after the first one, which was reported; of what was admitted: packets, all of them */
	__u64 first; /* monotonic clock, ns; of those that were counted */
	__u64 last;
	__u32 uid;
	__u32 gid;
	__u64 cgroup; /* as in struct weir_event; 0 at the edge */
	char comm[WEIR_COMM_SIZE];
	__u32 row; /* that admitted; WEIR_NO_ROW of a refusal */
	__u32 zero;
};

#define WEIR_MERGES 4096u /* of each table */

/* ---- The image: one compiled policy ------------------------------------------------------------ */
/*
 * An image is an array of lines of 64 bytes: one BPF array, filled by one copy, frozen, and published by
 * one pointer. docs/architecture.md has the picture. In the order of a verdict:
 *
 *   header     line 0
 *   digest     line 1: SHA-256 of the policy's canonical text
 *   protocols  (scope, direction, IP protocol) -> page table and first port class
 *   pages      port -> port class, in two steps
 *   lengths    which prefix length to try next: a perfect binary search tree, one for each family
 *   addresses  (prefix length, prefix) -> address class, a hash table of buckets of one line
 *   cells      (address class, port class) -> up to six rows, a hash table of buckets of one line
 *   rows       the conditions of a row
 *   tallies    how often each row decided; the only part that programs write
 *   text       the policy itself, canonical JSON: whoever reads the kernel back has all of it
 */
#define WEIR_LINE 64u

struct weir_line {
	__u64 words[WEIR_LINE / 8];
};

enum weir_image_flags {
	WEIR_IMAGE_OBSERVE = 1, /* report, refuse nothing */
	WEIR_IMAGE_EDGE = 2, /* the policy has an edge: the packet gate refuses what passes by other interfaces */
	WEIR_IMAGE_DEADLINES = 4, /* some rows end: only then is the clock read */
	WEIR_IMAGE_JOURNAL = 8, /* some rows need the journal: only then is the lease looked at */
};

struct weir_header {
	__u32 magic;
	__u32 format;
	__u32 generation; /* 1 and up, one more with each publication of an instance */
	__u32 flags; /* enum weir_image_flags */
	__u32 protocols; /* first line of each part */
	__u32 lengths4;
	__u32 lengths6;
	__u32 addresses;
	__u32 address_mask; /* buckets - 1; a power of two less one */
	__u32 cells;
	__u32 cell_mask;
	__u32 rows;
	__u32 tallies;
	__u32 row_count;
	__u32 default4; /* address class of 0.0.0.0/0 */
	__u32 default6; /* address class of ::/0 */
};

#define WEIR_ETHERTYPES 4u

/* line 1 */
struct weir_trailer {
	__u8 digest[WEIR_DIGEST_SIZE];
	__u32 lines; /* of the whole image */
	__u32 text; /* first line of the text */
	__u32 text_size; /* bytes */
	__u32 scope_count;
	__u32 open_loopback; /* bit n: scope n admits what travels by loopback without a row */
	__u16 ethertypes[WEIR_ETHERTYPES]; /* that pass the edge besides IPv4, IPv6 and ARP; 0 = none */
	__u32 zero;
};

/* 8 in a line. Line: protocols + (scope * 2 + direction) * 32 + protocol / 8. */
struct weir_protocol {
	__u32 pages; /* line of the first-level page, 0 = the protocol has no ports: one class for all */
	__u32 first_class; /* port class = first_class + what the page says; 0 = no row has this protocol */
};

/* First level: 256 x u16 by port >> 8 (8 lines), the number of a block. Second level: block b is 8 lines at
 * pages + 8 + 8 * b: 256 x u16 by port & 255, 0 = no row, n = class first_class + n. */
#define WEIR_PAGE_LINES 8u

/* Lengths: bytes of a binary tree, node 1 is the root, children of n are 2n (shorter) and 2n + 1 (longer);
 * 0 ends the search. Lengths are of the 128-bit form: IPv4 /24 is 120. */
#define WEIR_LENGTH_STEPS 8u

/* 3 in a line; an entry with len_class 0 is empty. */
struct weir_address {
	__u32 prefix[4]; /* the address's 16 bytes as they lie, bits past the length zero */
	__u32 len_class; /* length << 24 | class */
};
#define WEIR_ADDRESS_SLOTS 3u
#define WEIR_MAX_CLASS 0xffffffu

/* 2 in a line; an entry with port_class 0 is empty. */
/* Without users and deadlines as many as there are circumstances in which rows differ: three zones, two origins. */
#define WEIR_CELL_ROWS 6u
struct weir_cell {
	__u32 address_class;
	__u32 port_class;
	/* Number of the row + 1, 0 ends it. In the order in which they decide: rows for good, in the order of the
	 * policy; then those with a deadline, later ones first; then, in the same order, those that need the journal. */
	__u32 rows[WEIR_CELL_ROWS];
};
#define WEIR_CELL_SLOTS 2u

enum weir_row_flags {
	WEIR_ROW_KERNEL = 1, /* only packets that the kernel itself makes, with hop limit 255 or the group's own */
	WEIR_ROW_USER = 2, /* only of sockets that this user made */
	WEIR_ROW_JOURNAL = 4, /* only while the journal is written: struct weir_lease */
};

/* 4 in a line. */
struct weir_row {
	__u64 deadline; /* boot clock (CLOCK_BOOTTIME), ns: it holds before that; 0: for good */
	__u32 user; /* uid in the initial user namespace, with WEIR_ROW_USER */
	__u8 zones; /* mask of enum weir_zone */
	__u8 flags; /* enum weir_row_flags */
	__u8 zero[2];
};
#define WEIR_ROW_SLOTS 4u
#define WEIR_MAX_ROWS 0x1000000u /* an answer has 24 bits for the row: ask.bpf.h */
#define WEIR_TALLY_SLOTS 8u /* __u64 each, 8 in a line */

/* Both hash tables: a key has two buckets, by the two halves of this (multiply, fold; constants are the
 * fractional parts of the square roots of 2 and 3, as in SHA-512's initial values, RFC 6234). */
static inline __u64 weir_hash(__u64 a, __u64 b, __u64 c)
{
	__u64 h = (a ^ c) * 0x6a09e667f3bcc909ull;

	h = (h ^ (h >> 32) ^ b) * 0xbb67ae8584caa73bull;
	h = (h ^ (h >> 29)) * 0x6a09e667f3bcc909ull;
	return h ^ (h >> 32);
}

/* ---- The journal's lease ------------------------------------------------------------------------ */

/* `lease`, one slot: for how long the journal is known to be written. Whoever writes it renews this while it is; when
 * it can't, or is stopped or killed, the lease ends by itself, and rows with WEIR_ROW_JOURNAL close. */
struct weir_lease {
	__u64 until; /* boot clock (CLOCK_BOOTTIME), ns; of one that was withdrawn: since when. 0: there was none yet */
	char problem[120]; /* for people, NUL-terminated: why it was withdrawn; "" while it is renewed */
};

/* ---- Flows ------------------------------------------------------------------------------------- */

/* A flow of a socket without a connection of its own (UDP, ICMP, raw). */
struct weir_flow_key {
	__u64 cookie;
	__u8 remote[16];
	__u16 remote_port;
	__u16 local_port;
	__u8 protocol;
	__u8 scope; /* each cgroup of a policy judges for itself */
	__u8 zero[2];
};

enum weir_role {
	WEIR_ROLE_NONE = 0,
	WEIR_ROLE_OPENER = 1, /* this host opened it: rows of direction out decide */
	WEIR_ROLE_ACCEPTER = 2, /* the peer opened it: rows of direction in decide */
};

struct weir_flow {
	__u64 state; /* see weir_state() */
	__u64 seen; /* boot clock, ns: last packet that this host sent or a row admitted */
};

#define WEIR_FLOWS 65536u
#define WEIR_FLOW_LIFETIME_NS (180ull * 1000000000ull)

/* generation << 32 | interface << 3 | admitted << 2 | role: one word, so that it is read and written whole. The
 * interface stands for the zone: one that is past the 29 bits is never found, and judged each time. */
#define WEIR_STATE_ROLE 0x3ull
#define WEIR_STATE_ADMITTED 0x4ull
#define WEIR_STATE_INTERFACE_SHIFT 3
static inline __u64 weir_state(__u32 generation, __u32 role, __u32 admitted, __u32 ifindex)
{
	return ((__u64)generation << 32) | role | (admitted && ifindex < (1u << 29) ? WEIR_STATE_ADMITTED : 0) |
	       ((__u64)(ifindex & ((1u << 29) - 1)) << WEIR_STATE_INTERFACE_SHIFT);
}
static inline int weir_is_admitted(__u64 state, __u32 generation, __u32 ifindex)
{
	return (state & WEIR_STATE_ADMITTED) &&
	       state == weir_state(generation, (__u32)(state & WEIR_STATE_ROLE), 1, ifindex);
}

/* ---- The edge ---------------------------------------------------------------------------------- */

/* `interfaces`: by ifindex, in the network namespace that weir applied the policy in. The packet gate finds a
 * packet's zone here. */
struct weir_interface {
	__u32 zone; /* WEIR_ZONE_NETWORK or WEIR_ZONE_TUNNEL */
	__u32 flags; /* enum weir_interface_flags */
};

#define WEIR_INTERFACES 4096u

enum weir_interface_flags {
	WEIR_INTERFACE_HELD = 1, /* the edge gate's programs are attached to it */
	WEIR_INTERFACE_CARRIED = 2, /* what passes it passes one that is held, too (VLAN, bridge, bond) */
	WEIR_INTERFACE_INSIDE = 4, /* leads nowhere but into this host (a bridge of containers) */
};

/* A flow at the edge, as this host sees it. `opened`: by what left by an `out` row. `accepted`: by what came in by
 * an `in` row. Two tables, so that nothing from outside can push out what this host opened. */
struct weir_edge_key {
	__u8 local[16];
	__u8 remote[16];
	__u16 local_port;
	__u16 remote_port;
	__u8 protocol;
	__u8 zone;
	__u8 asks; /* of ICMP echo: WEIR_ROLE_OPENER when this host asks, WEIR_ROLE_ACCEPTER when the peer does */
	__u8 zero;
};

struct weir_edge_flow {
	__u64 seen; /* monotonic clock, ns: last packet that keeps it alive */
	__u32 generation; /* of the policy that admitted it */
	__u32 phase; /* mask of enum weir_phase */
};

/* What is known of a flow; decides how long it lives. */
enum weir_phase {
	WEIR_PHASE_ANSWERED = 1, /* packets went both ways */
	WEIR_PHASE_FIN_OUT = 2,
	WEIR_PHASE_FIN_IN = 4,
	WEIR_PHASE_RESET = 8,
};

#define WEIR_EDGE_FLOWS 65536u /* of each table, unless the site says another number */

/* Seconds after the last packet that keeps it alive. */
#define WEIR_LIFE_TCP_OPENING 60u
#define WEIR_LIFE_TCP 86400u /* host sockets are found without: see edge.bpf.h */
#define WEIR_LIFE_TCP_CLOSING 60u
#define WEIR_LIFE_TCP_RESET 10u
#define WEIR_LIFE_ICMP 30u
#define WEIR_LIFE_ONCE 60u /* UDP and others, before there was an answer */
#define WEIR_LIFE_OTHER 300u
#define WEIR_LIFE_FRAGMENTS 30u /* IPv4's and IPv6's reassembly gives up later than this, or as late */

/* A datagram in parts whose first was admitted. */
struct weir_fragment_key {
	__u8 source[16];
	__u8 destination[16];
	__u32 id; /* as it stands in the header */
	__u8 protocol; /* IPv4 only: the identification is unique for each */
	__u8 zone;
	__u8 direction;
	__u8 zero;
};

struct weir_fragment {
	__u64 seen; /* monotonic clock, ns */
	__u32 generation;
	__u32 end; /* where the first part's payload ends: a later part that begins before overlaps it */
	__u64 asked; /* a row with a deadline admitted it: what to ask anew of each part; else 0 */
};

#define WEIR_FRAGMENTS 4096u

/* Whose a socket is: kept on it, and on the connections that a listening socket accepts. All uids are real ones, in the
 * initial user namespace. */
struct weir_owner {
	__u32 pid; /* who made it, or was the last to connect it: for people */
	__u32 uid;
	__u32 gid;
	__u32 foreign; /* the socket is of another network namespace than the policy's edge */
	__u32 maker; /* uid of who made it, which never changes: rows with a user go by it */
	__u32 made; /* 1: `maker` is known. Nobody saw the kernel make a subflow of MPTCP, for one */
	char comm[WEIR_COMM_SIZE];
};

#define WEIR_RING_BYTES (4u << 20)

#ifdef __cplusplus
#define WEIR_ASSERT(cond) static_assert(cond, #cond)
#else
#define WEIR_ASSERT(cond) _Static_assert(cond, #cond)
#endif
WEIR_ASSERT(sizeof(struct weir_line) == WEIR_LINE);
WEIR_ASSERT(sizeof(struct weir_header) == WEIR_LINE);
WEIR_ASSERT(sizeof(struct weir_trailer) == WEIR_LINE);
WEIR_ASSERT(sizeof(struct weir_protocol) * 8 == WEIR_LINE);
WEIR_ASSERT(sizeof(struct weir_address) == 20);
WEIR_ASSERT(sizeof(struct weir_cell) * WEIR_CELL_SLOTS == WEIR_LINE);
WEIR_ASSERT(sizeof(struct weir_row) * WEIR_ROW_SLOTS == WEIR_LINE);
WEIR_ASSERT(sizeof(struct weir_event) == 144);
WEIR_ASSERT(sizeof(struct weir_flow_key) == 32);
WEIR_ASSERT(sizeof(struct weir_owner) == 40);
WEIR_ASSERT(sizeof(struct weir_merge_key) == 64);
WEIR_ASSERT(sizeof(struct weir_merge) == 64);
WEIR_ASSERT(sizeof(struct weir_edge_key) == 40);
WEIR_ASSERT(sizeof(struct weir_edge_flow) == 16);
WEIR_ASSERT(sizeof(struct weir_fragment_key) == 40);
WEIR_ASSERT(sizeof(struct weir_fragment) == 24);
WEIR_ASSERT(sizeof(struct weir_counter) == 48);
WEIR_ASSERT(sizeof(struct weir_lease) == 128);

#endif /* WEIR_ABI_H */
