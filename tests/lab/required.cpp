// SPDX-License-Identifier: Apache-2.0
// Rows that need the journal: they are open while it is written, and close when it can't be, whatever the reason, for
// what goes on as for what is new; and open again by themselves.
#include "tests/lab/journal_test.h"

#include <fstream>

namespace weir::test {
namespace {

constexpr Millis patience(20000); ///< of a machine that has other things to do

class Required : public Journal {
protected:
	enum class Held { in_cgroup, at_the_edge };

	void SetUp() override { on_a_disk("2M"); }
	void TearDown() override
	{
		(void)LabTestWithEdge::at_node({"remove"});
		Journal::TearDown();
	}

	/// The researcher's gRPC needs the journal; another service of his does not.
	void apply(Held held)
	{
		SiteFile site = lab_site(lab(), {{.id = "free", .port = "TCP/443"}}, "required");
		std::string rows =
			matrix_text("required", {{.id = "grpc"},
						 {.id = "datagrams", .port = "UDP/5353"},
						 {.id = "free", .port = "TCP/443"},
						 {.id = "dns", .destination = "resolver", .port = "UDP/53"}});
		const std::string id = "id = \"grpc\"\n";
		rows.insert(rows.find(id) + id.size(), "journal = \"required\"\n");
		const std::string datagrams = "id = \"datagrams\"\n";
		rows.insert(rows.find(datagrams) + datagrams.size(), "journal = \"required\"\n");
		lab().write("required.toml", rows);
		if (held == Held::at_the_edge)
			site.cgroups.clear();
		applied_ = at_node({"--journal", directory_, "apply",
				    lab().write("required-site.toml",
						site.text() + (held == Held::at_the_edge ? "[edge]\n" : ""))});
		ASSERT_EQ(applied_.status, 0) << applied_.err << applied_.out;
	}
	[[nodiscard]] Program run_at_node() const
	{
		return Program(
			lab().command({"--journal", directory_, "run", "--output", "/dev/null", "--user", "nobody"}),
			"", {lab().node(), ""});
	}
	/// Of weir status.
	static nlohmann::json need()
	{
		return field(nlohmann::json::parse(at_node({"--json", "status"}).out), "journal");
	}
	static bool are_open() { return field(need(), "open") == true; }

	/// An established connection by the row, over which each "ping" is answered, or not.
	static Child stream()
	{
		Child child(lab().in_node(), [](Channel &channel) {
			const Fd fd(::socket(AF_INET, SOCK_STREAM, 0));
			channel.send(connect_stream(fd.get(), {researcher4, 50051}, 3000).text());
			while (channel.next()) {
				std::array<char, 4096> old{};
				while (::recv(fd.get(), old.data(), old.size(), MSG_DONTWAIT) > 0)
					;
				channel.send(echoes(fd.get()) ? "echo" : "silence");
			}
		});
		EXPECT_EQ(child.answer(), "connected");
		return child;
	}
	static void expect_closed(const Child &goes_on, const std::string &why)
	{
		ASSERT_TRUE(eventually([] { return !are_open(); }, patience));
		EXPECT_EQ(goes_on.ask("ping"), "silence") << "what was open before is closed, too";
		EXPECT_TRUE(is_stopped(tcp(lab().in_node(), researcher4, 50051)));
		EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 443), Reach::connected))
			<< "no other row is concerned";
		EXPECT_NE(need().dump().find(why), std::string::npos) << need();
		const Finished told = at_node({"explain", "--applied", "--component", "node", "--out", "tcp",
					       std::string(researcher4) + ":50051"});
		EXPECT_EQ(told.status, 4) << told.out << told.err;
		EXPECT_NE(told.out.find("needs the journal"), std::string::npos) << told.out;
	}
	static void expect_open(const Child &goes_on)
	{
		ASSERT_TRUE(eventually(are_open, patience)) << need();
		EXPECT_TRUE(is(tcp(lab().in_node(), researcher4, 50051), Reach::connected));
		// When TCP tries again is its own affair.
		EXPECT_TRUE(eventually([&] { return goes_on.ask("ping") == "echo"; }, patience));
	}
	void closes_on_a_full_disk(Held held);

	Finished applied_;
};

void Required::closes_on_a_full_disk(Held held)
{
	apply(held);
	EXPECT_NE(applied_.err.find("no weir run is there"), std::string::npos) << applied_.err;
	EXPECT_TRUE(is_stopped(tcp(lab().in_node(), researcher4, 50051))) << "there is no lease yet";
	auto daemon = run_at_node();
	ASSERT_TRUE(eventually(are_open, patience));
	const Child goes_on = stream();
	EXPECT_EQ(goes_on.ask("ping"), "echo");

	const std::string filler = lab().directory() + "/disk/filler";
	// Again and again: what was applied waited on this disk, too, and is given free when it is in the journal.
	ASSERT_TRUE(eventually(
		[&] {
			std::ofstream full(filler, std::ios::app);
			const std::string block(4096, 'x');
			while (full.write(block.data(), static_cast<std::streamsize>(block.size())).flush())
				;
			return !are_open();
		},
		patience));
	expect_closed(goes_on, "No space left on device");
	ASSERT_TRUE(std::filesystem::remove(filler));
	expect_open(goes_on);
	EXPECT_EQ(end(daemon).status, 0);
	expect_whole();
	EXPECT_EQ(with("rows_closed").size(), 1U);
	ASSERT_EQ(with("rows_opened").size(), 2U);
	EXPECT_GT(field(with("rows_opened")[1], "weir.journal.seconds").get<double>(), 0.0);
	std::size_t refused = 0;
	each_line(
		[&](std::string_view line) { refused += line.contains("\"reason\":\"journal_required\"") ? 1U : 0U; });
	EXPECT_GT(refused, 1U) << "the attempts themselves";
}

TEST_F(Required, ClosesOnAFullDisk)
{
	closes_on_a_full_disk(Held::in_cgroup);
}

TEST_F(Required, ClosesOnAFullDiskAtTheEdge)
{
	closes_on_a_full_disk(Held::at_the_edge);
}

TEST_F(Required, ClosesWhenTheDaemonIsKilled)
{
	apply(Held::in_cgroup);
	auto daemon = run_at_node();
	ASSERT_TRUE(eventually(are_open, patience));
	const Child goes_on = stream();
	// A socket that was connected while the row was open needs no other verdict of the socket gate.
	const Child datagrams(lab().in_node(), [](Channel &channel) {
		const Endpoint to(researcher6, 5353);
		const Fd fd(::socket(AF_INET6, SOCK_DGRAM, 0));
		channel.send(::connect(fd.get(), to.get(), to.size) == 0 ? "connected" : "failed");
		while (channel.next())
			channel.send(::send(fd.get(), "?", 1, 0) == 1 ? "sent" : "refused");
	});
	ASSERT_EQ(datagrams.answer(), "connected");
	EXPECT_EQ(datagrams.ask("send"), "sent");
	daemon.kill(SIGKILL);
	daemon.wait();
	expect_closed(goes_on, "no weir run is there");
	EXPECT_EQ(datagrams.ask("send"), "refused");
	auto another = run_at_node();
	expect_open(goes_on);
	EXPECT_EQ(end(another).status, 0);
	expect_whole();
}

TEST_F(Required, ClosesWhenTheDaemonIsStopped)
{
	apply(Held::at_the_edge);
	auto daemon = run_at_node();
	ASSERT_TRUE(eventually(are_open, patience));
	const Child goes_on = stream();
	daemon.kill(SIGSTOP);
	expect_closed(goes_on, "it is stopped");
	daemon.kill(SIGCONT);
	expect_open(goes_on);
	EXPECT_EQ(end(daemon).status, 0);
	expect_whole();
}

/// The file that is written would take more for ever: nobody would find it.
TEST_F(Required, ClosesWhenTheJournalIsPutAway)
{
	apply(Held::in_cgroup);
	auto daemon = run_at_node();
	ASSERT_TRUE(eventually(are_open, patience));
	const Child goes_on = stream();
	std::filesystem::rename(directory_, directory_ + ".away");
	expect_closed(goes_on, "No such file or directory");
	std::filesystem::rename(directory_ + ".away", directory_);
	expect_open(goes_on);
	// Away it stays until that was seen: a checkpoint may come first, and makes another.
	const auto put_away_and_seen = [&] {
		if (with("rows_closed").size() == 2)
			return true;
		std::error_code none;
		std::filesystem::rename(directory_ + "/key", directory_ + "/other", none);
		return false;
	};
	ASSERT_TRUE(eventually(put_away_and_seen, patience));
	expect_open(goes_on); // the record of it was signed, and so there is another key
	EXPECT_EQ(end(daemon).status, 0);
	expect_whole();
}

} // namespace
} // namespace weir::test
