/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any bytes as ip-ranges.json: taken whole, or refused whole with a message. */
#include <stdlib.h>
#include <string.h>

#include "user/dest/aws_ranges.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct aws_ranges_error e = {""};
	struct aws_ranges *r = NULL;
	int err = aws_ranges_parse((const char *)data, len, "fuzz.json", &r, &e);

	if (err ? r || !*e.text || !memchr(e.text, 0, sizeof(e.text)) : !r)
		abort();
	aws_ranges_free(r);
	return 0;
}
