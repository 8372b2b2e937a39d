/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* DNS messages (RFC 1035, 3596): what was asked, and which addresses the answer gives to it, by whatever chain of aliases. */
#ifndef SLUICE_DNS_H
#define SLUICE_DNS_H

#include "user/util.h"

#define DNS_TYPE_A 1
#define DNS_TYPE_PTR 12
#define DNS_TYPE_AAAA 28
#define DNS_TYPE_SVCB 64
#define DNS_TYPE_HTTPS 65

#define DNS_NAME_LEN 1024 /* any name has room, each of its bytes as \DDD */
#define DNS_ADDRESSES_MAX 32 /* of one answer; more are left out */

struct dns_address {
	uint8_t addr[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint32_t ttl_s;	  /* the shortest on the way to it */
};

struct dns_message {
	char name[DNS_NAME_LEN]; /* that was asked for, lower case, as text: bytes that no host name has as \DDD */
	size_t name_bytes;	 /* as it was sent */
	unsigned labels, longest; /* of it */
	uint16_t type;
	bool answer, truncated;
	uint8_t code; /* RFC 1035 RCODE */
	struct dns_address addresses[DNS_ADDRESSES_MAX];
	unsigned naddresses;
};

/* -EINVAL: no message of one question; *ret is untouched then. `cut`: only its beginning was kept: what is there counts. */
int dns_parse(const uint8_t *data, size_t n, bool cut, struct dns_message *ret);

#endif
