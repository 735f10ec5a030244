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

/* REDIRECT takes the device's own address: kube-proxy's relay and the devices of Calico's pods. */
static void test_redirect_nowhere(void **state)
{
	struct rec_lab l = cut(*state, 2);
	drop_by(&l, NODE01, "nat", "-A PREROUTING -d 10.244.2.5/32 -j REDIRECT --to-ports 1",
		(struct at){0, 4, 0, 0, 0, 0});
	recording_reduce(l.r);
	assert_string_not_equal(l.r->verdict.key, "verdict.redirect-nowhere");
	vec_foreach (struct rec_addr, a, &l.r->ns.v[NODE01].addrs)
		if (a->ifindex == dev(l.r, NODE01, "cni0")->ifindex)
			a->ifindex = 99;
	expect(l.r, "dropped", "rule-drop", NODE01, "cni0");
	assert_string_equal(l.r->verdict.key, "verdict.redirect-nowhere");
	assert_int_equal(l.r->verdict.how, REC_INFERRED);
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

/* ---- behind the handshake ---- */

/* A connection that stands, and a request of 1398 bytes that the client's node has in its bridge.
 */
static struct rec_lab big(struct arena *a, struct frame *f)
{
	struct rec_lab l = lab_new(a);
	flannel_snapshot(&l);
	flannel_syn(&l, 12);
	flannel_syn_ack(&l);
	l.r->probe.answer = "connected";
	*f = (struct frame){.src = A("10.244.1.2"),
			    .dst = A("10.107.254.44"),
			    .sport = 38770,
			    .dport = 80,
			    .seq = ISN + 1,
			    .ack = SERVER_ISN + 1,
			    .flags = 0x18,
			    .ttl = 64,
			    .id = 900,
			    .data = 1398,
			    .df = true,
			    .smac = "5a:00:00:00:00:01",
			    .dmac = "02:00:00:00:03:01"};
	lab_see(&l, CLIENT, 2, true, f);
	lab_see(&l, NODE01, 7, false, f);
	f->dst = A("10.244.2.5");
	lab_see(&l, NODE01, 4, false, f);
	return l;
}

static void freed(struct rec_lab *l, const char *reason, const char *function, int sight)
{
	*vec_push(l->a, &l->r->perfs) = (struct rec_perf){
		.t = l->t, .kind = "drop", .reason = reason, .function = function, .sight = sight};
}

static int last_sight(const struct rec_lab *l)
{
	return (int)l->r->sights.n - 1;
}

static void test_mtu_hop(void **state)
{
	struct frame f;
	struct rec_lab l = big(*state, &f);
	expect(l.r, "lost", "unknown", NODE01, "cni0");
	dev(l.r, NODE01, "flannel.1")->mtu = 1000;
	expect(l.r, "dropped", "mtu", NODE01, "flannel.1");
	assert_int_equal(l.r->verdict.how, REC_INFERRED);
	assert_string_equal(l.r->verdict.args.v[2], "1438 > 1000");
	freed(&l, "PKT_TOO_BIG", "ip_forward", last_sight(&l) - 1);
	recording_reduce(l.r);
	assert_int_equal(l.r->verdict.how, REC_INFERRED); /* it was another packet */
	freed(&l, "PKT_TOO_BIG", "ip_forward", last_sight(&l));
	recording_reduce(l.r);
	assert_int_equal(l.r->verdict.how, REC_OBSERVED);
	/* What may be cut up is. */
	l = big(*state, &f);
	dev(l.r, NODE01, "flannel.1")->mtu = 1000;
	vec_foreach (struct rec_sight, s, &l.r->sights)
		((uint8_t *)(uintptr_t)s->data)[20] &= (uint8_t)~0x40;
	expect(l.r, "lost", "unknown", NODE01, "cni0");
}

static void test_mtu_cable(void **state)
{
	struct frame f;
	struct rec_lab l = big(*state, &f);
	f.ttl = 63;
	lab_see(&l, NODE01, 3, true, &f);
	f.tunnel = 17;
	f.osrc = A("100.100.137.201");
	f.odst = A("100.100.137.202");
	f.vni = 1;
	lab_see(&l, NODE01, 2, true, &f);
	lab_see(&l, FABRIC, 10, false, &f);
	lab_see(&l, FABRIC, 11, true, &f);
	dev(l.r, FABRIC, "p-n1")->mtu = dev(l.r, FABRIC, "p-n2")->mtu = 1500;
	expect(l.r, "lost", "unknown", FABRIC, "p-n2");
	dev(l.r, NODE02, "ens192")->mtu = 1400;
	expect(l.r, "dropped", "mtu", NODE02, "ens192");
	assert_string_equal(l.r->verdict.args.v[2], "1488 > 1400");
	/* Not yet cut into packets: the cable asks nothing. */
	dev(l.r, FABRIC, "p-n2")->mtu = 1400;
	expect(l.r, "lost", "unknown", FABRIC, "p-n2");
}

/* Lost once, it comes in smaller pieces: no fault. */
static void test_mtu_found(void **state)
{
	struct frame f;
	struct rec_lab l = big(*state, &f);
	dev(l.r, NODE01, "flannel.1")->mtu = 1000;
	f.data = 700;
	f.id = 901;
	f.dmac = "5a:00:00:00:00:05";
	lab_see(&l, SERVER, 2, false, &f);
	recording_reduce(l.r);
	assert_string_equal(l.r->verdict.result, "delivered");
}

static void test_freed(void **state)
{
	struct rec_lab l = cut(*state, 8);
	dev(l.r, NODE02, "flannel.1")->vni = 2;
	expect(l.r, "dropped", "vni-mismatch", NODE02, "flannel.1");
	assert_int_equal(l.r->verdict.how, REC_INFERRED);
	freed(&l, "VXLAN_VNI_NOT_FOUND", "vxlan_rcv", last_sight(&l));
	recording_reduce(l.r);
	assert_int_equal(l.r->verdict.how, REC_OBSERVED);
	/* No rule of ours knows it, but the kernel said something. */
	l = cut(*state, 9);
	freed(&l, "TCP_CSUM", "tcp_v4_rcv", last_sight(&l));
	expect(l.r, "dropped", "unknown", NODE02, "flannel.1");
	assert_string_equal(l.r->verdict.key, "verdict.freed");
	assert_string_equal(l.r->verdict.args.v[2], "TCP_CSUM at tcp_v4_rcv");
}

/* A bridge that does not know the MAC address floods: the copy is not the packet's way. */
static void test_flooded(void **state)
{
	struct rec_lab l = lab_new(*state);
	flannel_snapshot(&l);
	int other = lab_ns(&l, "busybox1", "busybox1", "pod");
	lab_if(&l, other, 2, "eth0", "veth", "5a:00:00:00:00:06", "10.244.2.6/24");
	lab_if(&l, NODE02, 8, "veth78b826c3", "veth", "26:a9:23:fb:7a:c8", NULL)->master = "cni0";
	lab_veth(&l, other, 2, NODE02, 8);
	flannel_syn(&l, 12);
	struct frame f = {.src = A("10.244.1.2"),
			  .dst = A("10.244.2.5"),
			  .sport = 38770,
			  .dport = 80,
			  .seq = ISN,
			  .flags = 2,
			  .ttl = 62,
			  .id = 777,
			  .smac = "02:00:00:00:03:02",
			  .dmac = "5a:00:00:00:00:05"};
	lab_see(&l, NODE02, 8, true, &f);
	lab_see(&l, other, 2, false, &f);
	size_t all = l.r->sights.n;
	flannel_syn_ack(&l);
	recording_reduce(l.r);
	assert_string_equal(l.r->verdict.result, "delivered");
	assert_int_equal(l.r->verdict.ns, SERVER);
	assert_int_equal(l.r->flights.v[0].sights.n, all - 2);
	expect_last(l.r, 0, REC_DELIVER);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rule_drop),
		TEST(test_redirect_nowhere),
		TEST(test_policy_drop),
		TEST(test_routes),
		TEST(test_blackhole_in_table),
		TEST(test_fdb_missing),
		TEST(test_neigh_missing),
		TEST(test_wrong_mac),
		TEST(test_vni),
		TEST(test_no_vxlan),
		TEST(test_input_drop),
		TEST(test_rp_filter),
		TEST(test_ip_forward),
		TEST(test_link_down),
		TEST(test_pod_rule),
		TEST(test_port_closed),
		TEST(test_untranslated),
		TEST(test_unknown),
		TEST(test_nothing_seen),
		TEST(test_mtu_hop),
		TEST(test_mtu_cable),
		TEST(test_mtu_found),
		TEST(test_freed),
		TEST(test_flooded),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
