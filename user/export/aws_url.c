/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/export/aws_url.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>

#include "user/dest/aws_partition.h"

/* --- reading ------------------------------------------------------------------------------------ */

static bool scheme(const char **at, bool *ret_tls)
{
	*ret_tls = !strncasecmp(*at, "https://", 8);
	if (!*ret_tls && strncasecmp(*at, "http://", 7))
		return false;
	*at += *ret_tls ? 8 : 7;
	return true;
}

static bool take_host(const char *from, size_t n, struct aws_url *u)
{
	if (!n || n >= sizeof(u->host))
		return false;
	for (size_t i = 0; i < n; i++)
		u->host[i] = (char)tolower((unsigned char)from[i]);
	u->host[n] = '\0';
	return true;
}

static bool host_v6(const char **at, struct aws_url *u)
{
	size_t n = strcspn(++*at, "]");
	struct in6_addr addr;

	u->v6 = true;
	if (!(*at)[n] || !take_host(*at, n, u) || inet_pton(AF_INET6, u->host, &addr) != 1)
		return false;
	*at += n + 1;
	return true;
}

static bool host(const char **at, struct aws_url *u)
{
	size_t n;

	if (**at == '[')
		return host_v6(at, u);
	n = strspn(*at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_");
	if (!take_host(*at, n, u))
		return false;
	*at += n;
	return true;
}

static bool port(const char **at, struct aws_url *u)
{
	unsigned v = 0;

	u->port = u->tls ? 443 : 80;
	if (**at != ':')
		return true;
	if (!isdigit((unsigned char)*++*at))
		return false;
	for (; isdigit((unsigned char)**at); ++*at) {
		v = v * 10 + (unsigned)(**at - '0');
		if (v > UINT16_MAX)
			return false;
	}
	u->port = (uint16_t)v;
	return v > 0;
}

static bool path(const char *at, struct aws_url *u)
{
	size_t n = strlen(at), without = *at != '/'; /* its first slash */

	if (without + n >= sizeof(u->path) || (n && without && *at != '?'))
		return false;
	for (const char *c = at; *c; c++)
		if (*c <= ' ' || *c > '~' || *c == '#' || *c == '\\' || *c == '"')
			return false;
	u->path[0] = '/';
	memcpy(u->path + without, at, n + 1);
	return true;
}

int aws_url_parse(const char *text, struct aws_url *ret)
{
	struct aws_url u = {0};

	if (!scheme(&text, &u.tls) || !host(&text, &u) || !port(&text, &u) || !path(text, &u))
		return -EINVAL;
	*ret = u;
	return 0;
}

char *aws_url_authority(const struct aws_url *u, char ret[static AWS_AUTHORITY_LEN])
{
	int n = snprintf(ret, AWS_AUTHORITY_LEN, u->v6 ? "[%s]" : "%s", u->host);

	if (u->port != (u->tls ? 443 : 80))
		snprintf(ret + n, AWS_AUTHORITY_LEN - (size_t)n, ":%u", u->port);
	return ret;
}

/* --- who may give credentials ------------------------------------------------------------------- */

static bool v4_ok(const char *text)
{
	struct in_addr a, ecs, eks;

	if (inet_pton(AF_INET, text, &a) != 1)
		return false;
	inet_pton(AF_INET, "169.254.170.2", &ecs);
	inet_pton(AF_INET, "169.254.170.23", &eks);
	return ntohl(a.s_addr) >> 24 == 127 || a.s_addr == ecs.s_addr || a.s_addr == eks.s_addr;
}

static bool v6_ok(const char *text)
{
	struct in6_addr a, eks;

	if (inet_pton(AF_INET6, text, &a) != 1)
		return false;
	inet_pton(AF_INET6, "fd00:ec2::23", &eks);
	return !memcmp(&a, &in6addr_loopback, sizeof(a)) || !memcmp(&a, &eks, sizeof(a));
}

bool aws_url_credentials_ok(const struct aws_url *u)
{
	if (u->tls)
		return true;
	return u->v6 ? v6_ok(u->host) : v4_ok(u->host) || !strcmp(u->host, "localhost");
}

/* --- AWS's own ---------------------------------------------------------------------------------- */

bool aws_region_ok(const char *region)
{
	size_t n = strlen(region);

	return n && n < AWS_REGION_LEN && strspn(region, "abcdefghijklmnopqrstuvwxyz0123456789-") == n && region[0] != '-' &&
	       region[n - 1] != '-';
}

/* GovCloud's ordinary endpoints of these are the FIPS ones. */
static bool is_fips_already(const struct aws_partition *p, const char *service)
{
	return !strcmp(p->name, "aws-us-gov") && (!strcmp(service, "logs") || !strcmp(service, "sts"));
}

int aws_endpoint_of(const struct aws_endpoint_wish *w, struct aws_url *ret)
{
	struct aws_url u = {.tls = true, .port = 443, .path = "/"};
	const struct aws_partition *p;
	const char *fips;

	if (!aws_region_ok(w->region))
		return -EINVAL;
	p = aws_partition_of(w->region);
	if (w->dualstack && !p->dualstack)
		return -EOPNOTSUPP;
	fips = w->fips && (w->dualstack || !is_fips_already(p, w->service)) ? "-fips" : "";
	if (snprintf(u.host, sizeof(u.host), "%s%s.%s%s", w->service, fips, w->region, p->suffixes[w->dualstack]) >=
	    (int)sizeof(u.host))
		return -EINVAL;
	*ret = u;
	return 0;
}
