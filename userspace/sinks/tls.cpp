// SPDX-License-Identifier: Apache-2.0
#include "sinks/tls.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <cerrno>
#include <cstring>

namespace weir::sinks {
namespace {

std::string last_error()
{
	std::string all;
	while (const auto code = ::ERR_get_error()) {
		const char *reason = ::ERR_reason_error_string(code);
		all += (all.empty() ? "" : "; ") + std::string(reason != nullptr ? reason : "an unknown error");
	}
	return all;
}

bool is_address(const std::string &text)
{
	unsigned char bytes[16];
	return ::inet_pton(AF_INET, text.c_str(), bytes) == 1 || ::inet_pton(AF_INET6, text.c_str(), bytes) == 1;
}

using Context = std::unique_ptr<SSL_CTX, decltype(&::SSL_CTX_free)>;

/// Made for each connection, so that renewed certificates are used without a restart.
Result<Context> make_context(const Address &address)
{
	Context context(::SSL_CTX_new(::TLS_client_method()), &::SSL_CTX_free);
	if (!context || ::SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) != 1)
		return fail("cannot use TLS: " + last_error());
	::SSL_CTX_set_verify(context.get(), SSL_VERIFY_PEER, nullptr);
	::SSL_CTX_set_mode(context.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	const bool trusts = address.ca.empty()
				    ? ::SSL_CTX_set_default_verify_paths(context.get()) == 1
				    : ::SSL_CTX_load_verify_locations(context.get(), address.ca.c_str(), nullptr) == 1;
	if (!trusts)
		return fail(fmt::format("cannot read certificates from {}: {}",
					address.ca.empty() ? "the system's directory" : address.ca, last_error()));
	if (!address.cert.empty() &&
	    (::SSL_CTX_use_certificate_chain_file(context.get(), address.cert.c_str()) != 1 ||
	     ::SSL_CTX_use_PrivateKey_file(context.get(), address.key.c_str(), SSL_FILETYPE_PEM) != 1 ||
	     ::SSL_CTX_check_private_key(context.get()) != 1))
		return fail(fmt::format("cannot use {} with {}: {}", address.cert, address.key, last_error()));
	return context;
}

} // namespace

void Tls::Free::operator()(ssl_st *connection) const
{
	::SSL_free(connection);
}

Result<Tls> Tls::connect(int socket, const Address &address, const Patience &patience)
{
	::ERR_clear_error();
	auto context = make_context(address);
	if (!context)
		return std::unexpected(std::move(context).error());
	Tls tls(::SSL_new(context->get()), socket, address.name);
	auto *const ssl = tls.connection_.get();
	const auto &name = address.peer_name.empty() ? address.host : address.peer_name;
	bool named = ssl != nullptr && ::SSL_set_fd(ssl, socket) == 1;
	if (named && is_address(name)) {
		named = ::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), name.c_str()) == 1;
	} else if (named) {
		::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
		named = ::SSL_set1_host(ssl, name.c_str()) == 1 && ::SSL_set_tlsext_host_name(ssl, name.c_str()) == 1;
	}
	if (!named)
		return fail("cannot use TLS: " + last_error());

	for (int result = ::SSL_connect(ssl); result != 1; result = ::SSL_connect(ssl)) {
		if (auto waited = tls.wait_for(result, patience, connect_time, "TLS handshake"); !waited) {
			const auto verdict = ::SSL_get_verify_result(ssl);
			if (verdict != X509_V_OK)
				return fail(fmt::format("the certificate of {} is not good for {}: {}", address.name,
							name, ::X509_verify_cert_error_string(verdict)));
			return std::unexpected(std::move(waited).error());
		}
	}
	return tls;
}

Result<> Tls::wait_for(int result, const Patience &patience, std::chrono::milliseconds longest, const char *what)
{
	const int system = errno;
	short events = 0;
	switch (::SSL_get_error(connection_.get(), result)) {
	case SSL_ERROR_WANT_READ:
		events = POLLIN;
		break;
	case SSL_ERROR_WANT_WRITE:
		events = POLLOUT;
		break;
	case SSL_ERROR_ZERO_RETURN:
		return fail(fmt::format("{} has closed the connection", name_));
	case SSL_ERROR_SYSCALL:
		return fail(fmt::format("{} with {}: {}", what, name_,
					system != 0 ? std::strerror(system) : "the connection was closed"));
	default: {
		const auto error = last_error();
		return fail(fmt::format("{} with {}: {}", what, name_, error.empty() ? "failed" : error));
	}
	}
	if (!patience.wait(socket_, events, longest))
		return fail(fmt::format("{} with {}: it takes nothing", what, name_));
	return {};
}

Result<> Tls::write(const std::string &text, const Patience &patience)
{
	for (std::size_t done = 0; done < text.size();) {
		::ERR_clear_error();
		errno = 0;
		const int result =
			::SSL_write(connection_.get(), text.data() + done, static_cast<int>(text.size() - done));
		if (result > 0)
			done += static_cast<std::size_t>(result);
		else if (auto waited = wait_for(result, patience, stall_time, "sending"); !waited)
			return waited;
	}
	return {};
}

Result<> Tls::look()
{
	::ERR_clear_error();
	errno = 0;
	char answer[256];
	const int result = ::SSL_read(connection_.get(), answer, sizeof(answer));
	const int error = result > 0 ? SSL_ERROR_NONE : ::SSL_get_error(connection_.get(), result);
	if (error == SSL_ERROR_NONE || error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE)
		return {};
	Patience none;
	none.end_at(std::chrono::steady_clock::now());
	return wait_for(result, none, std::chrono::milliseconds(0), "connection");
}

void Tls::say_goodbye()
{
	::ERR_clear_error();
	::SSL_shutdown(connection_.get());
}

std::uint64_t Tls::written() const
{
	return ::BIO_number_written(::SSL_get_wbio(connection_.get()));
}

} // namespace weir::sinks
