// SPDX-License-Identifier: Apache-2.0
#include "cli/question.h"

#include "policy/policy.h"
#include "policy/text.h"

#include <netinet/in.h>
#include <pwd.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace weir::cli {
namespace {

std::optional<std::uint16_t> number_up_to(std::string_view text, unsigned most)
{
	unsigned value = 0;
	const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
	if (problem != std::errc{} || end != text.data() + text.size() || value > most)
		return std::nullopt;
	return static_cast<std::uint16_t>(value);
}

} // namespace

std::unexpected<Error> wrong(const std::string &what, const std::string &hint)
{
	return fail(Exit::usage, what + "\n  " + hint);
}

Result<std::uint8_t> protocol_from(const std::string &text)
{
	std::string upper;
	for (const char c : text)
		upper += static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
	if (upper == "ICMPV6")
		upper = "ICMPv6";
	else if (upper == "UDPLITE")
		upper = "UDP-Lite";
	if (const auto service = policy::parse_service(upper + "/1")) // any port will do
		return service->protocol;
	if (const auto number = number_up_to(text, 255))
		return static_cast<std::uint8_t>(*number);
	return wrong("\"" + text + "\" is no protocol",
		     "use tcp, udp, sctp, dccp, udplite, icmp, icmpv6, or a number up to 255");
}

/// "192.0.2.10:443", "[2001:db8::1]:443", "192.0.2.10", "2001:db8::1"
Result<> set_peer(const std::string &text, Question &q)
{
	constexpr const char *forms =
		"write 192.0.2.10:443 or [2001:db8::10]:443; for a protocol without ports, the address alone";
	const Service service{q.protocol, 0, 0};
	const bool icmp = q.protocol == IPPROTO_ICMP || q.protocol == IPPROTO_ICMPV6;
	std::string host = text;
	std::string port;
	if (text.starts_with('[')) {
		const auto close = text.find(']');
		if (close == std::string::npos)
			return wrong("\"" + text + "\" has no closing bracket", forms);
		host = text.substr(1, close - 1);
		port = text.substr(close + 1);
		if (!port.empty() && port.front() != ':')
			return wrong("\"" + text + "\" is not an address and a port", forms);
		port.erase(0, 1);
	} else if (const auto colon = text.find(':');
		   colon != std::string::npos && text.find(':', colon + 1) == std::string::npos) {
		host = text.substr(0, colon);
		port = text.substr(colon + 1);
	}
	const auto address = Address::parse(host);
	if (!address)
		return wrong("\"" + host + "\" is no address", forms);
	q.remote = *address;
	if (!service.has_ports()) {
		if (!port.empty())
			return wrong("IP protocol " + std::to_string(q.protocol) + " has no ports",
				     "give the address alone");
		return {};
	}
	if (port.empty() && icmp) {
		q.port = q.protocol == IPPROTO_ICMP ? 8 : 128; // echo request
		return {};
	}
	const auto number = number_up_to(port, icmp ? 255 : 65535);
	if (!number || (!icmp && *number == 0))
		return wrong("\"" + text + "\" has no port that could be", forms);
	q.port = *number;
	return {};
}

bool is_loopback(const Address &address)
{
	static const Prefix v4 = *Prefix::parse("127.0.0.0/8");
	static const Prefix v6 = *Prefix::parse("::1");
	return v4.contains(address) || v6.contains(address);
}

/// What a call to an address reaches: the unspecified one means this host, by loopback, as the socket gate has it.
Address reached(const Address &address)
{
	static const Address v4 = *Address::parse("0.0.0.0");
	static const Address v6 = *Address::parse("::");
	if (address == v4)
		return *Address::parse("127.0.0.1");
	return address == v6 ? *Address::parse("::1") : address;
}

Result<std::uint32_t> user_from(const std::string &text, const BoundPolicy &policy)
{
	std::uint32_t uid = 0;
	const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), uid);
	if (problem == std::errc{} && end == text.data() + text.size())
		return uid;
	const auto named = std::ranges::find_if(policy.rows,
						[&](const BoundRow &row) { return row.user && row.row.user == text; });
	if (named != policy.rows.end())
		return *named->user;
	if (const passwd *entry = ::getpwnam(text.c_str()); entry != nullptr)
		return entry->pw_uid;
	return wrong(policy::in_quotes(text) + " is no user that the policy or this host knows",
		     "give the number: --user 1001");
}

std::string user_text(std::uint32_t uid, const Row &row)
{
	const auto number = std::to_string(uid);
	return row.user.empty() || row.user == number ? number : row.user + " (" + number + ")";
}

} // namespace weir::cli
