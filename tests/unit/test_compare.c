/* SPDX-License-Identifier: MIT */
/* What `labctl compare` makes of recordings of real labs (tests/golden/recordings), and its table
 * and data. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/view/compare.h"
#include "lib/view/table.h"
#include "tests/unit/rec_load.h"

static struct compare_col column(struct arena *a, const char *name)
{
	struct compare_col c;
	compare_recording(a, rec_load(a, name), &c);
	return c;
}

static void test_tunnels(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct compare_col x = column(a, "nft-clusterip-cross");
	struct compare_col y = column(a, "calico-clusterip-cross");
	struct compare_col z = column(a, "clusterip-same");
	assert_string_equal(x.tunnel, "VXLAN 1");
	assert_int_equal(x.overhead, 50);
	assert_int_equal(x.wire_bytes, x.ip_bytes + 50);
	assert_int_equal(x.mtu_pod, 1450);
	assert_int_equal(x.mtu_tunnel, 1450);
	assert_int_equal(x.mtu_wire, 1500);
	assert_int_equal(x.mss, 1410);
	assert_false(x.same_node);
	assert_string_equal(x.node, "node02");
	assert_string_equal(y.tunnel, "IPIP");
	assert_int_equal(y.overhead, 20);
	assert_int_equal(y.mtu_pod, 1480);
	assert_null(z.tunnel);
	assert_int_equal(z.overhead, 0);
	assert_int_equal(z.wire_bytes, z.ip_bytes);
	assert_int_equal(z.mtu_wire, 0); /* it stays on its node */
	assert_true(z.same_node);
	assert_true(x.timing.there == -1 && x.timing.runs == 0);
}

static void test_sides(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct compare_col x = column(a, "nft-clusterip-cross");
	assert_string_equal(x.there.title, "SYN");
	assert_string_equal(x.back.title, "SYN-ACK");
	assert_int_equal(x.there.devices, 10); /* eth0 veth cni0 flannel.1 ens192, and again */
	assert_int_equal(x.back.devices, 10);
	assert_int_equal(x.there.rewrites.n, 1);
	assert_string_equal(x.there.rewrites.v[0], "DNAT (iptables)");
	assert_string_equal(x.back.rewrites.v[0], "conntrack");
	assert_int_equal(x.there.ttl, 62);
	assert_true(x.there.tried > (int)x.there.rules);
	assert_true(x.there.rules > x.back.rules);
	assert_string_equal(x.way.v[0].what, "eth0");
	assert_string_equal(x.way.v[x.way.n - 1].what, "eth0");
	struct compare_col n = column(a, "no-endpoints");
	assert_string_equal(n.result, "refused: no-endpoints");
	assert_null(n.server);
	struct compare_col p = column(a, "nodeport-cross");
	assert_int_equal(p.there.rewrites.n, 2);
	assert_string_equal(p.there.rewrites.v[1], "SNAT (iptables)");
}

/* Each rule up to the one that matched was tried; a chain that is left to its end all of it. */
static void test_tried(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct recording *r = recording_new(a);
	static const char *const keys[][4] = {{"rule", "nat", "PREROUTING", "1"},
					      {"rule", "nat", "KUBE-SERVICES", "3"},
					      {"no-more", "nat", "KUBE-NODEPORTS", NULL},
					      {"no-more", "nat", "KUBE-SERVICES", NULL},
					      {"policy", "nat", "PREROUTING", "ACCEPT"}};
	struct rec_ns *ns = vec_push(a, &r->ns);
	*ns = (struct rec_ns){.name = "node01", .role = "node"};
	const struct {
		const char *chain;
		unsigned n;
	} chains[] = {{"PREROUTING", 2}, {"KUBE-SERVICES", 5}, {"KUBE-NODEPORTS", 4}};
	for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
		for (unsigned k = 1; k <= chains[i].n; k++)
			*vec_push(a, &ns->rules) = (struct rec_rule){
				.table = "nat", .chain = chains[i].chain, .num = k, .text = ""};
	struct rec_step *s = vec_push(a, &r->steps);
	*s = (struct rec_step){.kind = REC_HOOK, .sight = -1};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		struct rec_reason *y = vec_push(a, &s->why);
		*y = (struct rec_reason){.key = keys[i][0], .text = ""};
		for (size_t k = 1; k < 4 && keys[i][k]; k++)
			*vec_push(a, &y->args) = keys[i][k];
	}
	*vec_push(a, &r->flights) = (struct rec_flight){.title = "SYN", .n_steps = 1};
	struct compare_col c;
	compare_recording(a, r, &c);
	assert_int_equal(c.there.rules, 2);
	assert_int_equal(c.there.tried, 1 + 3 + 4 + 2 + 1);
	ns->rules.n = 0; /* the short form of a recording */
	compare_recording(a, r, &c);
	assert_int_equal(c.there.tried, -1);
}

static size_t widest(const char *s)
{
	size_t max = 0;
	for (size_t n; *s; s += n + (s[n] == '\n')) {
		n = strcspn(s, "\n");
		size_t w = view_width(s, n);
		max = w > max ? w : max;
	}
	return max;
}

static void test_table(void **state)
{
	static const char *const names[] = {"nft-clusterip-cross", "calico-clusterip-cross",
					    "clusterip-same", "nodeport-cross", "no-endpoints"};
	_arena_ struct arena *a = arena_new();
	struct compare_col v[ARRAY_SIZE(names)];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		v[i] = column(a, names[i]);
		v[i].lab = names[i];
	}
	for (size_t n = 1; n <= ARRAY_SIZE(names); n++)
		for (size_t width = 0; width <= 120; width += 40) {
			_strbuf_ struct strbuf out = STRBUF_INIT;
			compare_table("f", v, n, width, false, &out);
			assert_true(widest(strbuf_str(&out)) <= (width ? width : 80));
			assert_null(strstr(strbuf_str(&out), " \n"));
			assert_null(strchr(strbuf_str(&out), '\033'));
		}
	_strbuf_ struct strbuf out = STRBUF_INIT;
	compare_table("f", v, 2, 80, false, &out);
	assert_non_null(strstr(strbuf_str(&out), "* tunnel       VXLAN 1 "));
	assert_non_null(strstr(strbuf_str(&out), "* its headers  +50 bytes "));
	assert_non_null(strstr(strbuf_str(&out), "  result       delivered "));
	strbuf_reset(&out);
	compare_table("f", v, 1, 80, false, &out);
	assert_null(strstr(strbuf_str(&out), "\n* ")); /* nothing to differ from */
}

static void test_data(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct compare_col v[] = {column(a, "nft-clusterip-cross"), column(a, "clusterip-same")};
	json_t *o = compare_json("f", v, ARRAY_SIZE(v));
	const json_t *labs = json_object_get(o, "labs"), *x = json_array_get(labs, 0);
	assert_int_equal(json_array_size(labs), 2);
	assert_string_equal(json_string_value(json_object_get(x, "tunnel")), "VXLAN 1");
	assert_null(json_object_get(json_array_get(labs, 1), "tunnel"));
	assert_null(json_object_get(json_object_get(x, "timing"), "there"));
	assert_int_equal(
		json_integer_value(json_object_get(json_object_get(x, "there"), "rules_passed")),
		(int)v[0].there.rules);
	json_decref(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tunnels), cmocka_unit_test(test_sides),
		cmocka_unit_test(test_tried),	cmocka_unit_test(test_table),
		cmocka_unit_test(test_data),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
