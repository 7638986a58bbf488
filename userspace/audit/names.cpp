// SPDX-License-Identifier: Apache-2.0
#include "audit/event.h"

#include <array>
#include <string>

namespace weir::audit {
namespace {

struct Reason {
	const char *name;
	const char *sentence;
};

// In the order of enum weir_reason. The names are stable: searches and alerts are built on them.
constexpr Reason reasons[] = {
	{"none", "no reason was given"},
	{"no_row", "no row of the matrix admits it"},
	{"no_flow", "an answer to nothing that this socket asked"},
	{"malformed", "a packet that is truncated or whose lengths lie"},
	{"fragment", "a fragment that hides its ports"},
	{"extension", "IPv6 extension headers that reroute or do not end"},
	{"ip_option", "IPv4 options that reroute or cannot be read"},
	{"embedded", "an IPv6 address that hides an IPv4 address"},
	{"origin", "neighbour discovery that was not made by a kernel on this link"},
	{"kernel", "the kernel's own answer, with no row for it"},
	{"no_policy", "no policy is published: nothing is admitted"},
	{"interface", "by an interface that the edge gate does not hold"},
	{"ethertype", "a frame that is neither IP nor ARP nor of a type that the site lists"},
	{"user", "a row admits it, but for another user"},
	{"closed", "the window that admitted it has ended"},
	{"journal_required", "the row that admits it needs the journal, which is not being written"},
};
constexpr const char *operations[] = {"none", "connect", "udp_connect", "send", "packet"};
constexpr const char *gates[] = {"none", "socket", "packet", "edge"};

static_assert(std::size(reasons) == WEIR_REASONS, "a reason without its name");
static_assert(std::size(operations) == WEIR_OPERATIONS, "an operation without its name");
static_assert(std::size(gates) == WEIR_GATES, "a gate without its name");

struct Protocol {
	std::uint8_t number;
	const char *name;
};

// IANA "Assigned Internet Protocol Numbers", keywords in lower case; those that a host can meet.
constexpr Protocol protocols[] = {
	{0, "hopopt"},       {1, "icmp"},       {2, "igmp"},   {4, "ipv4"},     {6, "tcp"},    {8, "egp"},
	{9, "igp"},          {17, "udp"},       {27, "rdp"},   {33, "dccp"},    {41, "ipv6"},  {43, "ipv6-route"},
	{44, "ipv6-frag"},   {46, "rsvp"},      {47, "gre"},   {50, "esp"},     {51, "ah"},    {58, "ipv6-icmp"},
	{59, "ipv6-nonxt"},  {60, "ipv6-opts"}, {88, "eigrp"}, {89, "ospfigp"}, {94, "ipip"},  {98, "encap"},
	{103, "pim"},        {108, "ipcomp"},   {112, "vrrp"}, {115, "l2tp"},   {132, "sctp"}, {136, "udplite"},
	{137, "mpls-in-ip"},
};

} // namespace

const char *reason_name(std::uint8_t reason)
{
	return reason < std::size(reasons) ? reasons[reason].name : "unknown";
}

const char *reason_sentence(std::uint8_t reason)
{
	return reason < std::size(reasons) ? reasons[reason].sentence : "a reason that this version does not know";
}

const char *operation_name(std::uint8_t operation)
{
	return operation < std::size(operations) ? operations[operation] : "unknown";
}

const char *gate_name(std::uint8_t gate)
{
	return gate < std::size(gates) ? gates[gate] : "unknown";
}

std::string protocol_name(std::uint8_t protocol)
{
	for (const auto &known : protocols)
		if (known.number == protocol)
			return known.name; // at most 10 characters: no allocation
	return std::to_string(protocol);
}

} // namespace weir::audit
