// SPDX-License-Identifier: Apache-2.0
// One TLS connection, as RFC 5425 and RFC 9325 want it: version 1.2 or newer, the peer proved by its certificate.
#pragma once

#include "base/result.h"
#include "sinks/carrier.h"

#include <cstdint>
#include <memory>
#include <string>

struct ssl_st;

namespace weir::sinks {

class Tls {
public:
	/// Of a connected socket, which has to live longer. The certificate has to be by one of the address's ca, for
	/// its peer_name or host, and valid now.
	static Result<Tls> connect(int socket, const Address &, const Patience &);

	Result<> write(const std::string &, const Patience &);
	/// Error: the peer has closed it, or it broke.
	Result<> look();
	void say_goodbye();
	[[nodiscard]] std::uint64_t written() const; ///< bytes, as they go over the network

private:
	struct Free {
		void operator()(ssl_st *) const;
	};
	explicit Tls(ssl_st *connection, int socket, std::string name)
		: connection_(connection), socket_(socket), name_(std::move(name))
	{}
	/// Waits for what OpenSSL waits for. Error: what it says.
	Result<> wait_for(int result, const Patience &, std::chrono::milliseconds longest, const char *what);

	std::unique_ptr<ssl_st, Free> connection_;
	int socket_;
	std::string name_;
};

} // namespace weir::sinks
