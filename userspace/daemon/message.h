// SPDX-License-Identifier: Apache-2.0
// Messages between the processes of `weir run`, over a pair of sockets of the kind SOCK_SEQPACKET (unix(7)).
#pragma once

#include "base/fd.h"
#include "base/result.h"

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace weir::daemon {

struct Message {
	std::string bytes;
	std::vector<Fd> files;
};

constexpr std::size_t longest_message = 128u << 10; ///< bytes; what may be longer goes as a file
constexpr std::size_t most_files = 8;

/// Waits while the other end is slow. Error: there is no other end any more.
Result<> send_message(int socket, std::string_view bytes, std::span<const int> files = {});
/// Waits for one. nullopt: the other end is closed.
Result<std::optional<Message>> receive_message(int socket);

/// A file in memory, that can't be changed any more.
Result<Fd> memory_file(std::string_view bytes);
Result<std::string> content_of(const Fd &);

} // namespace weir::daemon
