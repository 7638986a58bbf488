/* SPDX-License-Identifier: GPL-2.0-only */
/* How the gates in the kernel read bytes of a packet, from its IP header on. */
#ifndef WEIR_PACKET_LOAD_BPF_H
#define WEIR_PACKET_LOAD_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define packet_load(skb, offset, to, size) bpf_skb_load_bytes(skb, offset, to, size)

#endif /* WEIR_PACKET_LOAD_BPF_H */
