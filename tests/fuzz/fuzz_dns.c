/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Any bytes as a DNS message. */
#include <stdlib.h>
#include <string.h>

#include "user/dest/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	for (int cut = 0; cut < 2; cut++) {
		struct dns_message m;

		if (dns_parse(data, len, cut, &m))
			continue;
		if (!memchr(m.name, 0, sizeof(m.name)) || m.naddresses > DNS_ADDRESSES_MAX || (m.naddresses && !m.answer) ||
		    m.name_bytes > 255 || m.longest > 63 || m.labels > 127 || (cut && !m.truncated))
			abort();
		for (const char *p = m.name; *p; p++)
			if (*p <= ' ' || *p > '~')
				abort();
	}
	return 0;
}
