// SPDX-License-Identifier: Apache-2.0
// A DNS server on loopback that answers as the test says, be it with nonsense.
#pragma once

#include "base/fd.h"
#include "names/resolvers.h"

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace weir::names {

using Bytes = std::vector<std::uint8_t>;
using Messages = std::vector<Bytes>;

/// What was asked.
struct Asked {
	Bytes bytes;       ///< the whole message
	std::string name;  ///< "researcher.example.org"
	std::uint16_t type = 0;
	bool tcp = false;
};

struct Record {
	std::string name;
	std::uint16_t type;
	std::uint32_t ttl;
	Bytes data;
};
Record a(const std::string &name, const std::string &address, std::uint32_t ttl = 300);
Record aaaa(const std::string &name, const std::string &address, std::uint32_t ttl = 300);
Record cname(const std::string &name, const std::string &target, std::uint32_t ttl = 300);

/// An answer to what was asked, with these records.
Bytes answer(const Asked &, const std::vector<Record> &, std::uint8_t rcode = 0, bool truncated = false);

class DnsServer {
public:
	/// Datagrams (or messages of TCP) to answer with; none: silence.
	using Script = std::function<Messages(const Asked &)>;
	explicit DnsServer(Script, bool tcp = true);
	DnsServer(const DnsServer &) = delete;
	DnsServer &operator=(const DnsServer &) = delete;
	~DnsServer();

	[[nodiscard]] Resolver at() const { return at_; }
	[[nodiscard]] std::vector<Asked> asked() const;

private:
	void serve();
	void serve_udp();
	void serve_tcp();
	Messages answers_to(const Bytes &message, bool tcp);

	Script script_;
	Resolver at_;
	Fd udp_, tcp_, wake_, stop_;
	mutable std::mutex mutex_;
	std::vector<Asked> asked_;
	std::thread thread_;
};

} // namespace weir::names
