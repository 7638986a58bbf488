// SPDX-License-Identifier: Apache-2.0
// What the scenarios' tests share: hosts that keep to policies as shipped, each with its edge; the rows let through
// the software that they are for, and what stands beside a row is refused. What was shown goes into the table of
// docs/scenarios.md (scripts/scenarios-table), by the file that WEIR_ROWS_TABLE names.
#pragma once

#include "tests/lab/edge_test.h"
#include "tests/support/services.h"

#include <functional>

namespace weir::test {

/// Something that no row admits. It gets through without a policy, or its refusal would prove nothing.
struct Beside {
	std::string row; ///< id of the row that it stands beside
	std::string what; ///< for the table: "TCP/50052 of the researcher"
	std::function<Outcome()> attempt;
};

class LabTestOfScenario : public LabTestWithEdge {
protected:
	/// A host that can be held: the name of weir's instance there, and where it is.
	struct Host {
		std::string name;
		int netns;
	};

	static void SetUpTestSuite()
	{
		begin();
		make_certificate(lab().directory());
	}
	void TearDown() override;

	static Host node() { return {"node", lab().node()}; }
	static Host the_researcher() { return {"researcher", lab().researcher()}; }
	/// `lines`: of a site file, from `scenario = …` on. Policies are those that ship with weir.
	void in_force(const Host &, const std::string &lines);
	static Finished weir_at(const Host &, const std::vector<std::string> &words);
	static Program daemon_at(const Host &); ///< weir run

	/// The scenario that allowed() and refused() speak of.
	void scenario(const std::string &name) { scenario_ = name; }
	/// A row lets through what it is for. `problem`: "" when it did.
	void allowed(const std::string &row, const std::string &software, const std::string &problem);
	/// Before there is a policy.
	static void expect_open(const std::vector<Beside> &);
	/// Under the policy: it is stopped, and a host that is held has counted it as refused.
	void expect_refused(const std::vector<Beside> &);
	/// As one of expect_refused(), when the test has seen for itself that it was stopped.
	void refused(const std::string &row, const std::string &what) { note(row, "refused", what); }

	static std::string cgroup_line(const std::string &component, const std::string &name)
	{
		return component + " = \"" + lab().cgroup(name) + "\"\n";
	}

private:
	static std::vector<std::string> command_at(const Host &, const std::vector<std::string> &words);
	std::uint64_t refusals() const; ///< of all hosts that are held
	void note(const std::string &row, const std::string &kind, const std::string &what);
	std::string scenario_;
	std::vector<Host> held_;
	std::string notes_; ///< JSON lines, written when the test has passed
};

} // namespace weir::test
