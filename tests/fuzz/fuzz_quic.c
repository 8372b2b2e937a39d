/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Datagrams as they are, or, since nobody guesses a tag, frames that are sealed first. */
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/no_cmocka.h"
#include "tests/unit/quic_fixture.h"
#include "user/dest/quic.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static const uint8_t id[8] = {1, 2, 3, 4, 5, 6, 7, 8};

static void take(struct quic *q, bool out, const uint8_t *data, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	memcpy(copy, data, n);
	quic_take(q, out, copy, n);
	free(copy);
}

static void sealed(struct quic *q, uint8_t how, const uint8_t *data, size_t n)
{
	struct initial in = {.v2 = how & 4, .server = how & 2, .key_id = id, .to = how & 2 ? NULL : id, .number = how};
	uint8_t packet[PACKET_ROOM];

	take(q, !in.server, packet, make_initial(&in, data, MIN(n, 1200), 64, packet));
}

static void check(const struct quic_facts *f)
{
	if ((f->hello || f->server) && !f->client)
		abort();
	if (f->hello && !memchr(f->from_client.name, 0, sizeof(f->from_client.name)))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct quic *q;

	if (!len || quic_new(&q))
		return 0;
	if (data[0] & 1) {
		size_t half = data[0] & 8 ? (len - 1) / 2 : 0;

		sealed(q, data[0] & 4, data + 1, len - 1 - half);
		sealed(q, data[0], data + len - half, half);
	} else {
		take(q, data[0] & 2, data + 1, len - 1);
	}
	check(quic_facts(q));
	quic_free(q);
	return 0;
}
