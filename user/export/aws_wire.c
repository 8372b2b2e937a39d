/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_wire.h"

static int call(void *arg, const struct aws_request *q, struct aws_reply *ret)
{
	return aws_call(arg, q, ret);
}

static const char *region(void *arg)
{
	return aws_region(arg);
}

static const char *account(void *arg)
{
	return aws_account(arg);
}

static const char *source(void *arg)
{
	return aws_credential_source(arg);
}

static int64_t expiry(void *arg)
{
	return aws_credential_expiry(arg);
}

struct cw_wire aws_wire(struct aws *a)
{
	return (struct cw_wire){.call = call, .region = region, .account = account, .credential_source = source,
				.credential_expiry = expiry, .arg = a};
}
