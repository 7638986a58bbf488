// SPDX-License-Identifier: Apache-2.0
#include "kernel/image_map.h"

#include "kernel/pins.h"
#include "kernel/system.h"
#include "policy/policy.h"

#include <fmt/format.h>
#include <linux/bpf.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace weir::kernel {

namespace {

/// A map's values, in the memory of this process.
class Mapped {
public:
	Mapped(int fd, std::size_t size, int protection)
		: size_(size), at_(::mmap(nullptr, size, protection, MAP_SHARED, fd, 0))
	{}
	Mapped(const Mapped &) = delete;
	Mapped &operator=(const Mapped &) = delete;
	~Mapped()
	{
		if (at_ != MAP_FAILED)
			::munmap(at_, size_);
	}
	explicit operator bool() const { return at_ != MAP_FAILED; }
	[[nodiscard]] void *get() const { return at_; }

private:
	std::size_t size_;
	void *at_;
};

} // namespace

Result<Fd> make_image_map(const Image &image)
{
	bpf_map_create_opts options{};
	options.sz = sizeof(options);
	options.map_flags = BPF_F_INNER_MAP | BPF_F_MMAPABLE; // each image has a size of its own; filled by one copy
	const auto size = image.lines.size() * WEIR_LINE;
	Fd map(bpf_map_create(BPF_MAP_TYPE_ARRAY, "weir_image", sizeof(__u32), WEIR_LINE,
			      static_cast<__u32>(image.lines.size()), &options));
	if (!map)
		return system_error(fmt::format("a map of {} bytes for the image", size), errno);
	{
		const Mapped values(map.get(), size, PROT_READ | PROT_WRITE);
		if (!values)
			return system_error("mapping the image", errno);
		std::memcpy(values.get(), image.lines.data(), size);
	}
	if (bpf_map_freeze(map.get()) != 0)
		return system_error("freezing the image", errno);
	return map;
}

Result<> publish(int images_fd, int image_fd)
{
	const __u32 slot = 0;
	if (bpf_map_update_elem(images_fd, &slot, &image_fd, BPF_ANY) != 0)
		return system_error("publishing the image", errno);
	return {};
}

Result<Fd> published_map(int images_fd)
{
	const __u32 slot = 0;
	__u32 id = 0;
	Fd map;
	for (int tries = 0; !map; ++tries) { // it may be replaced between the two steps
		if (bpf_map_lookup_elem(images_fd, &slot, &id) != 0) {
			if (errno == ENOENT)
				return fail(Exit::absent, "no image is published: nothing is admitted");
			return system_error("reading which image is published", errno);
		}
		map = Fd(bpf_map_get_fd_by_id(id));
		if (!map && (errno != ENOENT || tries == 100))
			return system_error("opening the published image", errno);
	}
	return map;
}

Result<weir_header> published_header(int images_fd)
{
	const auto map = published_map(images_fd);
	if (!map)
		return std::unexpected(map.error());
	const auto info = info_of<bpf_map_info>(map->get());
	if (!info || info->value_size != sizeof(weir_header))
		return fail("the published image is not one of weir's");
	const __u32 first = 0;
	weir_header header{};
	if (bpf_map_lookup_elem(map->get(), &first, &header) != 0)
		return system_error("reading the published image", errno);
	return header;
}

Result<Image> read_map(const Fd &map)
{
	const auto info = info_of<bpf_map_info>(map.get());
	if (!info || info->value_size != WEIR_LINE)
		return fail("the published image is not one of weir's");
	Image image;
	image.lines.resize(info->max_entries);
	const auto size = image.lines.size() * WEIR_LINE;
	const Mapped values(map.get(), size, PROT_READ);
	if (!values)
		return system_error("mapping the published image", errno);
	std::memcpy(image.lines.data(), values.get(), size);
	return image;
}

Result<Image> published(int images_fd)
{
	const auto map = published_map(images_fd);
	return map ? read_map(*map) : Result<Image>(std::unexpected(map.error()));
}

Result<InForce> in_force(int images_fd)
{
	auto map = published_map(images_fd);
	if (!map)
		return std::unexpected(std::move(map).error());
	auto image = read_map(*map);
	if (!image)
		return std::unexpected(std::move(image).error());
	const auto text = text_of(*image);
	auto policy = text ? policy::from_canonical(*text) : Result<BoundPolicy>(std::unexpected(text.error()));
	return InForce{std::move(*map), std::move(*image), policy ? std::optional(std::move(*policy)) : std::nullopt};
}

std::vector<std::uint64_t> InForce::used() const
{
	const auto now = read_map(map);
	return now ? tallies_of(*now) : std::vector<std::uint64_t>();
}

Result<weir_header> read_header(const Where &where)
{
	if (auto there = must_exist(where); !there)
		return std::unexpected(std::move(there).error());
	const auto images = open_pin(where.directory() + "/maps/images");
	if (!images)
		return std::unexpected(images.error());
	return published_header(images->get());
}

} // namespace weir::kernel
