/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/dest/name_shape.h"

#include <ctype.h>
#include <string.h>

#include "user/dest/dns.h"
#include "user/hashmap.h"

/* One piece of a label, between hyphens. */
struct piece {
	unsigned n, digits, vowels, binary;
	unsigned turns;	      /* from letter to digit and back */
	unsigned consonants, most_consonants; /* in a row */
	char last;
};

/* --- domains -------------------------------------------------------------- */

static bool in_list(const char *word, size_t n, const char *const *list, size_t nlist)
{
	for (size_t i = 0; i < nlist; i++)
		if (strlen(list[i]) == n && !memcmp(list[i], word, n))
			return true;
	return false;
}

/* Below which registries of countries sell names. */
static bool is_second_level(const char *label, size_t n)
{
	static const char *const words[] = {"co", "com", "net", "org", "gov", "edu", "ac", "go", "or", "ne", "gob",
					    "nom", "mil", "sch", "ltd", "plc", "me", "id", "asn", "web", "nhs", "gouv"};

	return in_list(label, n, words, ARRAY_SIZE(words));
}

/* Never delegated, or only answered for within a network: RFC 6761, 6762, 8375, ICANN's "internal"; what clusters use. */
static bool is_inside(const char *tld)
{
	static const char *const words[] = {"local", "internal", "localhost", "localdomain", "lan", "home", "corp", "intranet",
					    "private", "svc", "consul"};

	return in_list(tld, strlen(tld), words, ARRAY_SIZE(words));
}

static bool is_provider(const char *domain)
{
	static const char *const words[] = {
	    "amazonaws.com", "amazonaws.com.cn", "api.aws", "on.aws", "cloudfront.net", "awsglobalaccelerator.com",
	    "akamaiedge.net", "akamaized.net", "akamai.net", "akadns.net", "edgekey.net", "edgesuite.net", "fastly.net",
	    "fastlylb.net", "azureedge.net", "azurefd.net", "windows.net", "googleapis.com", "googleusercontent.com",
	    "googlevideo.com", "gvt1.com", "cloudflare.com", "hf.co", "huggingface.co", "pythonhosted.org", "docker.com",
	    "sentry.io", "datadoghq.com"};

	return in_list(domain, strlen(domain), words, ARRAY_SIZE(words));
}

static bool is_tld(const char *label)
{
	size_t letters = strspn(label, "abcdefghijklmnopqrstuvwxyz");

	return !strncmp(label, "xn--", 4) || (letters >= 2 && !label[letters]);
}

/* "4.3.2.1.in-addr.arpa", "b.a.9.8.ip6.arpa", and no more than these can say. */
static bool is_reverse(const char *name, const char *domain)
{
	bool v4 = !strcmp(domain, "in-addr.arpa");
	size_t most = v4 ? 3 : 1, n;
	unsigned labels = 0;

	if (!v4 && strcmp(domain, "ip6.arpa"))
		return false;
	for (const char *s = name; s < domain; s += n + 1, labels++) {
		n = strcspn(s, ".");
		if (!n || n > most || strspn(s, v4 ? "0123456789" : "0123456789abcdef") != n)
			return false;
	}
	return labels <= (v4 ? 4 : 32);
}

/* A dot inside a label is written as a number, so each that stands there is between two. */
static const char *before(const char *name, const char *label)
{
	if (label == name)
		return NULL;
	for (label--; label > name && label[-1] != '.'; label--)
		;
	return label;
}

static const char *domain_of(const char *name)
{
	const char *end = name + strlen(name), *tld = strrchr(name, '.');
	const char *second, *third;

	if (!tld || !is_tld(++tld))
		return end;
	second = before(name, tld);
	third = before(name, second);
	return third && strlen(tld) == 2 && is_second_level(second, (size_t)(tld - 1 - second)) ? third : second;
}

static enum name_reach reach_of(const char *name, const char *domain)
{
	const char *tld = strrchr(name, '.');

	if (is_reverse(name, domain) || !strcmp(domain, "home.arpa") || (*domain && tld && is_inside(tld + 1)))
		return NAME_INSIDE;
	return is_provider(domain) ? NAME_PROVIDER : NAME_ANYONE;
}

/* --- what is below -------------------------------------------------------- */

static bool is_vowel(char c)
{
	return c && strchr("aeiou", c);
}

static void piece_add(struct piece *p, char c, bool binary)
{
	bool digit = isdigit((unsigned char)c) && !binary, was_digit = isdigit((unsigned char)p->last);

	p->turns += p->n && digit != was_digit;
	p->n++;
	p->digits += digit;
	p->binary += binary;
	p->vowels += !binary && is_vowel(c);
	p->consonants = digit || binary || is_vowel(c) || c == 'y' ? 0 : p->consonants + 1;
	p->most_consonants = MAX(p->most_consonants, p->consonants);
	p->last = digit ? '0' : 'x';
}

/* Words have few digits among their letters, and vowels: of random letters less than one in four is one. */
static bool is_coded(const struct piece *p)
{
	unsigned letters = p->n - p->digits;

	if (p->binary)
		return true;
	if (p->n >= 9 && !letters)
		return true;
	if (p->n >= 8 && p->turns >= 2 && p->turns * 6 >= p->n)
		return true;
	return p->n >= 16 && letters * 2 > p->n && (p->vowels * 4 < letters || p->most_consonants >= 7);
}

/* A number for each byte that no host name has. */
static size_t next_byte(const char *s, char *ret, bool *ret_binary)
{
	*ret_binary = *s == '\\' && isdigit((unsigned char)s[1]) && isdigit((unsigned char)s[2]) && isdigit((unsigned char)s[3]);
	*ret = *s;
	return *ret_binary ? 4 : 1;
}

struct label {
	size_t n, digits, coded;
	unsigned turns, letters;
};

static void piece_end(struct label *l, struct piece *p)
{
	l->coded += is_coded(p) ? p->n : 0;
	l->turns += p->turns;
	l->digits += p->digits;
	l->letters += p->n;
	*p = (struct piece){0};
}

/* Coded is one that is for the most part; hyphens strewn into it do not hide it. */
static size_t label_look(const char *s, size_t len, struct label *ret)
{
	struct label l = {0};
	struct piece p = {0};
	bool binary;
	char c;

	for (size_t i = 0; i < len; l.n++) {
		i += next_byte(s + i, &c, &binary);
		if (!binary && (c == '-' || c == '_'))
			piece_end(&l, &p);
		else
			piece_add(&p, c, binary);
	}
	piece_end(&l, &p);
	if (l.coded * 2 < l.n)
		l.coded = 0;
	if (!l.coded && l.letters >= 16 && l.turns * 5 >= l.letters)
		l.coded = l.n;
	*ret = l;
	return l.n;
}

static uint64_t skeleton(const char *s, size_t n)
{
	char text[DNS_NAME_LEN];
	size_t w = 0;

	for (size_t i = 0; i < n; i++) {
		bool digit = isdigit((unsigned char)s[i]);

		if (!digit || !w || text[w - 1] != '#')
			text[w++] = digit ? '#' : s[i];
	}
	return hashmap_hash(text, w);
}

void name_shape(const char *name, struct name_shape *ret)
{
	const char *domain = domain_of(name);
	struct name_shape shape = {.domain = domain, .reach = reach_of(name, domain), .hash = hashmap_hash(name, strlen(name))};
	char coded[DNS_NAME_LEN];
	size_t n, ncoded = 0, digits = 0;

	for (const char *s = name; s < domain; s += n + (s[n] == '.')) {
		struct label l;

		n = strcspn(s, ".");
		shape.below += 1 + label_look(s, n, &l);
		shape.coded += l.coded;
		digits += l.digits;
		if (l.coded) {
			memcpy(coded + ncoded, s, n);
			ncoded += n;
		}
	}
	shape.coded_hash = hashmap_hash(coded, ncoded);
	if (!shape.coded && digits >= 16 && digits * 2 >= shape.below) {
		shape.coded = digits;
		shape.coded_hash = shape.hash;
	}
	shape.skeleton_hash = skeleton(name, (size_t)(domain - name));
	*ret = shape;
}
