/* SPDX-License-Identifier: MIT */
/* test_made: what describe picks of a kernel's texts for an object: whole names only, chains of its
 * own whole, of others the rules that speak of it; how places with the same are told of once. */
#include "plan_lab.h"

#include "labd/lab/kernel_pick.h"
#include "lib/plan/made.h"
#include "lib/view/describe_kernel.h"

#define LAB                                                                                        \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec:\n  cni: calico\n"          \
	"  underlay: {cidr: 192.168.10.0/24}\n"                                                    \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node1}\n"                               \
	"status: {addresses: [{type: InternalIP, address: 192.168.10.11}]}\n"                      \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node2}\n"                               \
	"status: {addresses: [{type: InternalIP, address: 192.168.10.12}]}\n"                      \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: web, labels: {app: web}}\n"              \
	"spec: {nodeName: node2, containers: [{name: c, image: nginx}]}\n"                         \
	"status: {podIP: 10.244.104.5}\n"                                                          \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n"                              \
	"spec: {type: NodePort, clusterIP: 10.96.0.80, selector: {app: web}, "                     \
	"ports: [{name: http, port: 80, nodePort: 30080}]}\n"                                      \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: none}\n"                             \
	"spec: {clusterIP: None, ports: [{port: 80}]}\n"                                           \
	"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: two}\n"                      \
	"spec: {replicas: 2, selector: {matchLabels: {a: b}}, template: {metadata: {labels: "      \
	"{a: b}}, spec: {containers: [{name: c, image: nginx}]}}}\n"                               \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: np}\n"       \
	"spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {}}]}]}\n"

static bool has(const strs *list, const char *s)
{
	vec_foreach (const char *, x, list)
		if (strcmp(*x, s) == 0)
			return true;
	return false;
}

static void test_made(void **state)
{
	_plan_ struct plan p = plan_of(LAB, NULL);
	struct made m;
	assert_true(made_of(p.arena, p.desired, "services", "default", "web", &m));
	assert_int_equal(m.in.n, 2); /* on every node */
	/* KUBE-EXT, KUBE-SVC and one KUBE-SEP, found in the plan's own rules. */
	assert_int_equal(m.in.v[0].chains.n, 3);
	assert_true(has(&m.in.v[0].words, "10.96.0.80"));
	assert_true(has(&m.in.v[0].ids, "default/web:http"));
	assert_true(has(&m.in.v[0].flows, "10.96.0.80 80"));
	assert_true(has(&m.in.v[0].flows, "* 30080"));
	assert_true(made_of(p.arena, p.desired, "services", "default", "none", &m));
	assert_int_equal(m.in.n, 0);
	assert_int_equal(m.notes.n, 1);
	assert_true(made_of(p.arena, p.desired, "pods", "default", "web", &m));
	assert_int_equal(m.in.n, 3); /* both nodes and its own namespace */
	assert_int_equal(m.in.v[0].devices.n, 0);
	assert_int_equal(m.in.v[1].devices.n, 1);
	assert_true(m.in.v[2].all);
	assert_true(made_of(p.arena, p.desired, "nodes", NULL, "node2", &m));
	assert_true(m.in.v[0].all);
	assert_true(m.notes.n > 0 && strncmp(m.notes.v[0], "Block: 10.244.", 14) == 0);
	/* A policy's state is on the nodes that have pods it limits. */
	assert_true(made_of(p.arena, p.desired, "networkpolicies", "default", "np", &m));
	assert_int_equal(m.in.n, 1);
	assert_string_equal(p.desired->ns.v[m.in.v[0].ns].name, "node2");
	assert_int_equal(m.in.v[0].chains.n, 1);
	assert_int_equal(m.in.v[0].sets.n, 1);
	assert_string_equal(m.notes.v[0], "It limits web on node2");
	/* An EndpointSlice: its endpoints' chains; a Deployment: its pods; a pool: its blocks. */
	assert_true(made_of(p.arena, p.desired, "endpointslices", "default", "web-1", &m));
	assert_int_equal(m.in.n, 2);
	assert_int_equal(m.in.v[0].chains.n, 1);
	assert_memory_equal(m.in.v[0].chains.v[0], "KUBE-SEP-", 9);
	assert_true(has(&m.in.v[0].words, "10.244.104.5:80"));
	assert_true(has(&m.in.v[0].nft, "-default/web/tcp/http"));
	assert_true(made_of(p.arena, p.desired, "endpointslices", "default", "none-1", &m));
	assert_int_equal(m.in.n, 0);
	assert_false(made_of(p.arena, p.desired, "endpointslices", "default", "web", &m));
	assert_true(made_of(p.arena, p.desired, "deployments", "default", "two", &m));
	assert_int_equal(m.in.n, 2);
	assert_int_equal(m.notes.n, 2);
	assert_memory_equal(m.notes.v[0], "Pod two-", 8);
	assert_int_equal(m.in.v[0].words.n, 2);
	assert_int_equal(m.in.v[0].devices.n + m.in.v[1].devices.n, 2);
	assert_true(made_of(p.arena, p.desired, "ippools", NULL, "default-ipv4-ippool", &m));
	assert_int_equal(m.in.n, 2);
	assert_true(has(&m.in.v[0].devices, "tunl0"));
	assert_true(has(&m.in.v[0].chains, "cali-nat-outgoing"));
	assert_true(m.in.v[0].words.n > 0 && m.notes.n == m.in.v[0].words.n);
	assert_false(made_of(p.arena, p.desired, "ippools", NULL, "none", &m));
	assert_false(made_of(p.arena, p.desired, "pods", "default", "nobody", &m));
	assert_false(made_of(p.arena, p.desired, "configmaps", "default", "web", &m));
}

static void test_words(void **state)
{
	assert_true(pick_word("-d 10.0.0.1/32 -j DROP", "10.0.0.1"));
	assert_true(pick_word("--to-destination 10.0.0.1:80", "10.0.0.1"));
	assert_true(pick_word("add s 10.0.0.1,tcp:80", "10.0.0.1"));
	assert_true(pick_word("10.0.0.1 dev cali1 scope link", "10.0.0.1"));
	assert_true(pick_word("10.244.2.5 . 80,", "10.244.2.5"));
	assert_false(pick_word("-d 10.0.0.12/32", "10.0.0.1"));
	assert_false(pick_word("-d 110.0.0.1/32", "10.0.0.1"));
	assert_false(pick_word("-d 10.10.0.0.1", "10.0.0.1"));
	assert_false(pick_word("-j cali-tw-cali12", "cali-tw-cali1"));
	assert_false(pick_word("x", ""));
}

static const char *const rules[] = {"*nat",
				    ":KUBE-SVC-A - [0:0]",
				    "-A KUBE-SERVICES -d 10.96.0.80/32 -m comment --comment "
				    "\"default/web:http cluster IP\" -j KUBE-SVC-A",
				    "-A KUBE-SERVICES -d 10.96.0.81/32 -m comment --comment "
				    "\"default/web:https cluster IP\" -j KUBE-SVC-B",
				    "-A KUBE-SVC-A -j KUBE-SEP-C",
				    "COMMIT",
				    "*filter",
				    "-A INPUT -s 10.96.0.80/32 -j DROP",
				    "-A INPUT -s 10.96.0.8/32 -j DROP",
				    "COMMIT"};

static void test_rules(void **state)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf text = STRBUF_INIT;
	struct made_in m = {.ns = 0};
	struct kplace place = {.kind = "node"};
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		strbuf_addf(&text, "%s\n", rules[i]);
	*vec_push(a, &m.words) = "10.96.0.80";
	*vec_push(a, &m.ids) = "default/web:http";
	*vec_push(a, &m.chains) = "KUBE-SVC-A";
	pick_rules(a, strbuf_str(&text), &m, &place);
	assert_int_equal(place.parts.n, 2);
	assert_string_equal(place.parts.v[0].title, "rules of table nat");
	assert_string_equal(place.parts.v[0].command, "iptables -t nat -S");
	assert_int_equal(place.parts.v[0].lines.n, 2);
	assert_string_equal(place.parts.v[0].lines.v[0], rules[2]);
	assert_string_equal(place.parts.v[0].lines.v[1], rules[4]);
	/* Another's rule that names the address is shown too. */
	assert_int_equal(place.parts.v[1].lines.n, 1);
	assert_string_equal(place.parts.v[1].lines.v[0], rules[7]);
}

static void test_other_modes(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct made_in m = {.ns = 0}, pod = {.ns = 0};
	strs got = {0};
	*vec_push(a, &m.words) = "10.96.0.80";
	*vec_push(a, &m.nft) = "-default/web/tcp/http";
	*vec_push(a, &m.flows) = "10.96.0.80 80";
	*vec_push(a, &m.flows) = "* 30080";
	*vec_push(a, &pod.words) = "10.244.1.5";
	static const char ipvs[] = "IP Virtual Server version 1.2.1 (size=4096)\n"
				   "Prot LocalAddress:Port Scheduler Flags\n"
				   "TCP  10.96.0.80:80 rr\n"
				   "  -> 10.244.1.5:80 Masq 1 0 0\n"
				   "  -> 10.244.2.5:80 Masq 1 0 0\n"
				   "TCP  10.96.0.8:80 rr\n"
				   "  -> 10.244.1.55:80 Masq 1 0 0\n";
	pick_virtual(a, ipvs, &m, &got);
	assert_int_equal(got.n, 3);
	got = (strs){0};
	pick_virtual(a, ipvs, &pod, &got);
	assert_int_equal(got.n, 2);
	assert_string_equal(got.v[0], "TCP  10.96.0.80:80 rr");
	got = (strs){0};
	pick_nft(a,
		 "table ip kube-proxy {\n\tmap service-ips {\n\t\ttype ipv4_addr : verdict\n"
		 "\t\telements = { 10.96.0.80 . tcp . 80 : goto service-X-default/web/tcp/http,\n"
		 "\t\t\t     10.96.0.81 . tcp . 80 : goto service-Y-default/web/tcp/https }\n\t}\n"
		 "\tchain service-X-default/web/tcp/http {\n\t\tip daddr 10.96.0.80 jump x\n\t}\n"
		 "\tchain service-Y-default/web/tcp/https {\n\t\tdnat to 1.2.3.4\n\t}\n}\n",
		 &m, &got);
	assert_int_equal(got.n, 4);
	assert_string_equal(got.v[0], "map service-ips");
	assert_string_equal(got.v[1],
			    "  10.96.0.80 . tcp . 80 : goto service-X-default/web/tcp/http");
	assert_string_equal(got.v[2], "chain service-X-default/web/tcp/http");
	assert_string_equal(got.v[3], "  ip daddr 10.96.0.80 jump x");
	got = (strs){0};
	pick_flows(a,
		   "tcp 6 src=10.244.1.2 dst=10.96.0.80 sport=1 dport=80 src=10.244.2.5 "
		   "dst=10.244.1.2 sport=80 dport=1\n"
		   "tcp 6 src=10.244.1.2 dst=10.96.0.80 sport=1 dport=81 src=10.244.2.5\n"
		   "tcp 6 src=10.244.1.2 dst=10.96.0.8 sport=1 dport=80 src=10.244.2.5\n"
		   "tcp 6 src=1.2.3.4 dst=192.168.10.11 sport=1 dport=30080 src=10.244.2.5\n",
		   &m, &got);
	assert_int_equal(got.n, 2);
}

static void test_view(void **state)
{
	json_t *k = json_pack(
		"{s:[s], s:[{s:s, s:s, s:[{s:s, s:s, s:[s]}], s:[]}, {s:s, s:s, s:[{s:s, s:s, "
		"s:[s]}], s:[s]}, {s:s, s:s, s:[], s:[], s:s}]}",
		"notes", "Block: 10.0.0.0/26", "places", "kind", "node", "name", "a", "parts",
		"title", "routes", "command", "ip route", "lines", "default", "drift", "kind",
		"node", "name", "b", "parts", "title", "routes", "command", "ip route", "lines",
		"default", "drift", "route x is missing", "kind", "pod", "name", "p", "parts",
		"drift", "gone", "it does not run");
	_strbuf_ struct strbuf out = STRBUF_INIT;
	assert_non_null(k);
	view_kernel(k, &out);
	assert_string_equal(strbuf_str(&out),
			    "\nBlock: 10.0.0.0/26\nKernel, node a, b:\n  routes (ip route):\n"
			    "    default\nKernel, pod p:\n  it does not run\n"
			    "Drift (labctl diff --fix mends it):\n  b: route x is missing\n");
	assert_int_equal(view_kernel_drift(k), 1);
	strbuf_reset(&out);
	view_kernel(NULL, &out);
	assert_int_equal(out.len, 0);
	json_decref(k);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),  cmocka_unit_test(test_words),
		cmocka_unit_test(test_rules), cmocka_unit_test(test_other_modes),
		cmocka_unit_test(test_view),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
