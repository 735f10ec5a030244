/* SPDX-License-Identifier: MIT */
/*
 * NetworkPolicies as Felix renders them, from YAML to the text of a node's rules and to its ipsets:
 * what each kind of peer and port becomes. Hashes and the golden cases are test_felix.c's.
 */
#include "plan_lab.h"

#define HEAD(version)                                                                              \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec:\n  cni: calico\n"          \
	"  kubernetes: \"" version "\"\n  underlay: {cidr: 100.100.137.0/24}\n"                    \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node01}\n"                              \
	"status: {addresses: [{type: InternalIP, address: 100.100.137.201}]}\n"                    \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node02}\n"                              \
	"status: {addresses: [{type: InternalIP, address: 100.100.137.202}]}\n" PODS

#define POD(name, ns, label, node, ip)                                                             \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", namespace: " ns                \
	", labels: {app: " label "}}\n"                                                            \
	"spec: {nodeName: " node ", containers: [{name: c, image: nginx, "                         \
	"ports: [{name: http, containerPort: 8080}]}]}\n"                                          \
	"status: {podIP: " ip "}\n"

#define PODS                                                                                       \
	POD("web", "default", "web", "node02", "10.244.140.70")                                    \
	POD("front", "default", "front", "node01", "10.244.196.140")                               \
	POD("other", "prod", "front", "node01", "10.244.196.141")                                  \
	"---\napiVersion: v1\nkind: Namespace\nmetadata: {name: prod, labels: {env: prod}}\n"

#define POLICY(name, spec)                                                                         \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"                             \
	"metadata: {name: " name ", namespace: default}\nspec: " spec "\n"

static const char *rules(const struct plan *p, const char *node)
{
	vec_foreach (struct drules, r, &plan_ns(p, node)->rules)
		if (strcmp(r->owner, "calico") == 0)
			return r->text;
	fail_msg("%s has no rules of calico", node);
	return NULL;
}

/* The rules of a chain one per line, without "-A CHAIN" and the hash. */
static const char *chain(const struct plan *p, const char *node, const char *name)
{
	const char *head = arena_printf(p->arena, "-A %s -m comment --comment \"cali:", name);
	const char *text = rules(p, node), *out = "";

	for (const char *at = text; (at = strstr(at, head)); at++) {
		const char *rule = at + strlen(head) + 17;

		out = arena_printf(p->arena, "%s%.*s\n", out, (int)strcspn(rule, "\n"), rule);
	}
	return out;
}

/* The only chain whose name begins so. */
static const char *chain_named(const struct plan *p, const char *node, const char *prefix)
{
	const char *want = arena_printf(p->arena, "\n:%s", prefix);
	const char *at = strstr(rules(p, node), want);

	if (!at)
		fail_msg("%s has no chain %s", node, prefix);
	assert_null(strstr(at + 1, want));
	return arena_printf(p->arena, "%.*s", (int)strcspn(at + 2, " "), at + 2);
}

#define SET_ACC	 "--jump MARK --set-mark 0x10000/0x10000\n"
#define RET	 " -m mark --mark 0x10000/0x10000 --jump RETURN\n"
#define IN(name) " -m comment --comment \"Policy default/knp.default." name " ingress\""

static void want_in(const char *yaml, const char *text)
{
	_plan_ struct plan p = plan_of(yaml, NULL);

	assert_string_equal(chain(&p, "node02", chain_named(&p, "node02", "cali-pi-")), text);
	/* Nobody on the other node is limited by it. */
	assert_null(strstr(rules(&p, "node01"), "cali-pi-"));
}

static void test_default_deny(void **state)
{
	_plan_ struct plan p = plan_of(
		HEAD("1.32") POLICY("deny", "{podSelector: {}, policyTypes: [Ingress, Egress]}"),
		NULL);
	const char *c;

	(void)state;
	assert_string_equal(chain(&p, "node02", chain_named(&p, "node02", "cali-pi-")),
			    IN("deny") "\n");
	assert_string_equal(chain(&p, "node01", chain_named(&p, "node01", "cali-po-")),
			    " -m comment --comment \"Policy default/knp.default.deny egress\"\n");
	c = arena_printf(p.arena, "cali-fw-%s", plan_pod(&p, "web")->host_if);
	assert_non_null(strstr(chain(&p, "node02", c), "Drop if no policies passed packet"));
	/* A pod of another namespace is free. */
	c = arena_printf(p.arena, "cali-fw-%s", plan_pod(&p, "other")->host_if);
	assert_null(strstr(chain(&p, "node01", c), "polic"));
}

static void test_ports(void **state)
{
	(void)state;
	/* Neighbouring ports are joined; protocols in the order SCTP, TCP, UDP; no protocol is TCP.
	 */
	want_in(HEAD("1.32")
			POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: ["
				    "{protocol: UDP, port: 53}, {port: 82}, {port: 80}, "
				    "{port: 81}, {port: 443}]}]}"),
		IN("p") " -p tcp -m multiport --destination-ports 80:82,443 " SET_ACC RET
			" -p udp -m multiport --destination-ports 53 " SET_ACC);
	want_in(HEAD("1.23")
			POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: ["
				    "{port: 8000, endPort: 8100}]}]}"),
		IN("p") " -p tcp -m multiport --destination-ports 8000:8100 " SET_ACC RET);
	/* A protocol without a port is all of its ports, whatever else is said of it. */
	want_in(HEAD("1.32")
			POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: ["
				    "{protocol: UDP}, {protocol: UDP, port: 53}]}]}"),
		IN("p") " -p udp " SET_ACC);
	want_in(HEAD("1.32") POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{}]}"),
		IN("p") " " SET_ACC);
}

#define P2(n) "{port: " n "1}, {port: " n "3}, "

static void test_many_ports(void **state)
{
	(void)state;
	want_in(HEAD("1.32") POLICY(
			"p", "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [" P2("1")
				     P2("2") P2("3") P2("4") P2("5") P2("6")
					     P2("7") "{port: 100, endPort: 200}, {port: 300}]}]}"),
		IN("p") " --jump MARK --set-mark 0x0/0xc0000\n"
			" -p tcp -m multiport --destination-ports "
			"11,13,21,23,31,33,41,43,51,53,61,63,71,73 "
			"--jump MARK --set-mark 0x40000/0x40000\n"
			" -p tcp -m multiport --destination-ports 100:200,300 "
			"--jump MARK --set-mark 0x40000/0x40000\n"
			" -p tcp -m mark --mark 0x40000/0x40000 " SET_ACC);
}

static void test_ip_block(void **state)
{
	(void)state;
	want_in(HEAD("1.32")
			POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: "
				    "[{ipBlock: {cidr: 172.17.0.0/16}}], ports: [{port: 80}]}]}"),
		IN("p") " -p tcp --source 172.17.0.0/16 -m multiport --destination-ports "
			"80 " SET_ACC);
	want_in(HEAD("1.23")
			POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: "
				    "[{ipBlock: {cidr: 172.17.0.0/16, except: [172.17.1.0/24, "
				    "172.17.2.0/24]}}], ports: [{port: 80}]}]}"),
		IN("p") " --jump MARK --set-mark 0x40000/0xc0000\n"
			" --source 172.17.1.0/24 --jump MARK --set-mark 0/0x40000\n"
			" --source 172.17.2.0/24 --jump MARK --set-mark 0/0x40000\n"
			" -p tcp --source 172.17.0.0/16 -m multiport --destination-ports 80 "
			"-m mark --mark 0x40000/0x40000 " SET_ACC RET);
}

static const struct dipset *set_of(const struct plan *p, const char *node, const char *name)
{
	vec_foreach (struct dipset, s, &plan_ns(p, node)->ipsets)
		if (strcmp(s->name, name) == 0)
			return s;
	fail_msg("%s has no set %s", node, name);
	return NULL;
}

/* The name behind "--match-set" in a text. */
static const char *set_in(const struct plan *p, const char *text)
{
	const char *at = strstr(text, "--match-set ");

	assert_non_null(at);
	at += strlen("--match-set ");
	return arena_printf(p->arena, "%.*s", (int)strcspn(at, " "), at);
}

static void test_named_ports(void **state)
{
	_plan_ struct plan p = plan_of(
		HEAD("1.32")
			POLICY("p", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: "
				    "[{podSelector: {matchLabels: {app: front}}}], "
				    "ports: [{port: http}, {port: 80}]}]}"),
		NULL);
	const char *c = chain(&p, "node02", chain_named(&p, "node02", "cali-pi-"));
	const char *peer = strstr(c, "-p tcp -m set --match-set cali40s:"), *named;
	const struct dipset *s;

	(void)state;
	named = set_in(&p, c);
	assert_string_equal(c, arena_printf(p.arena,
					    IN("p") " --jump MARK --set-mark 0x0/0xc0000\n"
						    " -p tcp -m multiport --destination-ports 80 "
						    "--jump MARK --set-mark 0x40000/0x40000\n"
						    " -m set --match-set %s dst,dst "
						    "--jump MARK --set-mark 0x40000/0x40000\n"
						    " -p tcp -m set --match-set %s src "
						    "-m mark --mark 0x40000/0x40000 " SET_ACC,
					    named, set_in(&p, peer)));
	/* At the receiver it is any pod's port of that name: the pods are told by the chain. */
	assert_int_equal(strncmp(named, "cali40n:", 8), 0);
	s = set_of(&p, "node02", named);
	assert_string_equal(s->type, "hash:ip,port");
	assert_int_equal(s->members.n, 3);
	s = set_of(&p, "node02", set_in(&p, peer));
	assert_string_equal(s->type, "hash:net");
	assert_int_equal(s->members.n, 1);
	assert_string_equal(s->members.v[0], "10.244.196.140");
}

/* Going out, a named port belongs to the peer, and its set stands for the peer too. */
static void test_egress(void **state)
{
	_plan_ struct plan p = plan_of(
		HEAD("1.32")
			POLICY("p", "{podSelector: {matchLabels: {app: front}}, egress: [{to: "
				    "[{podSelector: {matchLabels: {app: web}}}], ports: [{port: "
				    "http}]}, {to: [{ipBlock: {cidr: 10.0.0.0/8, except: "
				    "[10.1.0.0/16]}}]}], policyTypes: [Egress]}"),
		NULL);
	const char *c = chain(&p, "node01", chain_named(&p, "node01", "cali-po-"));
	const struct dipset *s = set_of(&p, "node01", set_in(&p, c));

	(void)state;
	assert_string_equal(
		c,
		arena_printf(p.arena,
			     " -m comment --comment \"Policy default/knp.default.p egress\" -p tcp "
			     "-m set --match-set %s dst,dst " SET_ACC RET
			     " --jump MARK --set-mark 0x40000/0xc0000\n"
			     " --destination 10.1.0.0/16 --jump MARK --set-mark 0/0x40000\n"
			     " --destination 10.0.0.0/8 -m mark --mark 0x40000/0x40000 " SET_ACC,
			     s->name));
	assert_int_equal(s->members.n, 1);
	assert_string_equal(s->members.v[0], "10.244.140.70,tcp:8080");
	assert_null(strstr(rules(&p, "node01"), "cali-pi-"));
}

/* Namespace and pod selector in one peer; expressions; an empty namespaceSelector. */
static void test_selectors(void **state)
{
	static const char *const names[] = {/* names.tsv has these three. */
					    "cali40s:3_NfCHG6NU1GxYE4T2cr0JT",
					    "cali40s:tqCa3SUrQJIVfQS5EATWQcR",
					    "cali40s:1UBiHC8Xzjs6W4OA7XHSnfz"};
	static const size_t members[] = {1, 0, 0};
	_plan_ struct plan p = plan_of(
		HEAD("1.32") POLICY(
			"p", "{podSelector: {matchLabels: {app: web}}, ingress: [{from: ["
			     "{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: "
			     "prod}}}, {namespaceSelector: {}, podSelector: {matchLabels: "
			     "{app: frontend}}}, {podSelector: {matchLabels: {app: "
			     "frontend}}}, {namespaceSelector: {matchExpressions: [{key: env, "
			     "operator: In, values: [test, prod]}]}, podSelector: "
			     "{matchExpressions: [{key: app, operator: Exists}, {key: tier, "
			     "operator: DoesNotExist}, {key: app, operator: NotIn, values: "
			     "[db]}]}}]}]}"),
		NULL);
	const struct dns *n = plan_ns(&p, "node02");

	(void)state;
	assert_int_equal(n->ipsets.n, 7); /* three are every node's */
	for (size_t i = 0; i < 3; i++) {
		assert_string_equal(n->ipsets.v[i + 3].name, names[i]);
		assert_int_equal(n->ipsets.v[i + 3].members.n, members[i]);
	}
	/* sha224 of "s:(pcns.env in {"prod", "test"} && (projectcalico.org/orchestrator == "k8s" &&
	 * has(app) && !has(tier) && app not in {"db"}))", made with another program. */
	assert_string_equal(n->ipsets.v[6].name, "cali40s:h2VULZPwe0Tc05pqHDXPhar");
	assert_int_equal(n->ipsets.v[6].members.n, 1);
	assert_string_equal(n->ipsets.v[6].members.v[0], "10.244.196.141");
}

#define ALLOW(name, port)                                                                          \
	POLICY(name,                                                                               \
	       "{podSelector: {matchLabels: {app: web}}, ingress: [{ports: [{port: " port "}]}]}")

/* 3.28: policies of one selector share a chain; one verdict check after each five. */
static void test_groups(void **state)
{
	static const char yaml[] = HEAD("1.32") ALLOW("f", "6") ALLOW("b", "2") ALLOW("a", "1")
		ALLOW("c", "3") ALLOW("d", "4") ALLOW("e", "5");
	_plan_ struct plan p = plan_of(yaml, NULL);
	const char *group = chain_named(&p, "node02", "cali-gi-"), *c, *rest;

	(void)state;
	/* sha3-224 of the group's tier, selector, direction and names, made with another program.
	 */
	assert_string_equal(group, "cali-gi-W3FFDF7reF1ZFerKpoU3");
	c = arena_printf(p.arena, "cali-tw-%s", plan_pod(&p, "web")->host_if);
	assert_non_null(strstr(chain(&p, "node02", c),
			       arena_printf(p.arena,
					    " -m mark --mark 0/0x20000 --jump %s\n"
					    " -m comment --comment \"Return if policy accepted\" "
					    "-m mark --mark 0x10000/0x10000 --jump RETURN\n"
					    " -m comment --comment \"Drop if no policies passed "
					    "packet\" -m mark --mark 0/0x20000 --jump DROP\n",
					    group)));
	c = chain(&p, "node02", group);
	assert_int_equal(strncmp(c, " --jump cali-pi-", 16), 0);
	assert_non_null(strstr(c, "\n -m mark --mark 0/0x30000 --jump cali-pi-"));
	rest = strstr(c, "\n -m comment --comment \"Return on verdict\" -m mark ! --mark 0/0x30000 "
			 "--jump RETURN\n --jump cali-pi-");
	assert_non_null(rest);
	assert_null(strstr(rest + 1, "\n -m mark"));
}

/* Up to 3.27 each is asked for itself, in order of names. */
static void test_no_groups(void **state)
{
	_plan_ struct plan p = plan_of(HEAD("1.23") ALLOW("b", "2") ALLOW("a", "1"), NULL);
	const char *c = arena_printf(p.arena, "cali-tw-%s", plan_pod(&p, "web")->host_if);
	const char *text = chain(&p, "node02", c), *first, *second;

	(void)state;
	first = strstr(text, "\"Start of policies\" --jump MARK --set-mark 0/0x20000\n");
	assert_non_null(first);
	first = strstr(first, "--jump cali-pi-");
	second = strstr(first + 1, "--jump cali-pi-");
	assert_non_null(second);
	c = arena_printf(p.arena, "%.*s", (int)strcspn(first + 7, "\n"), first + 7);
	assert_non_null(strstr(chain(&p, "node02", c), "knp.default.a ingress"));
	assert_null(strstr(text, "cali-gi-"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_default_deny), cmocka_unit_test(test_ports),
		cmocka_unit_test(test_many_ports),   cmocka_unit_test(test_ip_block),
		cmocka_unit_test(test_named_ports),  cmocka_unit_test(test_egress),
		cmocka_unit_test(test_selectors),    cmocka_unit_test(test_groups),
		cmocka_unit_test(test_no_groups),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
