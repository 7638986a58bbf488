// SPDX-License-Identifier: Apache-2.0
// An image as a map of the kernel. Internal.
#pragma once

#include "base/fd.h"
#include "base/result.h"
#include "compile/image.h"
#include "kernel/instance.h"

#include <optional>
#include <vector>

namespace weir::kernel {

/// A map that holds the image, frozen: user space can't change it any more, programs only tally in it.
Result<Fd> make_image_map(const Image &);

/// Puts an image map in the slot of `images`: the swap.
Result<> publish(int images_fd, int image_fd);

/// Its header alone.
Result<weir_header> published_header(int images_fd);
/// Of the instance's policy. Exit::absent when it is not loaded.
Result<weir_header> read_header(const Where &);

/// What is in the slot of `images`. Exit::absent when nothing is.
Result<Image> published(int images_fd);

/// The map itself: it can be read after it was replaced, too, when nobody tallies in it any more.
Result<Fd> published_map(int images_fd);
Result<Image> read_map(const Fd &image);

/// The image and its map, and the policy that it is.
struct InForce {
	Fd map;
	Image image;
	std::optional<BoundPolicy> policy; ///< nullopt: it can't be read
	/// How often each row has decided by now.
	[[nodiscard]] std::vector<std::uint64_t> used() const;
};
/// Exit::absent when nothing is published.
Result<InForce> in_force(int images_fd);

} // namespace weir::kernel
