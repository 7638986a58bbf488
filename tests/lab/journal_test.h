// SPDX-License-Identifier: Apache-2.0
// What tests of the journal share: one of their own, and what stands in it.
#pragma once

#include "tests/lab/edge_test.h"

#include "journal/files.h"
#include "kernel/instance.h"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <sys/mount.h>
#include <unistd.h>

namespace weir::test {

inline constexpr std::array gates{"socket", "packet", "edge"};
inline constexpr unsigned recorder = 65534; ///< nobody, who writes the journal here

class Journal : public LabTestWithEdge {
protected:
	void SetUp() override
	{
		const auto place = lab().directory() + "/recorder";
		std::filesystem::remove_all(place);
		std::filesystem::create_directory(place);
		in_place(place);
	}
	void TearDown() override
	{
		::umount2((lab().directory() + "/disk").c_str(), MNT_DETACH);
		LabTest::TearDown();
	}

	/// The journal is made in a directory of the user that is to write it.
	void in_place(const std::string &place)
	{
		// To be passed by a user without rights.
		std::filesystem::permissions(lab().directory(), std::filesystem::perms(0711));
		place_ = place;
		if (::chown(place.c_str(), recorder, recorder) != 0)
			raise("chown");
		directory_ = place + "/journal";
		key_ = begun(directory_);
	}
	/// An empty journal; gives its key.
	static std::string begun(const std::string &directory)
	{
		const Finished done = lab().weir({"--json", "journal", "init", directory});
		if (done.status != 0)
			throw std::runtime_error("weir journal init: " + done.err);
		return nlohmann::json::parse(done.out).at("key");
	}
	/// A small disk of the test's own, with a journal.
	void on_a_disk(const std::string &size)
	{
		const std::string disk = lab().directory() + "/disk";
		std::filesystem::create_directory(disk);
		if (::mount("none", disk.c_str(), "tmpfs", 0, ("size=" + size).c_str()) != 0)
			raise("mounting tmpfs");
		in_place(disk);
	}
	[[nodiscard]] Program run(const std::vector<std::string> &more = {}) const
	{
		std::vector<std::string> words{
			"--journal", directory_, "run", "--output", lab().directory() + "/recorder/passed-on.jsonl",
			"--user",    "nobody"};
		words.insert(words.end(), more.begin(), more.end());
		return Program(lab().command(words));
	}
	/// What stands in the journal now: hundreds of thousands of lines after a flood, so only few are parsed.
	void each_line(const std::function<void(std::string_view)> &look) const
	{
		const auto segments = journal::segments_of(directory_).value();
		for (const auto &each : segments)
			(void)journal::read_lines(each, [&](std::string_view line, bool has_end) {
				if (has_end)
					look(line);
				return true;
			});
	}
	[[nodiscard]] std::vector<nlohmann::json> with(const std::string &action) const
	{
		std::vector<nlohmann::json> all;
		each_line([&](std::string_view line) {
			if (line.contains(R"("action":")" + action + "\""))
				all.push_back(nlohmann::json::parse(line));
		});
		return all;
	}
	[[nodiscard]] bool comes(const std::string &action, Millis wait = Millis(5000)) const
	{
		return eventually([&] { return !with(action).empty(); }, wait);
	}
	/// All lines, but of a flood a few hundred are as good as all; and there is one of each of these kinds.
	void expect_as_the_schema_says(const std::vector<const char *> &kinds) const
	{
		std::string lines;
		std::size_t refusals = 0;
		each_line([&](std::string_view line) {
			if (!line.contains(R"("dataset":"weir.violation")") || refusals++ < 300)
				lines.append(line).push_back('\n');
		});
		std::string command = "/usr/bin/python3 " WEIR_SOURCE_DIR "/schemas/validate";
		for (const char *kind : kinds)
			command += std::string(" --want weir.") + kind;
		EXPECT_EQ(std::system((command + " " + lab().write("lines.jsonl", lines)).c_str()), 0);
	}
	void expect_whole() const
	{
		const Finished done = lab().weir({"journal", "verify", directory_, "--key", key_});
		EXPECT_EQ(done.status, 0) << done.out << done.err;
	}
	/// Sum over all checkpoints and gates.
	[[nodiscard]] std::uint64_t stated(const std::string &what) const
	{
		std::uint64_t sum = 0;
		for (const auto &each : with("journal_checkpoint"))
			for (const auto *gate : gates)
				sum += field(each, std::string("weir.checkpoint.gates.") + gate + "." + what)
					       .get<std::uint64_t>();
		return sum;
	}
	/// Of the last checkpoint.
	[[nodiscard]] std::int64_t waiting() const
	{
		std::int64_t sum = 0;
		for (const auto *gate : gates)
			sum += field(with("journal_checkpoint").back(),
				     std::string("weir.checkpoint.gates.") + gate + ".waiting")
				       .get<std::int64_t>();
		return sum;
	}
	/// Refusals that the records tell of.
	[[nodiscard]] std::uint64_t told() const
	{
		std::uint64_t sum = 0;
		each_line([&](std::string_view line) {
			if (!line.contains(R"("dataset":"weir.violation")"))
				return;
			const nlohmann::json count = line.contains(R"("count":)")
							     ? field(nlohmann::json::parse(line), "weir.count")
							     : nlohmann::json(1);
			sum += count.get<std::uint64_t>();
		});
		return sum;
	}
	/// What the kernel has counted.
	static weir_counter counted()
	{
		weir_counter sum{};
		const auto counters = kernel::read_counters({lab().bpffs(), lab().instance}).value();
		for (std::size_t i = 0; i < counters.size(); ++i) {
			const auto &each = counters[i];
			if (!kernel::is_of_refusals(i))
				continue;
			sum.refused += each.refused;
			sum.reported += each.reported;
			sum.merged += each.merged;
			sum.summed += each.summed;
			sum.lost += each.lost;
		}
		return sum;
	}
	static void expect_the_kernels_numbers(const Journal &journal)
	{
		const auto now = counted();
		EXPECT_EQ(journal.stated("refused"), now.refused);
		EXPECT_EQ(journal.stated("lost"), now.lost);
		EXPECT_EQ(journal.stated("reported"), now.reported);
		EXPECT_EQ(journal.stated("recorded"), journal.told());
		EXPECT_EQ(journal.stated("recorded") + journal.stated("discarded") + journal.stated("missing") +
				  static_cast<std::uint64_t>(journal.waiting()),
			  now.reported + now.merged + now.summed);
		journal.expect_whole();
	}
	/// Refused datagrams, for so long and at least so many, to so many ports in turn; gives their number.
	static std::uint64_t flood(Millis time, std::uint64_t least = 1, unsigned ports = 1)
	{
		return std::stoull(run_at(
			lab().in_node(),
			[&] {
				const Fd fd(::socket(AF_INET, SOCK_DGRAM, 0));
				std::uint64_t refused = 0;
				const auto end = std::chrono::steady_clock::now() + time;
				while (refused < least || std::chrono::steady_clock::now() < end) {
					const Endpoint to(internet4, static_cast<std::uint16_t>(443 + refused % ports));
					refused += ::sendto(fd.get(), "x", 1, 0, to.get(), to.size) < 0 ? 1U : 0U;
				}
				return std::to_string(refused);
			},
			Millis(30000)));
	}
	static Finished end(Program &daemon)
	{
		daemon.kill(SIGTERM);
		return daemon.wait(Millis(30000));
	}

	std::string place_;
	std::string directory_;
	std::string key_;
};

} // namespace weir::test
