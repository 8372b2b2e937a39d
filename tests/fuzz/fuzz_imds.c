/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any text as an answer of the metadata service; the first byte says to which question. */
#include <stdlib.h>
#include <string.h>

#include "user/imds.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_identity(const char *text, struct imds_facts *f)
{
	if (imds_identity(text, f) == 0 &&
	    (!memchr(f->instance_id, 0, IMDS_WORD_LEN) || !memchr(f->region, 0, IMDS_WORD_LEN) || !memchr(f->account, 0, IMDS_WORD_LEN)))
		abort();
}

static void check_blocks(const char *text, struct imds_facts *f)
{
	imds_add_blocks(f, text);
	size_t n = f->nblocks;
	imds_add_blocks(f, text);
	if (f->nblocks != n || n > IMDS_BLOCKS_MAX)
		abort();
}

static void check_macs(const char *text)
{
	char (*macs)[IMDS_MAC_LEN] = calloc(IMDS_INTERFACES_MAX, IMDS_MAC_LEN);
	int n = imds_macs(text, macs);

	if (n > IMDS_INTERFACES_MAX)
		abort();
	for (int i = 0; i < n; i++)
		if (strlen(macs[i]) != IMDS_MAC_LEN - 1)
			abort();
	free(macs);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct imds_facts f = {0};
	char *text;

	if (!len)
		return 0;
	text = strndup((const char *)data + 1, len - 1);
	if (data[0] == 'i')
		check_identity(text, &f);
	else if (data[0] == 'b')
		check_blocks(text, &f);
	else
		check_macs(text);
	free(f.blocks);
	free(text);
	return 0;
}
