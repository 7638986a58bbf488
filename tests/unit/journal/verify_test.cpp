// SPDX-License-Identifier: Apache-2.0
// Whatever somebody does to a journal before its last checkpoint is found; and nothing is found in one that is whole.
#include "journal.h"

#include <algorithm>
#include <random>
#include <span>

namespace weir::journal {
namespace {

class Verifying : public JournalTest {
protected:
	void SetUp() override
	{
		JournalTest::SetUp();
		fill(6, 8, 2); // three segments, of two checkpoints each
		for (const auto &each : segments())
			whole_.push_back(lines_of(read(each.path)));
	}
	[[nodiscard]] std::string path(std::size_t segment) const { return segments().at(segment).path; }

	void expect(Fault fault, const std::string &where = "") const
	{
		const auto all = verdict();
		ASSERT_FALSE(all.findings.empty());
		EXPECT_EQ(all.findings.front().fault, fault) << texts(all);
		const auto &first = all.findings.front();
		EXPECT_TRUE(where.empty() || where == first.file + ":" + std::to_string(first.line)) << texts(all);
	}

	std::vector<std::vector<std::string>> whole_;
};

TEST_F(Verifying, AnEditIsFound)
{
	auto lines = whole_[1];
	lines[3].replace(lines[3].find("packet"), 6, "PACKET");
	put(path(1), joined(lines));
	expect(Fault::edited, "0000000000000019.jsonl:5");
}

TEST_F(Verifying, ARemovalIsFound)
{
	auto lines = whole_[1];
	lines.erase(lines.begin() + 3);
	put(path(1), joined(lines));
	expect(Fault::missing, "0000000000000019.jsonl:4");
}

TEST_F(Verifying, ADoubleIsFound)
{
	auto lines = whole_[1];
	lines.insert(lines.begin() + 3, lines[3]);
	put(path(1), joined(lines));
	expect(Fault::misplaced);
}

TEST_F(Verifying, ALineOfNoJournalIsFound)
{
	auto lines = whole_[1];
	lines.insert(lines.begin() + 3, R"({"a":1})");
	put(path(1), joined(lines));
	expect(Fault::no_record, "0000000000000019.jsonl:4");
}

TEST_F(Verifying, AMissingSegmentIsFound)
{
	std::filesystem::remove(path(1));
	expect(Fault::missing);
	std::filesystem::remove(path(0));
	expect(Fault::missing);
}

TEST_F(Verifying, SwappedFilesAreFound)
{
	const auto first = read(path(0));
	put(path(0), read(path(2)));
	put(path(2), first);
	expect(Fault::misplaced, "0000000000000001.jsonl:1");
}

// Whoever has today's key can't write yesterday anew: with a chain that is right again, the signature isn't.
TEST_F(Verifying, AForgedCheckpointIsFound)
{
	const auto keys = make_keys();
	std::string text;
	Hash previous{};
	std::uint64_t sequence = 0;
	for (const auto &line : whole_[0]) {
		const auto link = *link_of(line);
		const auto object = line.substr(0, line.find(",\"journal\":")) + "}";
		previous = link.is_checkpoint
				   ? append_checkpoint(text, object, ++sequence, previous, link.next, keys.secret)
				   : append_record(text, object, ++sequence, previous);
	}
	put(path(0), text);
	expect(Fault::forged);
}

TEST_F(Verifying, OfTheTailTheHeadThatWasKeptTells)
{
	const auto head = parse_head(verdict().head);
	ASSERT_TRUE(head);
	EXPECT_TRUE(verdict({*head}).findings.empty());
	auto lines = whole_[2];
	lines.resize(9); // its last checkpoint is gone with what it covered
	put(path(2), joined(lines));
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
	const auto all = verdict({*head});
	ASSERT_EQ(all.findings.size(), 1U);
	EXPECT_EQ(all.findings.front().fault, Fault::truncated) << texts(all);
}

TEST_F(Verifying, AHeadOfAnotherJournalOrRecordIsFound)
{
	auto head = *parse_head(verdict().head);
	head.hash[0] ^= 1;
	EXPECT_EQ(verdict({head}).findings.front().fault, Fault::other_head);
	head = *parse_head(verdict().head);
	head.key = "0123456789abcdef";
	EXPECT_EQ(verdict({head}).findings.front().fault, Fault::other_head);
}

TEST_F(Verifying, AHeadThatIsNoneIsUsage)
{
	for (const auto *text :
	     {"", "weir-journal-head:1:", "weir-journal-head:2:0123456789abcdef:1:00",
	      "weir-journal-head:1:0123456789abcdef:x:00", "weir-journal-head:1:0123456789abcdef:12:zz"})
		EXPECT_EQ(parse_head(text).error().code, Exit::usage) << text;
}

TEST_F(Verifying, AnotherFirstKeyIsFound)
{
	const auto keys = make_keys();
	put(directory_ + "/first-key", hex(keys.open) + "\n");
	const auto all = verdict(); // by the auditor's own
	ASSERT_EQ(all.findings.size(), 1U);
	EXPECT_EQ(all.findings.front().fault, Fault::other_key);
	EXPECT_FALSE(verify({directory_, keys.open, {}})->findings.empty());
}

TEST_F(Verifying, ACompressedSegmentThatIsDamagedIsFound)
{
	{
		auto writer = open();
		while (writer.tidy(std::chrono::system_clock::now()).value())
			;
	}
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
	ASSERT_TRUE(segments()[1].compressed);
	auto bytes = read(path(1));
	bytes[bytes.size() / 2] ^= 0x10;
	put(path(1), bytes);
	EXPECT_FALSE(verdict().findings.empty());
	put(path(1), bytes.substr(0, bytes.size() / 2));
	expect(Fault::damaged);
}

TEST_F(Verifying, NumbersThatDoNotAddUpAreFound)
{
	auto writer = open();
	writer.append(record(1));
	ASSERT_TRUE(writer.checkpoint(checkpoint(2)));
	expect(Fault::sums);
}

/// Something that somebody might do to the lines; what it leaves is never what was.
std::vector<std::string> changed(std::vector<std::string> lines, std::mt19937 &random)
{
	const auto any = [&](std::size_t count) { return static_cast<std::ptrdiff_t>(random() % count); };
	const auto count = lines.size();
	const auto at = lines.begin() + any(count);
	switch (random() % 6) {
	case 0: { // one character
		char &c = (*at)[random() % at->size()];
		c = static_cast<char>(c ^ static_cast<char>(1 + random() % 127));
		return lines;
	}
	case 1:
		lines.erase(at);
		return lines;
	case 2:
		lines.insert(at, lines[static_cast<std::size_t>(any(count))]);
		return lines;
	case 3: {
		const auto other = lines.begin() + any(count);
		if (*other == *at)
			return changed(std::move(lines), random);
		std::iter_swap(at, other);
		return lines;
	}
	case 4: { // some bytes out of a line
		const auto from = random() % at->size();
		at->erase(from, 1 + random() % 40);
		return lines;
	}
	default: // a record's place in another one
		*at = lines[static_cast<std::size_t>(at - lines.begin() + 1) % count];
		return lines;
	}
}

TEST_F(Verifying, ThousandsOfChangesAreAllFound)
{
	std::mt19937 random(20261125);
	for (int round = 0; round < 3000; ++round) {
		const auto segment = random() % whole_.size();
		// The last checkpoint covers all before it, and its own line.
		const auto lines = changed(whole_[segment], random);
		if (lines == whole_[segment])
			continue;
		put(path(segment), joined(lines));
		const bool only_the_end_is_gone =
			segment + 1 == whole_.size() && lines.size() < whole_[segment].size() &&
			std::ranges::equal(lines, std::span(whole_[segment]).first(lines.size()));
		if (only_the_end_is_gone) {
			EXPECT_LT(verdict().covered, 54U);
		} else {
			ASSERT_FALSE(verdict().findings.empty()) << "round " << round << ":\n" << joined(lines);
		}
		put(path(segment), joined(whole_[segment]));
	}
	EXPECT_TRUE(verdict().findings.empty()) << texts(verdict());
}

// Nothing is found in what the writer wrote, however it was used.
TEST_F(Verifying, NothingIsInventedInHundredsOfJournals)
{
	std::mt19937 random(4711);
	for (int round = 0; round < 200; ++round) {
		std::filesystem::remove_all(directory_);
		key_ = initialize(directory_).value();
		Bounds bounds;
		bounds.segment_size = 500 + random() % 5000;
		bounds.kept_size = random() % 3 == 0 ? 2000 + random() % 3000 : 0;
		for (unsigned run = 0; run < 1 + random() % 3; ++run) {
			auto writer = open(bounds);
			for (unsigned step = 0; step < random() % 12; ++step) {
				write(writer, static_cast<unsigned>(random() % 9));
				if (writer.is_full()) {
					ASSERT_TRUE(writer.rotate());
				}
				if (random() % 2 == 0) {
					ASSERT_TRUE(writer.tidy(std::chrono::system_clock::now()));
				}
			}
			for (unsigned i = 0; i < random() % 3; ++i) // and then it is killed
				writer.append(record(writer.sequence() + 1));
			ASSERT_TRUE(writer.write_out());
		}
		const auto all = verdict();
		ASSERT_TRUE(all.findings.empty()) << "round " << round << ":\n" << texts(all);
	}
}

} // namespace
} // namespace weir::journal
