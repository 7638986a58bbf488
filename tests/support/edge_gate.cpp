// SPDX-License-Identifier: Apache-2.0
#include "tests/support/edge_gate.h"

#include "tests/support/checked.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <edge.skel.h>
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <stdexcept>
#include <string>
#include <system_error>

namespace weir::test {

namespace {

std::uint64_t gate_clock()
{
	timespec now{};
	::clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 + static_cast<std::uint64_t>(now.tv_nsec);
}

template <typename Key, typename Value>
std::vector<std::pair<Key, Value>> entries_of(int map)
{
	std::vector<std::pair<Key, Value>> entries;
	Key key{}, next{};
	Value value{};
	for (const Key *at = nullptr; bpf_map_get_next_key(map, at, &next) == 0; at = &key) {
		key = next;
		if (bpf_map_lookup_elem(map, &key, &value) == 0)
			entries.emplace_back(key, value);
	}
	return entries;
}

template <typename Key, typename Value>
void age_all_of(int map, std::uint64_t seconds)
{
	for (auto [key, value] : entries_of<Key, Value>(map)) {
		value.seen = gate_clock() - seconds * 1'000'000'000;
		checked(bpf_map_update_elem(map, &key, &value, BPF_EXIST), "bpf_map_update_elem");
	}
}

template <typename Key, typename Value>
void clear(int map)
{
	for (const auto &[key, value] : entries_of<Key, Value>(map))
		bpf_map_delete_elem(map, &key);
}

} // namespace

EdgeGate::EdgeGate(const Options &options) : options_(options)
{
	checked(::unshare(CLONE_NEWNET), "unshare");
	if (std::system("/sbin/ip link set lo up && /sbin/ip link add edge0 type veth peer name edge1") != 0)
		throw std::runtime_error("ip link failed");
	ifindex_ = ::if_nametoindex("edge0");
	skeleton_ = weir_edge__open();
	if (skeleton_ == nullptr)
		throw std::runtime_error("the skeleton does not open");
	skeleton_->rodata->scope = options.scope;
	skeleton_->rodata->edge_zone = options.zone;
	skeleton_->rodata->edge_link_header = options.link_header;
	bpf_map__set_max_entries(skeleton_->maps.opened, options.flows);
	bpf_map__set_max_entries(skeleton_->maps.accepted, options.flows);
	checked(weir_edge__load(skeleton_), "load");
	if (options.merges != 0) {
		merges_ = put_table(WEIR_MERGE_EDGE);
		admitted_ = put_table(WEIR_MERGE_ADMITTED);
	}
	ring_ = ring_buffer__new(
		bpf_map__fd(skeleton_->maps.events),
		[](void *self, void *data, std::size_t) {
			static_cast<EdgeGate *>(self)->events_.push_back(*static_cast<weir_event *>(data));
			return 0;
		},
		this, nullptr);
	if (ring_ == nullptr)
		throw std::runtime_error("no ring buffer");
}

EdgeGate::~EdgeGate()
{
	ring_buffer__free(ring_);
	weir_edge__destroy(skeleton_);
}

void EdgeGate::publish(const Image &image)
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
	const __u32 slot = 0;
	const int fd = map.get();
	checked(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.images), &slot, &fd, 0), "images");
}

bool EdgeGate::run(Hook hook, std::span<const std::uint8_t> frame, int repeat, std::uint32_t segments)
{
	__sk_buff context{};
	context.ifindex = ifindex_;
	context.gso_segs = segments;
	bpf_test_run_opts options{};
	options.sz = sizeof(options);
	options.data_in = frame.data();
	options.data_size_in = static_cast<__u32>(frame.size());
	options.repeat = repeat;
	if (hook != Hook::xdp) {
		options.ctx_in = &context;
		options.ctx_size_in = sizeof(context);
	}
	const bpf_program *program = hook == Hook::xdp     ? skeleton_->progs.weir_edge_xdp
				     : hook == Hook::tc_in ? skeleton_->progs.weir_edge_in
							   : skeleton_->progs.weir_edge_out;
	checked(bpf_prog_test_run_opts(bpf_program__fd(program), &options), "BPF_PROG_TEST_RUN");
	const auto passes = hook == Hook::xdp ? static_cast<__u32>(XDP_PASS) : static_cast<__u32>(TC_ACT_UNSPEC);
	const auto falls = hook == Hook::xdp ? static_cast<__u32>(XDP_DROP) : static_cast<__u32>(TC_ACT_SHOT);
	if (options.retval != passes && options.retval != falls)
		throw std::runtime_error("the program returned " + std::to_string(options.retval));
	return options.retval == passes;
}

void EdgeGate::write_journal(bool written)
{
	const __u32 slot = 0;
	weir_lease lease{};
	lease.until = written ? ~0ULL : 1;
	checked(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.lease), &slot, &lease, 0), "lease");
}

std::vector<weir_event> EdgeGate::events()
{
	ring_buffer__consume(ring_);
	return std::exchange(events_, {});
}

weir_counter EdgeGate::counter(Direction direction, weir_reason reason) const
{
	std::vector<weir_counter> each(static_cast<std::size_t>(libbpf_num_possible_cpus()));
	const __u32 index = weir_counter_index(options_.scope, WEIR_GATE_EDGE, static_cast<__u32>(direction), reason);
	checked(bpf_map_lookup_elem(bpf_map__fd(skeleton_->maps.counters), &index, each.data()), "counters");
	weir_counter sum{};
	for (const auto &one : each) {
		sum.refused += one.refused;
		sum.observed += one.observed;
		sum.reported += one.reported;
		sum.merged += one.merged;
		sum.summed += one.summed;
		sum.lost += one.lost;
	}
	return sum;
}

weir_counter EdgeGate::counters() const
{
	weir_counter sum{};
	for (const auto direction : {Direction::out, Direction::in})
		for (unsigned reason = 0; reason < WEIR_REASONS; ++reason) {
			const auto one = counter(direction, static_cast<weir_reason>(reason));
			sum.refused += one.refused;
			sum.observed += one.observed;
			sum.reported += one.reported;
			sum.merged += one.merged;
			sum.summed += one.summed;
			sum.lost += one.lost;
		}
	return sum;
}

std::vector<std::pair<weir_merge_key, weir_merge>> EdgeGate::merged() const
{
	return entries_of<weir_merge_key, weir_merge>(merges_.get());
}

Fd EdgeGate::put_table(weir_merge_table slot)
{
	Fd table(checked(bpf_map_create(BPF_MAP_TYPE_HASH, "test_merges", sizeof(weir_merge_key), sizeof(weir_merge),
					options_.merges, nullptr),
			 "bpf_map_create"));
	const __u32 key = slot;
	const int fd = table.get();
	checked(bpf_map_update_elem(bpf_map__fd(skeleton_->maps.merges), &key, &fd, 0), "merges");
	return table;
}

std::vector<std::pair<weir_merge_key, weir_merge>> EdgeGate::take_merged()
{
	const Fd old = std::exchange(merges_, put_table(WEIR_MERGE_EDGE));
	return entries_of<weir_merge_key, weir_merge>(old.get());
}

std::vector<std::pair<weir_merge_key, weir_merge>> EdgeGate::take_admitted()
{
	auto entries = entries_of<weir_merge_key, weir_merge>(admitted_.get());
	if (!entries.empty()) // the kernel waits for a while when it replaces one
		admitted_ = put_table(WEIR_MERGE_ADMITTED);
	return entries;
}

int EdgeGate::table(Table table) const
{
	return bpf_map__fd(table == Table::opened ? skeleton_->maps.opened : skeleton_->maps.accepted);
}

std::vector<std::pair<weir_edge_key, weir_edge_flow>> EdgeGate::flows(Table which) const
{
	return entries_of<weir_edge_key, weir_edge_flow>(table(which));
}

bool EdgeGate::age(Table which, const weir_edge_key &key, std::uint32_t seconds)
{
	weir_edge_flow flow{};
	if (bpf_map_lookup_elem(table(which), &key, &flow) != 0)
		return false;
	flow.seen = gate_clock() - std::uint64_t{seconds} * 1'000'000'000;
	checked(bpf_map_update_elem(table(which), &key, &flow, BPF_EXIST), "bpf_map_update_elem");
	return true;
}

void EdgeGate::age_all(Table which, std::uint32_t seconds)
{
	age_all_of<weir_edge_key, weir_edge_flow>(table(which), seconds);
}

void EdgeGate::age_fragments(std::uint32_t seconds)
{
	age_all_of<weir_fragment_key, weir_fragment>(bpf_map__fd(skeleton_->maps.fragments), seconds);
}

void EdgeGate::forget()
{
	clear<weir_edge_key, weir_edge_flow>(table(Table::opened));
	clear<weir_edge_key, weir_edge_flow>(table(Table::accepted));
	clear<weir_fragment_key, weir_fragment>(bpf_map__fd(skeleton_->maps.fragments));
}

} // namespace weir::test
