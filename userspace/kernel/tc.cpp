// SPDX-License-Identifier: Apache-2.0
#include "kernel/tc.h"

#include "kernel/netlink.h"
#include "kernel/system.h"

#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <array>
#include <cerrno>

namespace weir::kernel {

namespace {

constexpr std::uint32_t before = 1U << 3; // BPF_F_BEFORE of linux/bpf.h from 6.6 on; without another program: the first

bpf_tc_hook hook_of(std::uint32_t ifindex, std::uint32_t point)
{
	bpf_tc_hook hook{};
	hook.sz = sizeof(hook);
	hook.ifindex = static_cast<int>(ifindex);
	// A mask: both ways at once name the qdisc itself.
	hook.attach_point = // NOLINTNEXTLINE(clang-analyzer-optin.core.EnumCastOutOfRange)
		static_cast<bpf_tc_attach_point>(point);
	return hook;
}

bpf_tc_hook hook_of(std::uint32_t ifindex, Way way)
{
	return hook_of(ifindex, way == Way::in ? BPF_TC_INGRESS : BPF_TC_EGRESS);
}

bool is_gone(int error)
{
	return error == -ENODEV || error == -ENOENT || error == -EINVAL; // EINVAL: there is no such qdisc
}

Filter filter_of(const nlmsghdr &message)
{
	const auto *header = static_cast<const tcmsg *>(mnl_nlmsg_get_payload(&message));
	Filter filter{.priority = TC_H_MAJ(header->tcm_info) >> 16, .handle = header->tcm_handle};
	each_attribute(message, sizeof(*header), [&filter](const nlattr &attribute) {
		if (mnl_attr_get_type(&attribute) == TCA_KIND)
			filter.kind = text_of(attribute);
		else if (mnl_attr_get_type(&attribute) == TCA_OPTIONS && filter.kind == "bpf")
			each_nested(attribute, [&filter](const nlattr &option) {
				if (mnl_attr_get_type(&option) == TCA_BPF_ID)
					filter.program = number_of(option);
				else if (mnl_attr_get_type(&option) == TCA_BPF_FLAGS)
					filter.direct = (number_of(option) & TCA_BPF_FLAG_ACT_DIRECT) != 0;
			});
	});
	return filter;
}

} // namespace

Fd attach_tcx(int program, std::uint32_t ifindex, Way way)
{
	bpf_link_create_opts options{};
	options.sz = sizeof(options);
	options.flags = before;
	return Fd(bpf_link_create(program, static_cast<int>(ifindex), tcx_type(way), &options));
}

std::vector<std::uint32_t> tcx_programs(std::uint32_t ifindex, Way way)
{
	std::vector<std::uint32_t> ids(64); // the kernel's own bound (bpf_mprog)
	struct bpf_prog_query_opts options{}; // a function has its name, too
	options.sz = sizeof(options);
	options.prog_ids = ids.data();
	options.prog_cnt = static_cast<__u32>(ids.size());
	if (bpf_prog_query_opts(static_cast<int>(ifindex), tcx_type(way), &options) != 0)
		return {};
	ids.resize(options.prog_cnt);
	return ids;
}

Result<std::vector<Filter>> filters_of(std::uint32_t ifindex, Way way)
{
	std::vector<Filter> filters;
	std::array<char, 256> buffer{};
	auto *request = mnl_nlmsg_put_header(buffer.data());
	request->nlmsg_type = RTM_GETTFILTER;
	auto *header = static_cast<tcmsg *>(mnl_nlmsg_put_extra_header(request, sizeof(tcmsg)));
	header->tcm_ifindex = static_cast<int>(ifindex);
	header->tcm_parent = TC_H_MAKE(TC_H_CLSACT, way == Way::in ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
	auto asked = dump(
		request, [&] { filters.clear(); },
		[&](const nlmsghdr &message) {
			auto filter = filter_of(message);
			// Each priority is told once without a handle, and its filters after it.
			if (filter.kind != "bpf" || filter.handle != 0)
				filters.push_back(std::move(filter));
		});
	if (!asked)
		return std::unexpected(std::move(asked).error());
	return filters;
}

Result<bool> make_clsact(std::uint32_t ifindex)
{
	auto hook = hook_of(ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
	const int error = bpf_tc_hook_create(&hook);
	if (error == -EEXIST)
		return false;
	if (error != 0)
		return system_error("making the clsact qdisc", -error);
	return true;
}

Result<> remove_clsact(std::uint32_t ifindex)
{
	auto hook = hook_of(ifindex, BPF_TC_INGRESS | BPF_TC_EGRESS);
	if (const int error = bpf_tc_hook_destroy(&hook); error != 0 && !is_gone(error))
		return system_error("removing the clsact qdisc", -error);
	return {};
}

Result<> add_filter(std::uint32_t ifindex, Way way, int program)
{
	const auto hook = hook_of(ifindex, way);
	int error = 0;
	// Where another kind of filter has the first priority, the kernel's own choice must do: inspect() names what runs
	// before.
	for (const __u32 priority : {1U, 0U}) {
		bpf_tc_opts options{};
		options.sz = sizeof(options);
		options.prog_fd = program;
		options.priority = priority;
		error = bpf_tc_attach(&hook, &options);
		if (error == 0)
			return {};
	}
	return system_error(fmt::format("adding the clsact filter, way {}", text_of(way)), -error);
}

Result<> replace_filter(std::uint32_t ifindex, Way way, const Filter &filter, int program)
{
	const auto hook = hook_of(ifindex, way);
	bpf_tc_opts options{};
	options.sz = sizeof(options);
	options.prog_fd = program;
	options.flags = BPF_TC_F_REPLACE;
	options.handle = filter.handle;
	options.priority = filter.priority;
	if (const int error = bpf_tc_attach(&hook, &options); error != 0)
		return system_error(fmt::format("replacing the clsact filter, way {}", text_of(way)), -error);
	return {};
}

Result<> remove_filter(std::uint32_t ifindex, Way way, const Filter &filter)
{
	const auto hook = hook_of(ifindex, way);
	bpf_tc_opts options{};
	options.sz = sizeof(options);
	options.handle = filter.handle;
	options.priority = filter.priority;
	if (const int error = bpf_tc_detach(&hook, &options); error != 0 && !is_gone(error))
		return system_error(fmt::format("removing the clsact filter, way {}", text_of(way)), -error);
	return {};
}

} // namespace weir::kernel
