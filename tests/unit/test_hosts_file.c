/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the host's own file says of names, as it changes, and what it may not say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/dest/hosts_file.h"

#define OWN 7

static char root[] = "/tmp/sluice-hosts-XXXXXX", path[64];

static int make_root(void **state)
{
	char etc[64];

	if (!mkdtemp(root))
		return -1;
	snprintf(etc, sizeof(etc), "%s/etc", root);
	snprintf(path, sizeof(path), "%s/etc/hosts", root);
	return mkdir(etc, 0755);
}

static int remove_root(void **state)
{
	char etc[64];

	snprintf(etc, sizeof(etc), "%s/etc", root);
	unlink(path);
	return rmdir(etc) || rmdir(root);
}

static void write_file(const char *text)
{
	FILE *f;

	unlink(path);
	f = fopen(path, "w");
	assert_true(f && fputs(text, f) >= 0 && !fclose(f));
}

struct fixture {
	struct names *names;
	struct hosts_file *file;
	uint64_t now;
};

static void begin(struct fixture *t)
{
	*t = (struct fixture){.now = 1000 * NSEC};
	assert_int_equal(names_new(NAMES_MOST, &t->names), 0);
	assert_int_equal(hosts_file_new(root, &t->file), 0);
}

static void end(struct fixture *t)
{
	names_free(t->names);
	hosts_file_free(t->file);
}

static void tell(struct fixture *t)
{
	t->now += NSEC;
	assert_int_equal(hosts_file_tell(t->file, t->names, OWN, t->now), 0);
}

static enum name_proof proof(const struct fixture *t, const char *name, const char *addr)
{
	uint8_t a[16] = {[10] = 0xff, [11] = 0xff};

	assert_int_equal(inet_pton(strchr(addr, ':') ? AF_INET6 : AF_INET, addr, strchr(addr, ':') ? a : a + 12), 1);
	return names_check(t->names, name, a, t->now);
}

static void what_it_says(void **state)
{
	struct fixture t;

	begin(&t);
	unlink(path);
	tell(&t);
	write_file("# 192.0.2.1 not.example.org\n"
		   "127.0.0.1 localhost me.example.org\n::1 ip6-localhost\n"
		   "  192.0.2.7\tApi.Example.org api # the service\n"
		   "2001:db8::7 api.example.org\r\n"
		   "nonsense api2.example.org\n192.0.2.8\n192.0.2.9 bad..name fine.example.org");
	tell(&t);
	assert_int_equal(proof(&t, "api.example.org", "192.0.2.7"), NAME_PROVEN);
	assert_int_equal(proof(&t, "api.example.org", "2001:db8::7"), NAME_PROVEN);
	assert_int_equal(proof(&t, "api.example.org", "192.0.2.9"), NAME_ELSEWHERE);
	assert_int_equal(proof(&t, "fine.example.org", "192.0.2.9"), NAME_PROVEN);
	assert_int_equal(proof(&t, "not.example.org", "192.0.2.1"), NAME_UNSEEN);
	assert_int_equal(proof(&t, "me.example.org", "127.0.0.1"), NAME_UNSEEN);
	assert_int_equal(proof(&t, "api2.example.org", "192.0.2.7"), NAME_UNSEEN);
	end(&t);
}

static void as_it_changes(void **state)
{
	struct fixture t;

	begin(&t);
	write_file("192.0.2.7 a.example.org\n");
	tell(&t);
	write_file("192.0.2.7 b.example.org\n");
	tell(&t);
	assert_int_equal(proof(&t, "b.example.org", "192.0.2.7"), NAME_PROVEN);
	/* told again before its proof is too old */
	for (unsigned hour = 0; hour < 24 * 8; hour++) {
		t.now += 3600 * NSEC;
		tell(&t);
	}
	assert_int_equal(proof(&t, "b.example.org", "192.0.2.7"), NAME_PROVEN);
	assert_int_equal(proof(&t, "a.example.org", "192.0.2.7"), NAME_HEARD);
	end(&t);
}

/* Lists of blocked hosts have hundreds of thousands. */
static void only_so_many(void **state)
{
	static char text[HOSTS_FILE_PAIRS * 40 + 80];
	struct fixture t;
	size_t n = 0;

	begin(&t);
	for (unsigned i = 0; i <= HOSTS_FILE_PAIRS; i++)
		n += (size_t)sprintf(text + n, "192.0.2.1 n%u.example.org\n", i);
	write_file(text);
	tell(&t);
	assert_int_equal(names_count(t.names).pairs, HOSTS_FILE_PAIRS);
	end(&t);
}

static void nothing_to_read(void **state)
{
	struct fixture t;

	begin(&t);
	unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0); /* does not hang */
	tell(&t);
	unlink(path);
	assert_int_equal(symlink("/dev/zero", path), 0);
	tell(&t);
	assert_int_equal(names_count(t.names).pairs, 0);
	end(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_it_says),
	    cmocka_unit_test(as_it_changes),
	    cmocka_unit_test(only_so_many),
	    cmocka_unit_test(nothing_to_read),
	};

	return cmocka_run_group_tests_name("hosts_file", tests, make_root, remove_root);
}
