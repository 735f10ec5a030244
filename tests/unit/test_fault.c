/* SPDX-License-Identifier: MIT */
/* Unit tests of lib/kube/fault.c: the list of faults and "did you mean". */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/kube/fault.h"

static void test_add_copies(void **state)
{
	(void)state;
	_arena_ struct arena *a = arena_new();
	struct faults f = {.arena = a};
	char path[] = "spec.x", object[] = "Pod default/p", hint[] = "quote it";
	fault_add(&f, 3, FAULT_KEY, object, path, hint, "%d is not %s", 7, "text");
	memset(path, 'z', 1);
	memset(object, 'z', 1);
	memset(hint, 'z', 1);
	assert_int_equal(f.total, 1);
	assert_int_equal(f.list.n, 1);
	const struct fault *t = &f.list.v[0];
	assert_int_equal(t->doc, 3);
	assert_int_equal(t->at, FAULT_KEY);
	assert_string_equal(t->path, "spec.x");
	assert_string_equal(t->object, "Pod default/p");
	assert_string_equal(t->hint, "quote it");
	assert_string_equal(t->text, "7 is not text");
}

static void test_add_nulls(void **state)
{
	(void)state;
	_arena_ struct arena *a = arena_new();
	struct faults f = {.arena = a};
	fault_add(&f, -1, FAULT_VALUE, NULL, NULL, NULL, "no nodes");
	assert_string_equal(f.list.v[0].path, "");
	assert_string_equal(f.list.v[0].object, "");
	assert_string_equal(f.list.v[0].hint, "");
}

static void test_add_counts_on(void **state)
{
	(void)state;
	_arena_ struct arena *a = arena_new();
	struct faults f = {.arena = a};
	for (int i = 0; i < MAX_FAULTS + 7; i++)
		fault_add(&f, i, FAULT_VALUE, "", "", "", "fault %d", i);
	assert_int_equal(f.list.n, MAX_FAULTS);
	assert_int_equal(f.total, MAX_FAULTS + 7);
	assert_string_equal(f.list.v[MAX_FAULTS - 1].text, "fault 99");
}

static const char *const words[] = {"nodePort", "port", "protocol", "targetPort",
				    "name",	"cni",	"ip"};

static const char *near(const char *s)
{
	return nearest_word(s, words, ARRAY_SIZE(words));
}

static void test_nearest(void **state)
{
	(void)state;
	static const struct {
		const char *typed, *meant;
	} cases[] = {
		{"nodePort", "nodePort"},  /* itself */
		{"nodeport", "nodePort"},  /* case counts half */
		{"NODEPORT", NULL},	   /* seven halves are more than a third of 8 */
		{"nodPort", "nodePort"},   /* a letter missing */
		{"nodeePort", "nodePort"}, /* one too many */
		{"ndoePort", "nodePort"},  /* exchanged */
		{"prot", "port"},	   /* exchanged, short word */
		{"protocoll", "protocol"}, /* not `port` */
		{"targetport", "targetPort"},
		{"nmae", "name"},
		{"nam", "name"},
		{"cnii", "cni"},
		{"po", NULL},
		{"ipp", "ip"},
		{"i", NULL}, /* one edit, but it is the whole word */
		{"x", NULL},
		{"", NULL},
		{"namespace", NULL},
		{"selector", NULL},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const char *got = near(cases[i].typed), *want = cases[i].meant;
		if (!want != !got || (got && strcmp(got, want) != 0))
			fail_msg("%s: got %s, want %s", cases[i].typed, got ? got : "nothing",
				 want ? want : "nothing");
	}
}

static void test_nearest_prefers(void **state)
{
	(void)state;
	static const char *const two[] = {"podCIDRs", "podCIDR"};
	assert_string_equal(nearest_word("podCidr", two, 2), "podCIDR");
	static const char *const tie[] = {"cat", "car"};
	assert_string_equal(nearest_word("cab", tie, 2), "cat"); /* the first of equals */
	assert_null(nearest_word("cab", tie, 0));
}

static void test_nearest_long(void **state)
{
	(void)state;
	char s[5000];
	memset(s, 'a', sizeof(s) - 1);
	s[sizeof(s) - 1] = '\0';
	const char *const list[] = {s, "port"};
	assert_null(nearest_word(s, list, 2));
	assert_string_equal(nearest_word("pport", list, 2), "port");
	s[64] = '\0';
	assert_ptr_equal(nearest_word(s, list, 2), s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_add_copies),	cmocka_unit_test(test_add_nulls),
		cmocka_unit_test(test_add_counts_on),	cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_nearest_prefers), cmocka_unit_test(test_nearest_long),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
