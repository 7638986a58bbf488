/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps that the gates share. Weak: each gate is an object of its own, bpftool links them into one. */
#ifndef WEIR_MAPS_BPF_H
#define WEIR_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"

/* Which of the policy's cgroups this copy of the programs is attached to. Set before loading. */
const volatile __u32 scope __weak = 0;
/* Which build of the programs this is: a hash of their object. Set before loading, read back by `weir status`. */
const volatile __u64 build __weak = 0;

/* The network namespace of the policy's edge: its cookie (SO_NETNS_COOKIE), or 0 where the kernel does not tell it to
 * user space (before 5.14); then whether it is the initial one. Neither: every socket is taken to be of it. */
const volatile __u64 edge_netns __weak = 0;
const volatile __u32 edge_netns_is_initial __weak = 0;

/* One slot: the image in force. Changing the pointer is the swap. */
struct weir_image_map {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* each image has its own number of lines: BPF_F_INNER_MAP allows it */
	__uint(map_flags, BPF_F_INNER_MAP | BPF_F_MMAPABLE);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct weir_line));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct weir_image_map);
} images __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, WEIR_COUNTERS);
	__type(key, __u32);
	__type(value, struct weir_counter);
} counters __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, WEIR_RING_BYTES);
} events __weak SEC(".maps");

/* What the packet gate knows of a TCP socket: who opened its connection, and the verdict of a generation. One word
 * for each scope, read and written whole: the cgroup of one may stand inside another's, and what the inner one
 * admits is not admitted by the outer one. Cloned to the connections that a listening socket accepts. */
struct weir_note {
	__u64 state[WEIR_SCOPES]; /* weir_state() */
};

struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct weir_note);
} sockets __weak SEC(".maps");

/* Which process opened a socket. A socket without an owner was made by the kernel. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct weir_owner);
} owners __weak SEC(".maps");

/* Flows of sockets without connections. Full: the least used goes, and its answers are refused. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_FLOWS);
	__type(key, struct weir_flow_key);
	__type(value, struct weir_flow);
} flows __weak SEC(".maps");

/* Which zone an interface belongs to; only those that the edge gate holds, or that need no holding. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_INTERFACES);
	__type(key, __u32); /* ifindex */
	__type(value, struct weir_interface);
} interfaces __weak SEC(".maps");

/* A slot for each enum weir_merge_table: the tables in which like refusals are counted. User space takes one away and
 * puts an empty one in its place; nothing is counted in one that was taken (the kernel waits for the programs that run). */
struct weir_merge_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, WEIR_MERGES);
	__uint(key_size, sizeof(struct weir_merge_key));
	__uint(value_size, sizeof(struct weir_merge));
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, WEIR_MERGE_TABLES);
	__type(key, __u32);
	__array(values, struct weir_merge_map);
} merges __weak SEC(".maps");

/* Whether rows that need the journal hold. Only whoever writes the journal writes here. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(map_flags, BPF_F_MMAPABLE); /* `until` is written by one store */
	__type(key, __u32);
	__type(value, struct weir_lease);
} lease __weak SEC(".maps");

static __always_inline void *image_line(void *image, __u32 line)
{
	return bpf_map_lookup_elem(image, &line);
}

/* The image in force, or NULL. Each question is put to one image; its answer tells which (the generation). */
static __always_inline void *published_image(void)
{
	__u32 slot = 0;

	return bpf_map_lookup_elem(&images, &slot);
}

#endif /* WEIR_MAPS_BPF_H */
