// SPDX-License-Identifier: Apache-2.0
// A flood as fast as the processors go: no wire brings a million frames a second here, so the edge gate's own programs, as
// they are attached, are run on frames (BPF_PROG_TEST_RUN), while a recorder takes their counts away.
#include "tests/lab/journal_test.h"

#include <bpf/bpf.h>

#include <set>
#include <thread>

namespace weir::test {
namespace {

class EdgeRate : public Journal {
protected:
	/// The pinned program that judges what comes in by the uplink.
	static Fd program_in()
	{
		const auto programs = lab().bpffs() + "/weir/" + lab().instance + "/programs";
		for (const auto &each : std::filesystem::directory_iterator(programs))
			if (each.path().string().ends_with("@in"))
				return Fd(bpf_obj_get(each.path().c_str()));
		return {};
	}
	/// Refused frames of one forged source after the other, for so long; gives their number.
	static std::uint64_t flood_of_frames(int program, std::uint8_t from, std::chrono::milliseconds time)
	{
		constexpr int alike = 5000;
		std::uint64_t sent = 0;
		const auto end = std::chrono::steady_clock::now() + time;
		for (unsigned source = 0; std::chrono::steady_clock::now() < end; ++source) {
			const Path path{"198.18." + std::to_string(from) + "." + std::to_string(source % 256), node4};
			const auto frame = Bytes{2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0} +
					   ipv4(path, {}, tcp_segment(path, 40000, 22, tcp_syn));
			bpf_test_run_opts options{};
			options.sz = sizeof(options);
			options.data_in = frame.data();
			options.data_size_in = static_cast<__u32>(frame.size());
			options.repeat = alike;
			if (bpf_prog_test_run_opts(program, &options) != 0)
				raise("BPF_PROG_TEST_RUN");
			sent += alike;
		}
		return sent;
	}
};

TEST_F(EdgeRate, AFloodOfAMillionASecondIsAccountedForExactly)
{
	ASSERT_NO_FATAL_FAILURE(apply({}));
	Program daemon(lab().command({"--journal", directory_, "run", "--output", "/dev/null", "--user", "nobody"}), "",
		       {lab().node(), ""});
	ASSERT_TRUE(comes("journal_checkpoint"));
	const Fd program = program_in();
	ASSERT_TRUE(program);

	constexpr std::chrono::milliseconds time{4000};
	std::uint64_t sent[2]{};
	std::thread other([&] { sent[1] = flood_of_frames(program.get(), 1, time); });
	sent[0] = flood_of_frames(program.get(), 0, time);
	other.join();
	RecordProperty("refusals_per_second", static_cast<int>((sent[0] + sent[1]) * 1000 / time.count()));

	EXPECT_EQ(end(daemon).status, 0);
	EXPECT_EQ(counted().lost, 0U);
	EXPECT_GE(counted().refused, sent[0] + sent[1]);
	EXPECT_LT(counted().refused, sent[0] + sent[1] + 1000) << "beside what else came in";
	EXPECT_EQ(told() + stated("discarded") + static_cast<std::uint64_t>(waiting()), counted().refused);
	expect_the_kernels_numbers(*this);
	// Each source that was forged has a record.
	std::set<std::string> sources;
	each_line([&](std::string_view line) {
		if (const auto at = line.find(R"("source":{"ip":"198.18.)"); at != std::string_view::npos)
			sources.emplace(line.substr(at + 16, 12));
	});
	EXPECT_GE(sources.size(), 100U);
}

} // namespace
} // namespace weir::test
