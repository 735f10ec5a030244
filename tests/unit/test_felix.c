/* SPDX-License-Identifier: MIT */
/*
 * Felix's rules against tests/golden/calico/hash-vectors.tsv: every rule of the dumps there, its
 * place, its text and its hash; and the names of chains and ipsets in names.tsv.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/file.h"
#include "lib/plan/felix.h"
#include "lib/plan/felix_digest.h"
#include "lib/plan/felix_select.h"

#define VECTORS "tests/golden/calico/hash-vectors.tsv"
#define NAMES	"tests/golden/calico/names.tsv"

static char *slurp(const char *path)
{
	struct strbuf b = STRBUF_INIT;
	struct err err = {0};

	if (file_read(path, 1 << 20, &b, &err) < 0)
		fail_msg("%s", err.text);
	return strbuf_take(&b);
}

/* The next field of a tab separated line. */
static char *field(char **at)
{
	static char none[] = "";
	char *s = strsep(at, "\t");

	return s ? s : none;
}

/* What we print for a chain's nth rule: "HASH TEXT"; "" when there is none. */
static void printed_rule(const char *text, const char *table, const char *chain, int nth, char *ret,
			 size_t size)
{
	char head[64], rule[128];
	const char *t, *end;

	snprintf(head, sizeof(head), "*%s\n", table);
	snprintf(rule, sizeof(rule), "-A %s -m comment --comment \"cali:", chain);
	*ret = '\0';
	t = strstr(text, head);
	if (!t)
		return;
	end = strstr(t, "COMMIT\n");
	for (; t < end; t = strchr(t, '\n') + 1) {
		const char *hash = t + strlen(rule);

		if (strncmp(t, rule, strlen(rule)) != 0 || --nth > 0)
			continue;
		snprintf(ret, size, "%.16s%.*s", hash, (int)strcspn(hash + 17, "\n"), hash + 17);
		return;
	}
}

static unsigned count_rules(const char *text)
{
	unsigned n = 0;

	for (const char *p = text; (p = strstr(p, "-A cali-")); p++)
		n++;
	return n;
}

/* Every row of the case, and not one rule more. */
static void check_case(const char *name, struct arena *a, const struct felix_config *cfg)
{
	struct strbuf out = STRBUF_INIT;
	char *data = slurp(VECTORS), *lines = data, *line, got[2048], want[2048];
	unsigned rows = 0;

	felix_iptables(a, cfg, &out);
	while ((line = strsep(&lines, "\n"))) {
		const char *table, *chain, *number, *hash;

		if (strcmp(field(&line), name) != 0)
			continue;
		table = field(&line);
		chain = field(&line);
		number = field(&line);
		hash = field(&line);
		if (strstr(chain, "*appends*"))
			continue;
		snprintf(want, sizeof(want), "%s%s%s", hash, line && *line ? " " : "",
			 line ? line : "");
		printed_rule(strbuf_str(&out), table, chain, atoi(number), got, sizeof(got));
		assert_string_equal(got, want);
		rows++;
	}
	assert_int_not_equal(rows, 0);
	assert_int_equal(count_rules(strbuf_str(&out)), rows);
	strbuf_free(&out);
	free(data);
}

static void add_endpoint(struct arena *a, struct felix_config *cfg, const char *iface)
{
	struct felix_endpoint *e = vec_push(a, &cfg->endpoints);

	*e = (struct felix_endpoint){.iface = iface};
	*vec_push(a, &e->profiles) = "kns.default";
	*vec_push(a, &e->profiles) = "ksa.default.default";
}

static struct felix_config ipip(enum felix_version v)
{
	return (struct felix_config){
		.version = v, .ipip = true, .nat_outgoing = true, .tun_ipip = "tunl0"};
}

static void test_node02(void **state)
{
	static const char *const names[] = {"node02-ipip.v3.22", "node02-ipip.v3.24",
					    "node02-ipip.v3.28"};

	(void)state;
	for (int v = FELIX_3_22; v <= FELIX_3_28; v++) {
		_arena_ struct arena *a = arena_new();
		struct felix_config cfg = ipip((enum felix_version)v);

		add_endpoint(a, &cfg, "caliae3c1d6879e");
		add_endpoint(a, &cfg, "cali16cfa08a6f9");
		check_case(names[v], a, &cfg);
	}
}

static void test_vxlan(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct felix_config cfg = {.version = FELIX_3_28,
				   .vxlan = true,
				   .nat_outgoing = true,
				   .tun_vxlan = "vxlan.calico"};

	(void)state;
	add_endpoint(a, &cfg, "caliae3c1d6879e");
	add_endpoint(a, &cfg, "cali16cfa08a6f9");
	check_case("node02-vxlan.v3.28", a, &cfg);
}

static void test_no_pods(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct felix_config cfg = ipip(FELIX_3_24);

	(void)state;
	check_case("no-pods-ipip.v3.24", a, &cfg);
}

static void test_dispatch_tree(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct felix_config cfg = ipip(FELIX_3_28);

	(void)state;
	add_endpoint(a, &cfg, "cali1a000000001");
	add_endpoint(a, &cfg, "cali1a000000002");
	add_endpoint(a, &cfg, "cali1b000000003");
	add_endpoint(a, &cfg, "cali2c000000004");
	check_case("dispatch-tree.v3.28", a, &cfg);
}

/* default/allow-frontend: to app=nginx from app=frontend, TCP 80, on the nginx pod. */
static void test_policy(void **state)
{
	(void)state;
	for (int v = FELIX_3_24; v <= FELIX_3_28; v++) {
		_arena_ struct arena *a = arena_new();
		struct felix_config cfg = ipip((enum felix_version)v);
		struct network_policy np = {.meta = {.name = "allow-frontend", .ns = "default"},
					    .pods.present = true,
					    .ingress = true};
		struct felix_policy policy = {.key = "default/knp.default.allow-frontend",
					      .obj = &np};
		struct np_rule *rule = vec_push(a, &np.in);
		struct np_peer *peer = vec_push(a, &rule->peers);
		felix_sets sets = {0};

		*vec_push(a, &np.pods.match_labels) = (struct kv){"app", "nginx"};
		*vec_push(a, &rule->ports) = (struct np_port){.proto = PROTO_TCP, .port = 80};
		peer->pods.present = true;
		*vec_push(a, &peer->pods.match_labels) = (struct kv){"app", "frontend"};
		policy.selector = felix_policy_selector(a, &np.pods, "default");
		add_endpoint(a, &cfg, "caliae3c1d6879e");
		*vec_push(a, &cfg.endpoints.v[0].in) = &policy;
		add_endpoint(a, &cfg, "cali16cfa08a6f9");
		check_case(v == FELIX_3_24 ? "node02-ipip-netpol.v3.24"
					   : "node02-ipip-netpol.v3.28",
			   a, &cfg);
		felix_policy_ipsets(a, &cfg, &sets);
		assert_int_equal(sets.n, 1);
		assert_string_equal(sets.v[0].name, "cali40s:1UBiHC8Xzjs6W4OA7XHSnfz");
	}
}

/* With IPVS forwarded packets are told by a mark, which FNV-1 of the interface's name gives. */
static void test_ipvs(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct felix_config cfg = ipip(FELIX_3_28);
	struct strbuf out = STRBUF_INIT;
	char rule[2048];

	(void)state;
	cfg.ipvs = true;
	add_endpoint(a, &cfg, "caliae3c1d6879e");
	felix_iptables(a, &cfg, &out);
	printed_rule(strbuf_str(&out), "filter", "cali-INPUT", 4, rule, sizeof(rule));
	assert_string_equal(rule + 17, "--jump cali-forward-check");
	printed_rule(strbuf_str(&out), "filter", "cali-OUTPUT", 2, rule, sizeof(rule));
	assert_string_equal(rule + 17,
			    "-m mark ! --mark 0/0xfff00000 --goto cali-forward-endpoint-mark");
	printed_rule(strbuf_str(&out), "filter", "cali-sm-caliae3c1d6879e", 1, rule, sizeof(rule));
	assert_string_equal(rule + 17, "--jump MARK --set-mark 0x5aa00000/0xfff00000");
	printed_rule(strbuf_str(&out), "filter", "cali-from-endpoint-mark", 1, rule, sizeof(rule));
	assert_string_equal(rule + 17, "-m mark --mark 0x5aa00000/0xfff00000 --goto "
				       "cali-fw-caliae3c1d6879e");
	printed_rule(strbuf_str(&out), "filter", "cali-set-endpoint-mark", 2, rule, sizeof(rule));
	assert_string_equal(rule + 17, "-m comment --comment \"Unknown endpoint\" "
				       "--in-interface cali+ --jump DROP");
	strbuf_free(&out);
}

/* FIPS 202's own example and one that fills a block but for a byte. */
static void test_sha3(void **state)
{
	static const unsigned char abc[] = {0xe6, 0x42, 0x82, 0x4c, 0x3f, 0x8c, 0xf2},
				   filled[] = {0x11, 0x90, 0x80, 0xc3, 0x7b, 0xb6, 0x78};
	unsigned char sum[FELIX_DIGEST], text[143];

	(void)state;
	memset(text, 'y', sizeof(text));
	felix_sha3_224("abc", 3, sum);
	assert_memory_equal(sum, abc, sizeof(abc));
	felix_sha3_224(text, sizeof(text), sum);
	assert_memory_equal(sum, filled, sizeof(filled));
}

/* The built-in chains: what is put where, with which hash. */
static void test_jumps(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct felix_config old = ipip(FELIX_3_24), new = ipip(FELIX_3_28);
	struct strbuf out = STRBUF_INIT;
	const char *nat;

	(void)state;
	felix_iptables(a, &old, &out);
	assert_non_null(strstr(strbuf_str(&out), "-I FORWARD 1 -m comment --comment "
						 "\"cali:wUHhoiAYhphO9Mso\" --jump cali-FORWARD"));
	assert_non_null(strstr(strbuf_str(&out),
			       "-A FORWARD -m comment --comment \"cali:S93hcgKJrXEqnTfs\" "));
	assert_non_null(strstr(strbuf_str(&out),
			       "-A FORWARD -m comment --comment \"cali:mp77cMpurHhyjLrM\" "));
	nat = strstr(strbuf_str(&out), "*nat");
	assert_non_null(strstr(nat, "-I POSTROUTING 1 -m comment --comment "
				    "\"cali:O3lYWMrLQYEMJtB5\" --jump cali-POSTROUTING"));
	strbuf_reset(&out);
	felix_iptables(a, &new, &out);
	nat = strstr(strbuf_str(&out), "*nat");
	assert_non_null(strstr(nat, "-A POSTROUTING -m comment --comment "
				    "\"cali:0i8pjzKKPyA34aQD\" --jump cali-POSTROUTING"));
	strbuf_free(&out);
}

static void test_chain_names(void **state)
{
	_arena_ struct arena *a = arena_new();
	char *data = slurp(NAMES), *lines = data, *line;
	unsigned rows = 0;

	(void)state;
	while ((line = strsep(&lines, "\n"))) {
		char *in, *plus;

		if (strcmp(field(&line), "chain") != 0)
			continue;
		in = field(&line);
		plus = strstr(in, " + ");
		assert_non_null(plus);
		*plus = '\0';
		assert_string_equal(felix_chain_name(a, in, plus + 3), field(&line));
		rows++;
	}
	assert_true(rows >= 8);
	free(data);
}

static void test_set_names(void **state)
{
	_arena_ struct arena *a = arena_new();
	char *data = slurp(NAMES), *lines = data, *line;
	unsigned rows = 0;

	(void)state;
	while ((line = strsep(&lines, "\n"))) {
		const char *normal;

		if (strcmp(field(&line), "ipset") != 0)
			continue;
		normal = field(&line);
		assert_string_equal(felix_set_name(a, normal), field(&line));
		rows++;
	}
	assert_true(rows >= 5);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_node02),	cmocka_unit_test(test_vxlan),
		cmocka_unit_test(test_no_pods), cmocka_unit_test(test_dispatch_tree),
		cmocka_unit_test(test_jumps),	cmocka_unit_test(test_chain_names),
		cmocka_unit_test(test_policy),	cmocka_unit_test(test_ipvs),
		cmocka_unit_test(test_sha3),	cmocka_unit_test(test_set_names),
	};

	return cmocka_run_group_tests_name("felix", tests, NULL, NULL);
}
