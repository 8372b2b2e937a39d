/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Whose answers are believed: by the host's own files, by the configuration, by class. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <sys/stat.h>

#include "user/dest/resolvers.h"

#define OWN 4026531840U
#define OTHER 4026532999U

static char root[] = "/tmp/sluice-resolvers-XXXXXX";

static const char *under(const char *path)
{
	static char text[256];

	snprintf(text, sizeof(text), "%s/%s", root, path);
	return text;
}

static void write_file(const char *path, const char *text, size_t n)
{
	FILE *f = fopen(under(path), "w");

	assert_non_null(f);
	assert_int_equal(fwrite(text, 1, n, f), n);
	fclose(f);
}

static void say(const char *text)
{
	write_file("etc/resolv.conf", text, strlen(text));
}

static int make_root(void **state)
{
	if (!mkdtemp(root) || mkdir(under("etc"), 0755) || mkdir(under("run"), 0755) ||
	    mkdir(under("run/systemd"), 0755) || mkdir(under("run/systemd/resolve"), 0755))
		return -1;
	return 0;
}

static int remove_root(void **state)
{
	static const char *const dirs[] = {"run/systemd/resolve", "run/systemd", "run", "etc", ""};

	unlink(under("etc/resolv.conf"));
	unlink(under("run/systemd/resolve/resolv.conf"));
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++)
		rmdir(under(dirs[i]));
	return 0;
}

static struct resolvers *begin(void)
{
	struct resolvers *r;

	assert_int_equal(resolvers_new(root, OWN, &r), 0);
	return r;
}

static bool believed_at(const struct resolvers *r, uint32_t netns, const char *addr, uint16_t port, enum dest_class class)
{
	uint8_t a[16] = {[10] = 0xff, [11] = 0xff};

	if (strchr(addr, ':'))
		assert_int_equal(inet_pton(AF_INET6, addr, a), 1);
	else
		assert_int_equal(inet_pton(AF_INET, addr, a + 12), 1);
	return resolver_believed(r, netns, a, port, class);
}

static bool believed(const struct resolvers *r, const char *addr)
{
	return believed_at(r, OWN, addr, 53, CLASS_PRIVATE);
}

static void by_class(void **state)
{
	_cleanup_(resolvers_freep) struct resolvers *r = begin();

	assert_true(believed_at(r, OTHER, "10.0.0.2", 53, CLASS_DNS));
	assert_false(believed_at(r, OTHER, "10.0.0.2", 5353, CLASS_DNS));
	assert_false(believed_at(r, OWN, "8.8.8.8", 53, CLASS_INTERNET));
	assert_false(believed_at(r, OWN, "127.0.0.53", 53, CLASS_HOST));
}

static void by_file(void **state)
{
	say("# nameserver 1.1.1.1\n; nameserver 1.1.1.2\nsearch nameserver 1.1.1.3\n"
	    "nameserver\t10.9.0.1  \r\n  nameserver 2001:db8::1\nnameserver fe80::1%eth0\n"
	    "nameserver 10.9.0.300\nnameservers 10.9.0.2\nnameserver\nnameserver 127.0.0.53");
	_cleanup_(resolvers_freep) struct resolvers *r = begin();

	assert_true(believed(r, "10.9.0.1"));
	assert_true(believed(r, "2001:db8::1"));
	assert_true(believed(r, "fe80::1"));
	assert_true(believed(r, "127.0.0.53"));
	assert_true(believed_at(r, OTHER, "10.9.0.1", 53, CLASS_PRIVATE));
	assert_false(believed_at(r, OTHER, "127.0.0.53", 53, CLASS_HOST));
	assert_false(believed_at(r, OWN, "10.9.0.1", 54, CLASS_PRIVATE));
	for (unsigned i = 1; i < 4; i++) {
		char addr[16];

		snprintf(addr, sizeof(addr), "1.1.1.%u", i);
		assert_false(believed(r, addr));
	}
	assert_false(believed(r, "10.9.0.2"));
}

static void files_change(void **state)
{
	static const char first[] = "nameserver 10.9.0.1\n", resolved[] = "nameserver 10.9.0.7\n";

	say(first);
	_cleanup_(resolvers_freep) struct resolvers *r = begin();
	assert_false(resolvers_refresh(r));
	write_file("run/systemd/resolve/resolv.conf", resolved, strlen(resolved));
	assert_true(resolvers_refresh(r));
	assert_true(believed(r, "10.9.0.1") && believed(r, "10.9.0.7"));
	say("nameserver 10.9.0.22\n");
	assert_true(resolvers_refresh(r));
	assert_false(resolvers_refresh(r));
	assert_false(believed(r, "10.9.0.1"));
	assert_true(believed(r, "10.9.0.22") && believed(r, "10.9.0.7"));
	unlink(under("etc/resolv.conf"));
	unlink(under("run/systemd/resolve/resolv.conf"));
	assert_true(resolvers_refresh(r));
	assert_false(believed(r, "10.9.0.22") || believed(r, "10.9.0.7"));
	assert_false(resolvers_refresh(r));
}

static void hostile_files(void **state)
{
	size_t n = 300000;
	_cleanup_free_ char *much = malloc(n);

	for (size_t i = 0; i < n; i++)
		much[i] = "nameserver 10.9.0.1\n"[i % 20];
	write_file("etc/resolv.conf", much, n);
	_cleanup_(resolvers_freep) struct resolvers *r = begin();
	assert_true(believed(r, "10.9.0.1"));
	memset(much, 'a', n);
	memcpy(much, "nameserver ", 11);
	write_file("etc/resolv.conf", much, n);
	assert_true(resolvers_refresh(r));
	assert_false(believed(r, "10.9.0.1"));
	memset(much, 0, n);
	write_file("etc/resolv.conf", much, n - 1);
	assert_true(resolvers_refresh(r));
	unlink(under("etc/resolv.conf"));
	assert_int_equal(mkdir(under("etc/resolv.conf"), 0755), 0);
	assert_true(resolvers_refresh(r));
	assert_false(resolvers_refresh(r));
	rmdir(under("etc/resolv.conf"));
}

static void by_configuration(void **state)
{
	_cleanup_(resolvers_freep) struct resolvers *r = begin();
	struct host_addr one = {{[10] = 0xff, [11] = 0xff, [12] = 10, [13] = 100, [15] = 10}};

	assert_false(believed(r, "10.100.0.10"));
	assert_int_equal(resolvers_configure(r, &one, 1), 0);
	assert_true(believed_at(r, OTHER, "10.100.0.10", 53, CLASS_INTERNET));
	assert_int_equal(resolvers_configure(r, NULL, 0), 0);
	assert_false(believed(r, "10.100.0.10"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(by_class),	     cmocka_unit_test(by_file),		 cmocka_unit_test(files_change),
	    cmocka_unit_test(hostile_files), cmocka_unit_test(by_configuration),
	};

	return cmocka_run_group_tests(tests, make_root, remove_root);
}
