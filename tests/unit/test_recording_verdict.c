/* SPDX-License-Identifier: MIT */
/* test_recording_verdict: each fault ends in its own diagnosis, and no other; nothing is guessed.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "tests/unit/rec_flannel.h"

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

static void expect(struct recording *r, const char *result, const char *cause, int ns,
		   const char *device)
{
	recording_reduce(r);
	const struct rec_verdict *v = &r->verdict;
	if (strcmp(v->result, result) || !v->cause || strcmp(v->cause, cause) || v->ns != ns ||
	    (device && (!v->device || strcmp(v->device, device))))
		fail_msg("got %s/%s in %d at %s: %s", v->result, v->cause ? v->cause : "-", v->ns,
			 v->device ? v->device : "-", v->text);
	assert_true(v->text && *v->text);
}

/* The flight that was lost ends in a step that says so. */
static void expect_last(const struct recording *r, size_t flight, enum rec_step_kind kind)
{
	const struct rec_flight *f = &r->flights.v[flight];
	assert_true(f->n_steps > 0);
	assert_string_equal(rec_step_kind_str(r->steps.v[f->first_step + f->n_steps - 1].kind),
			    rec_step_kind_str(kind));
}

static void set_ask(struct recording *r, const char *what, int ns, const char *answer, int error)
{
	vec_foreach (struct rec_ask, q, &r->asks)
		if (q->ns == ns && !strcmp(q->what, what)) {
			q->answer = answer;
			q->error = error;
			q->via = 0;
			return;
		}
	fail_msg("no such question");
}

static struct rec_if *dev(struct recording *r, int ns, const char *name)
{
	vec_foreach (struct rec_if, i, &r->ns.v[ns].ifs)
		if (!strcmp(i->name, name))
			return i;
	fail_msg("no device %s", name);
	return NULL;
}

static void set_sysctl(struct recording *r, int ns, const char *key, const char *value)
{
	vec_foreach (struct rec_sysctl, s, &r->ns.v[ns].sysctls)
		if (strstr(s->key, key))
			s->value = value;
}

static struct rec_lab cut(struct arena *a, int until)
{
	struct rec_lab l = lab_new(a);
	flannel_snapshot(&l);
	l.r->probe.outcome = "timeout";
	l.r->probe.error = ETIMEDOUT;
	flannel_syn(&l, until);
	return l;
}

/* The frame that was seen last, from its network header on. */
static void drop_by(struct rec_lab *l, int ns, const char *table, const char *rule, struct at at)
{
	const struct rec_sight *s = &l->r->sights.v[l->r->sights.n - 1];
	lab_rule(l, ns, table, rule);
	const struct rec_rule *x = &l->r->ns.v[ns].rules.v[l->r->ns.v[ns].rules.n - 1];
	*vec_push(l->a, &l->r->matches) = (struct rec_match){
		.ns = ns,
		.seq = ++l->seq,
		.table = table,
		.chain = x->chain,
		.kind = REC_RULE,
		.num = x->num,
		.hook = at.hook,
		.iif = at.iif,
		.oif = at.oif,
		.data = s->data + 14,
		.caplen = s->caplen - 14,
	};
}

static void test_rule_drop(void **state)
{
	struct rec_lab l = cut(*state, 3);
	drop_by(&l, NODE01, "filter", "-A FORWARD -d 10.244.2.5/32 -j DROP",
		(struct at){2, 4, 3, 0, 0, 0});
	expect(l.r, "dropped", "rule-drop", NODE01, "cni0");
	assert_string_equal(l.r->verdict.rule, "-A FORWARD -d 10.244.2.5/32 -j DROP");
	assert_int_equal(l.r->verdict.how, REC_OBSERVED);
	expect_last(l.r, 0, REC_DROP);
}

static void test_policy_drop(void **state)
{
	struct rec_lab l = cut(*state, 3);
	drop_by(&l, NODE01, "filter", "-A FORWARD -j NOTHING", (struct at){2, 4, 3, 0, 0, 0});
	l.r->matches.v[l.r->matches.n - 1].kind = REC_POLICY;
	vec_foreach (struct rec_chain, c, &l.r->ns.v[NODE01].chains)
		if (!strcmp(c->chain, "FORWARD"))
			c->policy = "DROP";
	expect(l.r, "dropped", "rule-drop", NODE01, "cni0");
	assert_string_equal(l.r->verdict.rule, "-P FORWARD DROP");
}

static void by_route(struct arena *a, int error, const char *cause)
{
	struct rec_lab l = cut(a, 3);
	set_ask(l.r, "route", NODE01, NULL, error);
	expect(l.r, error == -EACCES ? "refused" : "dropped", cause, NODE01, "cni0");
	assert_int_equal(l.r->verdict.how, REC_REASKED);
	expect_last(l.r, 0, REC_DROP);
}

static void test_routes(void **state)
{
	by_route(*state, -ENETUNREACH, "no-route");
	by_route(*state, -EINVAL, "blackhole");
	by_route(*state, -EACCES, "prohibit");
}

static void test_blackhole_in_table(void **state)
{
	struct rec_lab l = cut(*state, 3);
	l.r->asks.n = 0;
	lab_route(&l, NODE01, "blackhole 10.244.2.5");
	expect(l.r, "dropped", "blackhole", NODE01, "cni0");
	assert_int_equal(l.r->verdict.how, REC_INFERRED);
}

static void test_fdb_missing(void **state)
{
	struct rec_lab l = cut(*state, 4);
	l.r->ns.v[NODE01].fdbs.n = 0;
	set_ask(l.r, "fdb", NODE01, NULL, -ENOENT);
	expect(l.r, "dropped", "fdb-missing", NODE01, "flannel.1");
	l.r->asks.n = 0;
	expect(l.r, "dropped", "fdb-missing", NODE01, "flannel.1");
	assert_int_equal(l.r->verdict.how, REC_INFERRED);
}

static void test_neigh_missing(void **state)
{
	struct rec_lab l = cut(*state, 3);
	set_ask(l.r, "neigh", NODE01, "10.244.2.0 dev flannel.1 FAILED", 0);
	expect(l.r, "dropped", "neigh-missing", NODE01, "flannel.1");
	set_ask(l.r, "neigh", NODE01, NULL, -ENOENT);
	expect(l.r, "dropped", "neigh-missing", NODE01, "flannel.1");
}

static void test_wrong_mac(void **state)
{
	struct rec_lab l = cut(*state, 9);
	mac_parse("0a:00:00:00:00:99", &dev(l.r, NODE02, "flannel.1")->mac);
	expect(l.r, "dropped", "wrong-vtep-mac", NODE02, "flannel.1");
}

static void test_vni(void **state)
{
	struct rec_lab l = cut(*state, 8);
	dev(l.r, NODE02, "flannel.1")->vni = 2;
	expect(l.r, "dropped", "vni-mismatch", NODE02, "flannel.1");
}

static void test_no_vxlan(void **state)
{
	struct rec_lab l = cut(*state, 8);
	dev(l.r, NODE02, "flannel.1")->kind = "dummy";
	expect(l.r, "dropped", "no-vxlan-device", NODE02, "ens192");
}

static void test_input_drop(void **state)
{
	struct rec_lab l = cut(*state, 8);
	drop_by(&l, NODE02, "filter", "-A INPUT -p udp -m udp --dport 8472 -j DROP",
		(struct at){1, 2, 0, 0, 0, 0});
	expect(l.r, "dropped", "input-drop", NODE02, "ens192");
	assert_int_equal(l.r->verdict.how, REC_OBSERVED);
}

static void test_rp_filter(void **state)
{
	struct rec_lab l = cut(*state, 9);
	dev(l.r, NODE02, "flannel.1")->rp_filter = 1;
	lab_route(&l, NODE02, "10.244.1.2 dev ens192");
	expect(l.r, "dropped", "rp-filter", NODE02, "flannel.1");
}

static void test_ip_forward(void **state)
{
	struct rec_lab l = cut(*state, 9);
	set_sysctl(l.r, NODE02, "ip_forward", "0");
	expect(l.r, "dropped", "ip-forward-off", NODE02, "flannel.1");
}

static void test_link_down(void **state)
{
	struct rec_lab l = cut(*state, 9);
	dev(l.r, NODE02, "veth70cee1b2")->up = false;
	expect(l.r, "dropped", "link-down", NODE02, "veth70cee1b2");
}

static void test_pod_rule(void **state)
{
	struct rec_lab l = cut(*state, 12);
	drop_by(&l, SERVER, "filter", "-A INPUT -p tcp -m tcp --dport 80 -j DROP",
		(struct at){1, 2, 0, 0, 0, 0});
	expect(l.r, "dropped", "pod-rule", SERVER, "eth0");
}

static void test_port_closed(void **state)
{
	struct rec_lab l = cut(*state, 12);
	l.r->probe.outcome = "refused";
	l.r->probe.error = ECONNREFUSED;
	struct frame f = {.src = A("10.244.2.5"),
			  .dst = A("10.244.1.2"),
			  .sport = 80,
			  .dport = 38770,
			  .ack = ISN + 1,
			  .flags = 0x14,
			  .ttl = 64};
	lab_see(&l, SERVER, 2, true, &f);
	expect(l.r, "refused", "port-closed", SERVER, "eth0");
	assert_string_equal(l.r->flights.v[1].title, "RST");
	assert_true(l.r->flights.v[1].n_steps > 0);
}

static void test_untranslated(void **state)
{
	struct rec_lab l = cut(*state, 12);
	struct frame f = {.src = A("10.244.2.5"),
			  .dst = A("10.244.1.2"),
			  .sport = 80,
			  .dport = 38770,
			  .seq = SERVER_ISN,
			  .ack = ISN + 1,
			  .flags = 0x12,
			  .ttl = 64};
	lab_see(&l, SERVER, 2, true, &f);
	lab_see(&l, CLIENT, 2, false, &f);
	expect(l.r, "lost", "reply-untranslated", CLIENT, "eth0");
}

/* Nothing in the snapshot explains it: then nothing is said. */
static void test_unknown(void **state)
{
	static const int places[] = {3, 4, 5, 8, 9};
	static const int ns[] = {NODE01, NODE01, NODE01, NODE02, NODE02};
	for (size_t i = 0; i < 5; i++) {
		struct rec_lab l = cut(*state, places[i]);
		expect(l.r, "lost", "unknown", ns[i], NULL);
		expect_last(l.r, 0, REC_LOST);
	}
	struct rec_lab l = cut(*state, 12);
	expect(l.r, "lost", "unknown", SERVER, "eth0");
	assert_string_equal(l.r->verdict.key, "verdict.delivered-silent");
}

static void test_nothing_seen(void **state)
{
	struct rec_lab l = lab_new(*state);
	flannel_snapshot(&l);
	l.r->probe.outcome = "error";
	l.r->probe.error = ENETUNREACH;
	expect(l.r, "dropped", "no-route", CLIENT, NULL);
	l.r->probe.error = 0;
	expect(l.r, "lost", "unknown", CLIENT, NULL);
	l.r->ns.n = 0;
	recording_reduce(l.r);
	assert_string_equal(l.r->verdict.result, "lost");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rule_drop),	       TEST(test_policy_drop), TEST(test_routes),
		TEST(test_blackhole_in_table), TEST(test_fdb_missing), TEST(test_neigh_missing),
		TEST(test_wrong_mac),	       TEST(test_vni),	       TEST(test_no_vxlan),
		TEST(test_input_drop),	       TEST(test_rp_filter),   TEST(test_ip_forward),
		TEST(test_link_down),	       TEST(test_pod_rule),    TEST(test_port_closed),
		TEST(test_untranslated),       TEST(test_unknown),     TEST(test_nothing_seen),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
