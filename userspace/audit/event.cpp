// SPDX-License-Identifier: Apache-2.0
// Events as Elastic Common Schema 8 (https://www.elastic.co/guide/en/ecs/8.17/). docs/events.md has every field.
//
// Nested objects, in a fixed order, and only fields that are known: "unknown" is said by absence, never by a
// zero that could be taken for root, for port 0 or for the address 0.0.0.0.
#include "audit/event.h"

#include "audit/record.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace weir::audit {
namespace {

constexpr std::uint8_t ip_icmp = 1, ip_tcp = 6, ip_udp = 17, ip_dccp = 33, ip_icmpv6 = 58, ip_sctp = 132,
		       ip_udplite = 136;

bool has_ports(std::uint8_t protocol)
{
	return protocol == ip_tcp || protocol == ip_udp || protocol == ip_dccp || protocol == ip_sctp ||
	       protocol == ip_udplite;
}

/// What a record has that stands for many packets.
struct Many {
	const weir_merge_key &key;
	const weir_merge &merge;
	std::int64_t to_wall;
	const Admission *admission = nullptr; ///< none: they were refused, or would have been
};

bool is_admission(const Many *many)
{
	return many != nullptr && many->admission != nullptr;
}

/// :: or ::ffff:0.0.0.0.
bool is_unknown(const std::uint8_t *address)
{
	static constexpr std::uint8_t none[16] = {};
	static constexpr std::uint8_t none4[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0};
	return std::memcmp(address, none, 16) == 0 || std::memcmp(address, none4, 16) == 0;
}

bool is_v4(const std::uint8_t *address)
{
	static constexpr std::uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
	return std::memcmp(address, mapped, sizeof(mapped)) == 0;
}

void append_endpoint(std::string &out, std::string_view name, const std::uint8_t *address, std::uint16_t port,
		     bool show_port)
{
	const bool known = !is_unknown(address);
	if (!known && !show_port)
		return;
	out.append(",\"").append(name).append("\":{");
	if (known) {
		out.append("\"ip\":\"");
		append_address(out, address);
		out.push_back('"');
	}
	if (show_port)
		append_field(out, known ? ",\"port\":" : "\"port\":", port);
	out.push_back('}');
}

void append_process(std::string &out, const weir_event &event, const Enrichment &more)
{
	const std::string_view comm(event.comm, ::strnlen(event.comm, sizeof(event.comm)));
	// The kernel's own packets, and sockets without an owner, come with zeros: that is not root.
	if (event.pid == 0 && event.uid == 0 && event.gid == 0 && comm.empty())
		return;
	if (event.pid != 0 || !comm.empty()) {
		out.append(",\"process\":{");
		bool first = true;
		auto comma = [&] { out.append(std::exchange(first, false) ? "" : ","); };
		if (event.pid != 0) {
			comma();
			append_field(out, "\"pid\":", event.pid);
		}
		if (!comm.empty()) {
			comma();
			out.append("\"name\":");
			append_quoted(out, comm);
		}
		if (!more.executable.empty()) {
			comma();
			out.append("\"executable\":");
			append_quoted(out, more.executable);
		}
		out.push_back('}');
	}
	append_field(out, ",\"user\":{\"id\":\"", event.uid); // keywords in ECS: text, not numbers
	out.push_back('"');
	if (!more.user.empty()) {
		out.append(",\"name\":");
		append_quoted(out, more.user);
	}
	append_field(out, "},\"group\":{\"id\":\"", event.gid);
	out.append("\"}");
}

void append_tcp_flags(std::string &out, std::uint8_t flags)
{
	static constexpr const char *names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"};
	out.append(",\"tcp\":{\"flags\":\"");
	bool first = true;
	for (unsigned bit = 0; bit < 8; bit++) {
		if ((flags >> bit & 1u) == 0)
			continue;
		out.append(std::exchange(first, false) ? "" : " ").append(names[bit]);
	}
	out.append("\"}");
}

/// The gates keep of an echo the request's type on the side that serves and the identifier on the side that
/// asks, of any other message its type on both sides (bpf/packet.bpf.h). Both 0: the message was not read.
void append_icmp(std::string &out, std::uint8_t protocol, std::uint16_t source, std::uint16_t destination)
{
	if (source == 0 && destination == 0)
		return;
	const std::uint16_t request = protocol == ip_icmp ? 8 : 128;
	const std::uint16_t reply = protocol == ip_icmp ? 0 : 129;
	const bool asks = destination == request;
	const bool answers = source == request && !asks;
	append_field(out, ",\"icmp\":{\"type\":", answers ? reply : destination);
	// 0 at the socket gate: the kernel has not given one yet.
	if (const std::uint16_t id = asks ? source : destination; (asks || answers) && id != 0)
		append_field(out, ",\"id\":", id);
	out.push_back('}');
}

/// Of many that are alike only the type is kept. 0 is an echo reply, or a message that was not read.
void append_icmp(std::string &out, const weir_merge_key &key)
{
	const bool was_read = key.reason == WEIR_REASON_NONE || key.reason == WEIR_REASON_NO_ROW ||
			      key.reason == WEIR_REASON_NO_FLOW || key.reason == WEIR_REASON_KERNEL;
	if (key.port > 255 || (key.port == 0 && !was_read))
		return;
	append_field(out, ",\"icmp\":{\"type\":", key.port);
	out.push_back('}');
}

/// As tcpdump and the kernel's if_ether.h have it: "0x88cc".
void append_ethertype(std::string &out, std::uint16_t type)
{
	static constexpr char digits[] = "0123456789abcdef";
	out.append(",\"ethertype\":\"0x");
	for (int shift = 12; shift >= 0; shift -= 4)
		out.push_back(digits[type >> shift & 15]);
	out.push_back('"');
}

void append_hex(std::string &out, const std::uint8_t *bytes, std::size_t size)
{
	static constexpr char digits[] = "0123456789abcdef";
	for (std::size_t i = 0; i < size; i++) {
		out.push_back(digits[bytes[i] >> 4]);
		out.push_back(digits[bytes[i] & 15]);
	}
}

void append_network(std::string &out, const weir_event &event, const Many *many)
{
	out.append(event.direction == WEIR_OUT ? ",\"network\":{\"direction\":\"egress\""
					       : ",\"network\":{\"direction\":\"ingress\"");
	// A packet too short for its own header has neither an address nor a protocol.
	const bool known = !is_unknown(event.remote) || !is_unknown(event.local);
	if (known)
		out.append(is_v4(event.remote) ? ",\"type\":\"ipv4\"" : ",\"type\":\"ipv6\"");
	if (known || event.protocol != 0) {
		out.append(",\"transport\":\"").append(protocol_name(event.protocol));
		append_field(out, "\",\"iana_number\":\"", event.protocol);
		out.push_back('"');
	}
	if (event.length != 0)
		append_field(out, ",\"bytes\":", event.length);
	if (is_admission(many))
		append_field(out, ",\"packets\":", many->merge.count);
	out.push_back('}');
}

/// What was attempted, and what came of it.
void append_verdict(std::string &out, const weir_event &event)
{
	out.append(",\"operation\":\"").append(operation_name(event.operation));
	out.append("\",\"reason\":\"").append(reason_name(event.reason));
	out.append(event.verdict == WEIR_REFUSE ? "\",\"verdict\":\"refused\"" : "\",\"verdict\":\"observed\"");
	if (event.operation == WEIR_OP_UDP_CONNECT)
		out.append(",\"data_sent\":false");
}

void append_weir(std::string &out, const weir_event &event, const Enrichment &more, std::string_view instance,
		 std::uint16_t source_port, std::uint16_t destination_port, const Many *many,
		 std::optional<std::uint64_t> number)
{
	out.append(",\"weir\":{\"instance\":");
	append_quoted(out, instance);
	out.append(",\"gate\":\"").append(gate_name(event.gate)).append("\"");
	if (is_admission(many))
		out.append(",\"verdict\":\"admitted\"");
	else
		append_verdict(out, event);
	if (many != nullptr && !is_admission(many))
		append_field(out, ",\"count\":", many->merge.count);
	if (number)
		append_field(out, ",\"kernel_sequence\":", *number);
	append_field(out, ",\"scope\":", event.scope);
	append_field(out, ",\"generation\":", event.generation);
	if (event.row == WEIR_NO_ROW)
		out.append(",\"row\":null");
	else
		append_field(out, ",\"row\":", event.row);
	if (is_admission(many) && !many->admission->window.empty()) {
		out.append(",\"window\":{\"name\":");
		append_quoted(out, many->admission->window);
		out.push_back('}');
	}
	if (event.generation != 0 && many == nullptr) {
		out.append(",\"policy\":{\"digest\":\"");
		append_hex(out, event.digest, sizeof(event.digest));
		out.append("\"}");
	}
	if (event.cgroup != 0) {
		append_field(out, ",\"cgroup\":{\"id\":", event.cgroup);
		if (!more.cgroup.empty()) {
			out.append(",\"path\":");
			append_quoted(out, more.cgroup);
		}
		out.push_back('}');
	}
	if (event.cookie != 0) {
		append_field(out, ",\"socket\":{\"cookie\":", event.cookie);
		out.push_back('}');
	}
	if (event.ifindex != 0) {
		append_field(out, ",\"interface\":{\"index\":", event.ifindex);
		if (!more.interface.empty()) {
			out.append(",\"name\":");
			append_quoted(out, more.interface);
		}
		out.push_back('}');
	}
	if (event.protocol == ip_tcp && event.tcp_flags != 0)
		append_tcp_flags(out, event.tcp_flags);
	if (const auto type = ethertype_of(event); type != 0)
		append_ethertype(out, type);
	const bool icmp = event.protocol == ip_icmp || event.protocol == ip_icmpv6;
	if (icmp && many != nullptr)
		append_icmp(out, many->key);
	else if (icmp)
		append_icmp(out, event.protocol, source_port, destination_port);
	out.push_back('}');
}

/// A sentence, as event.reason has it.
std::string reason_of(const weir_event &event, const Many *many)
{
	if (!is_admission(many))
		return reason_sentence(event.reason);
	const auto &[row, window] = *many->admission;
	if (row.empty())
		return "a row of a window admitted it";
	return std::string("row ").append(row).append(" of window ").append(window).append(" admitted it");
}

void append_attempt(std::string &out, const weir_event &event, const Enrichment &more, std::string_view instance,
		    std::string_view row_id, std::int64_t unix_ns, const Many *many,
		    std::optional<std::uint64_t> number = {})
{
	const bool leaves = event.direction == WEIR_OUT;
	const auto *source = leaves ? event.local : event.remote;
	const auto *destination = leaves ? event.remote : event.local;
	const std::uint16_t source_port = leaves ? event.local_port : event.remote_port;
	const std::uint16_t destination_port = leaves ? event.remote_port : event.local_port;
	// Both 0: the gate refused before it came to the ports.
	const bool ports = has_ports(event.protocol) && (source_port != 0 || destination_port != 0);

	begin_record(out, unix_ns);
	out.append(R"(,"event":{"kind":"event","category":["network"],"type":["connection",)");
	out.append(event.verdict == WEIR_REFUSE ? "\"denied\"" : "\"allowed\"");
	out.append("],\"action\":\"");
	out.append(is_admission(many) ? "window_connection" : operation_name(event.operation));
	// Of the observer's work: ECS's own example of a firewall that blocks has "success".
	out.append("\",\"outcome\":\"success\",\"reason\":");
	append_quoted(out, reason_of(event, many));
	out.append(R"(,"provider":"weir","dataset":)");
	out.append(is_admission(many) ? R"("weir.admission")" : R"("weir.violation")");
	if (many != nullptr) {
		out.append(",\"start\":\"");
		append_time(out, static_cast<std::int64_t>(many->merge.first) + many->to_wall);
		out.append("\",\"end\":\"");
		append_time(out, static_cast<std::int64_t>(many->merge.last) + many->to_wall);
		out.push_back('"');
	}
	out.push_back('}');
	append_network(out, event, many);
	// Of many, the port of the side that does not serve is not one port.
	const bool shows_source = ports && ((!leaves && many == nullptr) || source_port != 0);
	append_endpoint(out, "source", source, source_port, shows_source);
	append_endpoint(out, "destination", destination, destination_port, ports && (leaves || destination_port != 0));
	append_process(out, event, more);
	if (!row_id.empty()) {
		out.append(",\"rule\":{\"id\":");
		append_quoted(out, row_id);
		out.push_back('}');
	}
	out.append(observer());
	append_weir(out, event, more, instance, source_port, destination_port, many, number);
	out.append("}\n");
}

/// Two processors may have noted their times in the other order.
weir_merge in_order(weir_merge merge)
{
	if (merge.first > merge.last)
		std::swap(merge.first, merge.last);
	return merge;
}

} // namespace

std::uint16_t ethertype_of(const weir_event &event)
{
	if (event.reason != WEIR_REASON_ETHERTYPE)
		return 0;
	return event.direction == WEIR_OUT ? event.remote_port : event.local_port;
}

void append_json(std::string &out, const weir_event &event, const Enrichment &more, std::string_view instance,
		 std::string_view row_id, std::int64_t to_wall, std::optional<std::uint64_t> number)
{
	append_attempt(out, event, more, instance, row_id, static_cast<std::int64_t>(event.time) + to_wall, nullptr,
		       number);
}

weir_event event_of(const weir_merge_key &key, const weir_merge &merge)
{
	weir_event event{};
	event.time = merge.first;
	std::memcpy(event.local, key.local, sizeof(event.local));
	std::memcpy(event.remote, key.remote, sizeof(event.remote));
	event.generation = key.generation;
	event.row = key.reason == WEIR_REASON_NONE ? merge.row : WEIR_NO_ROW;
	event.pid = key.pid;
	event.uid = merge.uid;
	event.gid = merge.gid;
	event.ifindex = key.ifindex;
	(key.direction == WEIR_OUT ? event.remote_port : event.local_port) = key.port;
	event.protocol = key.protocol;
	event.gate = key.gate;
	event.operation = key.operation;
	event.cookie = key.cookie;
	event.cgroup = merge.cgroup;
	event.direction = key.direction;
	event.reason = key.reason;
	event.verdict = key.verdict;
	event.scope = key.scope;
	std::memcpy(event.comm, merge.comm, sizeof(event.comm));
	return event;
}

void append_merged_json(std::string &out, const weir_merge_key &key, const weir_merge &merge, const Enrichment &more,
			std::string_view instance, std::int64_t to_wall)
{
	const auto ordered = in_order(merge);
	const Many many{key, ordered, to_wall};
	append_attempt(out, event_of(key, merge), more, instance, "", static_cast<std::int64_t>(ordered.last) + to_wall,
		       &many);
}

void append_admitted_json(std::string &out, const weir_merge_key &key, const weir_merge &merge, const Enrichment &more,
			  const Admission &admission, std::string_view instance, std::int64_t to_wall)
{
	const auto ordered = in_order(merge);
	const Many many{key, ordered, to_wall, &admission};
	append_attempt(out, event_of(key, merge), more, instance, admission.row,
		       static_cast<std::int64_t>(ordered.last) + to_wall, &many);
}

} // namespace weir::audit
