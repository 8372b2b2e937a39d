/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* What a path did against what was seen of it. Pure: tested without a kernel. */
#include "user/selftest_internal.h"

#include <netinet/in.h>
#include <string.h>

#define CANARY_MASK 1 /* the directory is dataset 0 */

static bool is_role(const struct canary_note *note, int role, const struct subject *who)
{
	return note->pid[role] > 0 && who->tgid == (uint32_t)note->pid[role];
}

static uint64_t accessed(const struct canary_note *note, int role, uint32_t kind,
			 const struct evidence *ev)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < ev->ledger.n; i++) {
		const struct seen_access *a = &ev->ledger.v[i];

		if (is_role(note, role, &a->key.who) && a->key.kind == kind && a->key.dataset == 0)
			sum += a->val.bytes;
	}
	return sum;
}

void check_access(const struct proof_row *row, const struct canary_note *note,
		  const struct evidence *ev, struct verdict *ret)
{
	ret->want = note->bytes[row->role];
	ret->got = accessed(note, row->role, row->via, ev);
}

/* An upper bound: of what was touched, up to the pages of the mapping. */
void check_mapped(const struct proof_row *row, const struct canary_note *note,
		  const struct evidence *ev, struct verdict *ret)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);

	ret->want = note->bytes[row->role];
	ret->most = MAX((ret->want + page - 1) / page * page, (uint64_t)CANARY_FILE_BYTES);
	ret->got = accessed(note, row->role, ACCESS_MMAP, ev);
}

static const struct taint *taint_of(const struct canary_note *note, int role,
				    const struct evidence *ev)
{
	for (size_t i = 0; i < ev->tainted.n; i++)
		if (is_role(note, role, &ev->tainted.v[i].who) &&
		    (ev->tainted.v[i].taint.mask & CANARY_MASK))
			return &ev->tainted.v[i].taint;
	return NULL;
}

void check_tainted(const struct proof_row *row, const struct canary_note *note,
		   const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	ret->got = taint_of(note, row->role, ev) != NULL;
}

void check_fork(const struct proof_row *row, const struct canary_note *note,
		const struct evidence *ev, struct verdict *ret)
{
	const struct taint *t = taint_of(note, row->role, ev);

	ret->want = 1;
	ret->got = t && t->via == VIA_FORK && is_role(note, 0, &t->from);
}

/* The image that read, and the next one of the same process. */
void check_exec(const struct proof_row *row, const struct canary_note *note,
		const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	for (size_t i = 0; i < ev->ledger.n; i++) {
		const struct subject *reader = &ev->ledger.v[i].key.who;

		for (size_t k = 0; k < ev->tainted.n && is_role(note, row->role, reader); k++) {
			const struct seen_taint *t = &ev->tainted.v[k];

			ret->got |=
			    t->who.tgid == reader->tgid && t->who.start_ns == reader->start_ns &&
			    t->who.exec == reader->exec + 1 && (t->taint.mask & CANARY_MASK);
		}
	}
}

void check_exit(const struct proof_row *row, const struct canary_note *note,
		const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	for (size_t i = 0; i < ev->ended.n; i++)
		ret->got |= is_role(note, row->role, &ev->ended.v[i]);
}

void check_edge(const struct proof_row *row, const struct canary_note *note,
		const struct evidence *ev, struct verdict *ret)
{
	ret->want = note->bytes[row->role];
	for (size_t i = 0; i < ev->edges.n; i++) {
		const struct seen_edge *e = &ev->edges.v[i];

		if (is_role(note, row->role, &e->key.who) && e->key.via == row->via &&
		    (e->key.mask & CANARY_MASK))
			ret->got += e->val.bytes;
	}
}

void check_marked(const struct proof_row *row, const struct canary_note *note,
		  const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	for (size_t i = 0; i < ev->objects.n; i++)
		ret->got |= ev->objects.v[i].what.ino == note->ino &&
			    (ev->objects.v[i].taint.mask & CANARY_MASK);
}

void check_found(const struct proof_row *row, const struct canary_note *note,
		 const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	for (size_t i = 0; i < ev->held.n; i++)
		ret->got |= ev->held.v[i].ino == note->ino;
}

void check_channel(const struct proof_row *row, const struct canary_note *note,
		   const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	for (size_t i = 0; i < ev->channels.n; i++)
		ret->got |= is_role(note, row->role, &ev->channels.v[i].key.who) &&
			    ev->channels.v[i].key.kind == row->via;
}

/* --- flows ----------------------------------------------------------------------------------- */

bool flow_is(const struct flow *f, uint8_t proto, uint16_t local, uint16_t remote)
{
	return f->proto == proto && f->lport == local && f->rport == remote;
}

static const struct flow *find(const struct flow *v, size_t n, uint8_t proto, uint16_t local,
			       uint16_t remote)
{
	for (size_t i = 0; i < n; i++)
		if (flow_is(&v[i], proto, local, remote))
			return &v[i];
	return NULL;
}

static const struct flow *client(const struct canary_note *note, const struct evidence *ev)
{
	return find(ev->flows.v, ev->flows.n, IPPROTO_TCP, note->port, note->peer_port);
}

void check_connected(const struct proof_row *row, const struct canary_note *note,
		     const struct evidence *ev, struct verdict *ret)
{
	const struct flow *f = client(note, ev);

	ret->want = 1;
	ret->got = f && f->role == ROLE_CONNECT && is_role(note, 0, &f->who);
}

void check_accepted(const struct proof_row *row, const struct canary_note *note,
		    const struct evidence *ev, struct verdict *ret)
{
	const struct flow *f =
	    find(ev->flows.v, ev->flows.n, IPPROTO_TCP, note->peer_port, note->port);

	ret->want = 1;
	ret->got = f && f->role == ROLE_ACCEPT && is_role(note, row->role, &f->who);
}

/* Both ways at once: their sum is wanted. */
void check_swept(const struct proof_row *row, const struct canary_note *note,
		 const struct evidence *ev, struct verdict *ret)
{
	const struct flow *f = client(note, ev);

	ret->want = note->bytes[0] + note->bytes[1];
	ret->got = f ? f->out - f->base_out + f->in - f->base_in : 0;
}

void check_closed(const struct proof_row *row, const struct canary_note *note,
		  const struct evidence *ev, struct verdict *ret)
{
	const struct flow *f =
	    find(ev->closed.v, ev->closed.n, IPPROTO_TCP, note->port, note->peer_port);

	ret->want = note->bytes[0] + note->bytes[1];
	ret->got = f ? f->out - f->base_out + f->in - f->base_in : 0;
}

static bool owns_one(const struct canary_note *note, int role, const struct evidence *ev)
{
	for (size_t i = 0; i < ev->owners.n; i++)
		if (is_role(note, role, &ev->owners.v[i].who))
			return true;
	return false;
}

void check_owner(const struct proof_row *row, const struct canary_note *note,
		 const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	ret->got = owns_one(note, row->role, ev);
}

void check_released(const struct proof_row *row, const struct canary_note *note,
		    const struct evidence *ev, struct verdict *ret)
{
	ret->want = 1;
	ret->got = !owns_one(note, row->role, ev);
}

void check_datagram_out(const struct proof_row *row, const struct canary_note *note,
			const struct evidence *ev, struct verdict *ret)
{
	const struct flow *f =
	    find(ev->flows.v, ev->flows.n, IPPROTO_UDP, note->port, note->peer_port);

	ret->want = note->bytes[1];
	ret->got = f ? f->out : 0;
}

void check_datagram_in(const struct proof_row *row, const struct canary_note *note,
		       const struct evidence *ev, struct verdict *ret)
{
	const struct flow *f =
	    find(ev->flows.v, ev->flows.n, IPPROTO_UDP, note->peer_port, note->port);

	ret->want = note->bytes[0];
	ret->got = f ? f->in : 0;
}

void check_said(const struct proof_row *row, const struct canary_note *note, const struct evidence *ev,
		struct verdict *ret)
{
	static const uint8_t nowhere[16] = {
		[10] = 0xff, 0xff, CANARY_NOWHERE >> 24, CANARY_NOWHERE >> 16 & 0xff, CANARY_NOWHERE >> 8 & 0xff, CANARY_NOWHERE & 0xff,
	};

	ret->want = note->bytes[0];
	for (size_t i = 0; i < ev->said.n; i++)
		if (ev->said.v[i].out && !memcmp(ev->said.v[i].raddr, nowhere, sizeof(nowhere)))
			ret->got += ev->said.v[i].bytes;
}

/* --- rows into facts ----------------------------------------------------------------------------
 */

static const char *const proof_names[PROOF_KINDS] = {
    [PROOF_NONE] = "no canary", [PROOF_UNOWNED] = "gap", [PROOF_UNTESTED] = "not tested",
    [PROOF_FIRES] = "fires",	[PROOF_EXACT] = "exact", [PROOF_WRONG] = "wrong",
    [PROOF_SILENT] = "silent",
};

const char *proof_name(enum proof p)
{
	return proof_names[p];
}

bool proof_failed(enum proof p)
{
	return p == PROOF_SILENT || p == PROOF_WRONG;
}

static void row_text(const struct selftest_row *r, char *out, size_t n)
{
	if (r->proof == PROOF_UNTESTED)
		snprintf(out, n, "%s: %s", r->name, r->why);
	else if (!proof_failed(r->proof))
		snprintf(out, n, "%s", r->name);
	else if (r->bytes)
		snprintf(out, n, "canary of %llu bytes by %s came out as %llu",
			 (unsigned long long)r->want, r->name, (unsigned long long)r->got);
	else
		snprintf(out, n, "canary by %s was not seen", r->name);
}

static void append(char *to, size_t n, const char *text)
{
	size_t at = strlen(to);

	snprintf(to + at, n - at, "%s%s", at ? ", " : "", text);
}

static void add_rows(struct selftest *t, enum fact f, enum proof proof, const char *lead)
{
	char text[200], whole[220];

	for (size_t i = 0; i < t->nrows; i++) {
		if (!(t->rows[i].facts >> f & 1) || t->rows[i].proof != proof)
			continue;
		row_text(&t->rows[i], text, sizeof(text));
		snprintf(whole, sizeof(whole), "%s%s", lead, text);
		append(t->detail[f], sizeof(t->detail[f]), whole);
		lead = "";
	}
}

/* The worst of its rows is the fact's; those of that kind are its detail, and then what could not
 * be tested. */
static void sum_fact(struct selftest *t, enum fact f)
{
	for (size_t i = 0; i < t->nrows; i++)
		if (t->rows[i].facts >> f & 1)
			t->fact[f] = MAX(t->fact[f], t->rows[i].proof);
	if (t->fact[f] == PROOF_NONE)
		return;
	add_rows(t, f, t->fact[f], "");
	if (t->fact[f] != PROOF_UNTESTED)
		add_rows(t, f, PROOF_UNTESTED, "not tested: ");
}

static void by_runs(struct selftest *t, const struct plan *plan, enum fact f)
{
	int h = plan->owner[f];
	char text[80];

	if (!t->counted || h < 0)
		return;
	if (t->fact[f] == PROOF_NONE && t->runs[h]) {
		t->fact[f] = PROOF_FIRES;
		snprintf(t->detail[f], sizeof(t->detail[f]), "no canary; %s ran %llu times",
			 hook_name((enum hook)h), (unsigned long long)t->runs[h]);
	} else if (proof_failed(t->fact[f])) {
		snprintf(text, sizeof(text), "%s ran %llu times", hook_name((enum hook)h),
			 (unsigned long long)t->runs[h]);
		append(t->detail[f], sizeof(t->detail[f]), text);
	}
}

void selftest_sum_up(struct selftest *t, const struct plan *plan)
{
	for (int f = 0; f < FACT_KINDS; f++) {
		t->fact[f] = PROOF_NONE;
		t->detail[f][0] = '\0';
		if (plan->owner[f] < 0) {
			t->fact[f] = PROOF_UNOWNED;
			continue;
		}
		sum_fact(t, (enum fact)f);
		by_runs(t, plan, (enum fact)f);
	}
}

void selftest_apply(const struct selftest *t, struct plan *plan)
{
	char why[PLAN_WHY];

	for (int f = 0; f < FACT_KINDS; f++) {
		if (!proof_failed(t->fact[f]) || plan->owner[f] < 0)
			continue;
		snprintf(why, sizeof(why), "attached but %s: %s",
			 t->fact[f] == PROOF_SILENT ? "silent" : "wrong", t->detail[f]);
		plan_disown(plan, (enum fact)f, why);
	}
}
