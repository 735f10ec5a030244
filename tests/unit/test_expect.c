/* SPDX-License-Identifier: MIT */
/* test_expect: what flows claim, held against recordings of a real lab (tests/golden/recordings).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/recording/expect.h"
#include "tests/unit/rec_load.h"

static int setup(void **state)
{
	*state = arena_new();
	return 0;
}

static int teardown(void **state)
{
	arena_free(*state);
	return 0;
}

/* Why the last of the lines is not met; NULL when it is. Those before it must be met. */
static const char *last_why(struct arena *a, const struct recording *r, const char *const *lines)
{
	rec_strs list = {0};
	expecteds got = {0};
	for (; *lines; lines++)
		*vec_push(a, &list) = *lines;
	bool all = expect_lines(a, r, &list, &got);
	assert_true(got.n >= list.n);
	for (size_t i = 0; i + 1 < list.n; i++)
		assert_true(got.v[i].met);
	const struct expected *x = &got.v[list.n - 1];
	assert_int_equal(x->met, !x->why);
	assert_true(!all || x->met);
	return x->why;
}
#define LAST(...) last_why(*state, r, (const char *const[]){__VA_ARGS__, NULL})
#define assert_why(why, text)                                                                      \
	do {                                                                                       \
		const char *w_ = (why);                                                            \
		assert_non_null(w_);                                                               \
		if (!strstr(w_, text))                                                             \
			fail_msg("%s", w_);                                                        \
	} while (0)

static void test_met(void **state)
{
	struct recording *r = rec_load(*state, "calico-clusterip-cross");
	assert_null(LAST("chain KUBE-SVC-UOXPL5GMPXS4446O"));
	assert_null(LAST("dnat 10.244.140.66:80"));
	assert_null(LAST("dnat 10.244.140.66"));
	assert_null(LAST("outer 100.100.137.201>100.100.137.202"));
	assert_null(LAST("protocol 4"));
	assert_null(LAST("result delivered"));
	assert_null(LAST("device tunl0", "device ens192", "device node02/ens192",
			 "device node02/tunl0", "device caliae3c1d6879e"));
	assert_null(LAST("chain KUBE-SERVICES", "chain KUBE-SVC-UOXPL5GMPXS4446O",
			 "chain KUBE-SEP-FALJWON3ZI76YI6S"));
	assert_null(LAST("route node01 10.244.140.64/26 via 100.100.137.202 dev tunl0"));
	assert_null(LAST("route busybox3 default via 169.254.1.1 dev eth0"));
	assert_null(LAST("inner 10.244.196.131>10.244.140.66"));
	assert_null(LAST("client 10.244.196.131"));
	assert_null(LAST("mtu node01/tunl0 1480"));
	r = rec_load(*state, "nodeport-cross");
	assert_null(LAST("neigh node01 10.244.2.0 dev flannel.1 lladdr"));
	assert_null(LAST("outer-port 8472"));
	assert_null(LAST("client 10.244.1.0"));
}

static void test_not_met(void **state)
{
	struct recording *r = rec_load(*state, "calico-clusterip-cross");
	assert_why(LAST("chain KUBE-NODEPORTS"), "no rule");
	assert_why(LAST("dnat 10.244.140.66:8080"), "seen: 10.244.140.66:80");
	assert_why(LAST("dnat 10.244.140.6"), "seen:"); /* no prefix counts */
	assert_why(LAST("snat 10.244.196.128"), "no source was translated");
	assert_why(LAST("outer 100.100.137.202>100.100.137.201"),
		   "seen: 100.100.137.201>100.100.137.202"); /* the reply's does not count */
	assert_why(LAST("protocol 17"), "seen: 4");
	assert_why(LAST("vni 1"), "no tunnel");
	assert_why(LAST("result dropped"), "delivered");
	assert_why(LAST("device flannel.1"), "seen:");
	assert_why(LAST("device node01/caliae3c1d6879e"), "seen:");
	assert_why(LAST("route node01 10.244.140.64/26 via 100.100.137.200"),
		   "seen: 10.244.140.64/26 via 100.100.137.202");
	assert_why(LAST("route node01 10.244.140.6"), "seen:"); /* no half word */
	assert_why(LAST("route node03 default"), "nothing was looked up there");
	assert_why(LAST("neigh node01 10.0.0.1"), "");
	assert_why(LAST("fdb node01 a"), "nothing was looked up there");
	assert_why(LAST("inner 10.244.140.66>10.244.196.131"), "seen:");
	assert_why(LAST("outer-port 8472"), "no tunnel");
	assert_why(LAST("client 10.244.196.128"), "it came from 10.244.196.131");
	assert_why(LAST("mtu node01/tunl0 1500"), "it is 1480");
	assert_why(LAST("mtu node01/tunl1 1480"), "no such device");
}

static void test_order(void **state)
{
	struct recording *r = rec_load(*state, "calico-clusterip-cross");
	assert_why(LAST("device caliae3c1d6879e", "device tunl0"),
		   "seen before caliae3c1d6879e, not after it");
	assert_why(LAST("chain KUBE-SEP-FALJWON3ZI76YI6S", "chain KUBE-SVC-UOXPL5GMPXS4446O"),
		   "passed before KUBE-SEP-FALJWON3ZI76YI6S, not after it");
}

static void test_delivery_is_implied(void **state)
{
	struct recording *r = rec_load(*state, "no-endpoints");
	rec_strs none = {0};
	expecteds got = {0};
	assert_false(expect_lines(*state, r, &none, &got));
	assert_int_equal(got.n, 1);
	assert_string_equal(got.v[0].line, "result delivered");
	assert_null(LAST("result refused"));
}

static void test_nonsense(void **state)
{
	struct recording *r = rec_load(*state, "no-endpoints");
	assert_why(LAST("dnatt 10.0.0.1"), "not understood");
	assert_why(LAST("dnat"), "not understood");
	assert_why(LAST("dnat "), "not understood");
	assert_why(LAST("route node01"), "nothing was looked up");
	assert_why(LAST("mtu node01"), "no such device");
	assert_why(LAST(""), "not understood");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_met, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_met, setup, teardown),
		cmocka_unit_test_setup_teardown(test_order, setup, teardown),
		cmocka_unit_test_setup_teardown(test_delivery_is_implied, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nonsense, setup, teardown),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
