/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* A script of packets: facts that hold together after each, and none that change once settled. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/script.h"
#include "user/dest/talk.h"

#define PACKETS_MOST 200

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check(const struct talk_facts *f)
{
	if (f->kind >= TALK_KINDS || !memchr(f->name, 0, sizeof(f->name)) || !memchr(f->path, 0, sizeof(f->path)) ||
	    !memchr(f->method, 0, sizeof(f->method)))
		abort();
	if ((f->settled && f->waiting) || (f->starttls && f->kind != TALK_TLS) || !talk_word(f) != (f->kind == TALK_UNKNOWN))
		abort();
	for (const char *p = f->path; *p; p++)
		if (*p <= ' ' || *p > '~')
			abort();
	for (const char *p = f->name; *p; p++)
		if (*p <= ' ' || *p > '~' || (*p >= 'A' && *p <= 'Z'))
			abort();
}

static void run(struct talk *t, bool udp, uint8_t op, uint32_t *seq, const uint8_t *data, size_t n)
{
	bool out = op & SCRIPT_OUT;
	size_t kept = op & SCRIPT_CUT ? n / 2 : n;
	uint8_t *copy = malloc(kept ? kept : 1);

	memcpy(copy, data, kept);
	if (op & SCRIPT_BACK)
		*seq -= (uint32_t)n;
	if (op & SCRIPT_AHEAD && n >= 2)
		*seq += (uint32_t)(data[0] << 8 | data[1]);
	if (op & SCRIPT_START && !udp)
		talk_tcp_start(t, out, *seq);
	if (udp)
		talk_udp(t, out, copy, kept, n);
	else
		talk_tcp(t, out, *seq, copy, kept, n);
	*seq += (uint32_t)n;
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct talk_facts last = {0};
	uint32_t seq[2] = {0xfffffff0u, 100};
	bool udp = len && data[0] & SCRIPT_UDP;
	struct talk *t;

	if (talk_new(&t))
		return 0;
	for (unsigned i = 0; i < PACKETS_MOST && len >= 3; i++) {
		uint8_t op = data[0];
		size_t n = MIN((size_t)(data[1] << 8 | data[2]), len - 3);

		run(t, udp, op, &seq[op & SCRIPT_OUT], data + 3, n);
		check(talk_facts(t));
		if (last.settled && memcmp(&last, talk_facts(t), sizeof(last)))
			abort();
		last = *talk_facts(t);
		data += 3 + n;
		len -= 3 + n;
	}
	talk_free(t);
	return 0;
}
