/* SPDX-License-Identifier: MIT */
/* Tests of labd/lab/ruleset.c: what is written again when rules differ. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "labd/lab/ruleset.h"

static void assert_diff(const char *have, const char *want, enum ruleset_how how, const char *text,
			size_t n_words)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct ruleset h = {.arena = a}, w = {.arena = a};
	struct ruleset_words words = {0};
	ruleset_add(&h, have);
	ruleset_add(&w, want);
	ruleset_diff(&h, &w, how, &out, &words);
	assert_string_equal(strbuf_str(&out), text);
	assert_int_equal(words.own.n + words.foreign.n, n_words);
}

#define BASE                                                                                       \
	"*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n"                       \
	"-A PREROUTING -j KUBE-A\n-A KUBE-A -j KUBE-B\n-A KUBE-B -j ACCEPT\nCOMMIT\n"

static void same(void **state)
{
	(void)state;
	assert_diff(BASE, BASE, RULESET_OWN, "", 0);
	assert_diff(BASE, BASE, RULESET_KERNEL, "", 0);
}

static void only_what_differs(void **state)
{
	(void)state;
	/* a chain gained, one changed; the jump from the built-in chain is left alone */
	assert_diff(BASE,
		    "*nat\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n:KUBE-C - [0:0]\n"
		    "-A PREROUTING -j KUBE-A\n-A KUBE-A -j KUBE-C\n-A KUBE-A -j KUBE-B\n"
		    "-A KUBE-B -j ACCEPT\n-A KUBE-C -j DROP\nCOMMIT\n",
		    RULESET_OWN,
		    "*nat\n:KUBE-A - [0:0]\n:KUBE-C - [0:0]\n-A KUBE-A -j KUBE-C\n"
		    "-A KUBE-A -j KUBE-B\n-A KUBE-C -j DROP\nCOMMIT\n",
		    2);
}

/* What is told as mended is mended, and what is left alone is not told so. */
static void whose(void **state)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct ruleset h = {.arena = a}, w = {.arena = a};
	struct ruleset_words words = {0};
	(void)state;
	ruleset_add(
		&h,
		"*nat\n:PREROUTING ACCEPT [0:0]\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n:MINE - [0:0]\n"
		"-A PREROUTING -j LOG\n-A KUBE-A -j KUBE-B\n-A KUBE-A -j RETURN\n"
		"-A KUBE-B -j ACCEPT\n-A MINE -j DROP\nCOMMIT\n");
	ruleset_add(&w, BASE);
	ruleset_diff(&h, &w, RULESET_KERNEL, &out, &words);
	assert_int_equal(words.own.n, 2);
	assert_string_equal(words.own.v[0], "nat rule is missing: -A PREROUTING -j KUBE-A");
	assert_string_equal(words.own.v[1], "nat rule added by hand: -A KUBE-A -j RETURN");
	assert_int_equal(words.foreign.n, 2);
	assert_string_equal(words.foreign.v[0], "nat rule added by hand: -A PREROUTING -j LOG");
	assert_string_equal(words.foreign.v[1], "nat chain MINE was added by hand");
	assert_null(strstr(strbuf_str(&out), "LOG"));
	assert_null(strstr(strbuf_str(&out), "MINE"));
}

static void stale_chain(void **state)
{
	(void)state;
	assert_diff(BASE, "*nat\n:KUBE-A - [0:0]\n-A PREROUTING -j KUBE-A\nCOMMIT\n", RULESET_OWN,
		    "*nat\n:KUBE-A - [0:0]\n:KUBE-B - [0:0]\n-X KUBE-B\nCOMMIT\n", 2);
}

static void built_in_chains(void **state)
{
	static const char three[] =
		"*filter\n-A INPUT -j A\n-A INPUT -j B\n-A INPUT -j C\nCOMMIT\n";
	(void)state;
	/* a missing rule goes back to its place, behind a foreign one too */
	assert_diff("*filter\n-A INPUT -j X\n-A INPUT -j A\n-A INPUT -j C\nCOMMIT\n", three,
		    RULESET_KERNEL, "*filter\n-I INPUT 3 -j B\nCOMMIT\n", 2);
	assert_diff("*filter\nCOMMIT\n", three, RULESET_KERNEL,
		    "*filter\n-I INPUT 1 -j A\n-I INPUT 2 -j B\n-I INPUT 3 -j C\nCOMMIT\n", 3);
	/* what is not wanted goes only if it is ours */
	assert_diff("*filter\n-A INPUT -j A\n-A INPUT -j X\n-A INPUT -j B\n-A INPUT -j C\nCOMMIT\n",
		    three, RULESET_OWN, "*filter\n-D INPUT -j X\nCOMMIT\n", 1);
	assert_diff("*filter\n-A INPUT -j A\n-A INPUT -j X\n-A INPUT -j B\n-A INPUT -j C\nCOMMIT\n",
		    three, RULESET_KERNEL, "", 1);
}

static void foreign_chain(void **state)
{
	(void)state;
	assert_diff("*nat\n:MINE - [0:0]\n-A MINE -j ACCEPT\nCOMMIT\n", "*nat\nCOMMIT\n",
		    RULESET_KERNEL, "", 1);
	assert_diff("*nat\n:KUBE-OLD - [0:0]\n-A KUBE-OLD -j ACCEPT\nCOMMIT\n", "*nat\nCOMMIT\n",
		    RULESET_KERNEL, "*nat\n:KUBE-OLD - [0:0]\n-X KUBE-OLD\nCOMMIT\n", 1);
}

static void positions_are_read(void **state)
{
	(void)state;
	assert_diff("*nat\n-A INPUT -j A\n-I INPUT 1 -j B\nCOMMIT\n",
		    "*nat\n-A INPUT -j B\n-A INPUT -j A\nCOMMIT\n", RULESET_OWN, "", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same),
		cmocka_unit_test(only_what_differs),
		cmocka_unit_test(whose),
		cmocka_unit_test(stale_chain),
		cmocka_unit_test(built_in_chains),
		cmocka_unit_test(foreign_chain),
		cmocka_unit_test(positions_are_read),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
