/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A real client and a real server, OpenSSL's, that talk through memory: what each sends, flight by flight. */
#ifndef SLUICE_TLS_FIXTURE_H
#define SLUICE_TLS_FIXTURE_H

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "user/util.h"

#define FLIGHTS_MAX 16
#define FLIGHT_ROOM 8192

struct flight {
	bool by_client;
	size_t n;
	uint8_t data[FLIGHT_ROOM];
};

struct wire {
	struct flight flights[FLIGHTS_MAX];
	unsigned n;
};

struct tls_wish {
	bool dtls, cookie;
	int least, most;
	const char *name;		/* SNI; NULL: none */
	const char *groups_client, *groups_server; /* NULL: as they come */
};

static inline X509 *certificate_of(EVP_PKEY *key)
{
	X509 *x = X509_new();

	assert_non_null(x);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_gmtime_adj(X509_getm_notBefore(x), -60);
	X509_gmtime_adj(X509_getm_notAfter(x), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC, (const unsigned char *)"test", -1, -1, 0);
	X509_set_issuer_name(x, X509_get_subject_name(x));
	assert_true(X509_set_pubkey(x, key) && X509_sign(x, key, EVP_sha256()));
	return x;
}

static inline int cookie_make(SSL *ssl, unsigned char *cookie, unsigned *len)
{
	*len = 20;
	for (unsigned i = 0; i < *len; i++)
		cookie[i] = (unsigned char)i;
	return 1;
}

static inline int cookie_check(SSL *ssl, const unsigned char *cookie, unsigned len)
{
	return len == 20;
}

static inline SSL_CTX *server_context(const struct tls_wish *w)
{
	SSL_CTX *ctx = SSL_CTX_new(w->dtls ? DTLS_server_method() : TLS_server_method());
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *x = certificate_of(key);

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_use_certificate(ctx, x) && SSL_CTX_use_PrivateKey(ctx, key));
	if (w->groups_server)
		assert_true(SSL_CTX_set1_groups_list(ctx, w->groups_server));
	if (w->cookie) {
		SSL_CTX_set_options(ctx, SSL_OP_COOKIE_EXCHANGE);
		SSL_CTX_set_cookie_generate_cb(ctx, cookie_make);
		SSL_CTX_set_cookie_verify_cb(ctx, cookie_check);
	}
	X509_free(x);
	EVP_PKEY_free(key);
	return ctx;
}

static inline SSL_CTX *client_context(const struct tls_wish *w)
{
	SSL_CTX *ctx = SSL_CTX_new(w->dtls ? DTLS_client_method() : TLS_client_method());

	assert_non_null(ctx);
	SSL_CTX_set_security_level(ctx, 0);
	assert_true(SSL_CTX_set_min_proto_version(ctx, w->least) && SSL_CTX_set_max_proto_version(ctx, w->most));
	if (w->groups_client)
		assert_true(SSL_CTX_set1_groups_list(ctx, w->groups_client));
	return ctx;
}

static inline SSL *end_of(SSL_CTX *ctx, bool client)
{
	SSL *ssl = SSL_new(ctx);

	assert_non_null(ssl);
	SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
	SSL_set_options(ssl, SSL_OP_NO_QUERY_MTU);
	SSL_set_mtu(ssl, 4000);
	if (client)
		SSL_set_connect_state(ssl);
	else
		SSL_set_accept_state(ssl);
	return ssl;
}

/* What one end has to say now, noted and handed to the other. */
static inline bool pass_on(struct wire *w, SSL *from, SSL *to, bool by_client)
{
	struct flight *f = &w->flights[w->n];
	int n = BIO_read(SSL_get_wbio(from), f->data, FLIGHT_ROOM);

	if (n <= 0)
		return false;
	assert_true(w->n < FLIGHTS_MAX - 1);
	f->n = (size_t)n;
	f->by_client = by_client;
	w->n++;
	assert_int_equal(BIO_write(SSL_get_rbio(to), f->data, n), n);
	return true;
}

static inline void wire_make(const struct tls_wish *wish, struct wire *ret)
{
	SSL_CTX *cc = client_context(wish), *sc = server_context(wish);
	SSL *client = end_of(cc, true), *server = end_of(sc, false);
	bool more = true;

	ret->n = 0;
	if (wish->name)
		assert_true(SSL_set_tlsext_host_name(client, wish->name));
	while (more) {
		SSL_do_handshake(client);
		more = pass_on(ret, client, server, true);
		SSL_do_handshake(server);
		more |= pass_on(ret, server, client, false);
	}
	assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
	assert_int_equal(SSL_write(client, "secret", 6), 6);
	assert_true(pass_on(ret, client, server, true));
	SSL_free(client);
	SSL_free(server);
	SSL_CTX_free(cc);
	SSL_CTX_free(sc);
}

#endif
