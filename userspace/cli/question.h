// SPDX-License-Identifier: Apache-2.0
// What `weir explain` is asked, out of the words of a command line.
#pragma once

#include "base/result.h"
#include "compile/packet.h"

#include <cstdint>
#include <string>

namespace weir::cli {

/// Exit::usage.
std::unexpected<Error> wrong(const std::string &what, const std::string &hint);

/// "tcp", "icmpv6", "47"
Result<std::uint8_t> protocol_from(const std::string &text);

/// "192.0.2.10:443", "[2001:db8::1]:443", "192.0.2.10", "2001:db8::1"; q.protocol is set.
Result<> set_peer(const std::string &text, Question &q);

bool is_loopback(const Address &address);

/// What a call to an address reaches: the unspecified one means this host, by loopback, as the socket gate has it.
Address reached(const Address &address);

/// A uid, a name that the policy's rows give to one, or the name of a user of this host.
Result<std::uint32_t> user_from(const std::string &text, const BoundPolicy &policy);

/// "node (1001)" where the row has a name for it, else "1001".
std::string user_text(std::uint32_t uid, const Row &row);

} // namespace weir::cli
