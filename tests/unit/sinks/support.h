// SPDX-License-Identifier: Apache-2.0
// Peers for sinks, in this process and beside it.
#pragma once

#include "base/fd.h"
#include "sinks/sender.h"
#include "tests/unit/formats/samples.h"

#include <gtest/gtest.h>

#include <arpa/inet.h>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <poll.h>
#include <sstream>
#include <string>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <vector>

namespace weir::sinks {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

/// For a busy machine; what is waited for usually comes at once.
inline bool eventually(const std::function<bool()> &condition, std::chrono::milliseconds longest = 30s)
{
	const auto end = std::chrono::steady_clock::now() + longest;
	while (!condition()) {
		if (std::chrono::steady_clock::now() > end)
			return false;
		std::this_thread::sleep_for(5ms);
	}
	return true;
}

class Directory {
public:
	Directory()
	{
		std::string name = testing::TempDir() + "weir-sinks-XXXXXX";
		path_ = ::mkdtemp(name.data());
	}
	~Directory() { fs::remove_all(path_); }
	Directory(const Directory &) = delete;
	Directory &operator=(const Directory &) = delete;
	[[nodiscard]] std::string file(const std::string &name) const { return path_ / name; }

private:
	fs::path path_;
};

/// A socket of this host, by 127.0.0.1, whose port the kernel chooses unless it is given.
inline Fd listen_at(int type, std::uint16_t &port)
{
	Fd fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0));
	const int yes = 1;
	::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	sockaddr_in name{};
	name.sin_family = AF_INET;
	name.sin_port = htons(port);
	name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	socklen_t size = sizeof(name);
	if (::bind(fd.get(), reinterpret_cast<sockaddr *>(&name), size) != 0 ||
	    ::getsockname(fd.get(), reinterpret_cast<sockaddr *>(&name), &size) != 0 ||
	    (type == SOCK_STREAM && ::listen(fd.get(), 8) != 0))
		throw std::runtime_error(std::strerror(errno));
	port = ntohs(name.sin_port);
	return fd;
}

inline Fd datagrams_at(const std::string &path)
{
	Fd fd(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
	sockaddr_un name{};
	name.sun_family = AF_UNIX;
	path.copy(name.sun_path, sizeof(name.sun_path) - 1);
	::unlink(path.c_str());
	if (::bind(fd.get(), reinterpret_cast<sockaddr *>(&name), sizeof(name)) != 0)
		throw std::runtime_error(std::strerror(errno));
	return fd;
}

/// What can be read within the time; "" when there is nothing, or the end.
inline std::string receive(const Fd &fd, std::chrono::milliseconds longest = 30s)
{
	pollfd watched{fd.get(), POLLIN, 0};
	std::string text(256u << 10, '\0');
	if (::poll(&watched, 1, static_cast<int>(longest.count())) != 1)
		return "";
	const auto size = ::recv(fd.get(), text.data(), text.size(), 0);
	text.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
	return text;
}

/// RFC 6587: the messages of a stream; what is cut off at its end is "".
inline std::vector<std::string> frames_of(std::string_view stream)
{
	std::vector<std::string> frames;
	while (!stream.empty()) {
		const auto space = stream.find(' ');
		if (space == std::string_view::npos) {
			frames.emplace_back(); // cut in its length
			break;
		}
		const auto size = std::stoul(std::string(stream.substr(0, space)));
		stream.remove_prefix(space + 1);
		frames.emplace_back(stream.size() < size ? "" : stream.substr(0, size));
		stream.remove_prefix(std::min(size, stream.size()));
	}
	return frames;
}

/// A refusal whose process has this number, to tell them apart. With its newline.
inline std::string numbered(std::uint32_t pid)
{
	auto event = audit::refused_connect();
	event.pid = pid;
	return audit::line_of(event);
}

inline std::string read_file(const std::string &path)
{
	std::ostringstream text;
	text << std::ifstream(path).rdbuf();
	return text.str();
}

inline Address address_of(const std::string &text)
{
	auto address = parse_address(text);
	if (!address)
		throw std::runtime_error(address.error().message);
	return *address;
}

} // namespace weir::sinks
