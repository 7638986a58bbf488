// SPDX-License-Identifier: Apache-2.0
#include "kernel/interfaces.h"

#include "kernel/netlink.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>

namespace weir::kernel {

namespace {

/// Stacked on the interface that IFLA_LINK names. Of others it is the other end (veth), or where the outer packets go.
bool is_stacked(const std::string &kind)
{
	constexpr std::array<std::string_view, 5> kinds{"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"};
	return std::ranges::find(kinds, kind) != kinds.end();
}

Interface interface_of(const nlmsghdr &message)
{
	const auto *header = static_cast<const ifinfomsg *>(mnl_nlmsg_get_payload(&message));
	Interface one;
	one.ifindex = static_cast<std::uint32_t>(header->ifi_index);
	one.link_type = header->ifi_type;
	one.flags = header->ifi_flags;
	bool elsewhere = false;
	each_attribute(message, sizeof(*header), [&](const nlattr &attribute) {
		switch (mnl_attr_get_type(&attribute)) {
		case IFLA_IFNAME:
			one.name = text_of(attribute);
			break;
		case IFLA_MASTER:
			one.master = number_of(attribute);
			break;
		case IFLA_LINK:
			one.lower = number_of(attribute);
			break;
		case IFLA_LINK_NETNSID:
			elsewhere = true;
			break;
		case IFLA_LINKINFO:
			each_nested(attribute, [&](const nlattr &inner) {
				if (mnl_attr_get_type(&inner) == IFLA_INFO_KIND)
					one.kind = text_of(inner);
			});
			break;
		case IFLA_XDP:
			each_nested(attribute, [&](const nlattr &inner) {
				if (mnl_attr_get_type(&inner) == IFLA_XDP_DRV_PROG_ID)
					one.xdp_native = number_of(inner);
				else if (mnl_attr_get_type(&inner) == IFLA_XDP_SKB_PROG_ID)
					one.xdp_generic = number_of(inner);
			});
			break;
		default:
			break;
		}
	});
	if (elsewhere || !is_stacked(one.kind))
		one.lower = 0;
	return one;
}

} // namespace

Result<std::vector<Interface>> interfaces()
{
	std::vector<Interface> all;
	std::array<char, 256> buffer{};
	auto *request = mnl_nlmsg_put_header(buffer.data());
	request->nlmsg_type = RTM_GETLINK;
	mnl_nlmsg_put_extra_header(request, sizeof(ifinfomsg));
	mnl_attr_put_u32(request, IFLA_EXT_MASK, RTEXT_FILTER_SKIP_STATS);
	auto asked = dump(
		request, [&] { all.clear(); },
		[&](const nlmsghdr &message) {
			if (message.nlmsg_type == RTM_NEWLINK)
				all.push_back(interface_of(message));
		});
	if (!asked)
		return std::unexpected(std::move(asked).error());
	std::ranges::sort(all, {}, &Interface::ifindex);
	return all;
}

} // namespace weir::kernel
