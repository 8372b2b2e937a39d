/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What real programs send: curl, openssl, ssh, and a client of QUIC. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "tests/unit/client_fixture.h"
#include "user/dest/talk.h"

#define HTTP_OK "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
#define CURL "curl", "-q", "-s", "-k", "--noproxy", "", "-m", "20"

static struct talk *new_talk(void)
{
	struct talk *t;

	assert_int_equal(talk_new(&t), 0);
	return t;
}

/* --- HTTP ---------------------------------------------------------------------------------- */

static const struct step http_steps[] = {{"\r\n\r\n", HTTP_OK, 0}, {0}};

static void curl_asks(void **state)
{
	NEED_PROGRAM("curl");
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	uint16_t port;

	_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);
	char url[128];
	snprintf(url, sizeof(url), "http://127.0.0.1:%u/latest/meta-data/iam?secret=1", port);
	char *argv[] = {CURL, "-H", "Host: Front.Example:81", "-H", "X-aws-ec2-metadata-token: abc", url, NULL};
	talk_with(fd, argv, http_steps, NO_TLS, t);
	assert_int_equal(f->kind, TALK_HTTP);
	assert_true(f->client && f->settled && f->imds_token && !f->proxied && !f->strange_name);
	assert_string_equal(f->name, "front.example");
	assert_string_equal(f->method, "GET");
	assert_string_equal(f->path, "/latest/meta-data/iam");
}

static void curl_asks_a_proxy(void **state)
{
	NEED_PROGRAM("curl");
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	char proxy[64];
	uint16_t port;

	_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", port);
	char *argv[] = {CURL, "-x", proxy, "-T", "/etc/hostname", "http://Target.Example:8080/put/it?q", NULL};
	talk_with(fd, argv, http_steps, NO_TLS, t);
	assert_int_equal(f->kind, TALK_HTTP);
	assert_true(f->client && f->proxied && f->settled && !f->imds_token);
	assert_string_equal(f->name, "target.example");
	assert_string_equal(f->method, "PUT");
	assert_string_equal(f->path, "/put/it");
}

static void curl_through_a_tunnel(void **state)
{
	NEED_PROGRAM("curl");
	static const struct step steps[] = {{"\r\n\r\n", "HTTP/1.1 200 Connection established\r\n\r\n", 0}, {0}};
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	char proxy[64];
	uint16_t port;

	_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%u", port);
	char *argv[] = {CURL, "-x", proxy, "https://Target.Example/", NULL};
	talk_with(fd, argv, steps, 0, t);
	assert_int_equal(f->kind, TALK_TLS);
	assert_true(f->client && f->proxied && f->agreed && !f->starttls);
	assert_string_equal(f->name, "target.example");
	assert_string_equal(f->method, "CONNECT");
	assert_string_equal(talk_word(f), "tls1.3");
}

#define SOCKS5_OK "\5\0\0\1\0\0\0\0\0\0"
#define SOCKS4_OK "\0\x5a\0\0\0\0\0\0"

static const struct {
	const char *scheme;
	struct step steps[4];
} socks_talks[] = {
    {"socks5h://", {{"\5", "\5\0", 2}, {"target.example", SOCKS5_OK, 10}, {0}}},
    {"socks5h://me:secret@", {{"\5", "\5\2", 2}, {"secret", "\1\0", 2}, {"target.example", SOCKS5_OK, 10}, {0}}},
    {"socks4a://", {{"target.example", SOCKS4_OK, 8}, {0}}},
    {"socks4a://someone@", {{"target.example", SOCKS4_OK, 8}, {0}}},
};

static void curl_by_socks(void **state)
{
	NEED_PROGRAM("curl");

	for (size_t i = 0; i < ARRAY_SIZE(socks_talks); i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk(), *plain = new_talk();
		const struct talk_facts *f = talk_facts(t), *p = talk_facts(plain);
		char proxy[64];
		uint16_t port;
		_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);

		snprintf(proxy, sizeof(proxy), "%s127.0.0.1:%u", socks_talks[i].scheme, port);
		char *over_tls[] = {CURL, "-x", proxy, "https://target.example/", NULL};
		talk_with(fd, over_tls, socks_talks[i].steps, 0, t);
		assert_int_equal(f->kind, TALK_TLS);
		assert_true(f->client && f->proxied && f->agreed && !f->starttls);
		assert_string_equal(f->name, "target.example");
		char *in_plain[] = {CURL, "-x", proxy, "http://target.example/", NULL};
		talk_with(fd, in_plain, socks_talks[i].steps, NO_TLS, plain);
		assert_int_equal(p->kind, TALK_PLAIN);
		assert_true(p->client && p->proxied && !p->settled);
		assert_string_equal(p->name, "target.example");
	}
}

static void curl_over_tls(void **state)
{
	NEED_PROGRAM("curl");
	static const struct step none[] = {{0}};
	static const char *const most[] = {"1.2", "1.3"};

	for (size_t i = 0; i < ARRAY_SIZE(most); i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		char url[64], to[64], word[16];
		uint16_t port;
		_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);

		snprintf(url, sizeof(url), "https://sni.example:%u/", port);
		snprintf(to, sizeof(to), "sni.example:%u:127.0.0.1", port);
		snprintf(word, sizeof(word), "tls%s", most[i]);
		char *argv[] = {CURL, "--tls-max", (char *)most[i], "--resolve", to, url, NULL};
		talk_with(fd, argv, none, 0, t);
		assert_string_equal(talk_word(talk_facts(t)), word);
		assert_string_equal(talk_facts(t)->name, "sni.example");
		assert_true(talk_facts(t)->client && !talk_facts(t)->proxied);
	}
}

/* --- STARTTLS -------------------------------------------------------------------------------- */

static const char mysql_hello[] = "\x49\0\0\0\x0a" "8.0.0\0" "\1\0\0\0" "saltsalt\0" "\xff\xff\x21\2\0\xff\xdf\x15\0\0\0\0\0\0\0\0\0\0"
				  "saltsaltsalt\0" "mysql_native_password";
static const char ldap_yes[] = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00";

static const struct {
	const char *protocol;
	struct step steps[5];
	size_t skip; /* said without waiting for an answer */
} dialogues[] = {
    {.protocol = "smtp", .steps = {{NULL, "220 x ESMTP\r\n", 0}, {"EHLO", "250-x\r\n250 STARTTLS\r\n", 0}, {"STARTTLS", "220 go\r\n", 0}}},
    {.protocol = "lmtp", .steps = {{NULL, "220 x LMTP\r\n", 0}, {"LHLO", "250-x\r\n250 STARTTLS\r\n", 0}, {"STARTTLS", "220 go\r\n", 0}}},
    {.protocol = "pop3", .steps = {{NULL, "+OK x\r\n", 0}, {"STLS", "+OK\r\n", 0}}},
    {.protocol = "imap",
     .steps = {{NULL, "* OK x\r\n", 0},
	       {"CAPABILITY", "* CAPABILITY IMAP4rev1 STARTTLS\r\n. OK x\r\n", 0},
	       {"STARTTLS", ". OK go\r\n", 0}}},
    {.protocol = "ftp", .steps = {{NULL, "220 x\r\n", 0}, {"AUTH TLS", "234 go\r\n", 0}}},
    {.protocol = "nntp",
     .steps = {{NULL, "200 x\r\n", 0}, {"CAPABILITIES", "101 x\r\nSTARTTLS\r\n.\r\n", 0}, {"STARTTLS", "382 go\r\n", 0}}},
    {.protocol = "xmpp",
     .steps = {{"<stream:stream", "<stream:stream><stream:features><starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/></stream:features>", 0},
	       {"<starttls", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", 0}}},
    {.protocol = "postgres", .steps = {{"\x04\xd2\x16\x2f", "S", 1}}},
    {.protocol = "mysql", .steps = {{NULL, mysql_hello, sizeof(mysql_hello)}}, .skip = 36},
    {.protocol = "ldap", .steps = {{"1.3.6.1.4.1.1466.20037", ldap_yes, sizeof(ldap_yes) - 1}}},
};

static void openssl_turns_to_tls(void **state)
{
	NEED_PROGRAM("openssl");
	for (size_t i = 0; i < ARRAY_SIZE(dialogues); i++) {
		_cleanup_(talk_freep) struct talk *t = new_talk();
		const struct talk_facts *f = talk_facts(t);
		char to[64];
		uint16_t port;
		_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);

		snprintf(to, sizeof(to), "127.0.0.1:%u", port);
		char *argv[] = {"openssl", "s_client", "-starttls", (char *)dialogues[i].protocol, "-connect", to, "-servername",
				"Mail.Example", NULL};
		talk_with(fd, argv, dialogues[i].steps, dialogues[i].skip, t);
		if (!f->starttls)
			print_message("%s: kind %d\n", dialogues[i].protocol, f->kind);
		assert_int_equal(f->kind, TALK_TLS);
		assert_true(f->starttls && f->agreed && f->client && !f->proxied);
		assert_string_equal(f->name, "mail.example");
		assert_string_equal(talk_word(f), "tls1.3");
	}
}

/* --- SSH ------------------------------------------------------------------------------------- */

static void ssh_begins(void **state)
{
	NEED_PROGRAM("ssh");
	/* The second step waits for a name of its key exchange. */
	static const struct step steps[] = {{NULL, "SSH-2.0-sluice_test\r\n", 0}, {"curve25519", "\0\0\0\x0c", 4}, {0}};
	_cleanup_(talk_freep) struct talk *t = new_talk();
	const struct talk_facts *f = talk_facts(t);
	char to[16];
	uint16_t port;

	_cleanup_close_ int fd = bind_local(SOCK_STREAM, &port);
	snprintf(to, sizeof(to), "%u", port);
	char *argv[] = {"ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile=/dev/null", "-p", to, "nobody@127.0.0.1", NULL};
	talk_with(fd, argv, steps, NO_TLS, t);
	assert_int_equal(f->kind, TALK_SSH);
	assert_true(f->settled && talk_encrypted(f));
	assert_string_equal(talk_word(f), "ssh");
}

/* --- QUIC ------------------------------------------------------------------------------------ */

static void quic_client_begins(void **state)
{
	NEED_PROGRAM("gtlsclient");
	_cleanup_(talk_freep) struct talk *t = new_talk(), *server = new_talk(), *cut = new_talk();
	const struct talk_facts *f = talk_facts(t);
	uint8_t data[2048];
	char to[16];
	uint16_t port;

	_cleanup_close_ int fd = bind_local(SOCK_DGRAM, &port);
	snprintf(to, sizeof(to), "%u", port);
	/* It asks for the name of its argument, and of a whole address for localhost. */
	char *argv[] = {"gtlsclient", "-q", "127.1", to, "https://127.0.0.1/", NULL};
	pid_t pid = start_program(argv);
	for (int i = 0; i < 2; i++) { /* it asks again when nobody answers */
		assert_true(readable(fd));
		ssize_t n = recv(fd, data, sizeof(data), 0);
		assert_true(n >= 1200);
		talk_udp(cut, true, data, (size_t)n - 600, (size_t)n);
		talk_udp(t, true, data, (size_t)n, (size_t)n);
		talk_udp(server, false, data, (size_t)n, (size_t)n);
	}
	end_program(pid);
	assert_int_equal(f->kind, TALK_QUIC);
	assert_true(f->client && !f->waiting && !f->agreed);
	assert_string_equal(f->name, "127.1");
	assert_string_equal(talk_word(f), "quic");
	assert_int_equal(talk_facts(server)->kind, TALK_QUIC);
	assert_false(talk_facts(server)->client);
	assert_int_equal(talk_facts(cut)->kind, TALK_UNKNOWN);
	assert_true(talk_facts(cut)->waiting);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(curl_asks),	   cmocka_unit_test(curl_asks_a_proxy), cmocka_unit_test(curl_through_a_tunnel),
	    cmocka_unit_test(curl_by_socks), cmocka_unit_test(curl_over_tls),	   cmocka_unit_test(ssh_begins),	cmocka_unit_test(quic_client_begins),
	    cmocka_unit_test(openssl_turns_to_tls),
	};

	return cmocka_run_group_tests_name("talk_real", tests, NULL, NULL);
}
