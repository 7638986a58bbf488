// SPDX-License-Identifier: Apache-2.0
#include "tests/support/gates.h"

#include "tests/support/checked.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <gates.skel.h>
#include <linux/bpf.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <stdexcept>
#include <string>
#include <system_error>

namespace weir::test {

namespace {

constexpr std::size_t link_header = 14;

} // namespace

Gates::Gates(const Image &image, std::uint32_t scope)
{
	checked(::unshare(CLONE_NEWNET), "unshare");
	if (std::system("/sbin/ip link add gate0 type veth peer name gate1") != 0)
		throw std::runtime_error("ip link add failed");
	network_ifindex_ = ::if_nametoindex("gate0");
	skeleton_ = weir_gates__open();
	if (skeleton_ == nullptr)
		throw std::runtime_error("the skeleton does not open");
	skeleton_->rodata->scope = scope;
	checked(weir_gates__load(skeleton_), "load");
	publish(image);
	ring_ = ring_buffer__new(
		bpf_map__fd(skeleton_->maps.events),
		[](void *self, void *data, std::size_t) {
			static_cast<Gates *>(self)->events_.push_back(*static_cast<weir_event *>(data));
			return 0;
		},
		this, nullptr);
	if (ring_ == nullptr)
		throw std::runtime_error("no ring buffer");
}

Gates::~Gates()
{
	ring_buffer__free(ring_);
	weir_gates__destroy(skeleton_);
}

void Gates::publish(const Image &image)
{
	bpf_map_create_opts options{};
	options.sz = sizeof(options);
	options.map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE;
	const auto bytes = image.lines.size() * WEIR_LINE;
	const Fd map(checked(bpf_map_create(BPF_MAP_TYPE_ARRAY, "test_image", sizeof(__u32), WEIR_LINE,
					    static_cast<__u32>(image.lines.size()), &options),
			     "bpf_map_create"));
	void *const at = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, map.get(), 0);
	if (at == MAP_FAILED)
		throw std::system_error(errno, std::generic_category(), "mmap");
	std::memcpy(at, image.lines.data(), bytes);
	::munmap(at, bytes);
	checked(bpf_map_freeze(map.get()), "bpf_map_freeze");
	const __u32 slot = 0;
	const int fd = map.get();
	checked(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.images), &slot, &fd, 0), "bpf_map_update_elem");
}

Gates::Run Gates::run(Direction dir, std::span<const std::uint8_t> packet, std::uint8_t zone, int repeat,
		      std::optional<std::uint16_t> ether_type)
{
	Bytes frame(link_header);
	const bool v6 = !packet.empty() && packet[0] >> 4 == 6;
	const unsigned type = ether_type.value_or(v6 ? 0x86dd : 0x0800);
	frame[12] = static_cast<std::uint8_t>(type >> 8);
	frame[13] = static_cast<std::uint8_t>(type);
	frame.insert(frame.end(), packet.begin(), packet.end());
	__sk_buff context{};
	context.ifindex = zone == zone_loopback ? 1 : network_ifindex_;
	bpf_test_run_opts options{};
	options.sz = sizeof(options);
	options.data_in = frame.data();
	options.data_size_in = static_cast<__u32>(frame.size());
	options.ctx_in = &context;
	options.ctx_size_in = sizeof(context);
	options.repeat = repeat;
	const auto *program = dir == Direction::out ? skeleton_->progs.weir_egress : skeleton_->progs.weir_ingress;
	checked(bpf_prog_test_run_opts(bpf_program__fd(program), &options), "BPF_PROG_TEST_RUN");
	return {options.retval == 1, options.duration};
}

void Gates::write_journal(bool written)
{
	const __u32 slot = 0;
	weir_lease lease{};
	lease.until = written ? ~0ULL : 1;
	checked(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.lease), &slot, &lease, 0), "lease");
}

void Gates::put_merges(std::uint32_t entries)
{
	for (__u32 slot = 0; slot < WEIR_MERGE_TABLES; ++slot) {
		merges_[slot] = Fd(checked(bpf_map_create(BPF_MAP_TYPE_HASH, "test_merges", sizeof(weir_merge_key),
							  sizeof(weir_merge), entries, nullptr),
					   "bpf_map_create"));
		const int fd = merges_[slot].get();
		checked(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.merges), &slot, &fd, 0), "merges");
	}
}

std::vector<std::pair<weir_merge_key, weir_merge>> Gates::merged(weir_merge_table table) const
{
	std::vector<std::pair<weir_merge_key, weir_merge>> entries;
	weir_merge_key key{}, next{};
	weir_merge value{};
	const int map = merges_.at(table).get();
	for (const weir_merge_key *at = nullptr; bpf_map_get_next_key(map, at, &next) == 0; at = &key) {
		key = next;
		if (bpf_map_lookup_elem(map, &key, &value) == 0)
			entries.emplace_back(key, value);
	}
	return entries;
}

std::vector<weir_event> Gates::events()
{
	ring_buffer__consume(ring_);
	return std::exchange(events_, {});
}

std::vector<weir_counter> Gates::counters() const
{
	const auto processors = static_cast<std::size_t>(libbpf_num_possible_cpus());
	std::vector<weir_counter> each(processors), sums(WEIR_COUNTERS);
	for (__u32 index = 0; index < WEIR_COUNTERS; ++index) {
		checked(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &index, each.data()), "counters");
		for (const auto &one : each) {
			sums[index].refused += one.refused;
			sums[index].observed += one.observed;
			sums[index].reported += one.reported;
			sums[index].merged += one.merged;
			sums[index].summed += one.summed;
			sums[index].lost += one.lost;
		}
	}
	return sums;
}

} // namespace weir::test
