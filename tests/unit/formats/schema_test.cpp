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
				     "--want weir.component --want weir.name --want weir.sink --want weir.policy "
				     "--want weir.integrity --want weir.journal --want weir.checkpoint");
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
	with("/weir/kernel_sequence", -1);
	with("/journal", Json{{"sequence", 1}});
	// Of what is in a journal only, too.
	const auto change = [&](const std::string &line, const char *pointer, Json value) {
		auto bad = Json::parse(line);
		bad[Json::json_pointer(pointer)] = std::move(value);
		add(bad);
	};
	change(policy_line("policy_apply", "1", "2"), "/weir/policy/verb", "edit");
	change(policy_line("policy_apply", "1", "2"), "/weir/policy/after/digest", "abc");
	change(policy_line("policy_apply", "1", "2"), "/weir/policy/by", Json{{"text", "erika"}});
	change(policy_line("policy_apply", "1", "2"), "/weir/policy", Json::object());
	change(integrity_line("not_as_published"), "/weir/integrity", Json::object());
	change(integrity_line("not_as_published"), "/event/action", "edited");
	change(journal_line("clock_set", false, "{}"), "/weir/journal/seconds", "3");
	change(checkpoint_line(), "/journal/signature", "00");
	change(checkpoint_line(), "/weir/checkpoint/gates/edge/waiting", -1);
	change(checkpoint_line(), "/weir/checkpoint/gates/wire", Json::object());
	change(checkpoint_line(), "/journal", Json{{"sequence", 9}, {"previous", std::string(64, '0')}});
	const auto result = validate(lines);
	EXPECT_NE(result.status, 0);
	for (std::size_t i = 1; i <= lines.size(); i++)
		EXPECT_NE(result.said.find(":" + std::to_string(i) + ": "), std::string::npos)
			<< lines[i - 1] << result.said;
}

} // namespace
} // namespace weir::formats
