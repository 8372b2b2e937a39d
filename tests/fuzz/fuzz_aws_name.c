/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any text as a host name. */
#include <stdlib.h>
#include <string.h>

#include "user/dest/aws_name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *host = malloc(len + 1);
	struct aws_name a;

	memcpy(host, data, len);
	host[len] = '\0';
	if (aws_name_parse(host, &a) &&
	    (!memchr(a.service, 0, sizeof(a.service)) || !memchr(a.region, 0, sizeof(a.region)) ||
	     !memchr(a.resource, 0, sizeof(a.resource)) || !memchr(a.account, 0, sizeof(a.account)) || a.form > S3_CONTROL))
		abort();
	free(host);
	return 0;
}
