/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any bytes as a configuration: no crash, no leak, and always a message fit to show. */
#include <stdlib.h>
#include <string.h>

#include "user/policy/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_message(const char *s, size_t room)
{
	size_t left = strnlen(s, room), k;
	uint32_t cp;

	if (!left || left == room)
		abort();
	for (; left; s += k, left -= k) {
		k = utf8_next(s, left, &cp);
		if (!k || (cp < 0x20 && cp != '\n') || (cp >= 0x7f && cp < 0xa0))
			abort();
	}
}

static void check_config(const struct config *c)
{
	if (strlen(c->digest) != 64 || c->ndatasets > SL_DATASETS_MAX)
		abort();
	for (size_t i = 0; i < c->ndatasets; i++)
		if (!c->datasets[i].id || !c->datasets[i].root || *c->datasets[i].root != '/')
			abort();
	if (c->interval_ns < NSEC / 10 || c->interval_ns > 60 * NSEC)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct config_error e = {""};
	struct config *c = NULL;
	int r = config_parse((const char *)data, len, "fuzz.yaml", false, &c, &e);

	if (r == 0)
		check_config(c);
	else if (c || r != -EINVAL)
		abort();
	else
		check_message(e.text, sizeof(e.text));
	config_free(c);
	return 0;
}
