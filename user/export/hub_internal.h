/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make up a hub. */
#ifndef SLUICE_HUB_INTERNAL_H
#define SLUICE_HUB_INTERNAL_H

#include "user/export/asff.h"
#include "user/export/hub.h"
#include "user/export/journal_read.h"
#include "user/hashmap.h"

#define HUB_ID_LEN 64
#define HUB_KNOWN_MAX 8192	      /* findings; of more those that are longest unchanged are forgotten */
#define HUB_WAITING_BYTES (16u << 20) /* of records that wait; then no more is read, it stays in the journal */
#define HUB_BATCH 100
#define HUB_BODY_MAX 6000000

struct hub_finding {
	char id[HUB_ID_LEN]; /* the key; zero behind its end */
	struct hub_finding *next;
	/* Of what was imported. */
	uint64_t done; /* the number of the newest record; 0: none */
	int64_t created_ms, updated_ms;
	int severity;	  /* the highest; -1: none */
	char *asff_id;	  /* NULL: none */
	uint64_t sent_ns; /* boot time; 0: not since the start */
	/* The newest record that was not. */
	char *text; /* NULL: none waits */
	size_t len;
	uint64_t seq, oldest; /* its number, and that of the first which it stands for */
	int worse;	      /* the highest severity among them */
	unsigned tries;
	uint64_t due_ns;
};

struct hub {
	struct hub_options options;
	char *journal, *state;
	struct journal_reader *reader;
	struct hashmap by_id;
	struct hub_finding *first;
	size_t known, waiting, waiting_bytes;
	bool caught_up;
	uint64_t read; /* the number of the last record read */
	struct {
		uint64_t seq, sum; /* of a record that was read: by it a journal is known again; seq 0: none */
	} anchor;
	uint64_t cursor;	/* as kept: reading goes on behind it */
	char *region, *account; /* where all this was imported; NULL: nothing was */
	unsigned batch;		/* how many findings a request may have */
	unsigned fails;		/* requests in a row */
	uint64_t quiet_ns;	/* no request before */
	uint64_t saved_ns;
	bool changed; /* since it was kept */
	struct hub_told told;
	char unsaved[160]; /* why the file is not as it should be; "" */
};

/* hub_known.c */
struct hub_finding *hub_find(const struct hub *h, const char *id);
/* Found or new; NULL: no memory, or all that are known have something waiting. */
struct hub_finding *hub_get(struct hub *h, const char *id);
void hub_forget_all(struct hub *h);
/* A record of the journal that may be a finding. -ENOMEM; -ENOSPC: there is no room now. */
int hub_take(struct hub *h, const struct journal_line *line);
/* It waits no more. */
void hub_drop_waiting(struct hub *h, struct hub_finding *f);
/* Behind which record reading must go on, should all in memory be lost. */
uint64_t hub_cursor(const struct hub *h);

/* hub_read.c: reads on, until the end or until there is no room. -ECANCELED; what the system says. */
int hub_read(struct hub *h);

/* hub_file.c */
int hub_load(struct hub *h); /* -ENOENT: there is none; -EBADMSG: it is no such file */
int hub_save(struct hub *h);

/* hub_send.c: imports what is due. -ENOMEM; -ECANCELED. */
int hub_send(struct hub *h, uint64_t now_ns, bool last);
/* When the next is due; UINT64_MAX: nothing waits. */
uint64_t hub_due(const struct hub *h, bool last);

__attribute__((format(printf, 3, 4))) void hub_say(struct hub *h, enum hub_state s, const char *format, ...);

#endif
