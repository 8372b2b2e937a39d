/* SPDX-License-Identifier: MIT OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "user/tui/grid.h"
#include "user/tui/keys.h"
#include "user/tui/view.h"

static void assert_widths(const struct grid_column *c, size_t n, unsigned width, const unsigned *expect)
{
	unsigned got[VIEW_COLUMNS_MAX];

	grid_layout(c, n, width, got);
	for (size_t i = 0; i < n; i++)
		if (got[i] != expect[i])
			fail_msg("in %u cells column %zu has %u, not %u", width, i, got[i], expect[i]);
}

#define WIDTHS(...) ((const unsigned[]){__VA_ARGS__})

static const struct grid_column three[] = {{10, 20, 0}, {8, 8, 2}, {6, 30, 1}};

static void the_highest_rank_goes_first(void **state)
{
	assert_widths(three, 3, 28, WIDTHS(10, 8, 6));
	assert_widths(three, 3, 27, WIDTHS(19, 0, 6)); /* the second is gone, and what it had is the first's */
	assert_widths(three, 3, 17, WIDTHS(17, 0, 0));
	assert_widths(three, 3, 10, WIDTHS(10, 0, 0));
}

static void what_is_left_goes_to_the_first_then_to_the_narrowest(void **state)
{
	assert_widths(three, 3, 32, WIDTHS(14, 8, 6));
	assert_widths(three, 3, 38, WIDTHS(20, 8, 6));
	assert_widths(three, 3, 44, WIDTHS(20, 8, 12));
	assert_widths(three, 3, 62, WIDTHS(20, 8, 30));
	assert_widths(three, 3, 300, WIDTHS(20, 8, 30)); /* nobody takes what nobody wants */
}

static void what_is_rare_goes_before_the_first_is_cut_short(void **state)
{
	static const struct grid_column c[] = {{10, 30, 0}, {5, 5, GRID_RARE}, {5, 9, GRID_RARE - 1}};

	assert_widths(c, 3, 24, WIDTHS(17, 0, 5));
	assert_widths(c, 3, 30, WIDTHS(20, 0, 8));
	assert_widths(c, 3, 34, WIDTHS(20, 5, 5));
	assert_widths(c, 3, 60, WIDTHS(30, 5, 9));
}

static void of_equal_rank_the_last_goes_first(void **state)
{
	static const struct grid_column c[] = {{5, 5, 1}, {5, 5, 1}, {5, 5, 1}};

	assert_widths(c, 3, 18, WIDTHS(5, 5, 0));
	assert_widths(c, 3, 6, WIDTHS(5, 0, 0));
	assert_widths(c, 3, 4, WIDTHS(0, 0, 0));
}

static void where_nothing_may_go_the_last_are_cut(void **state)
{
	static const struct grid_column c[] = {{5, 5, 0}, {5, 5, 0}};

	assert_widths(c, 2, 12, WIDTHS(5, 5));
	assert_widths(c, 2, 9, WIDTHS(5, 2));
	assert_widths(c, 2, 6, WIDTHS(5, 0));
	assert_widths(c, 2, 3, WIDTHS(3, 0));
	assert_widths(c, 2, 0, WIDTHS(0, 0));
}

static void no_layout_is_wider_than_its_place(void **state)
{
	srand(4711);
	for (unsigned round = 0; round < 20000; round++) {
		struct grid_column c[VIEW_COLUMNS_MAX];
		unsigned got[VIEW_COLUMNS_MAX], width = (unsigned)rand() % 320, sum = 0;
		size_t n = 1 + (size_t)rand() % VIEW_COLUMNS_MAX;

		for (size_t i = 0; i < n; i++) {
			c[i].least = 1 + (unsigned)rand() % 30;
			c[i].want = c[i].least + (unsigned)rand() % 60;
			c[i].rank = (unsigned)rand() % 9;
		}
		grid_layout(c, n, width, got);
		for (size_t i = 0; i < n; i++) {
			assert_true(got[i] <= c[i].want);
			sum += got[i] ? got[i] + (sum ? GRID_GAP : 0) : 0;
		}
		assert_true(sum <= width);
	}
}

/* --- the tables of the viewer -------------------------------------------------------- */

static void views_are_sound(void **state)
{
	for (size_t v = 0; v < VIEWS; v++) {
		const struct view_ops *o = views[v];

		assert_true(o->ncolumns <= VIEW_COLUMNS_MAX && o->sort < o->ncolumns);
		assert_non_null(o->key);
		assert_non_null(o->name_of);
		assert_non_null(o->empty);
		assert_non_null(o->about);
		assert_int_equal(o->columns[0].rank, 0);
		for (size_t i = 0; i < o->ncolumns; i++) {
			assert_non_null(o->columns[i].title);
			assert_non_null(o->columns[i].path);
			assert_true(o->columns[i].least > 0);
			assert_true(!o->columns[i].rate || o->columns[i].right);
		}
	}
}

static void what_must_stay_fits_into_80_columns(void **state)
{
	for (size_t v = 0; v < VIEWS; v++) {
		unsigned sum = 1;

		for (size_t i = 0; i < views[v]->ncolumns; i++) {
			const struct column *c = &views[v]->columns[i];

			if (!c->rank || i == views[v]->sort)
				sum += MAX(c->least, text_width(c->title) + 1) + GRID_GAP;
		}
		if (sum - GRID_GAP > 80)
			fail_msg("%s takes %u", views[v]->name, sum - GRID_GAP);
	}
}

static void no_key_does_two_things(void **state)
{
	for (size_t i = 0; i < key_nrows; i++)
		for (size_t k = 0; k < ARRAY_SIZE(key_rows[i].keys) && key_rows[i].keys[k]; k++)
			for (size_t j = i; j < key_nrows; j++)
				for (size_t l = j == i ? k + 1 : 0; l < ARRAY_SIZE(key_rows[j].keys); l++)
					if (key_rows[i].keys[k] == key_rows[j].keys[l])
						fail_msg("%s and %s", key_rows[i].help, key_rows[j].help);
}

static void each_key_is_explained(void **state)
{
	for (size_t i = 0; i < key_nrows; i++) {
		assert_true(key_rows[i].action != ACTION_NONE);
		assert_true((key_rows[i].name && key_rows[i].help) || (i && key_rows[i - 1].action == key_rows[i].action));
		assert_int_equal(key_action(key_rows[i].keys[0]), key_rows[i].action);
	}
	assert_int_equal(key_action(0), ACTION_NONE);
	assert_int_equal(key_action(TERM_OTHER), ACTION_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_highest_rank_goes_first),
		cmocka_unit_test(what_is_left_goes_to_the_first_then_to_the_narrowest),
		cmocka_unit_test(what_is_rare_goes_before_the_first_is_cut_short),
		cmocka_unit_test(of_equal_rank_the_last_goes_first),
		cmocka_unit_test(where_nothing_may_go_the_last_are_cut),
		cmocka_unit_test(no_layout_is_wider_than_its_place),
		cmocka_unit_test(views_are_sound),
		cmocka_unit_test(what_must_stay_fits_into_80_columns),
		cmocka_unit_test(no_key_does_two_things),
		cmocka_unit_test(each_key_is_explained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
