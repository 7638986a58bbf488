// SPDX-License-Identifier: Apache-2.0
// weir-try ATTEMPT ADDRESS PORT: make one attempt and say what came of it. `weir-try list` names them all.
// weir-try watch SOURCE,... NETNS...: for every line on stdin, how many packets of the sources came in since.
#include "tests/support/attempts.h"
#include "tests/support/peers.h"

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fcntl.h>
#include <iostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

using namespace weir::test;

namespace {

/// 0: it got through; the rest as listed by --help.
int exit_status(Reach reach)
{
	switch (reach) {
	case Reach::refused:
		return 10;
	case Reach::timeout:
		return 11;
	case Reach::reset:
		return 12;
	case Reach::failed:
		return 1;
	case Reach::skipped:
		return 77;
	default:
		return 0;
	}
}

void list()
{
	for (const auto attempts : {socket_attempts(), raw_attempts(), other_attempts()})
		for (const Attempt &attempt : attempts)
			std::printf("%-26s IPv%d  %s\n", attempt.name, attempt.family, attempt.what);
}

/// The witness of the demo: sees what arrives at the other hosts, below their IP layer.
int watch(const std::string &sources, const std::vector<std::string> &namespaces)
{
	std::vector<Sniffer> sniffers;
	for (const std::string &path : namespaces) {
		const weir::Fd netns(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
		if (!netns)
			raise(path);
		sniffers.emplace_back(netns.get());
	}
	std::printf("ready\n");
	std::fflush(stdout);
	for (std::string line; std::getline(std::cin, line);) {
		std::this_thread::sleep_for(Millis(15)); // what is on its way
		std::size_t arrived = 0;
		for (const Sniffer &sniffer : sniffers)
			for (const Seen &seen : sniffer.take())
				arrived += ("," + sources + ",").find("," + seen.source + ",") != std::string::npos ? 1
														    : 0;
		std::printf("%zu\n", arrived);
		std::fflush(stdout);
	}
	return 0;
}

} // namespace

int main(int argc, char **argv)
{
	if (argc == 2 && std::string_view(argv[1]) == "list") {
		list();
		return 0;
	}
	if (argc >= 4 && std::string_view(argv[1]) == "watch") {
		try {
			return watch(argv[2], {argv + 3, argv + argc});
		} catch (const std::exception &error) {
			std::fprintf(stderr, "weir-try: %s\n", error.what());
			return 1;
		}
	}
	if (argc != 4) {
		std::fprintf(
			stderr,
			"usage: weir-try list | weir-try ATTEMPT ADDRESS PORT | weir-try watch SOURCE,... NETNS...\n"
			"exit: 0 got through, 10 refused, 11 time-out, 12 reset, 77 not in this kernel, 1 error\n");
		return 2;
	}
	const Attempt *attempt = find_attempt(argv[1]);
	if (attempt == nullptr) {
		std::fprintf(stderr, "weir-try: no attempt is called %s; `weir-try list` names them\n", argv[1]);
		return 2;
	}
	try {
		const Outcome outcome = attempt->run({argv[2], static_cast<std::uint16_t>(std::atoi(argv[3]))});
		std::printf("%s\n", outcome.text().c_str());
		return exit_status(outcome.reach);
	} catch (const std::exception &error) {
		std::fprintf(stderr, "weir-try: %s\n", error.what());
		return 1;
	}
}
