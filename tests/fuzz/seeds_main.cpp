// SPDX-License-Identifier: Apache-2.0
// seeds DIRECTORY: the frames that the fuzzer begins with, one a file. The first byte says the circumstances, see
// frame_fuzzer.cpp.
#include "tests/support/seeds.h"

#include <fstream>
#include <iostream>

int main(int count, char **arguments)
{
	using namespace weir::test;
	if (count != 2) {
		std::cerr << "usage: seeds DIRECTORY\n";
		return 1;
	}
	int number = 0;
	const auto write = [&](std::uint8_t circumstances, const Bytes &frame) {
		const Bytes bytes = Bytes{circumstances} + frame;
		std::ofstream file(arguments[1] + ("/" + std::to_string(number++)), std::ios::binary);
		file.write(reinterpret_cast<const char *>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
		if (!file.flush()) {
			std::cerr << "seeds: cannot write into " << arguments[1] << "\n";
			std::exit(1);
		}
	};
	for (const Path &path : {Path{"192.0.2.10", "192.0.2.2"}, Path{"2001:db8::10", "2001:db8::2"}})
		for (const std::uint8_t way : {std::uint8_t{0}, std::uint8_t{1}}) {
			for (const auto &frame : seed_frames(path))
				write(way, frame);
			for (const auto &packet : seed_packets(path))
				write(way | 2, packet);
		}
	return 0;
}
