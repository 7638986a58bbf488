// SPDX-License-Identifier: Apache-2.0
// A matrix file: a header, and [[row]] entries with the page's columns and an id.
#include "policy/journal_key.h"
#include "policy/policy.h"
#include "policy/row_rules.h"
#include "policy/text.h"
#include "policy/toml_file.h"
#include "policy/users.h"

#include <array>
#include <unordered_map>

namespace weir::policy {
namespace {

constexpr std::string_view kind = "a matrix file";
constexpr std::array<std::string_view, 5> file_keys = {"format", "scenario", "title", "component", "row"};
constexpr std::array<std::string_view, 13> row_keys = {"id",      "dir",     "source", "destination", "port",
						       "service", "type",    "status", "comment",     "zone",
						       "user",    "journal", "page"};
constexpr std::string_view row_hint =
	"a row has id, dir, source, destination, port, service, type, status and, if there is one, comment";

class MatrixReader {
public:
	explicit MatrixReader(const TomlFile &file) : file_(file) {}

	Result<Matrix> read();

private:
	Result<> header(Matrix &) const;
	Result<Row> row(const toml::table &);
	Result<> words_of(const toml::table &, Row &) const;
	Result<> choices_of(const toml::table &, Row &) const;
	Result<> zone_of(const toml::table &, Row &) const;
	Result<> user_of(const toml::table &, Row &) const;
	Result<> journal_of(const toml::table &, Row &) const;
	Result<> page_of(const toml::table &, Row &) const;
	Result<> check(const toml::table &, const Row &);

	const TomlFile &file_;
	std::unordered_map<std::string, unsigned> ids_; ///< and the line of each
};

Result<> MatrixReader::header(Matrix &matrix) const
{
	const toml::table &root = file_.root();
	if (root.contains("names") || root.contains("cgroups") || root.contains("edge") || root.contains("scenarios")) {
		return error_at({}, {file_.place(root.source()).file, 0, 0}, "this is a site file, not a matrix",
				"a matrix file has [[row]] entries; a site file names it with: scenario = \"...\"");
	}
	if (const Result<> good = file_.only(root, file_keys, kind); !good) {
		return good;
	}
	struct Key {
		std::string_view name;
		std::string_view hint;
		bool is_id;
		std::string &value;
	};
	for (const Key &key :
	     {Key{"scenario", "such as: scenario = \"node-native\"", true, matrix.scenario},
	      Key{"title", "such as: title = \"Running without VPN/containers\"", false, matrix.title},
	      Key{"component", "whose host it is, such as: component = \"node\"", false, matrix.component}}) {
		const auto node = file_.need(root, key.name, kind, key.hint);
		if (!node) {
			return std::unexpected(node.error());
		}
		Result<std::string> value = key.is_id ? file_.id(**node, key.name) : file_.words(**node, key.name);
		if (!value) {
			return std::unexpected(value.error());
		}
		key.value = std::move(*value);
	}
	return {};
}

Result<> MatrixReader::words_of(const toml::table &table, Row &row) const
{
	struct Column {
		std::string_view name;
		std::string &value;
	};
	for (const Column &column :
	     {Column{"id", row.id}, Column{"source", row.source}, Column{"destination", row.destination},
	      Column{"service", row.service}, Column{"type", row.type}}) {
		const auto node = file_.need(table, column.name, "a row", row_hint);
		if (!node) {
			return std::unexpected(node.error());
		}
		Result<std::string> value = column.name == "id" ? file_.id(**node, column.name)
								: file_.words(**node, column.name);
		if (!value) {
			return std::unexpected(value.error());
		}
		column.value = std::move(*value);
	}
	const toml::node *comment = table.get("comment");
	if (comment == nullptr) {
		return {};
	}
	Result<std::string> value = file_.string(*comment, "comment");
	if (!value) {
		return std::unexpected(value.error());
	}
	if (const std::string complaint = text_complaint(*value, true); !complaint.empty()) {
		return file_.error(comment->source(), {Exit::policy, "\"comment\" " + complaint});
	}
	row.comment = std::move(*value);
	return {};
}

Result<> MatrixReader::choices_of(const toml::table &table, Row &row) const
{
	const auto value_of = [&](std::string_view key) -> Result<std::string> {
		const auto node = file_.need(table, key, "a row", row_hint);
		if (!node) {
			return std::unexpected(node.error());
		}
		return file_.string(**node, key);
	};
	const Result<std::string> dir = value_of("dir");
	if (!dir) {
		return std::unexpected(dir.error());
	}
	const Result<std::string> status = value_of("status");
	if (!status) {
		return std::unexpected(status.error());
	}
	const Result<std::string> port = value_of("port");
	if (!port) {
		return std::unexpected(port.error());
	}
	const std::optional<Direction> direction = direction_from(*dir);
	if (!direction) {
		return file_.wrong_choice(*table.get("dir"), *dir, "direction", {"out", "in"});
	}
	const std::optional<Status> known_status = status_from(*status);
	if (!known_status) {
		return file_.wrong_choice(*table.get("status"), *status, "status", {"mandatory", "optional"});
	}
	if (!is_type(row.type)) {
		return file_.wrong_choice(*table.get("type"), row.type, "type", types());
	}
	const Result<Service> service = parse_service(*port);
	if (!service) {
		return file_.error(table.get("port")->source(), service.error());
	}
	row.dir = *direction;
	row.status = *known_status;
	row.port = *service;
	return {};
}

// Not a column of the page: where it stands, the row says more than the page does.
Result<> MatrixReader::zone_of(const toml::table &table, Row &row) const
{
	const toml::node *node = table.get("zone");
	if (node == nullptr) {
		return {};
	}
	const Result<std::string> zone = file_.string(*node, "zone");
	if (!zone) {
		return std::unexpected(zone.error());
	}
	if (*zone != tunnel_zone) {
		return file_.error(node->source(), in_quotes(*zone) + " is not a zone of a row",
				   "use \"tunnel\"; a row that belongs to no tunnel has no zone");
	}
	if (row.peer() == localhost_name) {
		return file_.error(node->source(), "\"localhost\" is not inside a tunnel",
				   "take the zone out, or name a peer that is");
	}
	row.zone = *zone;
	return {};
}

// Nor is this. A number is kept as it is written, which no name can look like.
Result<> MatrixReader::user_of(const toml::table &table, Row &row) const
{
	const toml::node *node = table.get("user");
	if (node == nullptr) {
		return {};
	}
	if (node->is_integer()) {
		const Result<std::uint32_t> uid = read_uid(file_, *node, "user");
		if (!uid) {
			return std::unexpected(uid.error());
		}
		row.user = std::to_string(*uid);
		return {};
	}
	if (!node->is_string()) {
		return file_.wrong_type(*node, "user", "a user", "write user = 0, or a name that the site binds");
	}
	Result<std::string> name = file_.words(*node, "user");
	if (!name) {
		return std::unexpected(name.error());
	}
	if (is_number(*name)) {
		return file_.error(node->source(), in_quotes(*name) + " is a number in quotes",
				   "write it without: user = " + *name);
	}
	row.user = std::move(*name);
	return {};
}

// Nor this: such a row admits less than the page's.
Result<> MatrixReader::journal_of(const toml::table &table, Row &row) const
{
	const Result<bool> needed = read_journal(file_, table);
	if (!needed) {
		return std::unexpected(needed.error());
	}
	row.needs_journal = *needed;
	return {};
}

Result<> MatrixReader::page_of(const toml::table &table, Row &row) const
{
	const toml::node *node = table.get("page");
	if (node == nullptr) {
		return {};
	}
	const toml::value<bool> *value = node->as_boolean();
	if (value == nullptr) {
		return file_.wrong_type(*node, "page", "a boolean",
					"write page = false: the page does not have the row");
	}
	row.on_page = value->get();
	return {};
}

Result<> MatrixReader::check(const toml::table &table, const Row &row)
{
	const auto [seen, fresh] = ids_.emplace(row.id, row.place.line);
	if (!fresh) {
		return file_.error(table.get("id")->source(),
				   "the row at line " + std::to_string(seen->second) + " has the id " +
					   in_quotes(row.id) + ", too",
				   "give each row an id of its own");
	}
	if (const Result<> good = check_sides(row); !good) {
		const std::string_view key = row.dir == Direction::out ? "source" : "destination";
		return file_.error(table.get(key)->source(), good.error());
	}
	return {};
}

Result<Row> MatrixReader::row(const toml::table &table)
{
	Row row;
	row.place = file_.place(table.source());
	if (const Result<> good = file_.only(table, row_keys, "a row"); !good) {
		return std::unexpected(good.error());
	}
	for (const auto part : {&MatrixReader::words_of, &MatrixReader::choices_of, &MatrixReader::zone_of,
				&MatrixReader::user_of, &MatrixReader::journal_of, &MatrixReader::page_of}) {
		if (const Result<> good = (this->*part)(table, row); !good) {
			return std::unexpected(good.error());
		}
	}
	if (const Result<> good = check(table, row); !good) {
		return std::unexpected(good.error());
	}
	return row;
}

Result<Matrix> MatrixReader::read()
{
	Matrix matrix;
	matrix.place = {file_.place({}).file, 0, 0};
	matrix.text = file_.text();
	if (const Result<> good = header(matrix); !good) {
		return std::unexpected(good.error());
	}
	const auto node = file_.need(file_.root(), "row", kind, "add the rows, each begun by [[row]]");
	if (!node) {
		return std::unexpected(node.error());
	}
	const toml::array *rows = (*node)->as_array();
	if (rows == nullptr) {
		return file_.error((*node)->source(), "\"row\" is not a list of rows", "begin each row with [[row]]");
	}
	if (rows->empty()) {
		return file_.error(rows->source(), "the matrix has no rows", "add the rows, each begun by [[row]]");
	}
	matrix.rows.reserve(rows->size());
	for (const toml::node &entry : *rows) {
		const toml::table *table = entry.as_table();
		if (table == nullptr) {
			return file_.wrong_type(entry, "row", "a table", "begin each row with [[row]]");
		}
		Result<Row> one = row(*table);
		if (!one) {
			return std::unexpected(one.error());
		}
		matrix.rows.push_back(std::move(*one));
	}
	return matrix;
}

} // namespace

Result<Matrix> parse_matrix(std::string_view text, const std::string &file)
{
	const Result<TomlFile> toml = TomlFile::parse(text, file, kind);
	if (!toml) {
		return std::unexpected(toml.error());
	}
	return MatrixReader(*toml).read();
}

} // namespace weir::policy
