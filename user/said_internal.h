/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Inside of the book: what is kept, and what of it the model is told. */
#ifndef SLUICE_SAID_INTERNAL_H
#define SLUICE_SAID_INTERNAL_H

#include "user/dest/dns.h"
#include "user/dest/dns_stream.h"
#include "user/dest/hosts_file.h"
#include "user/dest/links.h"
#include "user/dest/names.h"
#include "user/dest/resolvers.h"
#include "user/dest/talk.h"
#include "user/model_credential.h"
#include "user/model_internal.h"
#include "user/said_book.h"

struct conversation {
	uint64_t flow; /* the key */
	struct conversation *prev, *next; /* of the same list */
	struct talk *talk; /* NULL: all is known */
	struct talk_facts facts;
	struct dns_stream messages[2]; /* of TCP with a name server: in, out */
	uint64_t first_ns, last_ns;
	uint32_t netns;
	uint32_t ifindex; /* of the device by which it leaves; 0: not known, or several */
	uint8_t raddr[16];
	bool fresh; /* not told yet as it is */
	bool dns;
	bool datagrams; /* not of TCP */
	bool inside;
	bool metadata; /* with an endpoint that gives credentials, */
	bool used;     /* which the model was told */
	struct subject who;
};

struct question {
	struct subject who;
	uint64_t flow;
	struct dns_message message;
	uint8_t server[16];
	uint16_t port;
};

struct use {
	struct subject who;
	enum secret_kind kind;
	char url[ADDR_LEN + HTTP_PATH_LEN + 16];
};

/* The longest silent first. */
struct conversations {
	struct conversation *first, *last;
	size_t n;
};

struct said_book {
	struct model *m;
	struct hashmap all;
	struct conversations talking, quiet; /* with a talk, and without */
	struct names *names;
	struct resolvers *resolvers;
	struct hosts_file *hosts;
	struct links *links;
	uint32_t netns; /* the monitor's own */
	struct question *questions;
	size_t nquestions, questions_cap;
	struct use *uses;
	size_t nuses, uses_cap;
	uint64_t heard, forgotten, missed;
};

/* --- said_tell.c ---------------------------------------------------------------------------- */

void said_facts_of(const struct said_book *b, const struct conversation *c, uint64_t now_ns, struct said_facts *ret);

/* A request to an endpoint of credentials, once for each connection. Without memory it is given up. */
void said_note_use(struct said_book *b, struct conversation *c);
int said_tell_uses(struct said_book *b, void (*introduce)(void *arg, const struct subject *who), void *arg, uint64_t now_ns);

#endif
