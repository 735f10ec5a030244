/* SPDX-License-Identifier: MIT */
/* Tests of labd/kernel/probe_limits.c: what doctor says of a machine's limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "labd/kernel/probe_limits.h"

static void assert_row(uint64_t value, unsigned each, int ok, const char *text, const char *hint)
{
	const struct limit l = {"table", " entries", value, each, "make it larger"};
	json_t *row = limit_row(&l);
	assert_string_equal(json_string_value(json_object_get(row, "name")), "table");
	assert_int_equal(json_is_true(json_object_get(row, "ok")), ok);
	assert_string_equal(json_string_value(json_object_get(row, "text")), text);
	assert_string_equal(json_string_value(json_object_get(row, "hint")), hint);
	json_decref(row);
}

static void rows(void **state)
{
	(void)state;
	assert_row(1024, 2, 1, "1024 entries, enough for 512 pods", "");
	assert_row(2 * LIMIT_PODS, 2, 1, "500 entries, enough for 250 pods", "");
	assert_row(2 * LIMIT_PODS - 1, 2, 0, "499 entries, enough for 249 pods", "make it larger");
	assert_row(UINT64_MAX, 1, 1, "no limit", "");
}

/* Those of this machine, whatever they are. */
static void here(void **state)
{
	json_t *list = json_array();
	size_t n;
	(void)state;
	probe_limits(list);
	n = json_array_size(list);
	assert_true(n >= 3); /* memory, descriptors, processes */
	json_decref(list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(here)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
