// SPDX-License-Identifier: Apache-2.0
// What the lab's tests share: one lab and its servers for a suite, and the words to say what must not arrive.
#pragma once

#include "tests/support/attempts.h"
#include "tests/support/lab.h"
#include "tests/support/peers.h"

#include "bpf/abi.h"

#include <bpf/bpf.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace weir::test {

/// A matrix with the node's row, the resolver's, and whatever else a test wants; the site that goes with it.
inline SiteFile lab_site(Lab &lab, const std::vector<MatrixRow> &more = {}, const std::string &scenario = "lab")
{
	std::vector<MatrixRow> rows{{.id = "node-researcher"},
				    {.id = "dns", .destination = "resolver", .port = "UDP/53", .type = "host"}};
	rows.insert(rows.end(), more.begin(), more.end());
	lab.write(scenario + ".toml", matrix_text(scenario, rows));
	SiteFile site = lab.native_site();
	site.scenario = scenario;
	site.names["resolver"] = {resolver4, resolver6};
	return site;
}

/// Sniffers on all hosts but the node's.
class Witnesses {
public:
	explicit Witnesses(const Lab &lab)
	{
		sniffers_.emplace_back(lab.researcher());
		sniffers_.emplace_back(lab.intruder());
		sniffers_.emplace_back(lab.internet());
	}
	/// Forget what came, until nothing comes any more.
	void quiet() const
	{
		for (int calm = 0; calm < 2;) {
			std::this_thread::sleep_for(Millis(5));
			calm = take().empty() ? calm + 1 : 0;
		}
	}
	/// What the node sent since, waiting a little for it.
	[[nodiscard]] std::vector<Seen> arrived(Millis wait = Millis(15)) const
	{
		std::this_thread::sleep_for(wait);
		return take();
	}

private:
	[[nodiscard]] std::vector<Seen> take() const
	{
		std::vector<Seen> all;
		for (const auto &sniffer : sniffers_)
			for (const auto &seen : sniffer.take())
				if (seen.source == node4 || seen.source == node6 || seen.source.starts_with("fe80:"))
					all.push_back(seen);
		return all;
	}
	std::vector<Sniffer> sniffers_;
};

inline std::string listed(const std::vector<Seen> &packets)
{
	std::string text;
	for (const auto &packet : packets)
		text += packet.text() + "\n";
	return text;
}

class LabTest : public ::testing::Test {
protected:
	/// The hosts, with nothing on them.
	static void begin()
	{
		lab_ = std::make_unique<Lab>();
		witnesses_ = std::make_unique<Witnesses>(*lab_);
	}
	static void SetUpTestSuite()
	{
		begin();
		servers_.emplace_back(Spot{lab_->researcher(), ""}, std::vector<std::uint16_t>{50051, 443},
				      std::vector<std::uint16_t>{53, 443, 50051});
		servers_.emplace_back(Spot{lab_->internet(), ""}, std::vector<std::uint16_t>{50051, 443},
				      std::vector<std::uint16_t>{53, 443});
		servers_.emplace_back(Spot{lab_->intruder(), ""}, std::vector<std::uint16_t>{50051, 443},
				      std::vector<std::uint16_t>{53, 443});
	}
	static void TearDownTestSuite()
	{
		witnesses_.reset();
		servers_.clear();
		lab_.reset();
	}
	void TearDown() override { lab_->remove(); }

	static Lab &lab() { return *lab_; }
	static Witnesses &witnesses() { return *witnesses_; }
	static Spot researcher() { return {lab_->researcher(), ""}; }
	static Spot intruder() { return {lab_->intruder(), ""}; }
	static Spot internet() { return {lab_->internet(), ""}; }

	/// One attempt, somewhere, by a process of its own.
	static Outcome attempt(const Spot &spot, const std::string &name, const std::string &address,
			       std::uint16_t port)
	{
		const Attempt *found = find_attempt(name);
		if (found == nullptr)
			throw std::runtime_error("no attempt is called " + name);
		return attempt(spot, *found, {address, port});
	}
	static Outcome attempt(const Spot &spot, const Attempt &which, const Target &target)
	{
		const std::string text = run_at(spot, [&] {
			const Outcome outcome = which.run(target);
			return std::to_string(static_cast<int>(outcome.reach)) + " " + std::to_string(outcome.error) +
			       " " + outcome.note;
		});
		Outcome outcome;
		std::size_t at = 0;
		outcome.reach = static_cast<Reach>(std::stoi(text, &at));
		std::size_t more = 0;
		outcome.error = std::stoi(text.substr(at), &more);
		outcome.note = text.substr(std::min(text.size(), at + more + 1));
		return outcome;
	}
	/// tcp4 or tcp6, by the address.
	static Outcome tcp(const Spot &spot, const std::string &address, std::uint16_t port)
	{
		return attempt(spot, address.find(':') == std::string::npos ? "tcp4" : "tcp6", address, port);
	}

private:
	static inline std::unique_ptr<Lab> lab_;
	static inline std::vector<Server> servers_;
	static inline std::unique_ptr<Witnesses> witnesses_;
};

/// Takes away the tables in which the gates of cgroups count like refusals: each is reported by itself, or lost, until
/// `weir run` puts others there.
inline void take_tables(const Lab &lab)
{
	const std::string path = lab.bpffs() + "/weir/" + lab.instance + "/maps/merges";
	const Fd merges(::bpf_obj_get(path.c_str()));
	for (const __u32 slot : {WEIR_MERGE_ATTEMPTS, WEIR_MERGE_PROCESSES})
		if (!merges || ::bpf_map_delete_elem(merges.get(), &slot) != 0)
			raise("taking a table away");
}

/// How often a test that hopes to hit a bad moment tries: fewer times on an emulated processor (scripts/vm).
inline int rounds(int many)
{
	return std::getenv("WEIR_TEST_EMULATED") == nullptr ? many : 1 + many / 8;
}

inline ::testing::AssertionResult is(const Outcome &outcome, Reach reach)
{
	return outcome.reach == reach ? ::testing::AssertionSuccess()
				      : ::testing::AssertionFailure() << "it came to: " << outcome.text();
}
/// The sender was told no, or never got an answer.
inline ::testing::AssertionResult is_stopped(const Outcome &outcome)
{
	return outcome.is_stopped() ? ::testing::AssertionSuccess()
				    : ::testing::AssertionFailure() << "it came to: " << outcome.text();
}

/// A field of a record, whether its name is written with dots or as objects in objects.
inline nlohmann::json field(const nlohmann::json &record, const std::string &name)
{
	if (record.contains(name))
		return record.at(name);
	const auto dot = name.find('.');
	if (dot == std::string::npos || !record.contains(name.substr(0, dot)))
		return nullptr;
	return field(record.at(name.substr(0, dot)), name.substr(dot + 1));
}

} // namespace weir::test
