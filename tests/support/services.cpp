// SPDX-License-Identifier: Apache-2.0
#include "tests/support/services.h"

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <stdexcept>

#ifndef WEIR_SOURCE_DIR
#define WEIR_SOURCE_DIR "."
#endif

namespace weir::test {
namespace {

const std::string support = std::string(WEIR_SOURCE_DIR) + "/tests/support/";
constexpr const char *python = "/usr/bin/python3"; // Debian's, which has Debian's gRPC

/// python -c TEXT ROLE …: as text, for users who may not read the sources.
std::vector<std::string> grpc_peer(const std::vector<std::string> &words)
{
	std::ostringstream text;
	text << std::ifstream(support + "grpc_peer.py").rdbuf();
	std::vector<std::string> argv{python, "-c", text.str()};
	argv.insert(argv.end(), words.begin(), words.end());
	return argv;
}

Millis patience(Millis usual)
{
	return std::getenv("WEIR_TEST_EMULATED") == nullptr ? usual : usual * 10;
}

/// Read from the kernel's table, so that no packet has to pass a policy.
bool listens(pid_t pid, std::uint16_t port)
{
	for (const char *table : {"tcp", "tcp6"}) {
		std::ifstream file("/proc/" + std::to_string(pid) + "/net/" + table);
		for (std::string line; std::getline(file, line);) {
			std::istringstream words(line);
			std::string number;
			std::string local;
			std::string remote;
			std::string state;
			words >> number >> local >> remote >> state;
			const auto colon = local.find(':');
			unsigned found = 0;
			if (state == "0A" && colon != std::string::npos &&
			    std::from_chars(local.data() + colon + 1, local.data() + local.size(), found, 16).ec ==
				    std::errc() &&
			    found == port)
				return true;
		}
	}
	return false;
}

std::string file_in(const std::string &directory, const char *name)
{
	return directory + "/" + name;
}

} // namespace

Service::Service(const Spot &spot, const std::vector<std::string> &argv, std::uint16_t port)
	: program_(std::make_unique<Program>(argv, "", spot))
{
	if (port != 0 && !eventually([&] { return listens(pid(), port); }, patience(Millis(15000)))) {
		program_->kill(SIGKILL);
		const Finished done = program_->wait();
		throw std::runtime_error(argv.front() + " does not listen on " + std::to_string(port) + ": " +
					 done.out + done.err);
	}
}

Service::~Service()
{
	if (!program_)
		return;
	program_->kill(SIGTERM); // what it started itself ends with it
	program_->wait(Millis(3000));
}

void make_certificate(const std::string &directory)
{
	const Finished done =
		execute({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
			 "-nodes", "-days", "2", "-subj", "/CN=researcher", "-addext",
			 "subjectAltName=IP:192.0.2.10,IP:2001:db8:0:1::10,IP:10.222.0.2,IP:127.0.0.1,"
			 "IP:203.0.113.7,IP:192.0.2.66",
			 "-keyout", file_in(directory, "key.pem"), "-out", file_in(directory, "certificate.pem")});
	if (done.status != 0)
		throw std::runtime_error("openssl: " + done.err);
}

Service grpc_researcher(const Spot &spot, const std::string &directory, std::uint16_t port)
{
	return {spot,
		grpc_peer({"server", file_in(directory, "certificate.pem"), file_in(directory, "key.pem"),
			   std::to_string(port)}),
		port};
}

Service node_gui(const Spot &spot, std::uint16_t port, const std::string &tls_directory)
{
	std::vector<std::string> argv{python,    "-m",     "gunicorn",
				      "--chdir", support,  "--graceful-timeout",
				      "1",       "--bind", "[::]:" + std::to_string(port),
				      "gui:app"};
	if (!tls_directory.empty())
		argv.insert(argv.end(), {"--certfile", file_in(tls_directory, "certificate.pem"), "--keyfile",
					 file_in(tls_directory, "key.pem")});
	return {spot, argv, port};
}

Service jupyter(const Spot &spot, const std::string &directory, std::uint16_t port)
{
	return {spot,
		{"/usr/bin/env", "HOME=" + directory, "JUPYTER_RUNTIME_DIR=" + directory + "/runtime", python,
		 "/usr/bin/jupyter-notebook", "--allow-root", "--no-browser", "--ip=0.0.0.0",
		 "--port=" + std::to_string(port), "--NotebookApp.token=secret", "--notebook-dir=" + directory},
		port};
}

Service http_server(const Spot &spot, std::uint16_t port, const std::string &files, const std::string &tls_directory,
		    const std::string &address)
{
	static const std::string program = R"(
import functools, http.server, socket, ssl, sys
port, files, tls, address = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if ":" in address else socket.AF_INET
    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()
server = Server((address, port), functools.partial(http.server.SimpleHTTPRequestHandler, directory=files))
if tls:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls + "/certificate.pem", tls + "/key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
)";
	return {spot, {python, "-c", program, std::to_string(port), files, tls_directory, address}, port};
}

Service forward(const Spot &spot, std::uint16_t port, const std::string &to_address, std::uint16_t to_port)
{
	return {spot,
		{"socat", "TCP-LISTEN:" + std::to_string(port) + ",fork,reuseaddr",
		 "TCP:" + to_address + ":" + std::to_string(to_port)},
		port};
}

namespace {

Finished curl(const Spot &spot, const std::string &url, const std::vector<std::string> &more)
{
	std::vector<std::string> argv{"curl", "--silent",   "--show-error", "--fail",    "--noproxy",
				      "*",    "--insecure", "--output",     "/dev/null", url};
	argv.insert(argv.end(), more.begin(), more.end());
	return execute(argv, "", spot, Millis(60000));
}

} // namespace

std::string fetch(const Spot &spot, const std::string &url, const std::vector<std::string> &more)
{
	const Finished done = curl(spot, url, more);
	return done.status == 0 ? "" : "curl " + url + ": " + done.err;
}

bool is_out_of_reach(const Spot &spot, const std::string &url)
{
	constexpr int no_connection = 7;
	constexpr int time_is_over = 28;
	const int status = curl(spot, url, {"--connect-timeout", "1"}).status;
	return status == no_connection || status == time_is_over;
}

GrpcNode::GrpcNode(const Spot &spot, const std::string &researcher, const std::vector<std::string> &before)
	: program_(
		  [&] {
			  std::vector<std::string> argv{"/usr/bin/env", "WEIR_KEEPALIVE_MS=200"};
			  argv.insert(argv.end(), before.begin(), before.end());
			  const auto peer = grpc_peer({"node", researcher, "--once"});
			  argv.insert(argv.end(), peer.begin(), peer.end());
			  return argv;
		  }(),
		  "", spot)
{}

int GrpcNode::fed() const
{
	const std::string text = said();
	const auto at = text.rfind("\nfed ");
	return at == std::string::npos ? -1 : std::atoi(text.c_str() + at + 5);
}

bool GrpcNode::goes_on(int parts, Millis usual)
{
	const int before = fed();
	return eventually([&] { return fed() >= before + parts; }, patience(usual));
}

std::string GrpcNode::broken(Millis usual)
{
	const auto at = [&] { return said().find("broken:"); };
	if (!eventually([&] { return at() != std::string::npos; }, patience(usual)))
		return "";
	return said().substr(at());
}

std::string grpc_exchange(const Spot &spot, const std::string &directory, const std::string &address,
			  const std::string &seconds)
{
	const Finished done =
		execute(grpc_peer({"client", file_in(directory, "certificate.pem"), address, "3", seconds}), "", spot,
			Millis(60000));
	return done.status == 0 ? "" : "gRPC: " + done.out + done.err;
}

} // namespace weir::test
