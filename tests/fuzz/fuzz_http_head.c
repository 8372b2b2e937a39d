/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any bytes as the head of a request. */
#include <stdlib.h>
#include <string.h>

#include "user/dest/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct http_head h;
	bool more;

	if (http_head_parse(data, len, &h) == HTTP_REQUEST) {
		if (!*h.method || strlen(h.method) >= sizeof(h.method) || strlen(h.path) >= sizeof(h.path) ||
		    strlen(h.host) >= sizeof(h.host) || h.len > len || (h.connect && !h.proxied))
			abort();
	}
	http_head_has(data, len, "Host");
	if (http_is_response(data, len, &more) && more)
		abort();
	return 0;
}
