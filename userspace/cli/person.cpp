// SPDX-License-Identifier: Apache-2.0
#include "cli/person.h"

#include "cli/ssh_session.h"

#include <fmt/format.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <vector>

namespace weir::cli {
namespace {

std::string name_of(std::uint32_t uid)
{
	std::vector<char> buffer(16384);
	passwd entry{};
	passwd *found = nullptr;
	if (::getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr)
		return "";
	return found->pw_name;
}

std::optional<std::uint32_t> login_uid()
{
	std::ifstream file("/proc/self/loginuid");
	std::uint32_t uid = 0;
	if (!(file >> uid) || uid == std::numeric_limits<std::uint32_t>::max())
		return std::nullopt;
	return uid;
}

/// A name as useradd(8) makes them: what else a variable may hold has no place in a record.
bool is_name(const std::string &text)
{
	const auto is_good = [](char c) {
		return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
		       c == '.' || c == '-' || c == '@';
	};
	return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, is_good);
}

std::string variable(const char *name)
{
	const char *value = std::getenv(name);
	return value == nullptr ? "" : value;
}

std::string terminal()
{
	std::array<char, 64> path{};
	for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
		if (::ttyname_r(fd, path.data(), path.size()) == 0) {
			const std::string name = path.data();
			return name.starts_with("/dev/") ? name.substr(5) : name;
		}
	return "";
}

} // namespace

std::string text_of(const Person &person)
{
	const auto named = [](const std::string &name, std::uint32_t uid) {
		return name.empty() ? fmt::format("uid {}", uid) : name;
	};
	std::string text;
	if (person.login) {
		text = fmt::format("{} (login uid {})", named(person.login_name, *person.login), *person.login);
		if (*person.login != person.uid)
			text += ", as " + named(person.name, person.uid);
		if (!person.sudo_name.empty() && person.sudo_name != person.login_name)
			text += ", sudo says " + person.sudo_name;
	} else if (!person.sudo_name.empty()) {
		text = fmt::format("{} (says sudo), as {}", person.sudo_name, named(person.name, person.uid));
	} else {
		text = fmt::format("{} (uid {}, no login)", named(person.name, person.uid), person.uid);
	}
	if (!person.terminal.empty())
		text += ", on " + person.terminal;
	if (!person.ssh_peer.empty())
		text += ", by SSH from " + person.ssh_peer;
	return text;
}

Person this_person()
{
	Person person{.login = login_uid(), .uid = ::getuid()};
	if (person.login)
		person.login_name = name_of(*person.login);
	person.name = name_of(person.uid);
	if (auto said = variable("SUDO_USER"); is_name(said))
		person.sudo_name = std::move(said);
	person.terminal = terminal();
	if (const auto session = find_ssh_session("/proc", ::getpid(), variable("SSH_CONNECTION")))
		person.ssh_peer = session->connection.peer.text();
	return person;
}

} // namespace weir::cli
