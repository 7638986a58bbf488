// SPDX-License-Identifier: Apache-2.0
// What the tests of the edge share: weir in the namespace of the node, where its interfaces are, and a site with an
// edge.
#pragma once

#include "tests/lab/lab_test.h"

#include "tests/support/packets.h"

#include <algorithm>

namespace weir::test {

/// What a test wants of the policy besides the rows of lab_site().
struct EdgeSite {
	std::string scenario = "lab";
	std::vector<MatrixRow> rows{};
	std::map<std::string, std::vector<std::string>> names{};
	std::string edge{}; ///< lines of [edge]
	bool is_node_in_cgroup = true; ///< false: the node is held at the edge only
};

class LabTestWithEdge : public LabTest {
protected:
	void TearDown() override
	{
		const Finished done = at_node({"remove"});
		EXPECT_TRUE(done.status == 0 || done.status == 7) << done.err << done.out;
	}

	static Finished at_node(const std::vector<std::string> &words)
	{
		return execute(lab().command(words), "", {lab().node(), ""}, Millis(60000));
	}
	static void apply(const EdgeSite &site)
	{
		SiteFile file = lab_site(lab(), site.rows, site.scenario);
		file.names.insert(site.names.begin(), site.names.end());
		if (!site.is_node_in_cgroup)
			file.cgroups.clear();
		const Finished done = at_node(
			{"apply", lab().write(site.scenario + "-site.toml", file.text() + "[edge]\n" + site.edge)});
		ASSERT_EQ(done.status, 0) << done.err << done.out;
	}
	static nlohmann::json status() { return nlohmann::json::parse(at_node({"--json", "status"}).out); }
	/// One of the sums of status: "refused", "reported", ...
	static std::uint64_t sum(const std::string &what)
	{
		const auto value = field(status(), "events." + what);
		return value.is_number() ? value.get<std::uint64_t>() : 0;
	}

	/// A command of the shell in a host; the test fails when it does. Gives what it wrote.
	static std::string shell(int netns, const std::string &text)
	{
		const Finished done = execute({"sh", "-c", text}, "", {netns, ""});
		EXPECT_EQ(done.status, 0) << text << ":\n" << done.err;
		return done.out;
	}
	static bool try_shell(int netns, const std::string &text)
	{
		return execute({"sh", "-c", text}, "", {netns, ""}).status == 0;
	}
	static bool have(const std::string &program)
	{
		return execute({"sh", "-c", "command -v " + program}).status == 0;
	}
};

/// Does one of the frames have this text in it?
inline bool has_text(const std::vector<std::string> &frames, const std::string &text)
{
	return std::ranges::any_of(frames, [&](const auto &each) { return each.find(text) != std::string::npos; });
}

inline Bytes bytes_of(const std::string &text)
{
	return {text.begin(), text.end()};
}

inline bool is_emulated()
{
	return std::getenv("WEIR_TEST_EMULATED") != nullptr;
}

} // namespace weir::test
