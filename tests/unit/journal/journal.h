// SPDX-License-Identifier: Apache-2.0
// A journal in a directory of the test's own.
#pragma once

#include "journal/files.h"
#include "journal/verify.h"
#include "journal/writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace weir::journal {

class JournalTest : public testing::Test {
protected:
	void SetUp() override
	{
		// In memory, where there is: thousands of small files are written anew.
		const std::string memory = "/dev/shm/";
		std::string name = (::access(memory.c_str(), W_OK) == 0 ? memory : testing::TempDir()) +
				   "weir-journal-XXXXXX";
		ASSERT_NE(::mkdtemp(name.data()), nullptr);
		directory_ = name + "/journal";
		const auto key = initialize(directory_);
		ASSERT_TRUE(key) << key.error().message;
		key_ = *key;
	}
	void TearDown() override { std::filesystem::remove_all(std::filesystem::path(directory_).parent_path()); }

	static std::string record(std::uint64_t number)
	{
		return R"({"@timestamp":"2026-11-25T12:00:00.000000000Z","event":{"action":"packet"},"n":)" +
		       std::to_string(number) + "}";
	}
	static std::string checkpoint(std::uint64_t records)
	{
		return R"({"@timestamp":"2026-11-25T12:00:01.000000000Z","event":{"action":"journal_checkpoint"},"weir":)" +
		       std::string(R"({"checkpoint":{"records":)") + std::to_string(records) + "}}}";
	}
	Writer open(const Bounds &bounds = {}) const
	{
		auto writer = Writer::open(directory_, bounds);
		if (!writer)
			throw std::runtime_error(writer.error().message);
		return std::move(*writer);
	}
	static void write(Writer &writer, unsigned records)
	{
		const auto before = writer.since_checkpoint();
		for (unsigned i = 0; i < records; ++i)
			writer.append(record(writer.sequence() + 1));
		const auto done = writer.checkpoint(checkpoint(before + records));
		ASSERT_TRUE(done) << done.error().message;
	}
	/// So many checkpoints of so many records, and as many segments as `each` of them are one.
	void fill(unsigned checkpoints, unsigned records, unsigned each) const
	{
		auto writer = open();
		for (unsigned i = 0; i < checkpoints; ++i) {
			if (i > 0 && i % each == 0) {
				ASSERT_TRUE(writer.rotate());
			}
			write(writer, records);
		}
	}
	[[nodiscard]] Verdict verdict(std::vector<Head> heads = {}) const
	{
		const auto all = verify({directory_, key_, std::move(heads)});
		if (!all)
			throw std::runtime_error(all.error().message);
		return *all;
	}
	[[nodiscard]] std::vector<Segment> segments() const { return segments_of(directory_).value(); }

	static std::string read(const std::string &path)
	{
		std::ifstream in(path, std::ios::binary);
		return {std::istreambuf_iterator<char>(in), {}};
	}
	static void put(const std::string &path, const std::string &content)
	{
		std::ofstream(path, std::ios::binary | std::ios::trunc) << content;
	}
	static std::vector<std::string> lines_of(const std::string &text)
	{
		std::vector<std::string> lines;
		for (std::size_t at = 0; at < text.size();) {
			const auto end = text.find('\n', at);
			lines.push_back(text.substr(at, end - at));
			at = end == std::string::npos ? text.size() : end + 1;
		}
		return lines;
	}
	static std::string joined(const std::vector<std::string> &lines)
	{
		std::string text;
		for (const auto &line : lines)
			text += line + '\n';
		return text;
	}
	static std::string texts(const Verdict &verdict)
	{
		std::string all;
		for (const auto &each : verdict.findings)
			all += std::string(name_of(each.fault)) + " " + each.file + ":" + std::to_string(each.line) +
			       " " + each.text + "\n";
		return all;
	}

	std::string directory_;
	PublicKey key_{};
};

} // namespace weir::journal
