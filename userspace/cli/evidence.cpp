// SPDX-License-Identifier: Apache-2.0
#include "cli/evidence.h"

#include "audit/note.h"
#include "cli/person.h"
#include "journal/writer.h"
#include "policy/difference.h"

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include <chrono>
#include <iostream>

namespace weir::cli {
namespace {

using nlohmann::ordered_json;

std::int64_t now_ns()
{
	using namespace std::chrono;
	return duration_cast<nanoseconds>(system_clock::now().time_since_epoch()).count();
}

ordered_json person_json(const Person &person, const std::string &text)
{
	ordered_json json = {{"text", text}, {"uid", person.uid}};
	const auto add = [&json](const char *name, const std::string &value) {
		if (!value.empty())
			json[name] = value;
	};
	if (person.login)
		json["login_uid"] = *person.login;
	add("login_name", person.login_name);
	add("name", person.name);
	add("sudo_name", person.sudo_name);
	add("terminal", person.terminal);
	add("ssh_from", person.ssh_peer);
	return json;
}

std::string dump(const ordered_json &json)
{
	return json.dump(-1, ' ', true, ordered_json::error_handler_t::replace);
}

} // namespace

Evidence::Evidence(const Context &context, std::string verb)
	: context_(context), verb_(std::move(verb)), by_(text_of(this_person())),
	  id_(fmt::format("{}-{}", now_ns(), ::getpid())), before_(in_force())
{
	if (!journal::read_first_key(context.journal_directory()))
		return;
	const auto text = fmt::format("weir {} was begun by {}, and what came of it is not known", verb_, by_);
	auto spooled = journal::Spooled::begin(context.journal_directory(), record(text, "unknown", "{}"));
	if (spooled)
		spooled_ = std::move(*spooled);
	else
		complain(spooled.error());
}

Evidence::InForce Evidence::in_force() const
{
	const auto image = kernel::read_image(context_.where);
	return image ? InForce{image->header().generation, hex(image->trailer().digest)} : InForce{};
}

std::string Evidence::record(const std::string &text, const char *outcome, const std::string &facts) const
{
	const auto person = this_person();
	ordered_json json = {{"verb", verb_},
			     {"by", person_json(person, by_)},
			     {"before", {{"generation", before_.generation}, {"digest", before_.digest}}}};
	json.update(ordered_json::parse(facts));
	std::string line;
	audit::append_note_json(line,
				{.dataset = "weir.policy",
				 .action = "policy_" + verb_.substr(0, verb_.find(' ')),
				 .text = text,
				 .outcome = outcome,
				 .user = by_.substr(0, by_.find(' ')),
				 .facts = dump(json),
				 .id = id_},
				context_.where.instance, now_ns());
	return line;
}

void Evidence::done(const BoundPolicy *before, const std::vector<std::uint64_t> &used, const BoundPolicy *after,
		    const std::string &facts)
{
	if (!spooled_)
		return;
	const auto now = in_force();
	const auto difference = policy::difference(before, after);
	auto json = ordered_json::parse(facts);
	json.update({{"after", {{"generation", now.generation}, {"digest", now.digest}}},
		     {"scenario", after != nullptr ? after->scenario : ""},
		     {"opened", policy::for_record(difference.opened)},
		     {"closed", policy::for_record(difference.closed)},
		     {"used", ordered_json::parse(policy::used_for_record(before, used))}});
	const auto text = fmt::format("weir {} by {}: {} became reachable, {} ceased to be", verb_, by_,
				      difference.opened.size(), difference.closed.size());
	if (auto finished = spooled_->finish(record(text, "success", dump(json))); !finished)
		complain(finished.error());
}

void Evidence::drop()
{
	if (spooled_)
		spooled_->drop();
}

void Evidence::complain(const Error &error) const
{
	std::cerr << "weir: this change cannot be recorded, and the journal will say that no record explains it: "
		  << error.message << '\n';
}

} // namespace weir::cli
