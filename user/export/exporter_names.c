/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What group and stream are called. */
#include "user/export/exporter_internal.h"

#include <string.h>
#include <sys/random.h>

/* What both groups and streams may have in their names. */
static void name_safe(char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_/#";

	for (; *name; name++)
		if (!strchr(good, *name))
			*name = '_';
}

/* --- the instance ------------------------------------------------------------------------------ */

static void ask_metadata(struct exporter *x, char ret[static 64])
{
	struct imds_facts facts;
	struct imds *imds = NULL;

	if (imds_open(&imds))
		return;
	imds_stop_by(imds, &x->stop);
	if (imds_ask(imds, &facts) == IMDS_OK) {
		snprintf(ret, 64, "%s", facts.instance_id);
		imds_facts_done(&facts);
	}
	imds_close(imds);
}

static int make_id(char ret[static 9])
{
	uint32_t random;

	if (getrandom(&random, sizeof(random), 0) != sizeof(random))
		return -errno;
	snprintf(ret, 9, "%08x", random);
	return 0;
}

/* A stream belongs to one cursor on one machine: a copy of this machine's disk is another machine's. */
static int settle_identity(struct exporter *x)
{
	struct cw_state *s = &x->state;
	char instance[64] = "", hostname[65] = "";

	gethostname(hostname, sizeof(hostname) - 1);
	if (x->instance_id)
		snprintf(instance, sizeof(instance), "%s", x->instance_id);
	else
		ask_metadata(x, instance);
	name_safe(instance);
	name_safe(hostname);
	bool other = *s->instance && *instance ? strcmp(s->instance, instance) != 0
					       : !*instance && !*s->instance && strcmp(s->hostname, hostname) != 0;

	if (*s->id && !other)
		return 0; /* what it was called first it is called for ever */
	int err = make_id(s->id);
	if (err)
		return err;
	memcpy(s->instance, instance, sizeof(instance));
	memcpy(s->hostname, hostname, sizeof(hostname));
	s->stream[0] = '\0';
	return 0;
}

/* --- names ------------------------------------------------------------------------------------- */

static const char *value_of(struct exporter *x, const char *name, size_t len)
{
	const struct cw_state *s = &x->state;

	if (!strncmp(name, "instance_id", len))
		return *s->instance ? s->instance : s->hostname;
	if (!strncmp(name, "host", len) || !strncmp(name, "hostname", len))
		return s->hostname;
	return !strncmp(name, "region", len) ? x->wire.region(x->wire.arg) : x->wire.account(x->wire.arg);
}

static int fill_group(struct exporter *x, char ret[static CW_NAME_MAX + 1])
{
	size_t n = 0;

	for (const char *t = x->log_group; *t && n < CW_NAME_MAX;) {
		const char *end = *t == '{' ? strchr(t, '}') : NULL;
		const char *value = end ? value_of(x, t + 1, (size_t)(end - t - 1)) : NULL;

		if (end && !value) {
			snprintf(x->why, sizeof(x->why), "%.*s is not known yet", (int)(end + 1 - t), t);
			return -EAGAIN;
		}
		if (end)
			n += (size_t)snprintf(ret + n, CW_NAME_MAX + 1 - n, "%s", value);
		else
			ret[n++] = *t;
		t = end ? end + 1 : t + 1;
	}
	ret[MIN(n, (size_t)CW_NAME_MAX)] = '\0';
	name_safe(ret);
	return 0;
}

int export_name(struct exporter *x)
{
	struct cw_state *s = &x->state;
	char group[CW_NAME_MAX + 1], stream[CW_NAME_MAX + 1];
	int err = settle_identity(x);

	if (!err)
		err = fill_group(x, group);
	if (err)
		return err;
	const char *who = *s->instance ? s->instance : *s->hostname ? s->hostname : "host";
	snprintf(stream, sizeof(stream), "%s.%s", who, s->id);
	if (strcmp(group, s->group)) {
		s->group_made = false;
		s->retain_days = 0;
	}
	memcpy(s->group, group, strlen(group) + 1);
	memcpy(s->stream, stream, strlen(stream) + 1);
	snprintf(x->node, sizeof(x->node), "%s", who);
	return 0;
}
