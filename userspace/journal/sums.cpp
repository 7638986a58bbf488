// SPDX-License-Identifier: Apache-2.0
#include "journal/sums.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <charconv>
#include <exception>
#include <utility>

namespace weir::journal {
namespace {

using Json = nlohmann::ordered_json;

/// More than the processors of one host can be counting at once.
constexpr std::int64_t most_in_hand = 1024;

Json json_of(const Counted &counted)
{
	return {{"refused", counted.refused}, {"observed", counted.observed}, {"reported", counted.reported},
		{"merged", counted.merged},   {"summed", counted.summed},     {"lost", counted.lost}};
}

Counted counted_of(const Json &json)
{
	const auto number = [&](const char *key) { return json.at(key).get<std::uint64_t>(); };
	return {number("refused"), number("observed"), number("reported"),
		number("merged"),  number("summed"),   number("lost")};
}

/// Of what was admitted, `observed` is all that was counted.
Json json_of_admitted(const Counted &counted)
{
	return {{"counted", counted.observed}, {"merged", counted.merged}, {"summed", counted.summed}};
}

Counted admitted_of(const Json &json)
{
	const auto number = [&](const char *key) { return json.at(key).get<std::uint64_t>(); };
	return {.observed = number("counted"), .merged = number("merged"), .summed = number("summed")};
}

Json with_fate(Json counted, const GateSums &sums, Json total)
{
	counted.update({{"recorded", sums.recorded},
			{"discarded", sums.discarded},
			{"missing", sums.missing},
			{"waiting", sums.waiting},
			{"in_hand", sums.in_hand},
			{"total", std::move(total)}});
	return counted;
}

GateSums gate_of(const Json &json, Counted (*counted)(const Json &))
{
	return {counted(json),
		counted(json.at("total")),
		json.at("recorded").get<std::uint64_t>(),
		json.at("discarded").get<std::uint64_t>(),
		json.at("missing").get<std::uint64_t>(),
		json.at("waiting").get<std::int64_t>(),
		json.at("in_hand").get<std::int64_t>()};
}

/// The number behind `key`, in a record that weir wrote. Within strings quotes are escaped, so a key is one.
std::optional<std::uint64_t> number_behind(std::string_view line, std::string_view key)
{
	const auto at = line.find(key);
	std::uint64_t number = 0;
	if (at == std::string_view::npos)
		return std::nullopt;
	const auto text = line.substr(at + key.size());
	return std::from_chars(text.data(), text.data() + text.size(), number).ec == std::errc() ? std::optional(number)
												 : std::nullopt;
}

/// What of a gate a sum is of, for people.
struct Subject {
	const char *name;
	const char *judged;
};
constexpr Subject of_refusals{"gate", "refused or observed"};
constexpr Subject of_admitted{"gate, under windows", "admitted"};

Counted plus(const Counted &a, const Counted &b)
{
	return {a.refused + b.refused, a.observed + b.observed, a.reported + b.reported,
		a.merged + b.merged,   a.summed + b.summed,     a.lost + b.lost};
}

/// What the statement says of one gate, held against what was said before and against the records.
std::string gate_problem(const char *gate, const Subject &subject, const GateSums &now, const GateSums &before,
			 bool same_counters, std::uint64_t recorded)
{
	const auto name = fmt::format("{} {}", gate, subject.name);
	const auto signed_of = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
	const auto &counted = now.counted;
	const auto told = counted.to_be_recorded() + counted.lost;
	if (before.in_hand + signed_of(counted.judged()) != signed_of(told) + now.in_hand ||
	    std::abs(now.in_hand) > most_in_hand)
		return fmt::format(
			"{}: {} were {} and {} at hand before, but {} reported, merged, summed or lost, and {} at hand",
			name, counted.judged(), subject.judged, before.in_hand, told, now.in_hand);
	if (now.recorded != recorded)
		return fmt::format("{}: the checkpoint states {} in records, but it is {}", name, now.recorded,
				   recorded);
	if (before.waiting + signed_of(counted.to_be_recorded()) !=
		    signed_of(now.recorded + now.discarded + now.missing) + now.waiting ||
	    now.waiting < 0)
		return fmt::format("{}: {} waited and {} were reported, merged or summed, but {} are in records, {} "
				   "discarded, {} missing and {} wait",
				   name, before.waiting, counted.to_be_recorded(), now.recorded, now.discarded,
				   now.missing, now.waiting);
	if (same_counters && now.total != plus(before.total, counted))
		return fmt::format("{}: the counters' totals do not grow by what is stated", name);
	return "";
}

} // namespace

std::optional<std::size_t> gate_named(std::string_view name)
{
	const auto at = std::ranges::find(gate_names, name);
	return at == gate_names.end() ? std::nullopt : std::optional(static_cast<std::size_t>(at - gate_names.begin()));
}

std::string json_of(const Statement &statement)
{
	Json gates = Json::object(), admitted = Json::object();
	for (std::size_t i = 0; i < gate_names.size(); ++i) {
		const auto &sums = statement.gates[i], &windows = statement.admitted[i];
		gates[gate_names[i]] = with_fate(json_of(sums.counted), sums, json_of(sums.total));
		if (windows != GateSums())
			admitted[gate_names[i]] =
				with_fate(json_of_admitted(windows.counted), windows, json_of_admitted(windows.total));
	}
	Json all = {{"records", statement.records},
		    {"counters", statement.counters},
		    {"gates", std::move(gates)},
		    {"ring", {{"id", statement.ring}, {"next", statement.next}, {"unrecorded", statement.unrecorded}}}};
	if (!admitted.empty())
		all["admitted"] = std::move(admitted);
	if (!statement.policy.empty())
		all["policy"] = statement.policy;
	for (const auto &[index, total] : statement.summed)
		all["summed"][std::to_string(index)] = total;
	return all.dump(-1, ' ', true, Json::error_handler_t::replace);
}

Result<std::optional<Statement>> statement_of(std::string_view line)
{
	try {
		const auto root = Json::parse(line);
		const auto weir = root.find("weir");
		if (weir == root.end() || !weir->contains("checkpoint"))
			return std::nullopt;
		const auto &stated = weir->at("checkpoint");
		Statement statement;
		statement.records = stated.at("records").get<std::uint64_t>();
		if (!stated.contains("gates"))
			return statement;
		statement.counters = stated.at("counters").get<std::string>();
		const auto admitted = stated.find("admitted"); // none: no window's row has admitted anything
		for (std::size_t i = 0; i < gate_names.size(); ++i) {
			statement.gates[i] = gate_of(stated.at("gates").at(gate_names[i]), counted_of);
			if (admitted != stated.end() && admitted->contains(gate_names[i]))
				statement.admitted[i] = gate_of(admitted->at(gate_names[i]), admitted_of);
		}
		const auto &ring = stated.at("ring");
		statement.ring = ring.at("id").get<std::string>();
		statement.next = ring.at("next").get<std::uint64_t>();
		statement.unrecorded = ring.at("unrecorded").get<std::uint64_t>();
		statement.policy = stated.value("policy", std::string());
		if (const auto summed = stated.find("summed"); summed != stated.end())
			for (const auto &[index, total] : summed->items())
				statement.summed[static_cast<std::uint32_t>(std::stoul(index))] =
					total.get<std::uint64_t>();
		return statement;
	} catch (const std::exception &problem) {
		return fail(fmt::format("the checkpoint's numbers can't be read: {}", problem.what()));
	}
}

void Sums::add(std::string_view line)
{
	records_++;
	const bool admitted = line.contains(R"("dataset":"weir.admission")");
	if (!admitted && !line.contains(R"("dataset":"weir.violation")"))
		return;
	constexpr std::string_view begin_weir = R"(,"weir":{"instance":")";
	constexpr std::string_view begin_gate = R"(","gate":")";
	const auto weir = line.substr(std::min(line.find(begin_weir), line.size()));
	const auto at = weir.find(begin_gate);
	const auto name = weir.substr(at == std::string_view::npos ? weir.size() : at + begin_gate.size());
	const auto gate = gate_named(name.substr(0, name.find('"')));
	if (!gate) {
		disorder_ = admitted ? "what a window admitted is of no gate" : "a refusal is of no gate";
		return;
	}
	if (admitted) {
		constexpr std::string_view begin_network = R"(,"network":{"direction":")";
		const auto network = line.substr(std::min(line.find(begin_network), line.size()));
		admitted_.at(*gate) += number_behind(network, R"(,"packets":)").value_or(0);
		return;
	}
	recorded_.at(*gate) += number_behind(weir, R"(,"count":)").value_or(1);
	const auto number = number_behind(weir, R"(,"kernel_sequence":)");
	if (!number)
		return;
	if (*number < next_ && ring_records_ > 0)
		disorder_ = fmt::format("event {} of the kernel's ring stands behind event {}", *number, next_ - 1);
	ring_records_++;
	next_ = *number + 1;
}

std::string Sums::ring_problem(const Statement &now)
{
	unrecorded_ += now.unrecorded;
	std::int64_t waiting = 0;
	for (const auto &each : now.gates) {
		explained_ += each.discarded + each.missing;
		waiting += each.waiting;
	}
	if (last_ && last_->ring != now.ring)
		return ""; // both rings' records stand before it
	const auto before = last_ ? last_->next : 0;
	if (now.next - before != ring_records_ + now.unrecorded)
		return fmt::format(
			"the kernel's ring went on from event {} to {}, but {} of them are in records and {} are "
			"said not to be",
			before, now.next, ring_records_, now.unrecorded);
	if (ring_records_ > 0 && next_ > now.next)
		return fmt::format("event {} of the kernel's ring is in a record, and was not read yet", next_ - 1);
	if (!disorder_.empty())
		return disorder_;
	if (unrecorded_ > explained_ + static_cast<std::uint64_t>(std::max<std::int64_t>(waiting, 0)))
		return fmt::format(
			"{} events of the kernel's ring have no record, but only {} were discarded or missing, "
			"and {} wait",
			unrecorded_, explained_, waiting);
	return "";
}

std::string Sums::problem_of(const Statement &now) const
{
	if (now.records != records_)
		return fmt::format("the checkpoint is of {} records, {} stand before it", now.records, records_);
	if (now.counters.empty())
		return "";
	const Statement none;
	const auto &before = last_ ? *last_ : none;
	const bool same = before.counters == now.counters;
	for (std::size_t i = 0; i < gate_names.size(); ++i) {
		auto problem =
			gate_problem(gate_names[i], of_refusals, now.gates[i], before.gates[i], same, recorded_[i]);
		if (problem.empty())
			problem = gate_problem(gate_names[i], of_admitted, now.admitted[i], before.admitted[i], same,
					       admitted_[i]);
		if (!problem.empty())
			return problem;
	}
	return "";
}

void Sums::begin(std::optional<Statement> last)
{
	records_ = 0;
	recorded_ = {};
	admitted_ = {};
	ring_records_ = 0;
	disorder_.clear();
	if (last && !last->counters.empty())
		last_ = std::move(last);
}

std::string Sums::close(std::string_view line)
{
	auto statement = statement_of(line);
	if (!statement) {
		begin(std::nullopt);
		return std::move(statement).error().message;
	}
	std::string problem;
	if (*statement) {
		problem = problem_of(**statement);
		if (!(*statement)->counters.empty())
			if (auto ring = ring_problem(**statement); problem.empty())
				problem = std::move(ring);
	}
	begin(std::move(*statement));
	return problem;
}

void Sums::take(std::string_view line)
{
	auto statement = statement_of(line);
	begin(statement ? std::move(*statement) : std::nullopt);
}

} // namespace weir::journal
