/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/*
 * Any bytes as a file of credentials of any kind, and as an environment: no crash, no leak, and no more of a key than its last
 * four characters.
 */
/*
 * Any bytes as a file of credentials of any kind, and as an environment: no crash, no leak, and no more of a key than its last
 * four characters.
 *
 *   clang -g -O1 -D_GNU_SOURCE -I. -fsanitize=fuzzer,address,undefined -o fuzz_secret \
 *         tests/fuzz/fuzz_secret.c user/secret_file.c user/util.c user/policy/yaml_tree.c -lyaml -ljansson
 *   ./fuzz_secret -max_total_time=120 -max_len=4096
 */
#include <stdlib.h>
#include <string.h>

#include "user/secret_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_key(const char *key)
{
	if (*key && (strlen(key) != 20 || strncmp(key, "AKIA************", 16)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char key[SECRET_KEY_LEN];
	struct env_secrets env;

	for (enum secret_kind kind = 0; kind < SECRET_KINDS; kind++) {
		if (!secret_find(kind, (const char *)data, len, key) && *key)
			abort();
		check_key(key);
	}
	secret_environ((const char *)data, len, &env);
	check_key(env.key);
	for (unsigned i = 0; i < ENV_PATHS; i++)
		if (strnlen(env.path[i], ENV_PATH_LEN) == ENV_PATH_LEN)
			abort();
	return 0;
}
