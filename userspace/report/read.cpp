// SPDX-License-Identifier: Apache-2.0
#include "report/report.h"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <iostream>

namespace weir::report {

Result<> read_lines(const std::string &path, const TakeLine &take)
{
	std::ifstream file;
	if (path != "-") {
		file.open(path);
		if (!file)
			return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
	}
	auto &lines = path == "-" ? static_cast<std::istream &>(std::cin) : file;
	for (std::string line; std::getline(lines, line);)
		take(line);
	if (lines.bad())
		return fail(fmt::format("cannot read {}: {}", path, std::strerror(errno)));
	return {};
}

} // namespace weir::report
