// SPDX-License-Identifier: Apache-2.0
#include "audit/name_change.h"

#include "audit/record.h"

namespace weir::audit {
namespace {

void append_texts(std::string &out, std::string_view before, const std::vector<std::string> &texts)
{
	out.append(before).push_back('[');
	for (const auto &text : texts) {
		if (&text != texts.data())
			out.push_back(',');
		append_quoted(out, text);
	}
	out.push_back(']');
}

void append_some(std::string &out, std::string_view before, const std::vector<std::string> &texts)
{
	if (!texts.empty())
		append_texts(out, before, texts);
}

void append_text(std::string &out, std::string_view before, const std::string &text)
{
	if (text.empty())
		return;
	out.append(before);
	append_quoted(out, text);
}

} // namespace

void append_name_json(std::string &out, const NameChange &change, std::string_view instance, std::int64_t unix_ns)
{
	begin_change(out, unix_ns, change.action, change.failed ? "failure" : "success", change.text);
	end_event(out, "weir.name");
	out.append(R"(,"dns":{"question":{"name":)");
	append_quoted(out, change.host);
	out.push_back('}');
	append_some(out, ",\"resolved_ip\":", change.answer);
	out.push_back('}');
	begin_weir(out, instance);
	if (change.generation != 0)
		append_field(out, ",\"generation\":", change.generation);
	out.append(",\"name\":{\"name\":");
	append_quoted(out, change.name);
	append_text(out, ",\"resolver\":", change.resolver);
	append_text(out, ",\"problem\":", change.problem);
	if (change.action == "name_changed") {
		append_texts(out, ",\"before\":", change.before);
		append_texts(out, ",\"after\":", change.after);
	}
	append_some(out, ",\"refused\":", change.refused);
	out.append("}}}\n");
}

} // namespace weir::audit
