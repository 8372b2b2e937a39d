/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What is a long-lived secret and what is not, whatever the bytes are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "user/secret_file.h"

#define ID "AKIAIOSFODNN7EXAMPLE"
#define MASKED "AKIA************MPLE"

struct text {
	enum secret_kind kind;
	const char *text;
};

static bool holds(enum secret_kind kind, const char *text, char key[static SECRET_KEY_LEN])
{
	size_t n = strlen(text);
	char *exact = malloc(n ? n : 1); /* so that a byte too many is seen */

	assert_non_null(exact);
	memcpy(exact, text, n);
	bool found = secret_find(kind, exact, n, key);
	free(exact);
	return found;
}

static const struct text static_ones[] = {
	{SECRET_AWS, "[default]\naws_access_key_id = " ID "\naws_secret_access_key = x/y\n"},
	{SECRET_AWS, "[default]\r\nAWS_ACCESS_KEY_ID: " ID "\r\nAws_Secret_Access_Key = x=y:z\r\n"},
	{SECRET_AWS, "[a]\naws_access_key_id=ASIAIOSFODNN7EXAMPLE\naws_secret_access_key=x\naws_session_token=t\n"
		     "[b]\r\naws_secret_access_key=x\r\naws_access_key_id=" ID "\r\n"},
	{SECRET_NETRC, "machine api.example.org login x password y"},
	{SECRET_NETRC, "# a comment\ndefault\n\tlogin anonymous\n\tpassword user@site\n"},
	{SECRET_NETRC, "macdef init\ncd /tmp\n\nmachine a login b password c\n"},
	{SECRET_GIT, "https://user:secret@example.org\n"},
	{SECRET_GIT, "\nhttps://example.org/x\nhttps://u%40b:p%3a@git.example.org/a@b\n"},
	{SECRET_KUBE, "users:\n- name: a\n  user:\n    token: abc\n"},
	{SECRET_KUBE, "{\"users\":[{\"name\":\"a\",\"user\":{\"client-key-data\":\"QUJD\"}}]}"},
	{SECRET_KUBE, "users: [{name: a, user: {username: x, password: y}}]\n"},
	{SECRET_DOCKER, "{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dTpw\"}}}"},
	{SECRET_DOCKER, "{\"auths\":{\"r.example.org\":{\"identitytoken\":\"x\"}},\"credsStore\":\"x\"}"},
	{SECRET_GCLOUD, "{\"type\":\"service_account\",\"private_key\":\"-----BEGIN\"}"},
	{SECRET_GCLOUD, "{\"type\":\"authorized_user\",\"refresh_token\":\"1//x\"}"},
	{SECRET_HUGGINGFACE, "hf_abcdefghijklmnopqrstuvwxyzABCDEFGH\n"},
};

static const struct text other_ones[] = {
	{SECRET_AWS, ""},
	{SECRET_AWS, "[default]\naws_access_key_id = ASIAIOSFODNN7EXAMPLE\naws_secret_access_key = x\naws_session_token = t\n"},
	{SECRET_AWS, "[default]\ncredential_process = /usr/bin/x " ID "\n"},
	{SECRET_AWS, "[default]\nsso_session = x\nsso_account_id = 123456789012\n"},
	{SECRET_AWS, "[default]\naws_access_key_id = " ID "\n"},
	{SECRET_AWS, "[a]\naws_access_key_id = " ID "\n[b]\naws_secret_access_key = x\n"},
	{SECRET_AWS, "[a]\naws_access_key_id = " ID "X\naws_secret_access_key = x\n"},
	{SECRET_AWS, "[a]\naws_access_key_id = AKIAiosfodnn7example\naws_secret_access_key = x\n"},
	{SECRET_AWS, "# aws_access_key_id = " ID "\n# aws_secret_access_key = x\n"},
	{SECRET_NETRC, "machine a login b"},
	{SECRET_NETRC, "machine a login password"},
	{SECRET_NETRC, "machine a login b password"},
	{SECRET_NETRC, "# machine a login b password c\n"},
	{SECRET_NETRC, "macdef init\nmachine a password b\n"},
	{SECRET_GIT, "https://user@example.org\nhttps://example.org/a:b@c\nuser:pass@example.org\nhttps://u:@h\n"},
	{SECRET_KUBE, "users:\n- name: a\n  user:\n    exec: {command: aws, args: [eks, get-token]}\n"},
	{SECRET_KUBE, "users:\n- name: a\n  user:\n    tokenFile: /var/run/secrets/token\n"},
	{SECRET_KUBE, "users:\n- name: a\n  user:\n    token: \"\"\n    password: null\n"},
	{SECRET_KUBE, "users: token\ntoken: x\n"},
	{SECRET_KUBE, "users:\n- token: x\n- [user, token]\n- user: token\n"},
	{SECRET_KUBE, "\t: ["},
	{SECRET_DOCKER, "{\"auths\":{\"https://index.docker.io/v1/\":{}},\"credsStore\":\"desktop\"}"},
	{SECRET_DOCKER, "{\"auths\":{\"1.dkr.ecr.eu-west-1.amazonaws.com\":{\"auth\":\"QVdTOng=\"}}}"},
	{SECRET_DOCKER, "{\"auths\":[{\"auth\":\"x\"}]}"},
	{SECRET_DOCKER, "[\"auths\"]"},
	{SECRET_GCLOUD, "{\"type\":\"external_account\",\"credential_source\":{}}"},
	{SECRET_GCLOUD, "{\"type\":7,\"private_key\":\"x\"}"},
	{SECRET_GCLOUD, "{\"type\":\"service_account\""},
	{SECRET_HUGGINGFACE, "hf_short"},
	{SECRET_HUGGINGFACE, "api_org_abcdefghijklmnopqrstuvwxyz"},
	{SECRET_HUGGINGFACE, "\n"},
	{SECRET_ENVIRONMENT, "AWS_ACCESS_KEY_ID=" ID},
};

static void test_static(void **state)
{
	char key[SECRET_KEY_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(static_ones); i++) {
		if (!holds(static_ones[i].kind, static_ones[i].text, key))
			fail_msg("not found: %s", static_ones[i].text);
		assert_string_equal(key, static_ones[i].kind == SECRET_AWS ? MASKED : "");
	}
}

static void test_others(void **state)
{
	char key[SECRET_KEY_LEN];

	for (size_t i = 0; i < ARRAY_SIZE(other_ones); i++) {
		if (holds(other_ones[i].kind, other_ones[i].text, key))
			fail_msg("found: %s", other_ones[i].text);
		assert_string_equal(key, "");
	}
}

/* Every beginning of each, with each byte changed in some way, as every kind. */
static void test_any_bytes(void **state)
{
	char key[SECRET_KEY_LEN];
	uint32_t seed = 12345;

	for (size_t i = 0; i < ARRAY_SIZE(static_ones); i++) {
		size_t n = strlen(static_ones[i].text);

		for (unsigned round = 0; round < 2000; round++) {
			size_t cut = (seed = seed * 1664525 + 1013904223) % (n + 1);
			char *text = malloc(cut ? cut : 1);

			assert_non_null(text);
			memcpy(text, static_ones[i].text, cut);
			for (unsigned k = 0; cut && k < round % 4; k++) {
				seed = seed * 1664525 + 1013904223;
				text[(seed >> 8) % cut] = (char)(seed >> 24);
			}
			for (enum secret_kind kind = 0; kind < SECRET_KINDS; kind++) {
				secret_find(kind, text, cut, key);
				assert_true(!key[0] || !strncmp(key, "AKIA************", 16));
			}
			free(text);
		}
	}
}

static void test_deep_and_wide(void **state)
{
	char *text = malloc(SECRET_FILE_MAX), key[SECRET_KEY_LEN];

	assert_non_null(text);
	for (enum secret_kind kind = 0; kind < SECRET_KINDS; kind++) {
		for (const char *c = "[{\n:=@ -#\""; *c; c++) {
			memset(text, *c, SECRET_FILE_MAX);
			assert_false(secret_find(kind, text, SECRET_FILE_MAX, key));
		}
	}
	free(text);
}

#define ENVIRON(text, e) secret_environ(text, sizeof(text) - 1, e)

static void test_environment(void **state)
{
	struct env_secrets e;

	assert_true(ENVIRON("HOME=/home/x\0AWS_ACCESS_KEY_ID=" ID "\0AWS_SECRET_ACCESS_KEY=s\0", &e));
	assert_string_equal(e.key, MASKED);
	assert_string_equal(e.path[ENV_HOME], "/home/x");
	assert_false(ENVIRON("AWS_ACCESS_KEY_ID=" ID "\0", &e));
	assert_false(ENVIRON("AWS_ACCESS_KEY_ID=ASIAIOSFODNN7EXAMPLE\0AWS_SECRET_ACCESS_KEY=s\0AWS_SESSION_TOKEN=t\0", &e));
	assert_false(ENVIRON("XAWS_ACCESS_KEY_ID=" ID "\0AWS_SECRET_ACCESS_KEY=s\0", &e));
	assert_false(ENVIRON("AWS_SECRET_ACCESS_KEY=s\0AWS_ACCESS_KEY_ID=" ID, &e)); /* cut */
	assert_true(ENVIRON("KUBECONFIG=/a/b:/c\0NETRC=~/n\0AWS_CONFIG_FILE=relative\0AWS_SHARED_CREDENTIALS_FILE=~root/x\0", &e));
	assert_string_equal(e.path[ENV_KUBE], "/a/b");
	assert_string_equal(e.path[ENV_NETRC], "~/n");
	assert_string_equal(e.path[ENV_AWS_CONFIG], "");
	assert_string_equal(e.path[ENV_AWS_CREDENTIALS], "");
	assert_string_equal(e.key, "");
	assert_false(ENVIRON("HOME=/root\0KUBECONFIG=:\0", &e));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_static),	      cmocka_unit_test(test_others),	  cmocka_unit_test(test_any_bytes),
		cmocka_unit_test(test_deep_and_wide), cmocka_unit_test(test_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
