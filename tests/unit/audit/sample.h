// SPDX-License-Identifier: Apache-2.0
// Events to begin with, in the tests of this folder.
#pragma once

#include "audit/event.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

namespace weir::audit {

/// What is added to the boot clock of the samples: event time 1 s is 2026-11-24T12:03:04Z.
constexpr std::int64_t sample_to_wall = 1795521783ll * 1'000'000'000;

inline void set_address(__u8 *to, const char *text)
{
	in_addr v4{};
	std::memset(to, 0, 16);
	if (inet_pton(AF_INET, text, &v4) == 1) {
		to[10] = to[11] = 0xff;
		std::memcpy(to + 12, &v4, 4);
	} else {
		inet_pton(AF_INET6, text, to);
	}
}

inline void set_comm(weir_event &event, std::string_view name)
{
	std::memset(event.comm, 0, sizeof(event.comm));
	std::memcpy(event.comm, name.data(), std::min(name.size(), sizeof(event.comm)));
}

/// curl as root, refused at connect().
inline weir_event refused_connect()
{
	weir_event event{};
	event.time = 1'123'456'789;
	event.cgroup = 4242;
	event.cookie = 77;
	std::memset(event.digest, 0xab, sizeof(event.digest));
	set_address(event.remote, "203.0.113.7");
	event.generation = 3;
	event.row = WEIR_NO_ROW;
	event.pid = 1234;
	event.remote_port = 443;
	event.protocol = 6;
	event.gate = WEIR_GATE_SOCKET;
	event.operation = WEIR_OP_CONNECT;
	event.direction = WEIR_OUT;
	event.reason = WEIR_REASON_NO_ROW;
	event.verdict = WEIR_REFUSE;
	set_comm(event, "curl");
	return event;
}

/// A SYN from outside, to a socket of nobody known.
inline weir_event refused_packet()
{
	weir_event event = refused_connect();
	set_address(event.local, "2001:db8::1");
	set_address(event.remote, "2001:db8:0:1::2");
	event.pid = 0;
	event.local_port = 8484;
	event.remote_port = 50000;
	event.ifindex = 2;
	event.length = 80;
	event.gate = WEIR_GATE_PACKET;
	event.operation = WEIR_OP_PACKET;
	event.direction = WEIR_IN;
	event.tcp_flags = 0x02;
	set_comm(event, "");
	return event;
}

/// A SYN from outside that the edge gate merged with others; the first of them 1.12 s after boot, the last 0.5 s later.
inline std::pair<weir_merge_key, weir_merge> merged_packets()
{
	weir_merge_key key{};
	key.operation = WEIR_OP_PACKET;
	set_address(key.local, "192.0.2.2");
	set_address(key.remote, "198.51.100.7");
	key.ifindex = 2;
	key.generation = 3;
	key.port = 22;
	key.protocol = 6;
	key.gate = WEIR_GATE_EDGE;
	key.direction = WEIR_IN;
	key.reason = WEIR_REASON_NO_ROW;
	key.verdict = WEIR_REFUSE;
	key.scope = 1;
	weir_merge merge{};
	merge.count = 1234;
	merge.first = 1'123'456'789;
	merge.last = 1'623'456'789;
	return {key, merge};
}

/// apt as root, by row 5 of a window: both ways together.
inline std::pair<weir_merge_key, weir_merge> admitted_packets()
{
	auto [key, merge] = merged_packets();
	key.gate = WEIR_GATE_PACKET;
	key.direction = WEIR_OUT;
	key.port = 443;
	key.pid = 1234;
	key.reason = WEIR_REASON_NONE;
	key.verdict = WEIR_ALLOW;
	merge.count = 12;
	merge.row = 5;
	merge.cgroup = 4242;
	std::memcpy(merge.comm, "apt", 4);
	return {key, merge};
}

inline std::string admitted_line(const std::pair<weir_merge_key, weir_merge> &many, const Admission &by,
				 const Enrichment &more = {})
{
	std::string line;
	append_admitted_json(line, many.first, many.second, more, by, "default", sample_to_wall);
	return line;
}

inline std::string line_of(const std::pair<weir_merge_key, weir_merge> &many, const Enrichment &more = {})
{
	std::string line;
	append_merged_json(line, many.first, many.second, more, "default", sample_to_wall);
	return line;
}

/// A frame that is not IP, at the edge: LLDP from a switch.
inline weir_event refused_frame()
{
	weir_event event = refused_packet();
	std::memset(event.local, 0, 16);
	std::memset(event.remote, 0, 16);
	event.cgroup = event.cookie = 0;
	event.local_port = 0x88cc;
	event.remote_port = 0;
	event.protocol = event.tcp_flags = 0;
	event.gate = WEIR_GATE_EDGE;
	event.reason = WEIR_REASON_ETHERTYPE;
	return event;
}

inline std::string line_of(const weir_event &event, const Enrichment &more = {}, std::string_view row_id = "")
{
	std::string line;
	append_json(line, event, more, "default", row_id, sample_to_wall);
	return line;
}

} // namespace weir::audit
