/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Addresses, names of hosts, buckets and services, and the patterns others match with. */
#include "user/policy/config_internal.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <fnmatch.h>
#include <string.h>

static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

bool strings_match(const struct strings *patterns, const char *text)
{
	for (size_t i = 0; i < patterns->n; i++) {
		const char *pattern = patterns->v[i];

		/* In a path * stops at /, as in a shell: /usr/bin/python3* is no licence for
		 * /usr/bin/python3.d/anything. */
		if (!fnmatch(pattern, text, *pattern == '/' ? FNM_PATHNAME : 0))
			return true;
	}
	return false;
}

/* --- CIDRs --------------------------------------------------------------------- */

static int bits_parse(const char *s, unsigned max, unsigned *ret)
{
	unsigned v = 0;

	if (!*s || strlen(s) > 3 || (s[0] == '0' && s[1]))
		return -EINVAL;
	for (; *s; s++) {
		if (!isdigit((unsigned char)*s))
			return -EINVAL;
		v = v * 10 + (unsigned)(*s - '0');
	}
	if (v > max)
		return -EINVAL;
	*ret = v;
	return 0;
}

/* As cidr_parse(), host bits allowed. */
static int cidr_read(const char *text, struct cidr *ret)
{
	char addr[INET6_ADDRSTRLEN];
	const char *slash = strchrnul(text, '/');
	size_t len = (size_t)(slash - text);
	bool v6 = memchr(text, ':', len);
	unsigned most = v6 ? 128 : 32, bits = most;
	struct cidr c = {0};

	if (len >= sizeof(addr))
		return -EINVAL;
	memcpy(addr, text, len);
	addr[len] = '\0';
	if (!v6)
		memcpy(c.addr, mapped, sizeof(mapped));
	if (inet_pton(v6 ? AF_INET6 : AF_INET, addr, c.addr + (v6 ? 0 : 12)) != 1)
		return -EINVAL;
	if (*slash && bits_parse(slash + 1, most, &bits) < 0)
		return -EINVAL;
	c.bits = (uint8_t)(v6 ? bits : 96 + bits);
	*ret = c;
	return 0;
}

static struct cidr cidr_masked(const struct cidr *c)
{
	struct cidr m = *c;

	for (unsigned i = 0; i < 16; i++) {
		unsigned kept = c->bits > i * 8 ? MIN(c->bits - i * 8, 8u) : 0;

		m.addr[i] &= (uint8_t)(0xff00u >> kept);
	}
	return m;
}

int cidr_parse(const char *text, struct cidr *ret)
{
	struct cidr c, m;

	if (cidr_read(text, &c) < 0)
		return -EINVAL;
	m = cidr_masked(&c);
	if (memcmp(m.addr, c.addr, sizeof(m.addr)))
		return -EINVAL;
	*ret = c;
	return 0;
}

bool cidr_holds(const struct cidr *c, const uint8_t addr[static 16])
{
	unsigned whole = c->bits / 8, rest = c->bits % 8;

	/* ::/0 is IPv6's everything: it must not take in IPv4, which only hides in ::ffff:0:0/96.
	 */
	if (c->bits < 96 && !memcmp(addr, mapped, sizeof(mapped)))
		return false;
	if (memcmp(c->addr, addr, whole))
		return false;
	return !rest || (c->addr[whole] ^ addr[whole]) >> (8 - rest) == 0;
}

static void cidr_text(char *buf, size_t n, const struct cidr *c)
{
	bool v4 = c->bits >= 96 && !memcmp(c->addr, mapped, sizeof(mapped));
	char addr[INET6_ADDRSTRLEN];

	inet_ntop(v4 ? AF_INET : AF_INET6, c->addr + (v4 ? 12 : 0), addr, sizeof(addr));
	snprintf(buf, n, "%s/%u", addr, v4 ? c->bits - 96u : c->bits);
}

int parse_cidr(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *text = NULL;
	char fixed[INET6_ADDRSTRLEN + 8];
	struct cidr c, m;
	int r = parse_text(p, n, 255, &text);

	if (r < 0)
		return r;
	if (!cidr_parse(text, to))
		return 0;
	if (cidr_read(text, &c) < 0)
		return config_fail(p, n,
				   "'%s' is no address range; write e.g. 10.0.0.0/16 or "
				   "2001:db8::/32",
				   quote(text).s);
	m = cidr_masked(&c);
	cidr_text(fixed, sizeof(fixed), &m);
	return config_fail(p, n, "'%s' has host bits set; write %s", quote(text).s, fixed);
}

int parse_address(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *text = NULL;
	struct cidr c;
	int r = parse_text(p, n, 255, &text);

	if (r < 0)
		return r;
	if (cidr_read(text, &c) < 0 || strchr(text, '/'))
		return config_fail(p, n, "'%s' is no address; write one by itself, e.g. 10.100.0.10 or 2001:db8::53",
				   quote(text).s);
	memcpy(((struct host_addr *)to)->addr, c.addr, sizeof(c.addr));
	return 0;
}

/* --- names ---------------------------------------------------------------------- */

static void lower_case(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static bool label_ok(const char *s, size_t n)
{
	if (!n || n > 63 || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)s[i]) && s[i] != '-' && s[i] != '_')
			return false;
	return true;
}

static bool host_name_ok(const char *s)
{
	if (strlen(s) > 253)
		return false;
	for (;;) {
		size_t n = strcspn(s, ".");

		if (!label_ok(s, n))
			return false;
		if (!s[n])
			return true;
		s += n + 1;
	}
}

static bool is_ascii(const char *s)
{
	while (*s && !(*s & 0x80))
		s++;
	return !*s;
}

/* NULL, or what is wrong with a host name with an optional leading "*.". */
static const char *host_name_fault(const char *s)
{
	const char *rest = strncmp(s, "*.", 2) ? s : s + 2;
	struct cidr c;

	if (!cidr_read(s, &c))
		return "is an address, not a name; write it as cidr:";
	if (!strcmp(s, "*"))
		return "would allow every host; write the names, or cidr: 0.0.0.0/0 if that is "
		       "meant";
	if (strchr(rest, '*') || strpbrk(s, "?["))
		return "is no name or wildcard; * stands only for the whole first label, as in "
		       "*.example.org";
	if (!is_ascii(s))
		return "is not ASCII; write the name as xn--...";
	if (!host_name_ok(rest))
		return "is no host name; write e.g. api.example.org or *.example.org";
	return NULL;
}

int parse_host_name(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *name = NULL;
	const char *fault;
	size_t len;
	int r = parse_text(p, n, 1024, &name);

	if (r < 0)
		return r;
	len = strlen(name);
	if (len > 1 && name[len - 1] == '.') /* the root's dot, as dig prints it */
		name[len - 1] = '\0';
	fault = host_name_fault(name);
	if (fault)
		return config_fail(p, n, "'%s' %s", quote(n->text).s, fault);
	lower_case(name);
	*(char **)to = name;
	name = NULL;
	return 0;
}

/* As S3 has it for buckets of today. */
bool bucket_name_ok(const char *name, size_t len)
{
	if (len < 3 || len > 63 || name[0] == '.' || name[0] == '-' || name[len - 1] == '.' ||
	    name[len - 1] == '-')
		return false;
	for (size_t i = 0; i < len; i++) {
		if (!islower((unsigned char)name[i]) && !isdigit((unsigned char)name[i]) &&
		    name[i] != '.' && name[i] != '-')
			return false;
		if (name[i] == '.' && i + 1 < len && name[i + 1] == '.')
			return false;
	}
	return true;
}

/* Takes a text that a rule finds good as it stands. */
static int parse_such(struct parse *p, const struct ynode *n, bool (*good)(const char *text),
		      const char *what, char **ret)
{
	_cleanup_free_ char *text = NULL;
	int r = parse_text(p, n, 1024, &text);

	if (r < 0)
		return r;
	if (!good(text))
		return config_fail(p, n, "'%s' is no %s", quote(text).s, what);
	*ret = text;
	text = NULL;
	return 0;
}

static bool is_bucket(const char *s)
{
	return bucket_name_ok(s, strlen(s));
}

static bool is_service(const char *s)
{
	for (const char *c = s; *c; c++)
		if (!isalnum((unsigned char)*c) && *c != '_' && *c != '-')
			return false;
	return strlen(s) <= 63;
}

static bool is_account(const char *s)
{
	return strlen(s) == 12 && strspn(s, "0123456789") == 12;
}

static bool is_endpoint(const char *s)
{
	const char *host = !strncmp(s, "https://", 8)  ? s + 8
			   : !strncmp(s, "http://", 7) ? s + 7
						       : NULL;

	return !strcmp(s, "auto") || (host && *host && *host != '/' && *host != ':' &&
				      !strpbrk(host, " @?#\"\\<>") && is_ascii(host));
}

int parse_bucket(struct parse *p, const struct ynode *n, void *to)
{
	return parse_such(p, n, is_bucket,
			  "bucket name; write the bare name: 3 to 63 of a-z 0-9 . -", to);
}

int parse_service(struct parse *p, const struct ynode *n, void *to)
{
	char **name = to;
	int r = parse_such(p, n, is_service,
			   "service; write it as in AWS's ip-ranges.json or in its names, e.g. S3 or sagemaker", name);

	for (char *s = *name; !r && *s; s++)
		*s = (char)toupper((unsigned char)*s);
	return r;
}

int parse_account(struct parse *p, const struct ynode *n, void *to)
{
	return parse_such(p, n, is_account, "account; write its 12 digits", to);
}

int parse_endpoint(struct parse *p, const struct ynode *n, void *to)
{
	return parse_such(p, n, is_endpoint, "endpoint; write auto, or https:// and a host", to);
}
