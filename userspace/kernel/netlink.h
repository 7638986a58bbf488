// SPDX-License-Identifier: Apache-2.0
// What weir needs of rtnetlink and sock_diag. Internal.
#pragma once

#include "base/result.h"

#include <libmnl/libmnl.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace weir::kernel {

using HandleAttribute = std::function<void(const nlattr &)>;
using HandleMessage = std::function<void(const nlmsghdr &)>;

/// Who is asked, and about what, for messages.
struct Subject {
	int bus = NETLINK_ROUTE;
	const char *what = "the interfaces";
};

/// Sends a dump request, hands each message of the answer to `handle`. A dump that was interrupted by a change is
/// begun anew, after `restart`. Of the network namespace that the thread is in.
Result<> dump(nlmsghdr *request, const std::function<void()> &restart, const HandleMessage &handle,
	      const Subject & = {});

/// A socket on one of the buses, to ask many things of. Error: the kernel hasn't got it.
class Netlink {
public:
	static Result<Netlink> open(const Subject &);
	/// Sends a request, hands the one message of its answer to `handle`; an acknowledgement isn't handed on. Gives
	/// the kernel's errno; 0: done.
	int ask(nlmsghdr *request, const HandleMessage &handle = [](const nlmsghdr &) {});

private:
	explicit Netlink(mnl_socket *socket) : socket_(socket, mnl_socket_close) {}
	std::unique_ptr<mnl_socket, int (*)(mnl_socket *)> socket_;
	std::uint32_t sequence_ = 0;
};

/// Calls `handle` with each attribute that stands in the message behind a header of `header` bytes.
void each_attribute(const nlmsghdr &, std::size_t header, HandleAttribute handle);
void each_nested(const nlattr &, HandleAttribute handle);

/// 0 when it is too short.
std::uint32_t number_of(const nlattr &);
std::string text_of(const nlattr &);

} // namespace weir::kernel
