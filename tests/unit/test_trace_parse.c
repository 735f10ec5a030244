/* SPDX-License-Identifier: MIT */
/* What a trace reads as text: rules, TRACE prefixes; and the TO of a trace against the labs as
 * shipped. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "labd/trace/ruletext.h"
#include "labd/trace/target.h"
#include "lib/base/cleanup.h"
#include "lib/yaml/yaml.h"

static void test_save(void **state)
{
	static const char text[] =
		"# Generated\n*nat\n:PREROUTING ACCEPT [1:2]\n:KUBE-X - [0:0]\n"
		"-A PREROUTING -m comment --comment \"say \\\"-j NO\\\" now\" -j KUBE-X\n"
		"-A KUBE-X -p tcp -g KUBE-Y\n-A KUBE-X -p udp\nCOMMIT\n"
		"*filter\n:PREROUTING DROP [0:0]\n-A KUBE-X -j DROP\nCOMMIT\n";
	_arena_ struct arena *a = arena_new();
	struct rec_ns ns = {0};
	ruletext_save(a, text, &ns);
	assert_int_equal(ns.chains.n, 2);
	assert_string_equal(ns.chains.v[0].hook, "prerouting");
	assert_string_equal(ns.chains.v[0].policy, "ACCEPT");
	assert_string_equal(ns.chains.v[1].table, "filter");
	assert_string_equal(ns.chains.v[1].policy, "DROP");
	assert_int_equal(ns.rules.n, 4);
	assert_string_equal(ns.rules.v[0].comment, "say \"-j NO\" now");
	assert_string_equal(ns.rules.v[0].target, "KUBE-X");
	assert_string_equal(ns.rules.v[1].target, "KUBE-Y");
	assert_null(ns.rules.v[2].target);
	assert_null(ns.rules.v[2].comment);
	assert_int_equal(ns.rules.v[2].num, 2);
	assert_int_equal(ns.rules.v[3].num, 1); /* the same chain's name in another table */
}

static void test_prefix(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct rec_match m = {0};
	assert_true(ruletext_trace(a, "TRACE: nat:KUBE-SEP-X:rule:12 ", &m));
	assert_string_equal(m.table, "nat");
	assert_string_equal(m.chain, "KUBE-SEP-X");
	assert_int_equal(m.kind, REC_RULE);
	assert_int_equal(m.num, 12);
	assert_true(ruletext_trace(a, "TRACE: filter:a:b:return:3", &m));
	assert_string_equal(m.chain, "a:b");
	assert_int_equal(m.kind, REC_RETURN);
	assert_true(ruletext_trace(a, "TRACE: nat:POSTROUTING:policy:2 ", &m));
	assert_int_equal(m.kind, REC_POLICY);
	assert_false(ruletext_trace(a, "calico-drop: 1", &m));
	assert_false(ruletext_trace(a, "TRACE: ", &m));
	assert_false(ruletext_trace(a, "TRACE: nat:x", &m));
}

struct lab {
	struct arena *arena;
	struct yaml_files *files;
	struct objects *objects;
	struct desired *d;
};

static int set_up(void **state)
{
	static struct lab l;
	l = (struct lab){.arena = arena_new(), .files = yaml_files_new()};
	struct faults faults = {.arena = l.arena};
	assert_int_equal(yaml_files_add(l.files, "labs/flannel-vxlan.lab.yaml", NULL), 0);
	l.objects = objects_bind(l.arena, yaml_files_docs(l.files), yaml_to_json, &faults);
	assert_int_equal(faults.total, 0);
	struct cluster *c = cluster_build(l.arena, l.objects, &(struct cluster_opts){0}, &faults);
	assert_int_equal(faults.total, 0);
	l.d = desired_build(l.arena, c);
	*state = &l;
	return 0;
}

static int tear_down(void **state)
{
	struct lab *l = *state;
	objects_release(l->objects);
	yaml_files_free(l->files);
	arena_free(l->arena);
	return 0;
}

static void test_target(void **state)
{
	static const char fqdn[] = "nginx-deployment.default.svc.cluster.local";
	static const struct {
		const char *text;
		uint8_t proto;
		const char *ip;
		uint16_t port;
		const char *dns;
	} good[] = {
		{"nginx-deployment:80", 6, "10.107.254.44", 80, fqdn},
		{"nginx-deployment", 6, "10.107.254.44", 80, fqdn},
		{"svc/nginx-deployment:81", 6, "10.107.254.44", 81, fqdn},
		{"nginx-deployment.default:80", 6, "10.107.254.44", 80, fqdn},
		{"nginx-deployment.default.svc.cluster.local:80", 6, "10.107.254.44", 80, fqdn},
		{"nginx-deployment.default.svc.cluster.local.:80", 6, "10.107.254.44", 80, fqdn},
		{"kube-dns.kube-system:53/udp", 17, "10.96.0.10", 53,
		 "kube-dns.kube-system.svc.cluster.local"},
		{"kube-dns.kube-system:53", 6, "10.96.0.10", 53,
		 "kube-dns.kube-system.svc.cluster.local"},
		{"10.244.2.5:80", 6, "10.244.2.5", 80, NULL},
		{"10.244.2.5:80/udp", 17, "10.244.2.5", 80, NULL},
		{"10.244.2.5/icmp", 1, "10.244.2.5", 0, NULL},
		{"10.244.2.5 icmp", 1, "10.244.2.5", 0, NULL},
		{"busybox1 icmp", 1, "10.244.2.2", 0, NULL},
		{"pod/busybox1/icmp", 1, "10.244.2.2", 0, NULL},
		{"node/node01:31856", 6, "100.100.137.201", 31856, NULL},
		{"host/client:80", 6, "100.100.137.10", 80, NULL},
		{"example.com:443", 6, NULL, 443, "example.com"},
	};
	struct lab *l = *state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct target t;
		struct err err = {0};
		if (target_resolve(l->d, good[i].text, "default", &t, &err) < 0)
			fail_msg("%s: %s", good[i].text, err.text);
		assert_int_equal(t.proto, good[i].proto);
		assert_string_equal(t.ip ? IP4(t.ip) : "", good[i].ip ? good[i].ip : "");
		assert_int_equal(t.port, good[i].port);
		assert_string_equal(t.dns_name ? t.dns_name : "", good[i].dns ? good[i].dns : "");
	}
}

static void test_bad_target(void **state)
{
	static const struct {
		const char *text;
		enum err_class cls;
	} bad[] = {
		{"", ERR_USAGE},
		{":80", ERR_USAGE},
		{"10.244.2.5", ERR_USAGE},
		{"10.244.2.5:0", ERR_USAGE},
		{"10.1.1.1:70000", ERR_USAGE},
		{"node/node01", ERR_USAGE},
		{"nothing:80", ERR_NOT_FOUND},
		{"node/nope:80", ERR_NOT_FOUND},
		{"svc/nope:80", ERR_NOT_FOUND},
		{"kube-dns.kube-system", ERR_USAGE},
		{"kube-dns:53", ERR_NOT_FOUND},
		{"shelf/x:80", ERR_USAGE},
	};
	struct lab *l = *state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct target t;
		struct err err = {0};
		if (target_resolve(l->d, bad[i].text, "default", &t, &err) >= 0)
			fail_msg("\"%s\" was taken", bad[i].text);
		if (err.cls != bad[i].cls)
			fail_msg("\"%s\": class %d: %s", bad[i].text, err.cls, err.text);
	}
}

static void test_note(void **state)
{
	static const struct {
		const char *to, *note;
	} c[] = {
		{"nginx-deployment:80", NULL},
		{"nginx-deployment:81", "service default/nginx-deployment has no port 81/tcp, only "
					"80/tcp: no rule takes such a packet"},
		{"kube-dns.kube-system:53/udp", NULL},
		{"10.96.0.10:54/udp",
		 "service kube-system/kube-dns has no port 54/udp, only 53/udp, "
		 "53/tcp, 9153/tcp: no rule takes such a packet"},
		{"node/node01:31856", NULL},
		{"node/node01:31857", "no service has the node port 31857/tcp"},
		{"node/node01:22", NULL},
		{"10.244.2.5:81", NULL},
		{"10.96.0.10/icmp", NULL},
	};
	struct lab *l = *state;
	for (size_t i = 0; i < ARRAY_SIZE(c); i++) {
		struct target t;
		struct err err = {0};
		assert_int_equal(target_resolve(l->d, c[i].to, "default", &t, &err), 0);
		const char *note = target_note(l->d, &t);
		assert_string_equal(note ? note : "", c[i].note ? c[i].note : "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_save),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test_setup_teardown(test_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_bad_target, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_note, set_up, tear_down),
	};
	return cmocka_run_group_tests_name("trace_parse", tests, NULL, NULL);
}
