/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include "user/policy/finding.h"

#include <stdarg.h>
#include <string.h>

#include "user/model_credential.h"

struct rule_words {
	const char *name;
	const char *mitre[4];
	const char *weakened_by[8]; /* beginnings of facts */
};

#define HOW_READ "read.", "identity.", "seed."

static const struct rule_words rules[RULE_KINDS] = {
    [RULE_EXFIL_VOLUME] = {"exfil.volume",
			   {"T1041", "T1048"},
			   {HOW_READ, "taint.", "flow.", "subject."}},
    [RULE_BUDGET_EXCEEDED] = {"budget.exceeded",
			      {"T1030", "T1020"},
			      {HOW_READ, "taint.", "flow.", "subject."}},
    [RULE_EGRESS_PLAINTEXT] = {"egress.plaintext", {"T1048.003", "T1040"}, {HOW_READ, "taint.", "flow.", "subject."}},
    [RULE_S3_FOREIGN_BUCKET] = {"s3.foreign-bucket", {"T1567.002", "T1537"}, {HOW_READ, "taint.", "flow.", "subject."}},
    [RULE_EGRESS_UNEXPECTED] = {"egress.unexpected", {"T1048", "T1567"}, {"flow.", "seed.files"}},
    [RULE_ACCESS_UNAUTHORIZED] = {"access.unauthorized", {"T1005", "T1119"}, {HOW_READ}},
    [RULE_CREDENTIAL_STATIC] = {"credential.static", {"T1552.001"}, {"credential."}},
    [RULE_CHANNEL_UNOBSERVABLE] = {"channel.unobservable",
				   {"T1095", "T1572"},
				   {HOW_READ, "taint.", "channel.", "subject."}},
    [RULE_STAGING_COPY] = {"staging.copy",
			   {"T1074", "T1074.001"},
			   {HOW_READ, "taint.", "subject."}},
    [RULE_DNS_TUNNEL] = {"dns.tunnel", {"T1048.003", "T1071.004"}, {HOW_READ, "taint.", "subject.", "dns."}},
    [RULE_MONITOR_GAP] = {"monitor.gap", {"T1562.001", "T1562.006"}, {NULL}},
};

static const char *const severities[] = {"info", "low", "medium", "high", "critical"};

const char *rule_name(enum rule r)
{
	return rules[r].name;
}

const char *severity_name(enum severity s)
{
	return severities[s];
}

const char *const *rule_mitre(enum rule r)
{
	return rules[r].mitre;
}

bool loss_weakens(enum loss l)
{
	switch (l) {
	case LOSS_TAINT_FULL:
	case LOSS_OBJECT_FULL:
	case LOSS_EDGE_FULL:
	case LOSS_FLOW_FULL:
	case LOSS_FLOW_TAINT_FULL:
	case LOSS_WALK_DEEP:
	case LOSS_FDS_DEEP:
	case LOSS_NO_FILE:
	case LOSS_CHANNEL_FULL:
	case LOSS_AIO_FULL:
		return true;
	default:
		return false;
	}
}

/* --- the store ----------------------------------------------------------- */

int findings_new(struct findings **ret)
{
	struct findings *fs = calloc(1, sizeof(*fs));

	if (!fs)
		return -ENOMEM;
	fs->by_id = HASHMAP_OF(struct finding, id);
	fs->most = FINDINGS_MAX;
	*ret = fs;
	return 0;
}

void chain_free(struct hop *chain, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(chain[i].from);
		free(chain[i].to);
	}
	free(chain);
}

static void coverage_free(char **coverage, size_t n)
{
	for (size_t i = 0; i < n; i++)
		free(coverage[i]);
	free(coverage);
}

static void told_free(struct finding *f)
{
	if (f->by)
		free(f->by->exe);
	free(f->by);
	f->by = NULL;
}

void findings_free(struct findings *fs)
{
	if (!fs)
		return;
	for (struct finding *f = fs->first, *next; f; f = next) {
		next = f->next;
		finding_process(f, NULL);
		told_free(f);
		chain_free(f->chain, f->nchain);
		coverage_free(f->coverage, f->ncoverage);
		free(f->title);
		free(f->channel);
		free(f->job);
		free(f);
	}
	hashmap_free(&fs->by_id);
	free(fs);
}

/* FNV-1a with a separator after each word. */
static uint64_t hash_word(uint64_t h, const char *word)
{
	for (const char *p = word ? word : ""; *p; p++)
		h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
	return (h ^ 0xff) * 0x100000001b3ULL;
}

/* Of words alone, never of numbers given at run time: the same after a restart. */
static void make_id(const struct model *m, const struct finding_key *key, char id[FINDING_ID_LEN])
{
	uint64_t h = hash_word(0xcbf29ce484222325ULL, rules[key->rule].name);

	h = hash_word(h, key->dataset >= 0 ? m->datasets[key->dataset].id : NULL);
	h = hash_word(h, key->job);
	h = hash_word(h, key->about);
	memset(id, 0, FINDING_ID_LEN);
	snprintf(id, FINDING_ID_LEN, "f-%016llx", (unsigned long long)h);
}

struct finding *finding_find(const struct model *m, const struct finding_key *key)
{
	char id[FINDING_ID_LEN];

	make_id(m, key, id);
	return hashmap_find(&m->findings->by_id, id);
}

static int finding_add(struct model *m, const struct finding_key *key, uint64_t now_ns,
		       struct finding **ret)
{
	struct findings *fs = m->findings;
	struct finding *f = calloc(1, sizeof(*f));

	if (!f)
		return -ENOMEM;
	make_id(m, key, f->id);
	f->job = key->job ? strdup(key->job) : NULL;
	if ((key->job && !f->job) || hashmap_add(&fs->by_id, f)) {
		free(f->job);
		free(f);
		return -ENOMEM;
	}
	f->rule = key->rule;
	f->dataset = key->dataset;
	f->first_ns = f->last_ns = now_ns;
	f->wall_offset = m->wall_offset;
	f->given = true; /* until it grows */
	*(fs->last ? &fs->last->next : &fs->first) = f;
	fs->last = f;
	fs->n++;
	*ret = f;
	return 0;
}

int finding_get(struct model *m, const struct finding_key *key, uint64_t now_ns,
		struct finding **ret)
{
	struct finding *f = finding_find(m, key);

	if (!f)
		return finding_add(m, key, now_ns, ret);
	*ret = f;
	return 0;
}

bool finding_has_place(const struct model *m, const struct finding_key *key)
{
	return m->findings->n < m->findings->most || finding_find(m, key);
}

void finding_grow(struct finding *f, uint64_t now_ns)
{
	f->count++;
	f->last_ns = now_ns;
	f->given = false;
}

int finding_process_told(struct finding *f, const struct process_told *by)
{
	struct process_told *copy = malloc(sizeof(*copy));

	if (!copy)
		return -ENOMEM;
	*copy = *by;
	copy->exe = by->exe ? strdup(by->exe) : NULL;
	if (by->exe && !copy->exe) {
		free(copy);
		return -ENOMEM;
	}
	told_free(f);
	f->by = copy;
	return 0;
}

int finding_title(struct finding *f, const char *format, ...)
{
	char *title, *safe;
	va_list args;

	va_start(args, format);
	int n = vasprintf(&title, format, args);
	va_end(args);
	if (n < 0)
		return -ENOMEM;
	safe = malloc((size_t)n + 1);
	if (!safe) {
		free(title);
		return -ENOMEM;
	}
	text_safe(safe, (size_t)n + 1, title, (size_t)n);
	free(title);
	free(f->title);
	f->title = safe;
	return 0;
}

void finding_process(struct finding *f, struct m_subject *s)
{
	if (f->process)
		f->process->findings--;
	f->process = s;
	if (s)
		s->findings++;
}

void finding_remote(struct model *m, struct finding *f, const struct m_flow *flow)
{
	struct m_said *said = said_ref(flow->said);

	said_unref(m, f->remote.said);
	f->remote = (struct remote){.port = flow->f.rport, .proto = flow->f.proto, .said = said};
	memcpy(f->remote.addr, flow->f.raddr, sizeof(f->remote.addr));
}

/* --- what weakens it ----------------------------------------------------- */

static bool weakens(enum rule r, const char *gap)
{
	for (const char *const *w = rules[r].weakened_by; *w; w++) {
		if (!strncmp(gap, *w, strlen(*w)))
			return true;
	}
	return false;
}

static int cover_add(char **list, size_t *n, const char *prefix, const char *fact, size_t len)
{
	if (asprintf(&list[*n], "%s%.*s", prefix, (int)len, fact) < 0)
		return -ENOMEM;
	(*n)++;
	return 0;
}

#define PARTLY "partly " /* the fact has an owner, which does not see all of it */

/* A fact may have several limits: it stands there once. */
static bool named(char *const *list, size_t n, const char *fact, size_t len)
{
	const size_t lead = strlen(PARTLY);

	for (size_t i = 0; i < n; i++)
		if (!strncmp(list[i], PARTLY, lead) && strlen(list[i]) == lead + len &&
		    !strncmp(list[i] + lead, fact, len))
			return true;
	return false;
}

int finding_cover(const struct model *m, struct finding *f, const char *more)
{
	size_t room = LOSS_KINDS + 3, n = 0;
	int err = 0;

	for (char *const *g = m->gaps; g && *g; g++)
		room++;
	for (char *const *g = m->limits; g && *g; g++)
		room++;
	char **list = calloc(room, sizeof(*list));
	if (!list)
		return -ENOMEM;
	for (char *const *g = m->gaps; g && *g && !err; g++) {
		if (weakens(f->rule, *g))
			err = cover_add(list, &n, "", *g, strcspn(*g, ":"));
	}
	for (char *const *g = m->limits; g && *g && !err; g++) {
		size_t len = strcspn(*g, ":");

		if (weakens(f->rule, *g) && !named(list, n, *g, len))
			err = cover_add(list, &n, PARTLY, *g, len);
	}
	for (unsigned l = 0; l < LOSS_KINDS && !err && f->has_leak; l++) {
		if (loss_weakens(l) && m->health.losses[l])
			err = cover_add(list, &n, "loss.", loss_name(l), 64);
	}
	if (!err && f->has_leak && m->read_misses)
		err = cover_add(list, &n, "missed.", "read", 64);
	if (!err && more)
		err = cover_add(list, &n, "", more, 64);
	if (err) {
		coverage_free(list, n);
		return err;
	}
	coverage_free(f->coverage, f->ncoverage);
	f->coverage = list;
	f->ncoverage = n;
	return 0;
}
