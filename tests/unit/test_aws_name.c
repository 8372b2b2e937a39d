/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/aws_name.h"
#include "user/dest/aws_partition.h"

/* Forms and names as botocore's endpoint rule sets and their tests have them. */
static const struct {
	const char *host, *service, *region, *resource, *account;
	enum s3_form form;
	bool private_link;
} names[] = {
    {"bkt.s3.eu-central-1.amazonaws.com", "s3", "eu-central-1", "bkt", "", S3_BUCKET, false},
    {"BKT.S3.EU-Central-1.amazonaws.com.", "s3", "eu-central-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3.amazonaws.com", "s3", "", "bkt", "", S3_BUCKET, false},
    {"a.dotted.bkt.s3.us-west-2.amazonaws.com", "s3", "us-west-2", "a.dotted.bkt", "", S3_BUCKET, false},
    {"bkt.s3-eu-west-1.amazonaws.com", "s3", "eu-west-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3.dualstack.us-east-1.amazonaws.com", "s3", "us-east-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3-fips.us-gov-west-1.amazonaws.com", "s3", "us-gov-west-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3-fips.dualstack.us-east-2.amazonaws.com", "s3", "us-east-2", "bkt", "", S3_BUCKET, false},
    {"bkt.s3-accelerate.amazonaws.com", "s3", "", "bkt", "", S3_BUCKET, false},
    {"bkt.s3-accelerate.dualstack.amazonaws.com", "s3", "", "bkt", "", S3_BUCKET, false},
    {"bkt.s3.cn-north-1.amazonaws.com.cn", "s3", "cn-north-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3-website-us-east-1.amazonaws.com", "s3", "us-east-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3-website.eu-central-1.amazonaws.com", "s3", "eu-central-1", "bkt", "", S3_BUCKET, false},
    {"s3.eu-central-1.amazonaws.com", "s3", "eu-central-1", "", "", S3_PATH, false},
    {"s3.amazonaws.com", "s3", "", "", "", S3_PATH, false},
    {"s3-us-west-2.amazonaws.com", "s3", "us-west-2", "", "", S3_PATH, false},
    {"myap-123456789012.s3-accesspoint.us-west-2.amazonaws.com", "s3", "us-west-2", "myap", "123456789012", S3_ACCESS_POINT, false},
    {"my-ap-123456789012.s3-accesspoint-fips.dualstack.us-east-1.amazonaws.com", "s3", "us-east-1", "my-ap", "123456789012",
     S3_ACCESS_POINT, false},
    {"mfzwi23gnjvgw.mrap.accesspoint.s3-global.amazonaws.com", "s3", "", "mfzwi23gnjvgw", "", S3_MULTI_REGION, false},
    {"mybanner-123456789012.s3-object-lambda.us-west-2.amazonaws.com", "s3", "us-west-2", "mybanner", "123456789012",
     S3_OBJECT_LAMBDA, false},
    {"mybucket--usw2-az1--x-s3.s3express-usw2-az1.us-west-2.amazonaws.com", "s3", "us-west-2", "mybucket--usw2-az1--x-s3", "",
     S3_BUCKET, false},
    {"s3express-control.us-west-2.amazonaws.com", "s3", "us-west-2", "", "", S3_CONTROL, false},
    {"reports-123456789012.op-01234567890123456.s3-outposts.us-west-2.amazonaws.com", "s3", "us-west-2", "reports",
     "123456789012", S3_OUTPOST, false},
    {"test-accessp-e0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3.op-0b1d075431d83bebd.s3-outposts.us-west-2.amazonaws.com",
     "s3", "us-west-2", "test-accessp-e0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", "", S3_OUTPOST, false},
    {"test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3.ec2.s3-outposts.us-west-2.amazonaws.com", "s3", "us-west-2",
     "test-accessp-o0b1d075431d83bebde8xz5w8ijx1qzlbp3i3kuse10--op-s3", "", S3_OUTPOST, false},
    {"bkt.s3.eusc-de-east-1.amazonaws.eu", "s3", "eusc-de-east-1", "bkt", "", S3_BUCKET, false},
    {"bkt.s3.us-iso-east-1.c2s.ic.gov", "s3", "us-iso-east-1", "bkt", "", S3_BUCKET, false},
    {"lambda.cn-north-1.api.amazonwebservices.com.cn", "lambda", "cn-north-1", "", "", S3_NONE, false},
    {"a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.0.1.2.3.4.5.bucket.vpce-1a2b-5e6f.s3.us-west-2.vpce.amazonaws.com", "s3",
     "us-west-2", "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r.s.t.u.v.w.x.y.z.0.1.2.3.4.5", "", S3_BUCKET, true},
    {"s3express-control-fips.us-west-2.amazonaws.com", "s3", "us-west-2", "", "", S3_CONTROL, false},
    {"123456789012.s3-control.us-east-1.amazonaws.com", "s3", "us-east-1", "", "123456789012", S3_CONTROL, false},
    {"bkt.bucket.vpce-1a2b3c4d-5e6f.s3.us-west-2.vpce.amazonaws.com", "s3", "us-west-2", "bkt", "", S3_BUCKET, true},
    {"bucket.vpce-1a2b3c4d-5e6f.s3.us-west-2.vpce.amazonaws.com", "s3", "us-west-2", "", "", S3_PATH, true},
    {"myap-123456789012.accesspoint.vpce-1a2b.s3.us-west-2.vpce.amazonaws.com", "s3", "us-west-2", "myap", "123456789012",
     S3_ACCESS_POINT, true},
    {"bucket-name.control.vpce-1a2b3c4d-5e6f.s3.us-west-2.vpce.amazonaws.com", "s3", "us-west-2", "", "", S3_CONTROL, true},
    {"sts.amazonaws.com", "sts", "", "", "", S3_NONE, false},
    {"sts.eu-west-1.amazonaws.com", "sts", "eu-west-1", "", "", S3_NONE, false},
    {"logs.eu-west-1.amazonaws.com", "logs", "eu-west-1", "", "", S3_NONE, false},
    {"runtime.sagemaker.us-east-1.amazonaws.com", "sagemaker", "us-east-1", "", "", S3_NONE, false},
    {"bedrock-runtime.us-east-1.amazonaws.com", "bedrock-runtime", "us-east-1", "", "", S3_NONE, false},
    {"kms-fips.us-east-1.amazonaws.com", "kms", "us-east-1", "", "", S3_NONE, false},
    {"123456789012.dkr.ecr.eu-central-1.amazonaws.com", "ecr", "eu-central-1", "", "123456789012", S3_NONE, false},
    {"vpce-0a1b-2c3d.logs.us-east-1.vpce.amazonaws.com", "logs", "us-east-1", "", "", S3_NONE, true},
    {"lambda.us-east-1.api.aws", "lambda", "us-east-1", "", "", S3_NONE, false},
};

static void as_documented(void **state)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct aws_name a;

		if (!aws_name_parse(names[i].host, &a))
			fail_msg("refused: %s", names[i].host);
		if (strcmp(a.service, names[i].service) || strcmp(a.region, names[i].region) ||
		    strcmp(a.resource, names[i].resource) || strcmp(a.account, names[i].account) || a.form != names[i].form ||
		    a.private_link != names[i].private_link)
			fail_msg("%s: service %s, region %s, resource %s, account %s, form %d, private %d", names[i].host,
				 a.service, a.region, a.resource, a.account, a.form, a.private_link);
	}
}

static void partitions(void **state)
{
	static const char *const of[][3] = {
	    {"bkt.s3.eu-central-1.amazonaws.com", "eu-central-1", "aws"},
	    {"s3.amazonaws.com", "us-east-1", "aws"},
	    {"bkt.s3.us-gov-west-1.amazonaws.com", "us-gov-west-1", "aws-us-gov"},
	    {"lambda.us-gov-east-1.api.aws", "us-gov-east-1", "aws-us-gov"},
	    {"bkt.s3.cn-north-1.amazonaws.com.cn", "cn-north-1", "aws-cn"},
	    {"bkt.s3.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1", "aws-eusc"},
	    {"bkt.s3.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1", "aws-iso-b"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(of); i++) {
		struct aws_name a;

		assert_true(aws_name_parse(of[i][0], &a));
		assert_string_equal(a.partition, of[i][2]);
		assert_string_equal(aws_partition_of(of[i][1])->name, of[i][2]);
	}
	assert_string_equal(aws_partition_of("")->name, "aws");
}

static void what_is_not_amazons(void **state)
{
	static const char *const others[] = {
	    "", ".", "example.org", "amazonaws.com", ".amazonaws.com", "s3.eu-central-1.amazonaws.com.evil.example",
	    "bkt.s3.eu-central-1.amazonaws.co", "evil-amazonaws.com", "bkt.s3.eu-central-1.notamazonaws.com",
	    "bkt..s3.eu-central-1.amazonaws.com", "b/kt.s3.eu-central-1.amazonaws.com", "b\x1b[31m.s3.amazonaws.com",
	    "vpce.amazonaws.com", "nobody.s3-accesspoint.us-west-2.amazonaws.com",
	    "nobody.thing.s3-outposts.us-west-2.amazonaws.com", "dualstack.eu-west-1.amazonaws.com",
	};
	char longest[400];

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct aws_name a;

		if (aws_name_parse(others[i], &a))
			fail_msg("taken: %s as %s", others[i], a.service);
	}
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + 100, ".s3.eu-west-1.amazonaws.com");
	assert_false(aws_name_parse(longest, &(struct aws_name){0})); /* no bucket has such a name */
}

static void anything_is_taken_or_refused(void **state)
{
	static const char letters[] = "abz09-._s3vpce";
	uint64_t rng = 88172645463325252ULL;

	for (unsigned i = 0; i < 200000; i++) {
		char host[300] = "";
		struct aws_name a;
		size_t n;

		for (n = 0; n < 1 + i % 60; n++) {
			rng ^= rng << 13;
			rng ^= rng >> 7;
			rng ^= rng << 17;
			host[n] = i % 5 ? letters[rng % (sizeof(letters) - 1)] : (char)(1 + rng % 255);
		}
		strcpy(host + n, i % 2 ? ".s3.eu-west-1.amazonaws.com" : ".amazonaws.com");
		if (!aws_name_parse(host, &a))
			continue;
		assert_true(strlen(a.resource) < AWS_WORD_LEN && strlen(a.service) && strlen(a.account) % 12 == 0);
		for (const char *c = a.resource; *c; c++)
			assert_true(*c > ' ' && *c <= '~');
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_documented),
	    cmocka_unit_test(partitions),
	    cmocka_unit_test(what_is_not_amazons),
	    cmocka_unit_test(anything_is_taken_or_refused),
	};

	return cmocka_run_group_tests_name("aws_name", tests, NULL, NULL);
}
