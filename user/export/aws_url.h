/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* URLs that are given to us, and where AWS's own endpoints are. Pure. */
#ifndef SLUICE_AWS_URL_H
#define SLUICE_AWS_URL_H

#include "user/util.h"

#define AWS_HOST_LEN 256
#define AWS_PATH_LEN 1024
#define AWS_REGION_LEN 64

struct aws_url {
	bool tls;
	char host[AWS_HOST_LEN]; /* in lower case; an IPv6 address without its brackets */
	bool v6;
	uint16_t port;
	char path[AWS_PATH_LEN]; /* begins with a slash; with the query */
};

/* "http[s]://host[:port][/path[?query]]", nothing else: no user, no fragment. -EINVAL. */
int aws_url_parse(const char *text, struct aws_url *ret);

/* "host" or "host:port", as in a Host header: a port that goes without saying is left out. */
#define AWS_AUTHORITY_LEN (AWS_HOST_LEN + 10)
char *aws_url_authority(const struct aws_url *u, char ret[static AWS_AUTHORITY_LEN]);

/* May credentials be asked for there? Anyone over TLS; in the clear only this host itself and the two addresses at which containers
 * find theirs. An address is taken as one: no name that only looks like it. */
bool aws_url_credentials_ok(const struct aws_url *u);

/* Letters, digits and dashes; neither first nor last a dash. */
bool aws_region_ok(const char *region);

struct aws_endpoint_wish {
	const char *service, *region;
	bool fips, dualstack;
};

/* Over TLS. -EINVAL: the region is none; -EOPNOTSUPP: the partition has no dual stack. */
int aws_endpoint_of(const struct aws_endpoint_wish *w, struct aws_url *ret);

#endif
