/* SPDX-License-Identifier: GPL-2.0-only */
/* The maps that only the edge gate has. Its programs share the others (maps.bpf.h) with the gates of the cgroups. */
#ifndef WEIR_EDGE_MAPS_BPF_H
#define WEIR_EDGE_MAPS_BPF_H

#include "bpf/maps.bpf.h"

/* What kind of interface this copy of the programs is attached to. Set before loading. */
const volatile __u32 edge_zone __weak = WEIR_ZONE_NETWORK;
const volatile __u32 edge_link_header __weak = 14; /* bytes before the IP header: Ethernet, or 0: none */

/* The kernel has bpf_ktime_get_coarse_ns() (from 5.11 on). Set before loading. */
const volatile __u32 has_coarse_clock __weak = 0;

/* Flows that this host opened by an `out` row, and flows that a peer opened by an `in` row. Full: the least used one
 * goes, and is refused until a row admits it again. Each in a table of its own: no packet that is forged makes an
 * entry in `opened`. The site may give another number of entries. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_EDGE_FLOWS);
	__type(key, struct weir_edge_key);
	__type(value, struct weir_edge_flow);
} opened __weak SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_EDGE_FLOWS);
	__type(key, struct weir_edge_key);
	__type(value, struct weir_edge_flow);
} accepted __weak SEC(".maps");

/* Datagrams in parts whose first part was admitted. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, WEIR_FRAGMENTS);
	__type(key, struct weir_fragment_key);
	__type(value, struct weir_fragment);
} fragments __weak SEC(".maps");

#endif /* WEIR_EDGE_MAPS_BPF_H */
