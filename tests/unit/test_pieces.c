/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
/* Pieces in any order, against a plain map of bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/dest/pieces.h"

#define MOST 600

static uint64_t rng = 88172645463325252ULL;

static size_t draw(size_t below)
{
	rng ^= rng << 13;
	rng ^= rng >> 7;
	rng ^= rng << 17;
	return rng % below;
}

struct map {
	uint8_t data[MOST];
	bool have[MOST];
};

static void map_put(struct map *m, size_t at, const uint8_t *data, size_t n)
{
	for (size_t i = 0; i < n && at + i < MOST; i++) {
		if (!m->have[at + i])
			m->data[at + i] = data[i];
		m->have[at + i] = true;
	}
}

static void map_shift(struct map *m, size_t by)
{
	struct map old = *m;

	memset(m->have, 0, sizeof(m->have));
	for (size_t i = 0; i + by < MOST; i++) {
		m->have[i + by] = old.have[i];
		m->data[i + by] = old.data[i];
	}
}

static void check(const struct pieces *p, const struct map *m)
{
	assert_true(p->nruns <= PIECES_MAX && p->room <= MOST);
	for (size_t at = 0, n = 0; at < MOST; at++) {
		for (n = 0; at + n < MOST && m->have[at + n]; n++)
			;
		assert_int_equal(pieces_at(p, at), n);
		if (n)
			assert_int_equal(p->data[at], m->data[at]);
	}
}

static void as_a_map_has_it(void **state)
{
	unsigned full = 0, shifts = 0;

	for (unsigned round = 0; round < 300; round++) {
		struct pieces p = {.most = MOST};
		static struct map m;

		memset(&m, 0, sizeof(m));
		for (unsigned i = 0; i < 60; i++) {
			uint8_t data[64];
			size_t at = draw(MOST + 50), n = draw(sizeof(data));

			if (!draw(20)) {
				size_t by = draw(draw(4) ? 40 : MOST + 100);

				assert_int_equal(pieces_shift(&p, by), 0);
				map_shift(&m, by);
				shifts++;
			}
			memset(data, (int)draw(256), sizeof(data));
			if (round % 2)
				n = MIN(n, 5);
			int err = pieces_put(&p, at, data, n);
			full += err == -ENOSPC;
			assert_true(err == 0 || err == -ENOSPC);
			if (!err)
				map_put(&m, at, data, n);
			check(&p, &m);
		}
		pieces_done(&p);
		assert_int_equal(pieces_at(&p, 0), 0);
	}
	assert_true(full > 100 && shifts > 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(as_a_map_has_it),
	};

	return cmocka_run_group_tests_name("pieces", tests, NULL, NULL);
}
