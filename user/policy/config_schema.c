/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Every key of the file but those of datasets[]: one table per mapping. */
#include "user/policy/config_internal.h"
#include "user/dest/aws_ranges.h"

#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#define MS (NSEC / 1000)
#define DAY (86400 * NSEC)

/* --- network -------------------------------------------------------------------- */

static int parse_vpc(struct parse *p, const struct ynode *n, void *to)
{
	static const char *const words[] = {"off", "auto"};
	unsigned word;
	int r = parse_word(p, n, words, ARRAY_SIZE(words), &word);

	if (!r)
		*(bool *)to = word;
	return r;
}

static int parse_vpc_cidrs(struct parse *p, const struct ynode *n, void *to)
{
	struct config *c = to;

	return parse_items(p, n, "[ 10.0.0.0/16 ]", CONFIG_LIST_MAX, sizeof(struct cidr),
			   parse_cidr, (void **)&c->network.vpc_cidrs, &c->network.nvpc_cidrs);
}

static int parse_resolvers(struct parse *p, const struct ynode *n, void *to)
{
	struct config *c = to;

	return parse_items(p, n, "[ 10.100.0.10 ]", CONFIG_LIST_MAX, sizeof(struct host_addr), parse_address,
			   (void **)&c->network.resolvers, &c->network.nresolvers);
}

static int parse_expect(struct parse *p, const struct ynode *n, void *to)
{
	static const char *const words[] = {
	    [EXPECT_ML] = "ml", [EXPECT_TAINTED] = "tainted", [EXPECT_ALL] = "all"};
	unsigned word;
	int r = parse_word(p, n, words, ARRAY_SIZE(words), &word);

	if (!r)
		*(enum expect *)to = word;
	return r;
}

static int check_ranges_file(struct parse *p, const struct ynode *n, const char *file)
{
	_cleanup_(aws_ranges_freep) struct aws_ranges *ranges = NULL;
	struct aws_ranges_error why;
	int r = config_check_file(p, n, file);

	if (r < 0)
		return r;
	r = aws_ranges_load(file, &ranges, &why);
	return r < 0 ? config_fail(p, n, "%s", why.text) : 0;
}

const char *config_ranges_file(const struct config *c)
{
	const char *text = c->network.aws_ranges;

	return text && *text == '/' ? text : NULL;
}

static int parse_aws_ranges(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *text = NULL;
	int r = parse_text(p, n, PATH_MAX - 1, &text);

	if (r < 0)
		return r;
	if (strcmp(text, "auto") && strcmp(text, "off")) {
		if (path_normalise(text) < 0)
			return config_fail(p, n,
					   "'%s' is not known; write auto, off or the absolute "
					   "path of a file",
					   quote(n->text).s);
		r = p->check_paths ? check_ranges_file(p, n, text) : 0;
		if (r < 0)
			return r;
	}
	*(char **)to = text;
	text = NULL;
	return 0;
}

static int parse_port(struct parse *p, const struct ynode *n, void *to)
{
	unsigned port;
	int r = parse_number(p, n, 1, 65535, &port);

	if (!r)
		*(uint16_t *)to = (uint16_t)port;
	return r;
}

static int parse_allow_cidr(struct parse *p, const struct ynode *n, void *to)
{
	struct allow_rule *a = to;

	a->has_cidr = true;
	return parse_cidr(p, n, &a->cidr);
}

static int parse_allow_datasets(struct parse *p, const struct ynode *n, void *to)
{
	if (n->kind == Y_LIST && !n->n)
		return config_fail(p, n, "is empty; name datasets, or remove the key to mean all");
	return parse_strings(p, n, "[ patients ]", NULL, to);
}

static int parse_allow_rule(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    KEY("name", struct allow_rule, name, parse_host_name),
	    KEY("bucket", struct allow_rule, bucket, parse_bucket),
	    KEY("service", struct allow_rule, service, parse_service),
	    KEY("account", struct allow_rule, account, parse_account),
	    {"cidr", parse_allow_cidr, 0, false},
	    KEY("port", struct allow_rule, port, parse_port),
	    KEY("datasets", struct allow_rule, datasets, parse_allow_datasets),
	};
	struct allow_rule *a = to;
	int r;

	a->line = n->line;
	p->allow_at[a - p->c->network.allow] = n;
	r = map_parse(p, n, fields, ARRAY_SIZE(fields), a);
	if (r < 0)
		return r;
	if (!a->name && !a->bucket && !a->service && !a->account && !a->has_cidr && !a->port)
		return config_fail(p, n,
				   "would allow every destination; add name, cidr, port, bucket, "
				   "service or account");
	return 0;
}

static int parse_allow(struct parse *p, const struct ynode *n, void *to)
{
	struct config *c = to;

	p->allow_at = calloc(CONFIG_ALLOW_MAX, sizeof(*p->allow_at));
	if (!p->allow_at)
		return -ENOMEM;
	return parse_items(p, n, "- { cidr: 203.0.113.0/24, port: 443 }", CONFIG_ALLOW_MAX,
			   sizeof(struct allow_rule), parse_allow_rule, (void **)&c->network.allow,
			   &c->network.nallow);
}

static int parse_network(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    KEY("vpc", struct config, network.vpc_auto, parse_vpc),
	    {"vpc_cidrs", parse_vpc_cidrs, 0, false},
	    {"resolvers", parse_resolvers, 0, false},
	    KEY("expect", struct config, network.expect, parse_expect),
	    KEY("aws_ranges", struct config, network.aws_ranges, parse_aws_ranges),
	    {"allow", parse_allow, 0, false},
	};

	return map_parse(p, n, fields, ARRAY_SIZE(fields), to);
}

/* --- the rest ------------------------------------------------------------------- */

static int parse_jobs(struct parse *p, const struct ynode *n, void *to)
{
	return parse_strings(p, n, "[ \"slurm:train-*\" ]", NULL, to);
}

static int check_trusted(struct parse *p, const struct ynode *n, char **text)
{
	struct stat st;

	if (strpbrk(*text, "*?["))
		return config_fail(p, n,
				   "'%s' is a pattern; name each trusted executable by its path",
				   quote(*text).s);
	if (path_normalise(*text) < 0)
		return config_fail(p, n, "'%s' is no absolute path; write it from /, without ..",
				   quote(n->text).s);
	/* One that is not installed is trusted by no one, which harms nobody. */
	if (p->check_paths && !stat(*text, &st) && !S_ISREG(st.st_mode))
		return config_fail(p, n, "'%s' is no executable file; name the file itself",
				   quote(*text).s);
	return 0;
}

static int parse_trusted(struct parse *p, const struct ynode *n, void *to)
{
	return parse_strings(p, n, "[ /usr/bin/amazon-cloudwatch-agent ]", check_trusted, to);
}

static int parse_retain(struct parse *p, const struct ynode *n, void *to)
{
	return parse_duration(p, n, NSEC, 3653 * DAY, "1s to 3653d", to);
}

static int parse_max_size(struct parse *p, const struct ynode *n, void *to)
{
	uint64_t bytes;
	int r = parse_size(p, n, &bytes);

	if (r < 0)
		return r;
	if (bytes < 64 << 10)
		return config_fail(p, n, "%s holds no journal; write 64KiB or more",
				   quote(n->text).s);
	*(uint64_t *)to = bytes;
	return 0;
}

static int parse_journal(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    KEY("dir", struct config, journal.dir, parse_path),
	    KEY("max_size", struct config, journal.max_size, parse_max_size),
	    KEY("retain", struct config, journal.retain_ns, parse_retain),
	};
	struct config *c = to;
	int r = map_parse(p, n, fields, ARRAY_SIZE(fields), c);

	if (r < 0 || c->journal.dir)
		return r;
	c->journal.dir = strdup(JOURNAL_DEFAULT_DIR);
	return c->journal.dir ? 0 : -ENOMEM;
}

/* Length of a known placeholder at s, or 0. */
static size_t known_placeholder(const char *s)
{
	static const char *const names[] = {"{instance_id}", "{host}", "{hostname}", "{account}", "{region}"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strncmp(s, names[i], strlen(names[i])))
			return strlen(names[i]);
	return 0;
}

static int parse_log_group(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *text = NULL;
	int r = parse_text(p, n, 512, &text);

	for (const char *s = text; !r && *s;) {
		size_t k = known_placeholder(s);

		if (!k && (*s == '{' || *s == '}'))
			return config_fail(p, n,
					   "'%s' is no placeholder; use {instance_id}, {host}, "
					   "{account} or {region}",
					   quote(s).s);
		if (!k && !strchr("/._-#", *s) && !((*s | 0x20) >= 'a' && (*s | 0x20) <= 'z') &&
		    !(*s >= '0' && *s <= '9'))
			return config_fail(p, n,
					   "'%s' is no log group name; use only a-z A-Z 0-9 "
					   "/ . _ - # and placeholders",
					   quote(text).s);
		s += k ? k : 1;
	}
	if (!r && !strncmp(text, "aws/", 4))
		return config_fail(p, n, "'%s' is AWS's own; choose another name", quote(text).s);
	if (r < 0)
		return r;
	*(char **)to = text;
	text = NULL;
	return 0;
}

static int parse_namespace(struct parse *p, const struct ynode *n, void *to)
{
	_cleanup_free_ char *text = NULL;
	int r = parse_text(p, n, 255, &text);

	if (r < 0)
		return r;
	if (!strncmp(text, "AWS/", 4) || *text == ':')
		return config_fail(p, n, "'%s' is AWS's own; choose another name", quote(text).s);
	if (text[strspn(text,
			"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 ._-/#:")])
		return config_fail(
		    p, n, "'%s' is no namespace; use a-z A-Z 0-9 . _ - / # :", quote(text).s);
	*(char **)to = text;
	text = NULL;
	return 0;
}

static int parse_retain_days(struct parse *p, const struct ynode *n, void *to)
{
	static const unsigned allowed[] = {1,	 3,    5,    7,	   14,	 30,  60,  90,
					   120,	 150,  180,  365,  400,	 545, 731, 1096,
					   1827, 2192, 2557, 2922, 3288, 3653};
	unsigned days, near = 1;
	int r = parse_number(p, n, 1, 3653, &days);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(allowed); i++) {
		if (allowed[i] == days) {
			*(unsigned *)to = days;
			return 0;
		}
		if (allowed[i] < days)
			near = i + 1 < ARRAY_SIZE(allowed) ? allowed[i + 1] : allowed[i];
	}
	return config_fail(p, n,
			   "CloudWatch keeps no group for %u days; the next value it takes is %u",
			   days, near);
}

static int parse_cloudwatch(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    KEY("log_group", struct config, export.log_group, parse_log_group),
	    KEY("namespace", struct config, export.metric_namespace, parse_namespace),
	    KEY("endpoint", struct config, export.endpoint, parse_endpoint),
	    KEY("retain_days", struct config, export.retain_days, parse_retain_days),
	};
	struct config *c = to;

	if (n->kind == Y_TEXT && !ynode_null(n)) /* all by default, or off like its neighbour */
		return parse_bool(p, n, &c->export.cloudwatch);
	c->export.cloudwatch = true;
	return map_parse(p, n, fields, ARRAY_SIZE(fields), c);
}

static int parse_security_hub(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    KEY("endpoint", struct config, export.hub_endpoint, parse_endpoint),
	};
	struct config *c = to;

	if (n->kind != Y_MAP)
		return parse_bool(p, n, &c->export.security_hub);
	c->export.security_hub = true;
	return map_parse(p, n, fields, ARRAY_SIZE(fields), c);
}

static int parse_export(struct parse *p, const struct ynode *n, void *to)
{
	static const struct field fields[] = {
	    {"cloudwatch", parse_cloudwatch, 0, false},
	    {"security_hub", parse_security_hub, 0, false},
	};

	return map_parse(p, n, fields, ARRAY_SIZE(fields), to);
}

static int parse_interval(struct parse *p, const struct ynode *n, void *to)
{
	return parse_duration(p, n, 100 * MS, 60 * NSEC, "100ms to 60s", to);
}

/* An entry may name datasets that only come after it. */
static int check_allow_datasets(struct parse *p)
{
	const struct config *c = p->c;

	for (size_t i = 0; i < c->network.nallow; i++) {
		const struct strings *wanted = &c->network.allow[i].datasets;

		for (size_t j = 0; j < wanted->n; j++) {
			const struct ynode *at = ynode_get(p->allow_at[i], "datasets")->v[j];
			size_t k = 0;

			while (k < c->ndatasets && strcmp(c->datasets[k].id, wanted->v[j]))
				k++;
			if (k < c->ndatasets)
				continue;
			snprintf(p->where, sizeof(p->where), "network.allow[%zu].datasets[%zu]", i,
				 j);
			return config_fail_unknown_dataset(p, at);
		}
	}
	return 0;
}

static int parse_state(struct parse *p, const struct ynode *n, void *to)
{
	char **dir = to;

	if (n->kind == Y_TEXT && !strcmp(n->text, "off")) {
		free(*dir);
		*dir = NULL;
		return 0;
	}
	char *before = *dir;
	int r = parse_path(p, n, to);
	if (!r)
		free(before);
	return r;
}

/* How far an export has come must be known after a restart. */
static int check_export(struct parse *p, const struct ynode *root)
{
	if (!p->c->export.cloudwatch || p->c->state)
		return 0;
	snprintf(p->where, sizeof(p->where), "export.cloudwatch");
	return config_fail(p, ynode_get(root, "state"),
			   "needs a place to remember what was sent; remove `state: off`, or name a directory");
}

int config_parse_root(struct parse *p, const struct ynode *root)
{
	static const struct field fields[] = {
	    {"datasets", parse_datasets, 0, false},
	    KEY("jobs", struct config, jobs, parse_jobs),
	    {"network", parse_network, 0, false},
	    KEY("trusted", struct config, trusted, parse_trusted),
	    {"journal", parse_journal, 0, false},
	    {"export", parse_export, 0, false},
	    KEY("state", struct config, state, parse_state),
	    KEY("interval", struct config, interval_ns, parse_interval),
	};
	int r = map_parse(p, root, fields, ARRAY_SIZE(fields), p->c);

	if (!r)
		r = check_allow_datasets(p);
	if (!r)
		r = check_export(p, root);
	return r < 0 ? r : config_check_derived(p);
}
