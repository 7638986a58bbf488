// SPDX-License-Identifier: Apache-2.0
// The page. No script, no font, no picture from anywhere: it says the same in ten years. Everything out of a record goes
// through escaped(), as a process calls itself what it likes.
#include "report/report.h"

#include "report/page_text.h"
#include "report/plots.h"
#include "report/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <tuple>
#include <vector>

namespace weir::report {
namespace {

constexpr std::size_t most_shown = 25; ///< of peers, of processes; the JSON has all
constexpr std::size_t most_notes = 500;

enum class Kind : std::uint8_t { text, number, word }; ///< words are not broken, but on a telephone

struct Column {
	const char *name;
	Kind kind = Kind::text;
};

/// The text of a cell, which is HTML.
using Cells = std::vector<std::string>;

class Page {
public:
	explicit Page(const Report &report) : report_(report) {}
	std::string make()
	{
		head();
		summary();
		integrity();
		coverage();
		policies();
		matrix();
		violations();
		windows();
		notes("alarms", "Alarms", report_.alarms, "Nothing was found that is not as it should be.");
		notes("changes", "Changes", report_.changes, "No change is recorded in this time.");
		signature();
		out_ += "</main>\n</body>\n</html>\n";
		return std::move(out_);
	}

private:
	template <typename... Values>
	void put(fmt::format_string<Values...> format, Values &&...values)
	{
		fmt::format_to(std::back_inserter(out_), format, std::forward<Values>(values)...);
	}
	void section(const char *id, const char *title)
	{
		put("<section id=\"{0}\" aria-labelledby=\"{0}-title\">\n<h2 id=\"{0}-title\">{1}</h2>\n", id, title);
	}
	void end_section() { out_ += "</section>\n"; }

	void head()
	{
		put("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n"
		    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
		    "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
		    "'unsafe-inline'\"/>\n"
		    "<title>weir: {} {} to {}</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n",
		    joined(report_.hosts), utc(report_.since), utc(report_.until), style);
		put("<header>\n<p class=\"kind\">Report of network enforcement</p>\n<h1>{}</h1>\n"
		    "<p>{} to {}, all times in UTC</p>\n</header>\n",
		    report_.hosts.empty() ? "(no host in the records)" : joined(report_.hosts), utc(report_.since),
		    utc(report_.until));
	}

	void card(const std::string &value, const char *name, const char *tone = "")
	{
		put("<div class=\"card {}\"><b>{}</b><span>{}</span></div>\n", tone, value, name);
	}

	void summary()
	{
		out_ += "<div class=\"cards\">\n";
		card(grouped(report_.refused), "attempts refused");
		if (report_.observed != 0)
			card(grouped(report_.observed), "only observed, not refused", "warn");
		if (report_.unknown != 0)
			card(grouped(report_.unknown), "refused or observed", "warn");
		card(grouped(report_.windows.size()), "windows");
		card(grouped(report_.alarms.size()), "alarms", report_.alarms.empty() ? "good" : "bad");
		card(grouped(report_.gaps.size()), "gaps in coverage", report_.gaps.empty() ? "good" : "warn");
		switch (report_.integrity.state) {
		case Integrity::State::good:
			card("intact", "record", "good");
			break;
		case Integrity::State::own_key:
			card("intact, by its own key", "record", "warn");
			break;
		case Integrity::State::bad:
			card("not intact", "record", "bad");
			break;
		case Integrity::State::not_checked:
			card("not proved", "record", "warn");
		}
		out_ += "</div>\n";
		out_ += "<dl>\n";
		put("<dt>Instance</dt><dd>{}</dd>\n", escaped(report_.instance));
		put("<dt>Records</dt><dd>{}, from {} to {}{}</dd>\n", grouped(report_.records), utc(report_.first),
		    utc(report_.last),
		    report_.foreign == 0 ? ""
					 : fmt::format("; {} lines are no records of weir", grouped(report_.foreign)));
		put("<dt>Read from</dt><dd>{}</dd>\n", joined(report_.sources));
		put("<dt>Made</dt><dd>{} by weir {}</dd>\n</dl>\n", utc(report_.made), escaped(report_.version));
	}

	void integrity()
	{
		section("integrity", "Integrity of the record");
		const auto &integrity = report_.integrity;
		const bool good = integrity.state == Integrity::State::good;
		put("<p class=\"verdict {}\">{}</p>\n",
		    good                                       ? "good"
		    : integrity.state == Integrity::State::bad ? "bad"
							       : "warn",
		    escaped(integrity.text));
		if (!integrity.findings.empty()) {
			out_ += "<ul>\n";
			for (const auto &finding : integrity.findings)
				put("<li>{}</li>\n", escaped(finding));
			out_ += "</ul>\n";
		}
		if (!integrity.fingerprint.empty()) {
			put("<dl>\n<dt>Fingerprint of the first key</dt><dd><code>{}</code></dd>\n",
			    escaped(integrity.fingerprint));
			if (!integrity.checkpoint.empty())
				put("<dt>Last checkpoint</dt><dd>{}<br/><code>{}</code></dd>\n",
				    escaped(integrity.checkpoint_at), escaped(integrity.checkpoint));
			put("<dt>Verified</dt><dd>{} records, {} checkpoints{}</dd>\n</dl>\n",
			    grouped(integrity.records), grouped(integrity.checkpoints),
			    integrity.after == 0 ? ""
						 : fmt::format("; the last {} records are not signed yet",
							       grouped(integrity.after)));
		}
		accounts();
		end_section();
	}

	/// Where every refusal of this time went, and every packet that a window admitted.
	void accounts()
	{
		if (report_.accounts.empty())
			return;
		std::vector<Cells> rows;
		const auto add = [&rows](const std::string &gate, const char *what, const Account &sums) {
			rows.push_back({escaped(gate), what, grouped(sums.judged), grouped(sums.recorded),
					grouped(sums.lost), grouped(sums.discarded + sums.missing),
					grouped(static_cast<std::uint64_t>(sums.waiting))});
		};
		for (const auto &[gate, sums] : report_.accounts)
			add(gate, "refusals", sums);
		for (const auto &[gate, sums] : report_.admitted)
			add(gate, "packets under windows", sums);
		out_ += "<h3>Every refusal accounted for, and all that windows admitted</h3>\n<p>As the checkpoints "
			"of this time state it: what the kernel counted, and what became of it. Lost: refused all the "
			"same, without a record, as the kernel's buffer was full. Missing: went with a recorder that "
			"was killed.</p>\n";
		table({{"Gate", Kind::word},
		       {"What", Kind::word},
		       {"Counted", Kind::number},
		       {"In records", Kind::number},
		       {"Lost", Kind::number},
		       {"Missing", Kind::number},
		       {"Still waiting", Kind::number}},
		      rows);
	}

	static const char *class_of(const Column &column)
	{
		return column.kind == Kind::number ? " class=\"n\"" : column.kind == Kind::word ? " class=\"w\"" : "";
	}

	/// The first cell of a row is its header.
	void table(const std::vector<Column> &columns, const std::vector<Cells> &rows,
		   const std::function<bool(std::size_t)> &is_dim = {})
	{
		out_ += "<table>\n<thead><tr>";
		for (const auto &column : columns)
			put("<th scope=\"col\"{}>{}</th>", class_of(column), column.name);
		out_ += "</tr></thead>\n<tbody>\n";
		for (std::size_t row = 0; row < rows.size(); row++) {
			put("<tr{}>", is_dim && is_dim(row) ? " class=\"dim\"" : "");
			for (std::size_t i = 0; i < rows[row].size(); i++)
				put("<{0}{1} data-name=\"{2}\">{3}{4}{5}</{6}>", i == 0 ? "th scope=\"row\"" : "td",
				    class_of(columns.at(i)), columns[i].name, rows[row][i].empty() ? "" : "<div>",
				    rows[row][i], rows[row][i].empty() ? "" : "</div>", i == 0 ? "th" : "td");
			out_ += "</tr>\n";
		}
		out_ += "</tbody></table>\n";
	}
	void none(const char *text) { put("<p class=\"none\">{}</p>\n", text); }

	void coverage()
	{
		section("coverage", "Coverage and its gaps");
		out_ += coverage_plot(report_);
		if (report_.gaps.empty())
			none("No gap is recorded: the recorder ran, lost nothing, and a policy was in force.");
		std::vector<Cells> rows;
		for (std::size_t i = 0; i < std::min(report_.gaps.size(), most_notes); i++) {
			const auto &gap = report_.gaps[i];
			rows.push_back({when(gap.from),
					gap.to == 0          ? "no end is recorded"
					: gap.to == gap.from ? "a moment"
							     : when(gap.to),
					gap.to == 0 ? "" : lasting(gap.to - gap.from), escaped(gap.kind),
					escaped(gap.text)});
		}
		if (!rows.empty())
			table({{"From", Kind::word},
			       {"To", Kind::word},
			       {"Lasted", Kind::number},
			       {"What", Kind::word},
			       {"In words"}},
			      rows);
		more(report_.gaps.size());
		out_ += "<p class=\"none\">While no recorder runs the policy holds: refusals wait in the kernel or are "
			"counted, "
			"and what had no room is in the sums above.</p>\n";
		end_section();
	}
	void more(std::size_t all)
	{
		if (all > most_notes)
			put("<p>{} more are in the JSON form of this report.</p>\n", all - most_notes);
	}

	void policies()
	{
		section("policies", "Policies in force");
		if (report_.policies.empty())
			none("No record of this time names a policy.");
		std::vector<Cells> rows;
		rows.reserve(report_.policies.size());
		for (const auto &each : report_.policies)
			rows.push_back(
				{when(each.first), each.last == 0 ? "in force" : when(each.last),
				 escaped(each.generation), fmt::format("<code>{}</code>", escaped(each.digest)),
				 std::string(each.from_change ? "the change" : "refusals by it, first and last") +
					 (each.observe ? "; it only observes" : "")});
		if (!rows.empty())
			table({{"From", Kind::word},
			       {"To", Kind::word},
			       {"Generation", Kind::number},
			       {"Digest"},
			       {"Known by"}},
			      rows);
		end_section();
	}

	void matrix()
	{
		section("matrix", "Matrix, and what was used of it");
		if (report_.rows.empty())
			none("Absent: the policy in force could not be read from the kernel where this report was "
			     "made, for "
			     "which it takes root on the host itself.");
		else
			put("<p>As the kernel holds it when this was made, digest <code>{}</code>. Decided: how often "
			    "the row did since that policy was published; before: under policies that were replaced in "
			    "this "
			    "time. What is allowed is counted, and recorded only under windows.</p>\n",
			    escaped(report_.rows_digest));
		std::vector<Cells> rows;
		rows.reserve(report_.rows.size());
		auto before = report_.used_before;
		for (const auto &row : report_.rows) {
			const auto used = before.find(row.id);
			rows.push_back({row.window.empty() ? escaped(row.id)
							   : escaped(row.id + " (window " + row.window + ")"),
					escaped(row.dir), escaped(row.source), escaped(row.destination),
					escaped(row.port), escaped(row.service), escaped(row.place), grouped(row.used),
					grouped(used == before.end() ? 0 : used->second.count)});
			before.erase(row.id);
		}
		if (!rows.empty())
			table({{"Row"},
			       {"Dir", Kind::word},
			       {"Source"},
			       {"Destination"},
			       {"Port", Kind::word},
			       {"Service"},
			       {"Where"},
			       {"Decided", Kind::number},
			       {"Before", Kind::number}},
			      rows, [&](std::size_t i) { return rows[i][7] == "0" && rows[i][8] == "0"; });
		rows.clear();
		rows.reserve(before.size());
		for (const auto &[row, use] : before)
			rows.push_back({escaped(row), escaped(use.window), grouped(use.count)});
		if (!rows.empty()) {
			put("<h3>{}</h3>\n<p>Out of the records of changes: how often rows decided until the policy "
			    "that had "
			    "them was replaced.</p>\n",
			    report_.rows.empty() ? "Rows of policies that were replaced"
						 : "Rows that are not in force any more");
			table({{"Row"}, {"Window", Kind::word}, {"Decided", Kind::number}}, rows);
		}
		end_section();
	}

	/// `of`: which of a tally's refusals; nothing is said of those that have none.
	void tallies(const char *title, const char *name, const char *details, const std::map<std::string, Tally> &all,
		     const std::function<std::uint64_t(const Tally &)> &of = &Tally::all, const char *only = "")
	{
		std::vector<std::tuple<std::uint64_t, std::string, const Tally *>> sorted;
		for (const auto &[key, tally] : all)
			if (const auto count = of(tally); count != 0)
				sorted.emplace_back(count, key, &tally);
		if (sorted.empty())
			return;
		std::ranges::stable_sort(sorted, std::greater(), [](const auto &each) { return std::get<0>(each); });
		const auto most = std::get<0>(sorted.front());
		put("<h3>{}</h3>\n", title);
		std::uint64_t rest = 0;
		std::vector<Cells> rows;
		for (std::size_t i = 0; i < sorted.size(); i++) {
			const auto &[count, key, tally] = sorted[i];
			if (i >= most_shown) {
				rest += count;
				continue;
			}
			auto said = tally->details;
			std::erase_if(said, [&](const std::string &each) { return !each.ends_with(only); });
			rows.push_back(
				{escaped(key),
				 fmt::format("{}<span class=\"bar\"><span style=\"width:{:.1f}%\"></span></span>",
					     grouped(count),
					     100.0 * static_cast<double>(count) / static_cast<double>(most)),
				 when(tally->first), when(tally->last), joined(said)});
		}
		if (rest != 0)
			rows.push_back({fmt::format("{} more", sorted.size() - most_shown), grouped(rest), "", "",
					"in the JSON form of this report"});
		const auto kind = std::string_view(name) == "Process" ? Kind::text : Kind::word;
		table({{name, kind}, {"Number", Kind::number}, {"First", Kind::word}, {"Last", Kind::word}, {details}},
		      rows);
	}

	void violations()
	{
		section("violations", "Violations");
		if (report_.reasons.empty()) {
			none("Nothing was refused, as far as the records say.");
		} else {
			out_ += refusals_plot(report_, true);
			out_ += refusals_plot(report_, false);
			tallies("By reason", "Reason", "In words", report_.reasons);
			tallies("By peer that this host tried to reach", "Peer", "Services", report_.peers, &Tally::out,
				" out");
			tallies(
				"By peer that tried to reach this host", "Peer", "Services", report_.peers,
				[](const Tally &tally) { return tally.all() - tally.out; }, " in");
			tallies("By process", "Process", "Executables", report_.processes);
		}
		end_section();
	}

	void windows()
	{
		section("windows", "Windows");
		if (report_.windows.empty())
			none("No window was open.");
		std::vector<Cells> rows;
		rows.reserve(report_.windows.size());
		for (const auto &each : report_.windows) {
			const auto end =
				each.end.empty() ? "no end is recorded; until " + utc(each.until)
				: each.end == "expired"
					? "its time was over"
					: "closed by " + each.closed_by +
						  (each.closed_reason.empty() ? "" : ": " + each.closed_reason);
			rows.push_back({escaped(each.name), when(each.opened), when(each.ended),
					escaped(each.opened_by), escaped(each.opened_reason), escaped(end),
					each.decided ? grouped(*each.decided) : "not known", grouped(each.cut)});
		}
		if (!rows.empty()) {
			table({{"Window", Kind::word},
			       {"Opened", Kind::word},
			       {"Ended", Kind::word},
			       {"By"},
			       {"Why"},
			       {"How it ended"},
			       {"Decided", Kind::number},
			       {"Cut", Kind::number}},
			      rows);
			out_ += "<p>Decided: how often the window's rows admitted something since their policy was "
				"published. Cut: connections that lived by it when its time was over. Connections have "
				"their "
				"packets both ways; what passes packet gate and edge is counted by each.</p>\n";
		}
		for (const auto &each : report_.windows) {
			put("<h3>Connections under {}, opened {}</h3>\n", escaped(each.name), utc(each.opened));
			if (each.connections.empty())
				none("None is recorded.");
			connections(each.connections);
		}
		if (!report_.unnamed.empty()) {
			out_ += "<h3>Connections under windows that are not known</h3>\n<p>The policy that had the "
				"row was gone before its name was read, or no record tells of the opening.</p>\n";
			connections(report_.unnamed);
		}
		end_section();
	}

	/// The most packets first. Answers that come in at the edge are of no process: they stand with the only one that there is.
	void connections(const Connections &all)
	{
		std::vector<std::pair<Connection, Passed>> sorted(all.begin(), all.end());
		std::ranges::stable_sort(sorted, std::greater(), [](const auto &each) { return each.second.packets; });
		std::vector<Cells> rows;
		for (std::size_t i = 0; i < std::min(sorted.size(), most_shown); i++) {
			const auto &[key, passed] = sorted[i];
			rows.push_back({escaped(key.peer.empty() ? "(no address)" : key.peer), escaped(key.service),
					key.process.empty() ? "not known here" : escaped(key.process),
					escaped(key.user), escaped(key.row), escaped(key.gate), grouped(passed.packets),
					when(passed.first), when(passed.last)});
		}
		if (rows.empty())
			return;
		table({{"Peer"},
		       {"Service", Kind::word},
		       {"Process"},
		       {"User", Kind::word},
		       {"Row"},
		       {"Gate", Kind::word},
		       {"Packets", Kind::number},
		       {"First", Kind::word},
		       {"Last", Kind::word}},
		      rows);
		if (sorted.size() > most_shown)
			put("<p>And {} more, in the JSON form of this report.</p>\n",
			    grouped(sorted.size() - most_shown));
	}

	void notes(const char *id, const char *title, const std::vector<Note> &all, const char *nothing)
	{
		section(id, title);
		if (all.empty()) {
			none(nothing);
			end_section();
			return;
		}
		std::vector<Cells> rows;
		for (std::size_t i = 0; i < std::min(all.size(), most_notes); i++) {
			const auto &note = all[i];
			auto words = escaped(note.text);
			if (!note.by.empty() && note.text.find(note.by) == std::string::npos)
				words += "<br/>by " + escaped(note.by);
			for (const auto &line : note.opened)
				words += "<br/><ins>+ " + escaped(line) + "</ins>";
			for (const auto &line : note.closed)
				words += "<br/><del>− " + escaped(line) + "</del>";
			rows.push_back({when(note.time), escaped(note.kind), std::move(words)});
		}
		table({{"When", Kind::word}, {"What", Kind::word}, {"In words"}}, rows);
		more(all.size());
		end_section();
	}

	void signature()
	{
		out_ += "<section class=\"signature\" aria-labelledby=\"reviewed\">\n<h2 "
			"id=\"reviewed\">Reviewed</h2>\n"
			"<p class=\"stated\">I have read this report, and compared the fingerprint of the first key "
			"and the last "
			"checkpoint with those that are kept elsewhere.</p>\n"
			"<p><span>Name</span><span>Date</span><span>Signature</span></p>\n</section>\n";
	}

	const Report &report_;
	std::string out_;
};

} // namespace

std::string html(const Report &report)
{
	return Page(report).make();
}

} // namespace weir::report
