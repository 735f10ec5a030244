/* SPDX-License-Identifier: MIT */
/* cgroup_bounds(): what a lab may take. The groups themselves: tests/bounds.bats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "labd/kernel/cgroup.h"
#include "lib/base/limits.h"

#define GIB (1024ull * 1024 * 1024)

static void usual_asked_and_most(void **state)
{
	const struct cgroup_limits nothing = {0}, asked = {.processes = 50, .memory = 3 * GIB};
	struct cgroup_limits l = cgroup_bounds(10, &nothing, 64 * GIB);
	assert_int_equal(l.processes, LAB_PROCESSES + 10 * LAB_PROCESSES_EACH);
	assert_true(l.memory == LAB_MEMORY + 10ull * LAB_MEMORY_EACH);
	l = cgroup_bounds(10, &asked, 64 * GIB);
	assert_int_equal(l.processes, 50);
	assert_true(l.memory == 3 * GIB);
	/* never more than three quarters of the machine, asked for or not */
	assert_true(cgroup_bounds(10, &asked, 2 * GIB).memory == 2 * GIB / 4 * 3);
	assert_true(cgroup_bounds(20000, &nothing, 8 * GIB).memory == 6 * GIB);
	l = cgroup_bounds(MAX_PODS + MAX_NODES + MAX_HOSTS, &nothing, UINT64_MAX);
	assert_true(l.memory > 1000 * GIB);
	assert_true(l.processes > 1000000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(usual_asked_and_most)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
