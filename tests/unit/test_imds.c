/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What the metadata service can answer, and what anyone in its place can. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/imds.h"

static void blocks_are_gathered_once(void **state)
{
	struct imds_facts f = {0};
	struct cidr c;

	assert_int_equal(imds_add_blocks(&f, "10.11.0.0/16\n100.66.0.0/16"), 0);
	assert_int_equal(imds_add_blocks(&f, "10.11.0.0/16\r\n10.12.0.0/20\n"), 0);
	assert_int_equal(imds_add_blocks(&f, "2001:db8:11::/56"), 0);
	assert_int_equal(imds_add_blocks(&f, ""), 0);
	assert_int_equal(f.nblocks, 4);
	assert_int_equal(cidr_parse("100.66.0.0/16", &c), 0);
	assert_memory_equal(&f.blocks[1], &c, sizeof(c));
	assert_int_equal(cidr_parse("2001:db8:11::/56", &c), 0);
	assert_memory_equal(&f.blocks[3], &c, sizeof(c));
	imds_facts_done(&f);
	assert_int_equal(f.nblocks, 0);
}

/* Nothing is added of an answer that is wrong in one place: whoever answers must not make the internet the VPC. */
static void what_is_no_block_is_refused(void **state)
{
	static const char *const bad[] = {
	    "10.11.0.0/33", "10.11.0.1/16", "<html>", "0.0.0.0/0", "::/0", "128.0.0.0/1", "2000::/3", "10.11.0.0/16 ", "/16",
	    "0000000000000000000000000000000000000000000000000000000000000000000000000000000",
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct imds_facts f = {0};

		assert_int_equal(imds_add_blocks(&f, "10.9.0.0/16"), 0);
		if (imds_add_blocks(&f, bad[i]) != -EINVAL || f.nblocks != 1)
			fail_msg("taken: %s", bad[i]);
		imds_facts_done(&f);
	}
}

static void there_may_not_be_too_many(void **state)
{
	struct imds_facts f = {0};
	_cleanup_free_ char *text = calloc(1, 32 * (IMDS_BLOCKS_MAX + 2));

	assert_non_null(text);
	for (unsigned i = 0; i <= IMDS_BLOCKS_MAX; i++)
		sprintf(text + strlen(text), "10.%u.%u.0/24\n", i / 256, i % 256);
	assert_int_equal(imds_add_blocks(&f, text), -EINVAL);
	assert_int_equal(f.nblocks, 0);
	imds_facts_done(&f);
}

static void interfaces(void **state)
{
	static char macs[IMDS_INTERFACES_MAX][IMDS_MAC_LEN];

	assert_int_equal(imds_macs("0e:11:22:33:44:55/\n0e:11:22:33:44:66/", macs), 2);
	assert_string_equal(macs[1], "0e:11:22:33:44:66");
	assert_int_equal(imds_macs("", macs), 0);
	assert_int_equal(imds_macs("../../iam/securit/", macs), -EINVAL);
	assert_int_equal(imds_macs("0e:11:22:33:44:5/", macs), -EINVAL);
	assert_int_equal(imds_macs("0e:11:22:33:44:55/x", macs), -EINVAL);
}

static void identity(void **state)
{
	struct imds_facts f = {0}, before;

	assert_int_equal(imds_identity("{\"instanceId\":\"i-0a\",\"region\":\"eu-central-1\",\"accountId\":\"123456789012\","
				       "\"kernelId\":null}", &f), 0);
	assert_string_equal(f.instance_id, "i-0a");
	assert_string_equal(f.region, "eu-central-1");
	assert_string_equal(f.account, "123456789012");
	before = f;
	assert_int_equal(imds_identity("", &f), -EINVAL);
	assert_int_equal(imds_identity("[]", &f), -EINVAL);
	assert_int_equal(imds_identity("{\"instanceId\":\"i-0b\",\"region\":\"a\\u001b[31m\"}", &f), -EINVAL);
	assert_int_equal(imds_identity("{\"instanceId\":\"i-0b\",\"region\":7}", &f), -EINVAL);
	assert_int_equal(imds_identity("{\"accountId\":\"01234567890123456789012345678901234567890\"}", &f), -EINVAL);
	assert_memory_equal(&before, &f, sizeof(f));
}

static void anything_is_taken_or_refused(void **state)
{
	static const char blocks[] = "10.11.0.0/16\n100.66.0.0/16\n2001:db8:11::/56\n";
	static const char document[] = "{\"instanceId\":\"i-0a\",\"region\":\"eu-central-1\",\"accountId\":\"123456789012\"}";
	uint64_t rng = 88172645463325252ULL;

	for (unsigned i = 0; i < 20000; i++) {
		struct imds_facts f = {0};
		char a[sizeof(blocks)], b[sizeof(document)];

		memcpy(a, blocks, sizeof(a));
		memcpy(b, document, sizeof(b));
		for (unsigned k = 0; k < 3; k++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			a[rng % (sizeof(a) - 1)] = (char)(rng >> 40);
			b[rng % (sizeof(b) - 1)] = (char)(rng >> 48);
		}
		imds_add_blocks(&f, a);
		imds_identity(b, &f);
		for (size_t k = 0; k < f.nblocks; k++)
			assert_true(f.blocks[k].bits >= 16 && f.blocks[k].bits <= 128);
		imds_facts_done(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(blocks_are_gathered_once), cmocka_unit_test(what_is_no_block_is_refused),
	    cmocka_unit_test(there_may_not_be_too_many), cmocka_unit_test(interfaces),
	    cmocka_unit_test(identity),		      cmocka_unit_test(anything_is_taken_or_refused),
	};

	return cmocka_run_group_tests_name("imds", tests, NULL, NULL);
}
