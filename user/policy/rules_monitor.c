/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* monitor.gap: something that should have been measured was not, how much, and for how long. */
#include "user/policy/rules_internal.h"

#include "user/model_credential.h"

#define LATE_NS (5 * NSEC)

static const char *const loss_texts[LOSS_KINDS] = {
    [LOSS_TAINT_FULL] =
	"the taint of processes could not be kept %llu times: leak bounds may be too low",
    [LOSS_OBJECT_FULL] =
	"the taint of pipes and files could not be kept %llu times: leak bounds may be too low",
    [LOSS_EDGE_FULL] =
	"%llu transfers between processes could not be kept: leak bounds may be too low",
    [LOSS_FLOW_FULL] =
	"%llu connections are counted in the total only: whose they are and where they go is not known",
    [LOSS_FLOW_TAINT_FULL] =
	"the taint of connections could not be kept %llu times: leak bounds may be too low",
    [LOSS_WALK_DEEP] = "the dataset of %llu files could not be decided, they lie too deep: their "
		       "bytes are not counted",
    [LOSS_FDS_DEEP] = "%llu times a process had more descriptors open than are marked: leak bounds "
		      "may be too low",
    [LOSS_NO_FILE] = "%llu times a descriptor was closed or replaced during the call, or a mapping that grew could not be "
		     "looked at: those bytes are not counted",
    [LOSS_CHANNEL_FULL] = "%llu channels that cannot be measured could not be noted",
    [LOSS_AIO_FULL] = "%llu asynchronous reads could not be followed: their bytes are not counted",
};

static const char *const refused_texts[REFUSED_KINDS] = {
    [REFUSED_SUBJECT] =
	"%llu times there was no memory left for a process: its bytes are not accounted for",
    [REFUSED_OBJECT] = "%llu times there was no memory left for a pipe or a file: leak bounds may be too low",
    [REFUSED_FLOW] =
	"%llu times there was no memory left for a connection: it is counted in the total only",
    [REFUSED_EDGE] =
	"%llu times there was no memory left for a transfer: leak bounds may be too low",
};

static const char *const refused_names[REFUSED_KINDS] = {"subject", "object", "flow", "edge"};

static const struct {
	const char *text;
	enum severity severity;
} credential_texts[CREDENTIAL_LOST_KINDS] = {
    [CREDENTIAL_OVERFLOW] = {"%llu times files of credentials were opened faster than could be looked at: not all uses are known",
			     SEVERITY_HIGH},
    [CREDENTIAL_GONE] = {"%llu processes that opened a file of credentials had ended before they were looked at: whose they were "
			 "is not known",
			 SEVERITY_LOW},
    [CREDENTIAL_LEFT] = {"%llu uses of credentials could not be kept", SEVERITY_HIGH},
};

static int gap(struct judging *j, const char *about, enum severity severity, struct finding **ret)
{
	struct finding_key key = {.rule = RULE_MONITOR_GAP, .dataset = -1, .about = about};
	int err = finding_get(j->m, &key, j->now_ns, ret);

	if (err)
		return err;
	(*ret)->severity = severity;
	err = finding_cover(j->m, *ret, about);
	if (!err)
		finding_grow(*ret, j->now_ns);
	return err;
}

static int judge_counter(struct judging *j, const char *kind, const char *name, const char *text,
			 enum severity severity, uint64_t now, uint64_t *judged)
{
	char about[64];
	struct finding *f;
	int err;

	if (now <= *judged)
		return 0;
	snprintf(about, sizeof(about), "%s.%s", kind, name);
	err = gap(j, about, severity, &f);
	if (err)
		return err;
	f->seen += now - *judged;
	*judged = now;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
	return finding_title(f, text, (unsigned long long)f->seen);
#pragma GCC diagnostic pop
}

static int judge_late(struct judging *j)
{
	uint64_t late = j->m->health.late_ns;
	struct finding *f;
	int err;

	if (late <= LATE_NS || j->m->late_judged)
		return 0;
	j->m->late_judged = true;
	err = gap(j, "late", SEVERITY_MEDIUM, &f);
	if (err)
		return err;
	f->seen = MAX(f->seen, late);
	return finding_title(f,
			     "the monitor ran late by %.1f s (at most %.1f s so far): findings of "
			     "that time came late",
			     (double)late / (double)NSEC, (double)f->seen / (double)NSEC);
}

static int judge_blind(struct judging *j)
{
	uint64_t blind = j->m->health.blind_ns;
	struct finding *f;
	int err;

	if (!blind || blind == j->m->blind_judged_ns)
		return 0;
	err = gap(j, "blind", SEVERITY_HIGH, &f);
	if (err)
		return err;
	j->m->blind_judged_ns = blind;
	return finding_title(
	    f,
	    "nothing was measured for %.1f s before this start: the monitor before it was killed",
	    (double)blind / (double)NSEC);
}

/* Runs of a program that the kernel left out, of facts that nobody else sees. */
static int judge_misses(struct judging *j, unsigned i)
{
	const struct program_health *p = &j->m->health.programs[i];
	uint64_t *judged = &j->m->misses_judged[i];
	char about[96];
	struct finding *f;
	int err;

	if (!p->misses_known || !p->facts || p->misses <= *judged)
		return 0;
	snprintf(about, sizeof(about), "missed.%s", p->name);
	err = gap(j, about, SEVERITY_HIGH, &f);
	if (err)
		return err;
	f->seen += p->misses - *judged;
	*judged = p->misses;
	return finding_title(f, "%s did not run %llu times, being at work already: not all is counted of %s", p->name,
			     (unsigned long long)f->seen, p->facts);
}

int judge_monitor(struct judging *j)
{
	struct model *m = j->m;
	int err = 0, e;

	for (unsigned l = 0; l < LOSS_KINDS && m->health_known; l++) {
		if (!loss_weakens(l))
			continue;
		e = judge_counter(j, "loss", loss_name(l), loss_texts[l], SEVERITY_HIGH, m->health.losses[l],
				  &m->losses_judged[l]);
		err = err ? err : e;
	}
	for (unsigned r = 0; r < REFUSED_KINDS; r++) {
		e = judge_counter(j, "model", refused_names[r], refused_texts[r], SEVERITY_HIGH, m->refused[r],
				  &m->refused_judged[r]);
		err = err ? err : e;
	}
	for (enum credential_lost l = 0; l < CREDENTIAL_LOST_KINDS; l++) {
		e = judge_counter(j, "credential", credential_lost_name(l), credential_texts[l].text, credential_texts[l].severity,
				  credentials_lost(m, l), &m->credentials->lost_judged[l]);
		err = err ? err : e;
	}
	for (unsigned i = 0; i < m->health.nprograms; i++) {
		e = judge_misses(j, i);
		err = err ? err : e;
	}
	e = judge_late(j);
	err = err ? err : e;
	e = judge_blind(j);
	return err ? err : e;
}
