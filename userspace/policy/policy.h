// SPDX-License-Identifier: Apache-2.0
// From files to a bound policy. Pure but for reading the named files.
#pragma once

#include "base/result.h"
#include "policy/model.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace weir::policy {

/// Parse the text of a matrix file. `file` is only for messages. Every error names file, line, column, shows
/// the line and says what to do; Exit::policy.
Result<Matrix> parse_matrix(std::string_view text, const std::string &file);

/// Parse the text of a site file. Host bits, unknown keys, anything that is not understood: an error.
Result<Site> parse_site(std::string_view text, const std::string &file);

/// "TCP/50051" and its like, as in a row. The error is a phrase, without a place; what to do is its second line.
Result<Service> parse_service(std::string_view text);

/// What a policy is made of besides its site.
struct Matrices {
	std::vector<Matrix> scenarios; ///< the site's, in its order; at least one
	std::vector<Matrix> windows{}; ///< of Site::windows, one for each, in that order
	Matrix host_services{}; ///< without rows where the site has neither an edge nor a window that goes through one
};

/// Give every name its addresses and every component its place; add the rows that ship with weir (neighbour
/// discovery, builtin.h). Where the site has an edge, that is the last scope and has a copy of each row that it sees
/// ("ID@edge"), and `host_services` are rows of it where the site binds their peers; a component that uses one itself
/// has a copy, "ID@COMPONENT", and so have those to whom a window's rows are given. Errors: a mandatory row whose name
/// is not bound, a bound name that no row uses, a component without a place (where there is no edge), an optional id
/// that no matrix has, a DNS name without an address.
Result<BoundPolicy> bind(const Matrices &, const Site &);

/// Fills HostName::addresses of every one of Site::hosts, or says which can't be and why.
using ResolveHosts = std::function<Result<>(Site &)>;

/// Read a site file and the matrices that it names: each SCENARIO.toml beside the site file, else in `policies_dir`. If
/// it has an edge, host-services.toml, too, which is looked for in the same way. `resolve` is called where the site has
/// DNS names, after all files were read.
Result<BoundPolicy> load(const std::string &site_file, const std::string &policies_dir,
			 const ResolveHosts &resolve = nullptr);

/// The policy as canonical JSON: same policy, same bytes. What the digest is taken of and the image carries.
std::string canonical(const BoundPolicy &);
/// The way back; for reading the kernel.
Result<BoundPolicy> from_canonical(std::string_view json);

} // namespace weir::policy
