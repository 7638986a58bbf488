// SPDX-License-Identifier: Apache-2.0
// What weir writes is what its JSON Schema says, and the schema says something.
#include "samples.h"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <unistd.h>

namespace weir::formats {
namespace {

struct Validated {
	int status = -1;
	std::string said;
};

Validated validate(const std::vector<std::string> &lines, const std::string &options = "")
{
	std::string path = testing::TempDir() + "weir-schema-XXXXXX";
	::close(::mkstemp(path.data()));
	std::ofstream file(path);
	for (const auto &line : lines)
		file << line;
	file.close();
	std::string command = "/usr/bin/python3 " WEIR_SOURCE_DIR "/schemas/validate ";
	command += options + " " + path + " 2>&1";
	Validated result;
	std::FILE *output = ::popen(command.c_str(), "r");
	std::array<char, 4096> buffer;
	while (const auto size = std::fread(buffer.data(), 1, buffer.size(), output))
		result.said.append(buffer.data(), size);
	result.status = ::pclose(output);
	std::remove(path.c_str());
	return result;
}

TEST(Schema, EveryKindOfRecordIsValid)
{
	const auto result = validate(all_records(),
				     "--want weir.violation --want weir.loss --want weir.interface --want weir.window "
				     "--want weir.component --want weir.name --want weir.sink");
	EXPECT_EQ(result.status, 0) << result.said;
}

/// Each change on its own; all in one file, so that the interpreter starts once: each line has to be complained of.
TEST(Schema, WhatIsWrongIsFound)
{
	using Json = nlohmann::json;
	const auto good = Json::parse(audit::line_of(audit::refused_packet(), {.interface = "eth0"}));
	std::vector<std::string> lines;
	const auto add = [&](const Json &bad) { lines.push_back(bad.dump() + "\n"); };
	for (const char *needed : {"@timestamp", "event", "observer", "weir", "network"}) {
		auto bad = good;
		bad.erase(needed);
		add(bad);
	}
	const auto with = [&](const char *pointer, Json value) {
		auto bad = good;
		bad[Json::json_pointer(pointer)] = std::move(value);
		add(bad);
	};
	with("/more", 1);
	with("/weir/more", 1);
	with("/weir/reason", "because");
	with("/weir/gate", "");
	with("/destination/port", 65536);
	with("/destination/ip", "host.example");
	with("/@timestamp", "2026-11-24T12:03:04Z");
	with("/event/dataset", "weir.unknown");
	with("/user", Json{{"id", 0}});
	with("/process", Json::object());
	const auto result = validate(lines);
	EXPECT_NE(result.status, 0);
	for (std::size_t i = 1; i <= lines.size(); i++)
		EXPECT_NE(result.said.find(":" + std::to_string(i) + ": "), std::string::npos)
			<< lines[i - 1] << result.said;
}

} // namespace
} // namespace weir::formats
