// SPDX-License-Identifier: Apache-2.0
#include "top/refusal.h"

#include "audit/events_view.h"

#include <nlohmann/json.hpp>

namespace weir::top {
namespace {

using Json = nlohmann::json;

constexpr std::size_t longest = 256; ///< bytes of a text that is kept

/// What stands at object.key; null where nothing does.
const Json &at(const Json &record, const char *object, const char *key)
{
	static const Json none;
	const auto outer = record.find(object);
	if (outer == record.end() || !outer->is_object())
		return none;
	const auto inner = outer->find(key);
	return inner == outer->end() ? none : *inner;
}

std::string text(const Json &value)
{
	if (!value.is_string())
		return "";
	return audit::printable(std::string_view(value.get_ref<const std::string &>()).substr(0, longest));
}

std::uint64_t number(const Json &value)
{
	return value.is_number_unsigned() ? value.get<std::uint64_t>() : 0;
}

std::string service_of(const Json &record)
{
	if (auto type = text(at(record, "weir", "ethertype")); !type.empty())
		return type;
	auto service = text(at(record, "network", "transport"));
	const bool incoming = at(record, "network", "direction") == "ingress";
	// The service's end is the one that was asked: the destination, but of an answer, which nobody asked for.
	const auto &port = at(record, "destination", "port");
	if (port.is_number_unsigned())
		service += '/' + std::to_string(port.get<unsigned>());
	else if (const auto &type = at(record, "weir", "icmp"); type.is_object() && type.contains("type"))
		service += '/' + std::to_string(number(type["type"]));
	else if (incoming && at(record, "source", "port").is_number_unsigned())
		service += " from " + std::to_string(number(at(record, "source", "port")));
	return service;
}

} // namespace

std::optional<Refusal> refusal_of(std::string_view line, std::string_view instance)
{
	// Most of what else stands in a journal need not be parsed to be left out.
	if (!line.contains("\"weir.violation\""))
		return std::nullopt;
	const auto record = Json::parse(line, nullptr, false);
	if (!record.is_object() || at(record, "event", "dataset") != "weir.violation" ||
	    at(record, "weir", "instance") != instance)
		return std::nullopt;
	const auto stamp = record.find("@timestamp");
	const auto time = stamp != record.end() && stamp->is_string()
				  ? audit::parse_time(stamp->get_ref<const std::string &>())
				  : std::nullopt;
	if (!time)
		return std::nullopt;
	Refusal refusal;
	refusal.time = *time;
	if (const auto &count = at(record, "weir", "count"); count.is_number_unsigned())
		refusal.count = count.get<std::uint64_t>();
	refusal.incoming = at(record, "network", "direction") == "ingress";
	refusal.peer = text(at(record, refusal.incoming ? "source" : "destination", "ip"));
	refusal.service = service_of(record);
	refusal.reason = text(at(record, "weir", "reason"));
	refusal.process = text(at(record, "process", "name"));
	refusal.pid = number(at(record, "process", "pid"));
	refusal.user = text(at(record, "user", "name"));
	if (refusal.user.empty())
		refusal.user = text(at(record, "user", "id"));
	if (const auto &cgroup = at(record, "weir", "cgroup"); cgroup.is_object() && cgroup.contains("path"))
		refusal.cgroup = text(cgroup["path"]);
	return refusal;
}

} // namespace weir::top
