// SPDX-License-Identifier: Apache-2.0
// Where a sink's records go, as it stands on the command line.
#pragma once

#include "base/result.h"
#include "formats/format.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace weir::sinks {

enum class Kind : std::uint8_t {
	file,
	standard_output,
	journald,    ///< systemd's journal, by its own protocol
	syslog_unix, ///< /dev/log and its like: datagrams
	syslog_udp,  ///< RFC 5426
	syslog_tcp,  ///< RFC 6587, octet counting
	syslog_tls,  ///< RFC 5425
};

/// What stands before the message of a syslog record.
enum class Header : std::uint8_t {
	rfc5424,
	local, ///< "<PRI>Nov 24 12:03:04 weir: ": what /dev/log's readers expect
};

struct Address {
	Kind kind = Kind::file;
	std::string name;   ///< as it was given, without what follows the question mark
	std::string path{}; ///< of a file or a socket
	std::string host{};
	std::string port{};
	formats::Format format = formats::Format::ecs;
	Header header = Header::rfc5424;
	std::size_t queue = 4u << 20; ///< bytes of records that may wait
	// TLS. Files in PEM.
	std::string ca{};        ///< "": what the system trusts
	std::string cert{};      ///< of this host, and
	std::string key{};       ///< its secret key; both or none
	std::string peer_name{}; ///< that the peer's certificate has to be for; "": host
};

/// file:PATH, stdout:, journald:[PATH], syslog+unix:PATH, syslog+udp://HOST[:PORT], syslog+tcp://HOST[:PORT],
/// syslog+tls://HOST[:PORT]; then ?KEY=VALUE&KEY=VALUE. An IPv6 address stands in brackets. Exit::usage.
Result<Address> parse_address(std::string_view);

/// A record, a line of JSON, as this sink sends it, without the framing of its transport. Error: it is no record.
Result<std::string> message_for(const Address &, std::string_view line);

/// An entry of systemd's journal, in its native protocol (https://systemd.io/JOURNAL_NATIVE_PROTOCOL): MESSAGE,
/// PRIORITY, SYSLOG_FACILITY, SYSLOG_IDENTIFIER, WEIR_RECORD with the record, and each of its fields:
/// "destination.ip" is WEIR_DESTINATION_IP, "weir.gate" is WEIR_GATE.
Result<std::string> journal_entry(std::string_view line);

} // namespace weir::sinks
