// SPDX-License-Identifier: Apache-2.0
// The software that a Fed-BioMed site runs, as real as Debian has it, and what its users run.
#pragma once

#include "tests/support/process.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace weir::test {

/// A program that serves. Asked to end, and waited for, on destruction.
class Service {
public:
	/// Returns when it listens on `port` (TCP; 0: when it runs); throws when it never does, with what it said.
	Service(const Spot &, const std::vector<std::string> &argv, std::uint16_t port);
	Service(Service &&) noexcept = default;
	Service &operator=(Service &&) = delete;
	~Service();
	[[nodiscard]] pid_t pid() const { return program_->pid(); }
	[[nodiscard]] std::string said() const { return program_->out_so_far(); }

private:
	std::unique_ptr<Program> program_;
};

/// A self-signed certificate for the addresses of the lab: DIRECTORY/certificate.pem and key.pem.
void make_certificate(const std::string &directory);

/// A researcher that speaks gRPC over TLS; the certificate as make_certificate() leaves it.
Service grpc_researcher(const Spot &, const std::string &directory, std::uint16_t port = 50051);
/// The node's GUI, by gunicorn: HTTP, or HTTPS when there is a directory with a certificate.
Service node_gui(const Spot &, std::uint16_t port, const std::string &tls_directory = "");
/// Debian's jupyter-notebook, its files below the directory; the token is "secret".
Service jupyter(const Spot &, const std::string &directory, std::uint16_t port = 8888);
/// Python's HTTP server on every address, or on one; HTTPS when there is a directory with a certificate.
Service http_server(const Spot &, std::uint16_t port, const std::string &files, const std::string &tls_directory = "",
		    const std::string &address = "::");
/// What socat does in the researcher's container: connections to a port are passed on to another.
Service forward(const Spot &, std::uint16_t port, const std::string &to_address, std::uint16_t to_port);

/// "" when curl gets the page, else what it says. `more`: options of curl.
std::string fetch(const Spot &, const std::string &url, const std::vector<std::string> &more = {});
/// curl gets no connection within a second.
bool is_out_of_reach(const Spot &, const std::string &url);

/// The life of a Fed-BioMed node: probe, the researcher's certificate, three channels, a request without end.
class GrpcNode {
public:
	/// `before`: a command that runs the node, such as setpriv, or nothing.
	GrpcNode(const Spot &, const std::string &researcher, const std::vector<std::string> &before = {});
	/// Its request has carried this much since it was asked last, within the time.
	bool goes_on(int parts = 20, Millis patience = Millis(6000));
	[[nodiscard]] std::string said() const { return program_.out_so_far(); }
	/// It broke, and ended: what it said. "" when it did not within the time.
	std::string broken(Millis patience = Millis(12000));

private:
	[[nodiscard]] int fed() const; ///< the number of the last part; -1: none
	Program program_;
};

/// One exchange by grpc_peer.py's client, which knows the certificate: "" when every answer is right
/// and comes within the time.
std::string grpc_exchange(const Spot &, const std::string &directory, const std::string &address,
			  const std::string &seconds = "10");

} // namespace weir::test
