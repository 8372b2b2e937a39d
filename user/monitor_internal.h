/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Shared by the files that make up the monitor. */
#ifndef SLUICE_MONITOR_INTERNAL_H
#define SLUICE_MONITOR_INTERNAL_H

#include "user/alive.h"
#include "user/carry.h"
#include "user/collect.h"
#include "user/dest/aws_ranges.h"
#include "user/dest/class.h"
#include "user/events.h"
#include "user/export/record.h"
#include "user/export/exporter_told.h"
#include "user/export/hub_told.h"
#include "user/monitor.h"
#include "user/pace.h"
#include "user/ranges_fetch.h"
#include "user/roots.h"
#include "user/server.h"
#include "user/trust.h"
#include "user/vpc.h"

/* One state of a file. */
struct file_state {
	uint64_t dev, ino, size;
	struct timespec mtime, ctime;
};

struct credential_watch;
struct watch;
struct journal;
struct exporter;
struct hub_thread;

#define MONITOR_FRESH_NS (NSEC / 5) /* an answer is not older than this */

struct monitor {
	struct options options;
	struct config *config;
	struct plan plan; /* as the self-test left it */
	struct classes *classes;
	struct {
		struct aws_ranges *known; /* what is in force; NULL: nothing */
		struct file_state seen;	  /* the file's, when it was last looked at: in force, or refused and said so */
	} ranges;
	struct engine *engine;
	struct model *model;
	struct collector *collector;
	struct roots *roots;
	struct trust *trust;
	struct server *server;
	struct watch *watch;
	struct events *events;
	struct journal *journal; /* NULL: none is configured */
	struct alive *alive;
	struct ranges_fetch *fetch; /* NULL: not `aws_ranges: auto` */
	bool fetch_failed; /* the last time, and that was said */
	struct vpc *vpc; /* NULL: not `vpc: auto` */
	struct vpc_news vpc_news; /* as looked at last */
	uint64_t local_sum; /* of this host's addresses */
	struct credential_watch *credentials; /* NULL: there is none, which was said */
	struct carry *carry; /* NULL: nothing is kept for the next one */
	struct exporter *exporter; /* NULL: not `export.cloudwatch` */
	enum export_state export_state; /* as last said */
	struct hub_thread *hub; /* NULL: not `export.security_hub` */
	enum hub_state hub_state; /* as last said */
	int signals, timer;
	uint64_t interval_ns, due_ns, end_ns; /* end_ns 0: until told */
	uint64_t ticked_ns, tick_took_ns, give_until_ns, local_ns, ranges_ns, roots_ns, scan_ns;
	unsigned missing;
	int untold; /* of roots_untold(), as last said */
	int events_err, tick_err, carry_err, journal_err;
	int journal_lost; /* why the last records were not taken */
	uint64_t events_dropped, events_told; /* of copies that a slow reader misses */
	bool dropping;
	uint64_t last_words_ns; /* until when the end waits for the disk; 0: it is not the end */
	uint64_t retried_ns;
	struct pace pace; /* of records */
	bool stop;
};

/* An exit status; what is the matter was said. */
int monitor_start(struct monitor *m);

void monitor_set_clock(struct monitor *m, uint64_t now);
/* One interval: the kernel's totals into the model, which is judged. */
void monitor_tick(struct monitor *m, uint64_t late_ns);
void monitor_refresh_roots(struct monitor *m);
void monitor_load_trust(struct monitor *m);

/* monitor_ranges.c */
void monitor_start_ranges(struct monitor *m);
void monitor_stop_ranges(struct monitor *m);
void monitor_reload_ranges(struct monitor *m);
/* What was fetched, now or before this start; NULL: nothing yet. */
const char *monitor_ranges_file(const struct monitor *m);
int monitor_take_ranges(struct monitor *m);

/* monitor_vpc.c */
void monitor_start_vpc(struct monitor *m);
void monitor_stop_vpc(struct monitor *m);
/* Whatever news there is, into classes and model. */
int monitor_take_vpc(struct monitor *m);
void monitor_tell_vpc(struct monitor *m);
/* The configuration with the blocks that metadata add to it: borrowed, but for *ret_blocks, which the caller frees. */
int monitor_vpc_config(const struct monitor *m, struct config *ret, struct cidr **ret_blocks);

/* monitor_classes.c: the table of classes anew, by m->config, this host's addresses and AWS's ranges; as a whole or
 * not at all. What is wrong with the ranges is said here. */
int monitor_refresh_classes(struct monitor *m);
bool monitor_ranges_changed(const struct monitor *m); /* the file, since it was read */

/* monitor_carry.c */
bool monitor_is_passing(void); /* by its environment: nothing goes over from others to it, nor from it to others */
void monitor_open_carry(struct monitor *m);
int monitor_restore(struct monitor *m);
void monitor_carry(struct monitor *m, uint64_t now, bool final);
void monitor_retry_carry(struct monitor *m, uint64_t now);

/* monitor_credentials.c */
void monitor_start_credentials(struct monitor *m);
void monitor_stop_credentials(struct monitor *m);
int monitor_take_credentials(struct monitor *m);
void monitor_settle_credentials(struct monitor *m); /* waits a little */

/* monitor_export.c */
void monitor_start_export(struct monitor *m);
void monitor_stop_export(struct monitor *m, bool patient); /* patient: waits a little for the last records to arrive */
void monitor_reload_export(struct monitor *m, const struct config *old);
void monitor_tell_export(struct monitor *m); /* to the exporter what is new, to the model how it is */

/* monitor_hub.c */
void monitor_start_hub(struct monitor *m);
void monitor_stop_hub(struct monitor *m, bool patient); /* patient: what waits for its time is sent first */
void monitor_reload_hub(struct monitor *m, const struct config *old);
void monitor_tell_hub(struct monitor *m); /* to the model how it is */
/* monitor_watch.c */
int monitor_start_watch(struct monitor *m); /* -ENOMEM */
void monitor_stop_watch(struct monitor *m); /* the server is closed */

/* monitor_records.c */
void monitor_give_records(struct monitor *m, uint64_t now, bool final);
void monitor_give_policy(struct monitor *m);
int monitor_finish_records(struct monitor *m); /* the last of them; an exit status */

/* monitor_journal.c */
int monitor_open_journal(struct monitor *m);  /* an exit status */
void monitor_begin_journal(struct monitor *m); /* once there is a model */
int monitor_journal_put(struct monitor *m, const json_t *record);
void monitor_tick_journal(struct monitor *m, const struct timespec *wall, record_sink sink, void *arg);
void monitor_reload_journal(struct monitor *m, const char *before);
void monitor_last_words(struct monitor *m);
int monitor_end_journal(struct monitor *m, record_sink sink, void *arg);

#endif
