// SPDX-License-Identifier: Apache-2.0
// The page. No script, no font, no picture from anywhere: it says the same in ten years. Everything out of a record goes
// through escaped(), as a process calls itself what it likes.
#include "report/report.h"

#include "audit/events_view.h"
#include "audit/json.h"
#include "report/style.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace weir::report {
namespace {

constexpr std::size_t most_shown = 25; ///< of peers, of processes; the JSON has all
constexpr std::size_t most_notes = 500;

std::string escaped(std::string_view text)
{
	std::string out;
	for (const char c : audit::printable(text)) {
		switch (c) {
		case '&':
			out += "&amp;";
			break;
		case '<':
			out += "&lt;";
			break;
		case '>':
			out += "&gt;";
			break;
		case '"':
			out += "&quot;";
			break;
		case '\'':
			out += "&#39;";
			break;
		default:
			out += c;
		}
	}
	return out;
}

/// "2026-11-24 12:03:04": UTC, as the page says once.
std::string utc(std::int64_t time)
{
	if (time == 0)
		return "–";
	std::string text;
	audit::append_time(text, time);
	text[10] = ' ';
	return text.substr(0, 19);
}

/// 1 234 567, with spaces that don't break.
std::string grouped(std::uint64_t value)
{
	auto digits = std::to_string(value);
	for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
		digits.insert(static_cast<std::size_t>(at), "\u202f");
	return digits;
}

std::string joined(const std::set<std::string> &all)
{
	return escaped(fmt::format("{}", fmt::join(all, ", ")));
}

class Page {
public:
	explicit Page(const Report &report) : report_(report) {}
	std::string make()
	{
		head();
		summary();
		integrity();
		policies();
		matrix();
		violations();
		windows();
		notes("changes", "Changes", report_.changes, "No change is recorded in this time.");
		notes("alarms", "Alarms", report_.alarms, "Nothing was found that is not as it should be.");
		notes("gaps", "Gaps in coverage", report_.gaps,
		      "No loss and no gap is recorded. While no daemon ran, refusals waited in the kernel, or were "
		      "counted; "
		      "what had no room is in the next record of a loss.");
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
	void section(const char *id, const char *title) { put("<section id=\"{}\">\n<h2>{}</h2>\n", id, title); }
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
		const auto &integrity = report_.integrity;
		card(integrity.state == Integrity::State::good  ? "intact"
		     : integrity.state == Integrity::State::bad ? "not intact"
								: "not proved",
		     "record",
		     integrity.state == Integrity::State::good  ? "good"
		     : integrity.state == Integrity::State::bad ? "bad"
								: "warn");
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
		if (!integrity.fingerprint.empty())
			put("<dl><dt>Key</dt><dd><code>{}</code></dd>\n<dt>Checkpoint</dt><dd><code>{}</code></dd></"
			    "dl>\n",
			    escaped(integrity.fingerprint), escaped(integrity.checkpoint));
		if (!integrity.findings.empty()) {
			out_ += "<ul>\n";
			for (const auto &finding : integrity.findings)
				put("<li>{}</li>\n", escaped(finding));
			out_ += "</ul>\n";
		}
		end_section();
	}

	void begin_table(std::initializer_list<const char *> names)
	{
		out_ += "<div class=\"scroll\"><table>\n<thead><tr>";
		for (const auto *name : names) // a hash marks numbers
			put("<th scope=\"col\"{}>{}</th>", name[0] == '#' ? " class=\"n\"" : "",
			    name[0] == '#' ? name + 1 : name);
		out_ += "</tr></thead>\n<tbody>\n";
	}
	void end_table() { out_ += "</tbody></table></div>\n"; }
	void none(const char *text) { put("<p class=\"none\">{}</p>\n", text); }

	void policies()
	{
		section("policies", "Policies in force");
		if (report_.policies.empty())
			none("No record of this time names a policy.");
		else
			begin_table({"From", "To", "#Generation", "Digest", "Known by"});
		for (const auto &each : report_.policies)
			put("<tr><td>{}</td><td>{}</td><td "
			    "class=\"n\">{}</td><td><code>{}</code></td><td>{}</td></tr>\n",
			    utc(each.first), each.last == 0 ? "in force" : utc(each.last), escaped(each.generation),
			    escaped(each.digest), each.from_change ? "the change" : "refusals by it, first and last");
		if (!report_.policies.empty())
			end_table();
		end_section();
	}

	void matrix()
	{
		section("matrix", "Matrix, and what was used of it");
		if (report_.rows.empty()) {
			none("The policy in force could not be read from the kernel where this report was made.");
		} else {
			put("<p>As the kernel holds it when this was made, digest <code>{}</code>. Used: how often the "
			    "row "
			    "decided since that policy was published. What is allowed is counted, not recorded.</p>\n",
			    escaped(report_.rows_digest));
			begin_table({"Row", "Dir", "Source", "Destination", "Port", "Service", "Where", "#Used"});
			for (const auto &row : report_.rows)
				put("<tr{}><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</"
				    "td>"
				    "<td class=\"n\">{}</td></tr>\n",
				    row.used == 0 ? " class=\"dim\"" : "",
				    row.window.empty() ? escaped(row.id)
						       : escaped(row.id + " (window " + row.window + ")"),
				    escaped(row.dir), escaped(row.source), escaped(row.destination), escaped(row.port),
				    escaped(row.service), escaped(row.place), grouped(row.used));
			end_table();
		}
		end_section();
	}

	/// Bars, out on top of in; the scale has the maximum.
	void plot()
	{
		std::uint64_t most = 1;
		for (std::size_t i = 0; i < buckets; i++)
			most = std::max(most, report_.out[i] + report_.in[i]);
		const auto height = [&](std::uint64_t value) {
			return value == 0
				       ? 0.0
				       : std::max(1.0, 120.0 * static_cast<double>(value) / static_cast<double>(most));
		};
		put("<figure>\n<svg viewBox=\"0 -14 720 176\" role=\"img\" aria-label=\"Refusals over time\">\n"
		    "<line x1=\"0\" y1=\"130\" x2=\"720\" y2=\"130\"/>\n"
		    "<line class=\"grid\" x1=\"0\" y1=\"10\" x2=\"720\" y2=\"10\"/>\n"
		    "<text x=\"2\" y=\"4\">{}</text>\n",
		    grouped(most));
		for (std::size_t i = 0; i < buckets; i++) {
			const auto out = height(report_.out[i]), in = height(report_.in[i]);
			const auto x = 12.0 * static_cast<double>(i) + 1;
			if (in > 0)
				put("<rect class=\"in\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"{:.1f}\"/>\n",
				    x, 130 - in, in);
			if (out > 0)
				put("<rect class=\"out\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"10\" height=\"{:.1f}\"/>\n",
				    x, 130 - in - out, out);
		}
		put("<text x=\"0\" y=\"152\">{}</text>\n<text x=\"720\" y=\"152\" "
		    "text-anchor=\"end\">{}</text>\n</svg>\n",
		    utc(report_.since).substr(0, 16), utc(report_.until).substr(0, 16));
		const auto seconds = static_cast<double>(report_.until - report_.since) / 1e9 / buckets;
		put("<figcaption><i class=\"out\"></i> out <i class=\"in\"></i> in; a bar is {}</figcaption>\n"
		    "</figure>\n",
		    seconds < 120    ? fmt::format("{:.0f} s", seconds)
		    : seconds < 7200 ? fmt::format("{:.0f} min", seconds / 60)
				     : fmt::format("{:.1f} h", seconds / 3600));
	}

	void tallies(const char *title, const char *name, const char *details, const std::map<std::string, Tally> &all)
	{
		std::vector<std::pair<std::string, const Tally *>> sorted;
		sorted.reserve(all.size());
		for (const auto &[key, tally] : all)
			sorted.emplace_back(key, &tally);
		std::ranges::stable_sort(
			sorted, [](const auto &a, const auto &b) { return a.second->all() > b.second->all(); });
		const auto most = std::max<std::uint64_t>(sorted.empty() ? 1 : sorted[0].second->all(), 1);
		put("<h3>{}</h3>\n", title);
		begin_table({name, "#Number", "", "First", "Last", details});
		std::uint64_t rest = 0;
		for (std::size_t i = 0; i < sorted.size(); i++) {
			const auto &[key, tally] = sorted[i];
			if (i >= most_shown) {
				rest += tally->all();
				continue;
			}
			put("<tr><td>{}</td><td class=\"n\">{}</td><td class=\"bar\"><span "
			    "style=\"width:{:.1f}%\"></span>"
			    "</td><td>{}</td><td>{}</td><td>{}</td></tr>\n",
			    escaped(key), grouped(tally->all()),
			    100.0 * static_cast<double>(tally->all()) / static_cast<double>(most), utc(tally->first),
			    utc(tally->last), joined(tally->details));
		}
		if (rest != 0)
			put("<tr class=\"dim\"><td>{} more</td><td class=\"n\">{}</td><td colspan=\"4\"></td></tr>\n",
			    sorted.size() - most_shown, grouped(rest));
		end_table();
	}

	void violations()
	{
		section("violations", "Violations");
		if (report_.reasons.empty()) {
			none("Nothing was refused, as far as the records say.");
		} else {
			plot();
			tallies("By reason", "Reason", "In words", report_.reasons);
			tallies("By peer", "Peer", "Services", report_.peers);
			tallies("By process", "Process", "Executables", report_.processes);
		}
		end_section();
	}

	void windows()
	{
		section("windows", "Windows");
		if (report_.windows.empty()) {
			none("No window was open.");
		} else {
			begin_table({"Window", "Opened", "Ended", "By", "Why", "How it ended", "#Cut"});
			for (const auto &each : report_.windows) {
				auto end =
					each.end.empty() ? "no end is recorded; until " + utc(each.until)
					: each.end == "expired"
						? "its time was over"
						: "closed by " + each.closed_by +
							  (each.closed_reason.empty() ? "" : ": " + each.closed_reason);
				put("<tr><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>"
				    "<td class=\"n\">{}</td></tr>\n",
				    escaped(each.name), utc(each.opened), utc(each.ended), escaped(each.opened_by),
				    escaped(each.opened_reason), escaped(end), grouped(each.cut));
			}
			end_table();
			out_ += "<p>Connections that a window admits are counted by its rows (above, while it is "
				"open), not "
				"recorded one by one. Cut: those that lived by it when its time was over.</p>\n";
		}
		end_section();
	}

	void notes(const char *id, const char *title, const std::vector<Note> &all, const char *nothing)
	{
		section(id, title);
		if (all.empty()) {
			none(nothing);
			end_section();
			return;
		}
		begin_table({"When", "What", "In words"});
		for (std::size_t i = 0; i < std::min(all.size(), most_notes); i++) {
			const auto &note = all[i];
			put("<tr><td>{}</td><td>{}</td><td>{}{}", utc(note.time), escaped(note.kind),
			    escaped(note.text), note.by.empty() ? "" : "<br/>by " + escaped(note.by));
			for (const auto &line : note.opened)
				put("<br/><ins>+ {}</ins>", escaped(line));
			for (const auto &line : note.closed)
				put("<br/><del>− {}</del>", escaped(line));
			out_ += "</td></tr>\n";
		}
		end_table();
		if (all.size() > most_notes)
			put("<p>{} more are in the JSON form of this report.</p>\n", all.size() - most_notes);
		end_section();
	}

	void signature()
	{
		out_ += "<section class=\"signature\"><h2>Reviewed</h2>\n"
			"<p><span>Name</span><span>Date</span><span>Signature</span></p></section>\n";
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
