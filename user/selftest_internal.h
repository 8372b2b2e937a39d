/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Between the parts of the self-test: what was seen, how it is judged, and the table. */
#ifndef SLUICE_SELFTEST_INTERNAL_H
#define SLUICE_SELFTEST_INTERNAL_H

#include "user/canary.h"
#include "user/selftest.h"

/* --- what was seen: rows of the kernel's maps, of which only the canaries' are kept --------- */

struct seen_access {
	struct ledger_key key;
	struct ledger_val val;
};
struct seen_taint {
	struct subject who;
	struct taint taint;
};
struct seen_object {
	struct object what;
	struct object_taint taint;
};
struct seen_edge {
	struct edge_key key;
	struct edge_val val;
};
struct seen_channel {
	struct channel_key key;
	struct channel_val val;
};
#define EVIDENCE_MAX 4096

/* X(field, type) */
#define EVIDENCE_LISTS(X)                                                                          \
	X(ledger, struct seen_access)                                                              \
	X(tainted, struct seen_taint)                                                              \
	X(objects, struct seen_object)                                                             \
	X(edges, struct seen_edge)                                                                 \
	X(channels, struct seen_channel)                                                           \
	X(owners, struct sock_owner)                                                               \
	X(flows, struct flow)                                                                      \
	X(closed, struct flow)	 /* told by the ring */                                            \
	X(ended, struct subject) /* likewise */                                                    \
	X(said, struct said)	 /* by its own, without the bytes */                               \
	X(held, struct object)	 /* pipes that the walk over descriptors found */

struct evidence {
#define X(field, type)                                                                             \
	struct {                                                                                   \
		type *v;                                                                           \
		size_t n;                                                                          \
	} field;
	EVIDENCE_LISTS(X)
#undef X
};

/* Whose rows are wanted. */
struct canary_ids {
	const struct canaries *canaries;
	const struct canary_note *const *notes;
	size_t n;
};

/* Brings the flows up to date from their sockets and reads the maps, as they are now. -ENOMEM, or
 * what the kernel says. */
int evidence_read(struct engine *e, const struct canary_ids *ids, struct evidence *ret);
/* Empties the ring: ends of processes and flows. Called until all that is expected has come. */
int evidence_drain(struct engine *e, struct evidence *ev);
void evidence_free(struct evidence *ev);

/* Takes out of the maps what canaries left; what other processes did meanwhile stays, but
 * announcements, which are made again. */
void evidence_clear(struct engine *e, const struct canary_ids *ids);

bool flow_is(const struct flow *f, uint8_t proto, uint16_t local, uint16_t remote);

/* --- how it is judged ------------------------------------------------------------------------ */

struct proof_row;

struct verdict {
	uint64_t want, got;
	uint64_t most; /* 0: `want` exactly; else anything from `want` to this */
};

typedef void proof_check(const struct proof_row *row, const struct canary_note *note,
			 const struct evidence *ev, struct verdict *ret);

struct proof_row {
	const char *name;
	uint64_t facts;		      /* that this row proves */
	uint64_t needs;		      /* that must work for it to prove anything */
	int (*run)(struct canary *c); /* NULL: the row is about what the row before did */
	proof_check *check;
	bool early;
	bool bytes;   /* figures are bytes */
	int role;     /* whose */
	uint32_t via; /* enum edge_via, enum access_kind or enum channel, as the check wants */
};

extern const struct proof_row proof_rows[];
extern const size_t proof_nrows;

proof_check check_access, check_mapped, check_fork, check_exec, check_exit, check_edge,
    check_marked, check_tainted, check_channel, check_connected, check_swept, check_accepted,
    check_closed, check_owner, check_released, check_datagram_out, check_datagram_in, check_said,
    check_found;

/* Rows into facts; pure. `runs` NULL: not counted. */
void selftest_sum_up(struct selftest *t, const struct plan *plan);

#endif
