/* SPDX-License-Identifier: MIT */
/*
 * test_recording: JSON there and back, the steps of recordings made by hand and by a real lab
 * (tests/golden/recordings), the normal form and diffs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "lib/base/strbuf.h"
#include "lib/recording/emit.h"
#include "lib/recording/keys.h"
#include "tests/unit/rec_flannel.h"
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

/* "app-send dev-tx dev-rx ..." of one flight. */
static const char *kinds(const struct recording *r, size_t flight)
{
	struct strbuf b = STRBUF_INIT;
	assert_true(flight < r->flights.n);
	const struct rec_flight *f = &r->flights.v[flight];
	for (int i = f->first_step; i < f->first_step + f->n_steps; i++)
		strbuf_addf(&b, "%s%s", b.len ? " " : "", rec_step_kind_str(r->steps.v[i].kind));
	const char *s = arena_strdup(r->arena, strbuf_str(&b));
	strbuf_free(&b);
	return s;
}

static const struct rec_step *find(const struct recording *r, size_t flight,
				   enum rec_step_kind kind, const char *ns)
{
	const struct rec_flight *f = &r->flights.v[flight];
	for (int i = f->first_step; i < f->first_step + f->n_steps; i++) {
		const struct rec_step *s = &r->steps.v[i];
		if (s->kind == kind && !strcmp(r->ns.v[s->ns].name, ns))
			return s;
	}
	fail_msg("no step %s in %s", rec_step_kind_str(kind), ns);
	return NULL;
}

static const struct rec_reason *reason(const struct rec_step *s, const char *key)
{
	vec_foreach (const struct rec_reason, y, &s->why)
		if (!strcmp(y->key, key))
			return y;
	fail_msg("no reason %s", key);
	return NULL;
}

static const char cross[] =
	"app-send dev-tx dev-rx dnat bridge route hook hook neigh dev-tx fdb encap "
	"hook dev-tx bridge dev-rx hook decap hook route hook hook bridge dev-tx "
	"dev-rx deliver";

static void test_json_round(void **state)
{
	struct recording *r = flannel_cross(*state), *back = NULL;
	recording_reduce(r);
	r->dns = flannel_cross(*state);
	json_t *o = recording_to_json(r, false);
	struct err err = {0};
	if (recording_from_json(*state, o, &back, &err) < 0)
		fail_msg("%s", err.text);
	json_t *again = recording_to_json(back, false);
	assert_true(json_equal(o, again));
	assert_int_equal(back->sights.n, r->sights.n);
	assert_memory_equal(back->sights.v[5].data, r->sights.v[5].data, r->sights.v[5].caplen);
	json_decref(again);
	json_decref(o);
	o = recording_to_json(r, true);
	assert_null(json_object_get(o, "sights"));
	assert_int_equal(recording_from_json(*state, o, &back, &err), 0);
	assert_int_equal(back->steps.n, r->steps.n);
	json_decref(o);
}

static void refuse(struct arena *a, const char *path, json_t *value)
{
	struct recording *r = flannel_cross(a);
	recording_reduce(r);
	json_t *o = recording_to_json(r, false), *at = o;
	char *copy = arena_strdup(a, path), *save = NULL, *last = strrchr(copy, '.');
	if (last)
		*last++ = 0;
	for (char *w = last ? strtok_r(copy, ".", &save) : NULL; w; w = strtok_r(NULL, ".", &save))
		at = json_is_array(at) ? json_array_get(at, (size_t)atoi(w))
				       : json_object_get(at, w);
	assert_non_null(at);
	json_object_set_new(at, last ? last : copy, value);
	struct err err = {0};
	if (recording_from_json(a, o, &r, &err) >= 0)
		fail_msg("%s was taken", path);
	assert_true(*err.text);
	json_decref(o);
}

static void test_json_faults(void **state)
{
	refuse(*state, "schema", json_integer(99));
	refuse(*state, "schema", json_null());
	refuse(*state, "ns", json_string("x"));
	refuse(*state, "ns.0.name", json_integer(3));
	refuse(*state, "ns.0.ifs.0.mtu", json_integer(-1));
	refuse(*state, "ns.0.ifs.0.peer_ns", json_integer(77));
	refuse(*state, "ns.0.ifs.0.mac", json_string("zz"));
	refuse(*state, "sights.0.data", json_string("abc"));
	refuse(*state, "sights.0.data", json_string("zz"));
	refuse(*state, "sights.0.ns", json_integer(5));
	refuse(*state, "matches.0.kind", json_string("what"));
	refuse(*state, "matches.0.trace_id", json_string("12"));
	refuse(*state, "steps.0.flight", json_integer(9));
	refuse(*state, "steps.0.flight", json_integer(-1));
	refuse(*state, "steps.0.sight", json_integer(999));
	refuse(*state, "flights.0.n_steps", json_integer(999));
	refuse(*state, "flights.0.first_step", json_integer(-4));
	refuse(*state, "verdict.ns", json_integer(5));
	refuse(*state, "probe.cookie", json_string("00"));
	refuse(*state, "probe.sport", json_integer(70000));
}

static void test_cross_steps(void **state)
{
	struct recording *r = flannel_cross(*state);
	recording_reduce(r);
	assert_int_equal(r->flights.n, 2);
	assert_string_equal(r->flights.v[0].title, "SYN");
	assert_string_equal(r->flights.v[1].title, "SYN-ACK");
	assert_true(r->flights.v[1].reply);
	assert_string_equal(kinds(r, 0), cross);
	assert_string_equal(r->verdict.result, "delivered");
	assert_string_equal(r->verdict.text, "delivered: nginx answered nginx-deployment");
	assert_false(r->verdict.incomplete);
}

static void test_cross_dnat(void **state)
{
	struct recording *r = flannel_cross(*state);
	recording_reduce(r);
	const struct rec_step *s = find(r, 0, REC_DNAT, "node01");
	assert_string_equal(s->hook, "PREROUTING");
	assert_int_equal(s->before.inner.dst, A("10.107.254.44"));
	assert_int_equal(s->after.inner.dst, A("10.244.2.5"));
	assert_string_equal(s->note_key, "note.bridge-nf");
	assert_string_equal(s->note, "cni0");
	assert_string_equal(s->next_key, "next.bridge");
	assert_string_equal(s->try_cmd, "iptables -t nat -S " SEP);
	const struct rec_reason *y = reason(s, "nomatch.dst");
	assert_int_equal(y->how, REC_INFERRED);
	assert_string_equal(y->args.v[0], "10.96.0.10/32");
	assert_string_equal(y->args.v[1], "10.107.254.44");
	assert_int_equal(y->indent, 1);
	assert_string_equal(reason(s, "nomatch.src")->args.v[0], "! 10.244.0.0/16");
	assert_int_equal(reason(s, "ct.none")->how, REC_OBSERVED);
	reason(s, "note.svc-masq");
	const struct rec_reason *last = NULL;
	vec_foreach (const struct rec_reason, k, &s->why)
		last = k->decides ? k : last;
	assert_non_null(last);
	assert_non_null(strstr(last->text, "--to-destination 10.244.2.5:80"));
	assert_int_equal(last->indent, 3);
}

static void test_cross_tunnel(void **state)
{
	struct recording *r = flannel_cross(*state);
	recording_reduce(r);
	const struct rec_step *s = find(r, 0, REC_ENCAP, "node01");
	assert_true(s->outer);
	assert_false(s->before.encap);
	assert_true(s->after.encap);
	assert_int_equal(s->after.outer.dst, A("100.100.137.202"));
	assert_int_equal(s->after.vni, 1);
	const struct rec_reason *y = reason(s, "encap.sizes-vxlan");
	assert_string_equal(y->args.v[0], "40");
	assert_string_equal(y->args.v[2], "90");
	assert_string_equal(y->args.v[3], "1500");
	assert_string_equal(s->note_key, "note.vxlan-sport");
	assert_int_equal(find(r, 0, REC_FDB, "node01")->why.v[0].how, REC_REASKED);
	s = find(r, 0, REC_DECAP, "node02");
	assert_true(s->before.encap);
	assert_false(s->after.encap);
	s = find(r, 0, REC_ROUTE, "node01");
	assert_int_equal(s->before.ttl, 64);
	assert_int_equal(s->after.ttl, 63);
	assert_string_equal(s->try_expect, "dev flannel\\.1");
}

static void test_cross_reply(void **state)
{
	struct recording *r = flannel_cross(*state);
	recording_reduce(r);
	const struct rec_step *s = find(r, 1, REC_UNNAT, "node01");
	assert_int_equal(s->before.inner.src, A("10.244.2.5"));
	assert_int_equal(s->after.inner.src, A("10.107.254.44"));
	assert_string_equal(s->note_key, "note.reply-no-nat");
	reason(s, "ct.found");
	find(r, 1, REC_APP_RECV, "busybox3");
}

/* A kernel without rule trace: the translation is seen all the same, and no rule is made up. */
static void test_no_trace(void **state)
{
	struct recording *r = flannel_cross(*state);
	r->matches.n = 0;
	recording_reduce(r);
	const struct rec_step *s = find(r, 0, REC_DNAT, "node01");
	assert_int_equal(s->after.inner.dst, A("10.244.2.5"));
	reason(s, "no-rules");
	vec_foreach (const struct rec_reason, y, &s->why)
		assert_string_not_equal(y->key, "rule");
	find(r, 1, REC_UNNAT, "node01");
	assert_string_equal(r->verdict.result, "delivered");
}

static void test_attempts(void **state)
{
	struct rec_lab l = lab_new(*state);
	flannel_snapshot(&l);
	flannel_syn(&l, 3);
	flannel_syn(&l, 3);
	recording_reduce(l.r);
	assert_int_equal(l.r->flights.n, 2);
	assert_int_equal(l.r->flights.v[1].attempt, 2);
	assert_int_equal(l.r->flights.v[1].n_steps, 0);
}

static void test_lost_counter(void **state)
{
	struct recording *r = flannel_cross(*state);
	r->lost_messages = 1;
	recording_reduce(r);
	assert_true(r->verdict.incomplete);
}

static void test_medians(void **state)
{
	struct rec_lab l = lab_new(*state);
	flannel_snapshot(&l);
	for (int run = 0; run < 3; run++) {
		size_t first = l.r->sights.n, m = l.r->matches.n;
		l.r->probe.isn = ISN;
		flannel_syn(&l, 3);
		for (size_t i = first; run && i < l.r->sights.n; i++)
			l.r->sights.v[i].timing_run = true;
		if (run)
			l.r->matches.n = m;
		l.t += 1000000;
	}
	recording_reduce(l.r);
	assert_int_equal(l.r->flights.n, 1);
	const struct rec_step *s = find(l.r, 0, REC_DEV_RX, "node01");
	assert_int_equal(s->delta_ns, 10000);
	assert_int_equal(s->median_ns, 10000);
}

/* ---- recordings of real labs ---- */

static void test_real_nft(void **state)
{
	struct recording *r = rec_load(*state, "nft-clusterip-cross");
	assert_string_equal(kinds(r, 0), cross);
	find(r, 1, REC_UNNAT, "node01");
}

static void test_real_ipip(void **state)
{
	struct recording *r = rec_load(*state, "calico-clusterip-cross");
	assert_string_equal(
		kinds(r, 0),
		"app-send neigh dev-tx dev-rx dnat route hook hook dev-tx encap hook dev-tx "
		"bridge dev-rx hook decap hook route hook hook dev-tx dev-rx deliver");
	const struct rec_step *s = find(r, 0, REC_ENCAP, "node01");
	assert_int_equal(s->after.encap_proto, 4);
	assert_int_equal(s->after.outer_ttl, 63);
	reason(s, "encap.ttl-copied");
	assert_string_equal(find(r, 0, REC_NEIGH, r->ns.v[r->probe.from_ns].name)->note_key,
			    "note.proxy-arp");
	/* The answer's outer packet and the one inside have one key: their rules stay apart. */
	const struct rec_flight *f = &r->flights.v[1];
	int mangle[2] = {0};
	for (int i = f->first_step; i < f->first_step + f->n_steps; i++) {
		s = &r->steps.v[i];
		if (s->kind != REC_HOOK || strcmp(r->ns.v[s->ns].name, "node01"))
			continue;
		vec_foreach (const struct rec_reason, y, &s->why)
			mangle[s->outer] += !strcmp(y->key, "rule") && y->args.n > 1 &&
					    !strcmp(y->args.v[0], "mangle") &&
					    !strcmp(y->args.v[1], "PREROUTING");
	}
	assert_int_equal(mangle[true], 1);
	assert_int_equal(mangle[false], 1);
}

static void test_real_same_node(void **state)
{
	struct recording *r = rec_load(*state, "clusterip-same");
	assert_string_equal(kinds(r, 0),
			    "app-send dev-tx dev-rx dnat bridge hook hook dev-tx dev-rx deliver");
	const struct rec_step *s = find(r, 0, REC_BRIDGE, "node02");
	assert_string_equal(s->note_key, "note.same-node");
	assert_string_equal(s->note, "64");
	find(r, 1, REC_UNNAT, "node02");
}

static void test_real_nodeport(void **state)
{
	struct recording *r = rec_load(*state, "nodeport-cross");
	const struct rec_step *s = find(r, 0, REC_SNAT, "node01");
	assert_int_equal(s->after.inner.src, A("10.244.1.0"));
	assert_string_equal(s->note_key, "note.nodeport-snat");
	int undone = 0;
	for (int i = 0; i < r->flights.v[1].n_steps; i++)
		undone += r->steps.v[r->flights.v[1].first_step + i].kind == REC_UNNAT;
	assert_int_equal(undone, 2);
}

static void test_real_node_process(void **state)
{
	struct recording *r = rec_load(*state, "node-clusterip");
	const struct rec_step *s = find(r, 0, REC_DNAT, "node01");
	assert_string_equal(s->hook, "OUTPUT");
	assert_int_equal(find(r, 0, REC_SNAT, "node01")->after.inner.src, A("10.244.1.0"));
	const struct rec_flight *f = &r->flights.v[1];
	s = &r->steps.v[f->first_step + f->n_steps - 1];
	assert_int_equal(s->kind, REC_APP_RECV);
	assert_int_equal(s->after.inner.src, A("10.107.254.44"));
}

static void test_real_hairpin(void **state)
{
	struct recording *r = rec_load(*state, "hairpin");
	const struct rec_step *dnat = find(r, 0, REC_DNAT, "node02"),
			      *snat = find(r, 0, REC_SNAT, "node02"),
			      *bridge = find(r, 0, REC_BRIDGE, "node02");
	assert_string_equal(snat->note_key, "note.hairpin");
	/* KUBE-MARK-MASQ sets the mark, KUBE-POSTROUTING takes it away before it masquerades. */
	assert_int_equal(dnat->before.mark, 0);
	assert_int_equal(dnat->after.mark, 0x4000);
	assert_int_equal(snat->before.mark, 0x4000);
	assert_int_equal(snat->after.mark, 0);
	assert_string_equal(reason(bridge, "bridge.hairpin")->args.v[0], "veth70cee1b2");
	assert_string_equal(reason(bridge, "bridge.nat")->args.v[1], "cni0");
	assert_string_equal(r->verdict.result, "delivered");
}

static void test_real_no_endpoints(void **state)
{
	struct recording *r = rec_load(*state, "no-endpoints");
	assert_string_equal(r->verdict.result, "refused");
	assert_string_equal(r->verdict.cause, "no-endpoints");
	assert_string_equal(r->ns.v[r->verdict.ns].name, "node01");
	find(r, 1, REC_ICMP_ERROR, "node01");
	const struct rec_step *route = find(r, 0, REC_ROUTE, "node01");
	assert_int_equal(route->after.ttl, 63); /* as the rules of FORWARD saw it */
	assert_true(route->ifindex > 0);
}

/* ---- normal form, diff ---- */

static void test_normal(void **state)
{
	struct recording *a = flannel_cross(*state), *b = flannel_cross(*state);
	for (size_t i = 0; i < b->sights.n; i++)
		b->sights.v[i].t += i * 77;
	recording_reduce(a);
	recording_reduce(b);
	json_t *x = recording_normal(a), *y = recording_normal(b);
	assert_true(json_equal(x, y));
	char *text = json_dumps(x, 0);
	assert_null(strstr(text, "38770"));
	assert_null(strstr(text, "57882"));
	assert_null(strstr(text, VTEP2));
	assert_non_null(strstr(text, "lladdr MAC"));
	assert_non_null(strstr(text, "10.244.2.5:80"));
	free(text);
	json_decref(x);
	json_decref(y);
}

static void test_diff(void **state)
{
	struct recording *a = flannel_cross(*state), *b = flannel_cross(*state);
	_strbuf_ struct strbuf out = STRBUF_INIT;
	recording_reduce(a);
	recording_reduce(b);
	assert_false(recording_diff(a, b, &out));
	assert_int_equal(out.len, 0);
	b = flannel_cut(*state, 5);
	recording_reduce(b);
	assert_true(recording_diff(a, b, &out));
	assert_non_null(strstr(strbuf_str(&out), "step 15 of SYN"));
	assert_non_null(strstr(strbuf_str(&out), "B ends: lost after ens192 in node01"));
	/* Dropped by a rule: they part where it is, not where what was said before differs. */
	strbuf_reset(&out);
	b = flannel_dropped(*state);
	b->lost_frames = 1;
	recording_reduce(b);
	assert_true(recording_diff(a, b, &out));
	const char *text = strbuf_str(&out);
	assert_non_null(strstr(text, "They part at step 7 of SYN\n  A: hook at node01/cni0, filter "
				     "FORWARD"));
	assert_non_null(strstr(text,
			       "  what decided:\n    A: [OBSERVED] -A FORWARD -j KUBE-FORWARD\n"
			       "    B: [OBSERVED] -A FORWARD -d 10.244.2.5/32 -j DROP\n"));
	assert_non_null(strstr(text, "B ends: dropped in node01 by a rule"));
	assert_non_null(strstr(text, "B is incomplete"));
}

/* ---- rules ---- */

static void check_rule(struct arena *a, const char *rule, const char *want)
{
	struct recording *r = flannel_cross(a);
	const struct rec_hdr h = {
		.inner = {A("10.244.1.2"), A("10.107.254.44"), 38770, 80, 6},
	};
	const struct rule_ctx c = {.r = r,
				   .a = a,
				   .ns = NODE01,
				   .h = &h,
				   .iif = "cni0",
				   .oif = "flannel.1",
				   .ctstate = "NEW",
				   .mark = 0x4000};
	const char *asked, *has, *got = rule_mismatch(&c, rule, &asked, &has);
	if (!want ? got != NULL : !got || strcmp(got, want))
		fail_msg("%s: %s", rule, got ? got : "(none)");
}

static void test_rules(void **state)
{
	static const char *const cases[][2] = {
		{"-A X -s 10.244.0.0/16 -j Y", NULL},
		{"-A X ! -s 10.244.0.0/16 -j Y", "nomatch.src"},
		{"-A X -d 10.96.0.1/32 -p tcp -m comment --comment \"-p udp\" -j Y", "nomatch.dst"},
		{"-A X -p udp -j Y", "nomatch.proto"},
		{"-A X -p tcp -m tcp --dport 443 -j Y", "nomatch.dport"},
		{"-A X -p tcp -m tcp --dport 79:81 -j Y", NULL},
		{"-A X -p tcp -m multiport --dports 22,81:90 -j Y", "nomatch.dport"},
		{"-A X -i cali+ -j Y", "nomatch.iif"},
		{"-A X -i cn+ -j Y", NULL},
		{"-A X ! -o flannel.1 -j Y", "nomatch.oif"},
		{"-A X -m mark ! --mark 0x4000/0x4000 -j RETURN", "nomatch.mark"},
		{"-A X -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT", "nomatch.ctstate"},
		{"-A X -m conntrack --ctstate NEW -j ACCEPT", NULL},
		{"-A X -m addrtype --dst-type LOCAL -j Y", "nomatch.local"},
		{"-A X -m statistic --mode random --probability 0.5 -j Y", "nomatch.random"},
		{"-A X -m set --match-set A dst -j Y", NULL},
		{"-A X -j MARK --set-xmark 0x1/0x1", NULL},
		{"-A X -m comment --comment \"open", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check_rule(*state, cases[i][0], cases[i][1]);
}

/* Every key that the reducer uses is in the table, with enough arguments for its sentence. */
static bool known(const char *key, size_t args)
{
#define X(k, t) {k, t},
	static const struct {
		const char *key, *text;
	} keys[] = {REC_KEYS(X){NULL, NULL}};
#undef X
	for (size_t i = 0; keys[i].key; i++) {
		if (strcmp(keys[i].key, key))
			continue;
		for (const char *p = keys[i].text; *p; p++)
			if (p[0] == '{' && p[2] == '}' && (size_t)(p[1] - '0') > args)
				return false;
		return true;
	}
	return false;
}

static void check_keys(const struct recording *r)
{
	vec_foreach (const struct rec_step, s, &r->steps) {
		vec_foreach (const struct rec_reason, y, &s->why)
			if (!known(y->key, y->args.n))
				fail_msg("%s with %zu arguments", y->key, y->args.n);
		if (s->note_key)
			assert_true(known(s->note_key, 0));
		assert_true(known(s->next_key, 0));
	}
	assert_true(known(r->verdict.key, r->verdict.args.n));
}

static void test_keys(void **state)
{
	static const char *const names[] = {
		"nft-clusterip-cross",	 "clusterip-same", "nodeport-cross",
		"node-clusterip",	 "hairpin",	   "no-endpoints",
		"calico-clusterip-cross"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		check_keys(rec_load(*state, names[i]));
	for (int until = 2; until <= 12; until++) {
		struct recording *r = flannel_cut(*state, until);
		recording_reduce(r);
		check_keys(r);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_json_round),
		TEST(test_json_faults),
		TEST(test_cross_steps),
		TEST(test_cross_dnat),
		TEST(test_cross_tunnel),
		TEST(test_cross_reply),
		TEST(test_attempts),
		TEST(test_no_trace),
		TEST(test_lost_counter),
		TEST(test_medians),
		TEST(test_real_nft),
		TEST(test_real_ipip),
		TEST(test_real_same_node),
		TEST(test_real_nodeport),
		TEST(test_real_node_process),
		TEST(test_real_hairpin),
		TEST(test_real_no_endpoints),
		TEST(test_normal),
		TEST(test_diff),
		TEST(test_rules),
		TEST(test_keys),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
