/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Credentials as they come, how long they do, the files and addresses they come from, and the memory they lie in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "user/dest/aws_partition.h"
#include "user/export/aws_creds.h"
#include "user/export/aws_environment.h"
#include "user/export/aws_profile.h"
#include "user/export/aws_url.h"
#include "user/locked.h"

/* --- answers -------------------------------------------------------------------------------------- */

static void of_json(void **state)
{
	static const char text[] =
	    "{\"Code\":\"Success\",\"LastUpdated\":\"x\",\"AccessKeyId\":\"ASIA1\",\"SecretAccessKey\":\"s/+=\","
	    "\"Token\":\"t\",\"Expiration\":\"2026-11-26T20:19:34Z\"}";
	_cleanup_locked_ struct creds *c = locked_alloc(sizeof(*c));

	assert_int_equal(creds_from_json(text, sizeof(text) - 1, c), 0);
	assert_string_equal(c->access, "ASIA1");
	assert_string_equal(c->secret, "s/+=");
	assert_string_equal(c->token, "t");
	assert_int_equal(c->expires_s, 1795724374);
}

static void of_json_that_is_none(void **state)
{
	static const struct {
		const char *text;
		int err;
	} t[] = {
	    {"", -EINVAL},
	    {"{}", -EINVAL},
	    {"[]", -EINVAL},
	    {"<html>", -EINVAL},
	    {"{\"AccessKeyId\":\"A\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"\",\"SecretAccessKey\":\"s\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"A/B\",\"SecretAccessKey\":\"s\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s s\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"a\\r\\nX: y\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":\"\\u00e9\"}", -EINVAL},
	    {"{\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\",\"Token\":[]}", -EINVAL},
	    {"{\"AccessKeyIdX\":\"A\",\"SecretAccessKey\":\"s\"}", -EINVAL},
	    {"{\"Access\":\"A\",\"SecretAccessKey\":\"s\"}", -EINVAL},
	    {"{\"Code\":\"AssumeRoleUnauthorizedAccess\",\"AccessKeyId\":\"A\",\"SecretAccessKey\":\"s\"}", -EACCES},
	};
	_cleanup_locked_ struct creds *c = locked_alloc(sizeof(*c));

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		if (creds_from_json(t[i].text, strlen(t[i].text), c) != t[i].err || c->access[0])
			fail_msg("taken: %s", t[i].text);
}

#define XML(end)                                                                                                                 \
	"<AssumeRoleResponse "                                                                                                   \
	"xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult><Credentials><AccessKeyId>ASIA1</AccessKeyId>"    \
	"<SecretAccessKey>s</SecretAccessKey><SessionToken>\n t/+= \n</SessionToken>" end                                        \
	"</Credentials></AssumeRoleResult></AssumeRoleResponse>"

static void of_sts(void **state)
{
	static const char xml[] = XML("<Expiration>2026-11-26T20:19:34Z</Expiration>"), open[] = XML("");
	static const char json[] = "{\"AssumeRoleResponse\":{\"AssumeRoleResult\":{\"Credentials\":{\"AccessKeyId\":\"ASIA2\","
				   "\"SecretAccessKey\":\"s\",\"SessionToken\":\"t\",\"Expiration\":1.795724374E9}}}}";
	_cleanup_locked_ struct creds *c = locked_alloc(sizeof(*c));

	assert_int_equal(creds_from_sts("AssumeRole", xml, sizeof(xml) - 1, c), 0);
	assert_string_equal(c->token, "t/+=");
	assert_int_equal(c->expires_s, 1795724374);
	assert_int_equal(creds_from_sts("AssumeRole", open, sizeof(open) - 1, c), 0);
	assert_int_equal(c->expires_s, 0);
	assert_int_equal(creds_from_sts("AssumeRole", json, sizeof(json) - 1, c), 0);
	assert_string_equal(c->access, "ASIA2");
	assert_int_equal(c->expires_s, 1795724374);
	assert_int_equal(creds_from_sts("AssumeRoleWithWebIdentity", json, sizeof(json) - 1, c), -EINVAL);
	assert_int_equal(creds_from_sts("AssumeRole", xml, sizeof(xml) - 20, c), -EINVAL);
	assert_string_equal(c->access, "ASIA2");
}

static void accounts(void **state)
{
	static const char good[] = "{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":\"012345678901\"}}}";
	static const char bad[] = "{\"GetCallerIdentityResponse\":{\"GetCallerIdentityResult\":{\"Account\":\"0123456789\"}}}";
	char account[AWS_ACCOUNT_LEN] = "";

	assert_int_equal(account_from_sts(bad, sizeof(bad) - 1, account), -EINVAL);
	assert_string_equal(account, "");
	assert_int_equal(account_from_sts(good, sizeof(good) - 1, account), 0);
	assert_string_equal(account, "012345678901");
}

static void ends(void **state)
{
	static const struct {
		const char *text;
		int64_t is;
	} t[] = {
	    {"2026-11-26T20:19:34Z", 1795724374},
	    {"2026-11-26T21:19:34.5+01:00", 1795724374},
	    {"1795724374", 1795724374},
	    {"1.795724374E9", 1795724374},
	    {"1795724374.75", 1795724374},
	    {"17957243740e0", 17957243740},
	    {"1E+9", 1000000000},
	    {"", 0},
	    {"soon", 0},
	    {"-5", 0},
	    {"1e99", 0},
	    {"1e999999999999", 0},
	    {"99999999999999999999", 0},
	    {"1E", 0},
	    {"1e-9", 0},
	    {"1x", 0},
	    {"2026-13-01T00:00:00Z", 0},
	    {"999999999999", 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		if (creds_expiry(t[i].text) != t[i].is)
			fail_msg("%s: %lld", t[i].text, (long long)creds_expiry(t[i].text));
}

/* --- age ------------------------------------------------------------------------------------------- */

static void renewed_well_before_the_end(void **state)
{
	const int64_t now = 1795720774;
	struct creds_age day = creds_age_of(now + 86400, now, NSEC), hour = creds_age_of(now + 3600, now, NSEC),
			 minute = creds_age_of(now + 60, now, NSEC);

	assert_int_equal(day.early_s, 900);
	assert_int_equal(hour.early_s, 900);
	assert_int_equal(minute.early_s, 15);
	assert_int_equal(creds_need(&hour, now, NSEC), CREDS_FRESH);
	assert_int_equal(creds_need(&hour, now + 2699, NSEC), CREDS_FRESH);
	assert_int_equal(creds_need(&hour, now + 2700, NSEC), CREDS_ADVISED);
	assert_int_equal(creds_need(&hour, now + 3599, NSEC), CREDS_ADVISED);
	assert_int_equal(creds_need(&hour, now + 3600, NSEC), CREDS_ENDED);
	assert_int_equal(creds_need(&minute, now + 44, NSEC), CREDS_FRESH);
	assert_int_equal(creds_need(&minute, now + 45, NSEC), CREDS_ADVISED);
}

static void an_end_that_is_not_known(void **state)
{
	struct creds_age a = creds_age_of(0, 1795720774, 5 * NSEC), ended = creds_age_of(1795720000, 1795720774, NSEC);

	assert_int_equal(creds_need(&a, 1795720774 + 90000, 6 * NSEC), CREDS_FRESH); /* a step of the clock is no age */
	assert_int_equal(creds_need(&a, 1795720774, 3604 * NSEC), CREDS_FRESH);
	assert_int_equal(creds_need(&a, 1795720774, 3605 * NSEC), CREDS_ADVISED);
	assert_int_equal(creds_need(&ended, 1795720774, NSEC), CREDS_ADVISED); /* by a clock that may be wrong */
}

static void pauses(void **state)
{
	assert_int_equal(creds_pause(0, 7), 0);
	for (unsigned n = 1; n < 100; n++)
		for (unsigned k = 0; k < 100; k++) {
			uint64_t p = creds_pause(n, k * 0x28f5c28f5c28f5cULL);

			assert_in_range(p, NSEC, 60 * NSEC);
		}
	assert_true(creds_pause(9, 0) >= 30 * NSEC);
}

/* --- files ------------------------------------------------------------------------------------------ */

static void profiles(void **state)
{
	static const char text[] =
	    "; c\n[default]\nregion=one\nregion = two\n[ profile  a b ]\nk : v = w\n[profile \"q\"]\nk=quoted\n[x]\nk=no\n"
	    "[default]\nother=1\r\nnested =\n  region = no\nkey with no value\nEmpty =\n[broken\nregion=bad\n";
	char got[8] = "";

	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "default", "region", got, sizeof(got)), 0);
	assert_string_equal(got, "two");
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "default", "OTHER", got, sizeof(got)), 0);
	assert_string_equal(got, "1");
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "a b", "k", got, sizeof(got)), 0);
	assert_string_equal(got, "v = w");
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "q", "k", got, sizeof(got)), 0);
	assert_string_equal(got, "quoted");
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "x", "k", got, sizeof(got)), -ENOENT);
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, false, "x", "k", got, sizeof(got)), 0);
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "default", "empty", got, sizeof(got)), -ENOENT);
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "default", "nested", got, sizeof(got)), -ENOENT);
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "a b", "k", got, 5), -E2BIG);
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "q", NULL, NULL, 0), 0);
	assert_int_equal(aws_profile_find(text, sizeof(text) - 1, true, "r", NULL, NULL, 0), -ENOENT);
	assert_int_equal(aws_profile_find(NULL, 0, true, "default", "region", got, sizeof(got)), -ENOENT);
}

/* As configparser has it, by which awscli reads these files: what stands further in than the key above belongs to that. */
static void profiles_that_are_indented(void **state)
{
	static const char text[] = "[default]\n  region = one\n  # c\n  nested =\n    k = no\n\n  k = yes\n\t[a]\n\tk=1\n\tother = 2\n"
				   "[b]\nk = 3\n  other = no\n";
	static const struct {
		const char *profile, *key, *value;
	} all[] = {{"default", "region", "one"}, {"default", "k", "yes"}, {"a", "k", "1"}, {"b", "k", "3"}, {"b", "other", NULL}};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		char got[8] = "";
		int err = aws_profile_find(text, sizeof(text) - 1, false, all[i].profile, all[i].key, got, sizeof(got));

		assert_int_equal(err, all[i].value ? 0 : -ENOENT);
		assert_string_equal(got, all[i].value ? all[i].value : "");
	}
	static const char section[] = " [a]\n k = 1\n other = 2\n";
	char got[8] = "";

	assert_int_equal(aws_profile_find(section, sizeof(section) - 1, false, "a", "other", got, sizeof(got)), 0);
	assert_string_equal(got, "2");
}

static void secrets_of_files(void **state)
{
	char path[] = "/tmp/sluice-secret-XXXXXX";
	int fd = mkstemp(path);
	_cleanup_locked_ char *text = NULL;
	size_t n = 0;

	assert_int_equal(write(fd, "tok\n\r\n ", 7), 7);
	assert_int_equal(aws_secret_read(path, 100, &text, &n), 0);
	assert_string_equal(text, "tok");
	assert_int_equal(n, 3);
	assert_int_equal(aws_secret_read(path, 6, &text, &n), -EFBIG);
	assert_int_equal(aws_secret_read("/tmp", 100, &text, &n), -EINVAL);
	assert_int_equal(aws_secret_read("/dev/null", 100, &text, &n), -ENOENT);
	assert_int_equal(aws_secret_read("/dev/zero", 100, &text, &n), -EINVAL);
	assert_int_equal(aws_secret_read("/nonexistent", 100, &text, &n), -ENOENT);
	assert_int_equal(ftruncate(fd, 0), 0);
	close(fd);
	unlink(path);
	mkfifo(path, 0600);
	assert_int_equal(aws_secret_read(path, 100, &text, &n), -EINVAL);
	unlink(path);
}

/* --- addresses --------------------------------------------------------------------------------------- */

static void urls(void **state)
{
	struct aws_url u = {0};
	char authority[AWS_AUTHORITY_LEN];
	static const char *const bad[] = {
	    "",
	    "ftp://a",
	    "http:/a",
	    "http://",
	    "http:///p",
	    "//a",
	    "http://a:",
	    "http://a:0",
	    "http://a:65536",
	    "http://a:x",
	    "http://u@a",
	    "http://a b",
	    "http://a/ b",
	    "http://a/#f",
	    "http://a\n",
	    "http://a/\x80",
	    "http://[::1",
	    "http://[::g]",
	    "http://[::1]x",
	    "http://a\\b",
	    "http://a/\\",
	    "http://[127.0.0.1]/",
	    "http://a:1:2",
	    "http://%61/",
	};

	assert_int_equal(aws_url_parse("HTTPS://Ex.Ample:8443/p/q?a=b", &u), 0);
	assert_true(u.tls && u.port == 8443);
	assert_string_equal(u.path, "/p/q?a=b");
	assert_string_equal(aws_url_authority(&u, authority), "ex.ample:8443");
	assert_int_equal(aws_url_parse("http://[FD00:ec2::23]?x", &u), 0);
	assert_string_equal(u.path, "/?x");
	assert_string_equal(aws_url_authority(&u, authority), "[fd00:ec2::23]");
	char longest[sizeof("http://a") + AWS_PATH_LEN];
	for (int without = 0; without < 2; without++) { /* its first slash is added */
		size_t n = (size_t)sprintf(longest, "http://a%s", without ? "?" : "/");
		memset(longest + n, 'p', sizeof(longest) - n);
		longest[strlen("http://a") + AWS_PATH_LEN - 1 - (size_t)without] = '\0';
		assert_int_equal(aws_url_parse(longest, &u), 0);
		assert_int_equal(strlen(u.path), AWS_PATH_LEN - 1);
		longest[strlen(longest) + 1] = '\0';
		longest[strlen(longest)] = 'p';
		assert_int_equal(aws_url_parse(longest, &u), -EINVAL);
	}
	assert_int_equal(aws_url_parse("https://a:443", &u), 0);
	assert_string_equal(aws_url_authority(&u, authority), "a");
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (aws_url_parse(bad[i], &u) != -EINVAL)
			fail_msg("taken: %s", bad[i]);
}

static void who_may_give_credentials(void **state)
{
	static const char *const good[] =
	    {
		"https://anyone.example/",     "http://127.0.0.1/",
		"http://127.255.255.254:99/x", "http://[::1]:8/",
		"http://localhost/",	       "http://LocalHost:1",
		"http://169.254.170.2/v2",     "http://169.254.170.23/v1/credentials",
		"http://[fd00:ec2::23]/",      "http://[FD00:0EC2:0:0::0023]/",
	    },
				 *const bad[] = {
				     "http://127.evil.example/",
				     "http://127.0.0.1.evil.example/",
				     "http://128.0.0.1/",
				     "http://126.255.255.255/",
				     "http://169.254.170.24/",
				     "http://169.254.170.3/",
				     "http://169.254.169.254/",
				     "http://169.254.170.2.example/",
				     "http://0.0.0.0/",
				     "http://[::]/",
				     "http://[fe80::1]/",
				     "http://[::ffff:10.0.0.1]/",
				     "http://[fd00:ec2::24]/",
				     "http://[fd00:ec2::254]/",
				     "http://localhost.example/",
				     "http://localhost./",
				     "http://0177.0.0.1/",
				     "http://2130706433/",
				     "http://127.1/",
				     "http://example/",
				     "http://127.0.0.1./",
				 };
	struct aws_url u;

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (aws_url_parse(good[i], &u) || !aws_url_credentials_ok(&u))
			fail_msg("refused: %s", good[i]);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (aws_url_parse(bad[i], &u) || aws_url_credentials_ok(&u))
			fail_msg("allowed: %s", bad[i]);
}

static void partitions(void **state)
{
	static const char *const t[][2] = {
	    {"eu-central-1", "aws"},	      {"cn-north-1", "aws-cn"},	       {"us-gov-east-1", "aws-us-gov"},
	    {"us-iso-east-1", "aws-iso"},     {"us-isob-east-1", "aws-iso-b"}, {"eu-isoe-west-1", "aws-iso-e"},
	    {"us-isof-south-1", "aws-iso-f"}, {"mx-central-1", "aws"},
	};
	struct aws_url u;

	for (size_t i = 0; i < ARRAY_SIZE(t); i++)
		assert_string_equal(aws_partition_of(t[i][0])->name, t[i][1]);
	assert_int_equal(aws_endpoint_of(&(struct aws_endpoint_wish){"logs", "eu-isoe-west-1", false, false}, &u), 0);
	assert_string_equal(u.host, "logs.eu-isoe-west-1.cloud.adc-e.uk");
	assert_int_equal(aws_endpoint_of(&(struct aws_endpoint_wish){"logs", "a.evil.example/", false, false}, &u), -EINVAL);
	assert_int_equal(aws_endpoint_of(&(struct aws_endpoint_wish){"logs", "", false, false}, &u), -EINVAL);
	assert_int_equal(aws_endpoint_of(&(struct aws_endpoint_wish){"logs", "us-iso-east-1", false, true}, &u), -EOPNOTSUPP);
}

/* --- memory ------------------------------------------------------------------------------------------- */

/* The mapping that holds `p`, as smaps shows its flags. */
static void flags_of(const void *p, char ret[static 256])
{
	FILE *f = fopen("/proc/self/smaps", "re");
	char line[512];
	bool mine = false;

	ret[0] = '\0';
	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long from, to;

		if (sscanf(line, "%llx-%llx %*s", &from, &to) == 2)
			mine = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (mine && !strncmp(line, "VmFlags:", 8))
			snprintf(ret, 256, "%.250s", line + 8);
	}
	if (f)
		fclose(f);
}

static void locked_memory(void **state)
{
	char *p = locked_alloc(10000), flags[256];
	int status = 0;

	assert_non_null(p);
	for (size_t i = 0; i < 10000; i++)
		assert_int_equal(p[i], 0);
	flags_of(p, flags);
	assert_non_null(strstr(flags, " dd"));
	strcpy(p, "secret");
	pid_t child = fork();
	if (!child)
		_exit(p[0] ? 1 : locked_free(p) ? 2 : 0); /* wiped on fork: and giving it back does no harm */
	waitpid(child, &status, 0);
	assert_int_equal(status, 0);
	assert_string_equal(p, "secret");
	assert_null(locked_free(p));
	assert_null(locked_free(NULL));
	assert_null(locked_alloc(SIZE_MAX));
}

static void the_environment_forgets(void **state)
{
	static const char secret[] = "a-secret-of-the-environment";
	char *text;

	setenv("AWS_SECRET_ACCESS_KEY", secret, 1);
	setenv("AWS_SESSION_TOKEN", "", 1);
	setenv("AWS_REGION", "eu-central-1", 1);
	text = getenv("AWS_SECRET_ACCESS_KEY");
	assert_int_equal(aws_environment_take(), 0);
	assert_null(getenv("AWS_SECRET_ACCESS_KEY"));
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(text[i], 0);
	assert_string_equal(aws_env("AWS_SECRET_ACCESS_KEY"), secret);
	assert_null(aws_env("AWS_SESSION_TOKEN"));
	assert_string_equal(aws_env("AWS_REGION"), "eu-central-1");
	assert_int_equal(aws_environment_take(), 0);
	assert_string_equal(aws_env("AWS_SECRET_ACCESS_KEY"), secret);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(of_json),
	    cmocka_unit_test(of_json_that_is_none),
	    cmocka_unit_test(of_sts),
	    cmocka_unit_test(accounts),
	    cmocka_unit_test(ends),
	    cmocka_unit_test(renewed_well_before_the_end),
	    cmocka_unit_test(an_end_that_is_not_known),
	    cmocka_unit_test(pauses),
	    cmocka_unit_test(profiles), cmocka_unit_test(profiles_that_are_indented),
	    cmocka_unit_test(secrets_of_files),
	    cmocka_unit_test(urls),
	    cmocka_unit_test(who_may_give_credentials),
	    cmocka_unit_test(partitions),
	    cmocka_unit_test(locked_memory),
	    cmocka_unit_test(the_environment_forgets),
	};

	return cmocka_run_group_tests_name("aws_credentials", tests, NULL, NULL);
}
