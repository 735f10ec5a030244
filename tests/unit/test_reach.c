/* SPDX-License-Identifier: MIT */
/* test_reach: who has to reach whom, from the objects alone: Services without endpoints, traffic
 * policies, NetworkPolicies of every kind of peer and port, what listens; and how a packet is
 * judged. */
#include "plan_lab.h"

#include "lib/base/strbuf.h"
#include "lib/plan/reach.h"

#define LAB(more)                                                                                  \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec:\n" more                    \
	"  underlay: {cidr: 192.168.10.0/24}\n  hosts: [{name: client, ip: 192.168.10.100}]\n"     \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node1}\n"                               \
	"status: {addresses: [{type: InternalIP, address: 192.168.10.11}]}\n"                      \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: node2}\n"                               \
	"status: {addresses: [{type: InternalIP, address: 192.168.10.12}]}\n"

#define POD(name, ns, node, what)                                                                  \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", namespace: " ns                \
	", labels: {app: " name "}}\nspec: {nodeName: " node ", containers: [{name: c, " what      \
	"}]}\n"

#define PODS                                                                                       \
	POD("web", "default", "node2",                                                             \
	    "image: agnhost, args: [netexec, --http-port=8080, --udp-port=8081], "                 \
	    "ports: [{name: http, containerPort: 8080}]")                                          \
	POD("near", "default", "node2", "image: busybox")                                          \
	POD("far", "default", "node1", "image: busybox")                                           \
	POD("odd", "default", "node1", "image: x, command: [nc, -l]")                              \
	POD("app", "default", "node1",                                                             \
	    "image: example.com/team/app, ports: [{containerPort: 70}, {containerPort: 71, "       \
	    "protocol: UDP}]")

#define HOST_POD                                                                                   \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: host, labels: {app: host}}\nspec: "      \
	"{nodeName: node1, hostNetwork: true, containers: [{name: c, image: agnhost, args: "       \
	"[netexec, --http-port=8080, --udp-port=8081]}]}\n"

#define SERVICE(name, spec)                                                                        \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name "}\nspec: {" spec "}\n"

#define POLICY(name, spec)                                                                         \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"                             \
	"metadata: {name: " name "}\nspec: {" spec "}\n"

static const struct reach *find(struct plan *p, struct reach_list *l, const char *kind,
				const char *from, const char *to)
{
	if (!l->v.n)
		reach_build(p->arena, p->desired, l);
	vec_foreach (const struct reach, r, &l->v)
		if (strcmp(r->kind, kind) == 0 && strcmp(r->from_name, from) == 0 &&
		    strcmp(r->to, to) == 0)
			return r;
	return NULL;
}

static void check(struct plan *p, struct reach_list *l, const char *way, enum reach_want want,
		  const char *why)
{
	char kind[32], from[64], to[128];
	assert_int_equal(sscanf(way, "%31s %63s %127s", kind, from, to), 3);
	const struct reach *r = find(p, l, kind, from, to);
	if (!r)
		fail_msg("no check %s", way);
	if (r->want != want || (why != r->why && strcmp(why ? why : "", r->why ? r->why : "")))
		fail_msg("%s: %d %s, not %d %s", way, r->want, r->why ? r->why : "-", want,
			 why ? why : "-");
}

static void test_services(void **state)
{
	_plan_ struct plan p =
		plan_of(LAB("  cni: flannel\n") PODS SERVICE(
				"web", "type: NodePort, selector: {app: web}, ports: "
				       "[{name: http, port: 80, targetPort: http, nodePort: "
				       "30080}, {name: u, port: 81, protocol: UDP, "
				       "targetPort: 8081}, {name: gone, port: 82, targetPort: 99}]")
				SERVICE("none", "selector: {app: nobody}, ports: [{port: 80}]")
					SERVICE("odd", "selector: {app: odd}, ports: [{port: 70}]")
						SERVICE("head", "clusterIP: None, selector: {app: "
								"web}, ports: [{port: 80}]"),
			NULL);
	struct reach_list l = {0};
	check(&p, &l, "pod far web", REACH_OPEN, NULL);
	check(&p, &l, "pod far web:8080", REACH_OPEN, NULL);
	check(&p, &l, "pod far web:8081/udp", REACH_OPEN, NULL);
	check(&p, &l, "service far default/web:80", REACH_OPEN, NULL);
	check(&p, &l, "service web default/web:81/udp", REACH_OPEN, NULL);
	check(&p, &l, "service far default/web:82", REACH_REFUSED, "nothing listens there");
	check(&p, &l, "service far default/none:80", REACH_REFUSED, "no endpoints");
	check(&p, &l, "nodeport client node1:30080", REACH_OPEN, NULL);
	check(&p, &l, "dns far web.default.svc.cluster.local", REACH_OPEN, NULL);
	/* Nobody knows what listens behind "odd": it is asked itself. */
	check(&p, &l, "service near default/odd:70", REACH_OPEN, NULL);
	const struct reach *odd = find(&p, &l, "service", "near", "default/odd:70");
	assert_int_equal(odd->listeners.n, 1);
	assert_int_equal(l.listeners.v[odd->listeners.v[0]].port, 70);
	/* A headless Service has no address to try; its name means its endpoints. */
	assert_null(find(&p, &l, "service", "far", "default/head:80"));
	const struct reach *head = find(&p, &l, "dns", "far", "head.default.svc.cluster.local");
	assert_int_equal(head->answers.n, 1);
	assert_int_equal(head->answers.v[0], plan_pod(&p, "web")->ip);
	/* A stand-in for an image that is not here listens on its container's ports. */
	check(&p, &l, "pod far app:70", REACH_OPEN, NULL);
	check(&p, &l, "pod far app:71/udp", REACH_OPEN, NULL);
	/* Nothing is tried from a pod to itself. */
	assert_null(find(&p, &l, "pod", "web", "web"));
}

#define LOCAL                                                                                      \
	PODS SERVICE("ext", "type: LoadBalancer, externalTrafficPolicy: Local, "                   \
			    "healthCheckNodePort: 31000, selector: {app: web}, "                   \
			    "ports: [{port: 80, targetPort: http, nodePort: 30080}]")              \
		SERVICE("int", "internalTrafficPolicy: Local, selector: {app: web}, "              \
			       "ports: [{port: 80, targetPort: http}]")

static void test_traffic_policies(void **state)
{
	_plan_ struct plan p = plan_of(LAB("  cni: flannel\n") LOCAL, NULL);
	struct reach_list l = {0};
	check(&p, &l, "nodeport client node2:30080", REACH_OPEN, NULL);
	check(&p, &l, "nodeport client node1:30080", REACH_DROPPED,
	      "policy Local, and no endpoint on node1");
	/* Pods reach all endpoints whatever the external policy says. */
	check(&p, &l, "service far default/ext:80", REACH_OPEN, NULL);
	check(&p, &l, "service near default/int:80", REACH_OPEN, NULL);
	check(&p, &l, "service far default/int:80", REACH_DROPPED,
	      "policy Local, and no endpoint on node1");
	check(&p, &l, "health client node2:31000", REACH_OPEN, NULL);
	assert_int_equal(find(&p, &l, "health", "client", "node2:31000")->status, 200);
	assert_int_equal(find(&p, &l, "health", "client", "node1:31000")->status, 503);
}

/* IPVS gets everybody's endpoints where the policy Local leaves it none, from 1.21 on. */
static void test_ipvs(void **state)
{
	struct cluster_opts opts = {.mode = &(enum proxy_mode){PROXY_IPVS}};
	_plan_ struct plan f =
		plan_of(LAB("  cni: flannel\n") LOCAL HOST_POD SERVICE(
				"both", "type: NodePort, internalTrafficPolicy: Local, "
					"selector: {app: web}, ports: [{port: 80, "
					"targetPort: http, nodePort: 30081}]")
				SERVICE("host", "type: NodePort, externalTrafficPolicy: Local, "
						"selector: {app: host}, ports: [{port: 80, "
						"targetPort: 8080, nodePort: 30082}]"),
			&opts);
	struct reach_list l = {0};
	/* flannel masquerades on the way to another node's pods, not to that node itself. */
	check(&f, &l, "nodeport client node1:30080", REACH_OPEN, NULL);
	check(&f, &l, "nodeport client node2:30082", REACH_DROPPED,
	      "the answer comes from elsewhere");
	check(&f, &l, "service far default/both:80", REACH_OPEN, NULL);
	/* What is for pods only has no other endpoints at all. */
	check(&f, &l, "service far default/int:80", REACH_CLOSED,
	      "policy Local, and no endpoint on node1");
	_plan_ struct plan c = plan_of(
		LAB("  cni: calico\n")
			LOCAL HOST_POD SERVICE("host", "selector: {app: host}, ports: [{port: 80, "
						       "targetPort: 8080}]")
				POLICY("shut", "podSelector: {matchLabels: {app: far}}, "
					       "policyTypes: [Egress]"),
		&opts);
	struct reach_list m = {0};
	check(&c, &m, "nodeport client node1:30080", REACH_CLOSED,
	      "policy Local, and no endpoint on node1");
	check(&c, &m, "service far default/ext:80", REACH_DROPPED, "NetworkPolicy shut (egress)");
	/* Calico does not see what IPVS hands to the pod's own node. */
	check(&c, &m, "service far default/host:80", REACH_OPEN, NULL);
	_plan_ struct plan old =
		plan_of(LAB("  cni: flannel\n  kubernetes: \"1.20\"\n") LOCAL, &opts);
	struct reach_list n = {0};
	check(&old, &n, "nodeport client node1:30080", REACH_CLOSED,
	      "policy Local, and no endpoint on node1");
}

static void test_modes(void **state)
{
	/* 1.23 knows the external policy, and hides what is elsewhere from a Local internal one. */
	_plan_ struct plan old =
		plan_of(LAB("  cni: flannel\n  kubernetes: \"1.23\"\n") LOCAL, NULL);
	struct reach_list m = {0};
	check(&old, &m, "nodeport client node1:30080", REACH_DROPPED,
	      "policy Local, and no endpoint on node1");
	check(&old, &m, "service far default/int:80", REACH_REFUSED, "no endpoints");
	_plan_ struct plan user =
		plan_of(LAB("  cni: flannel\n  kubernetes: \"1.23\"\n") LOCAL,
			&(struct cluster_opts){.mode = &(enum proxy_mode){PROXY_USERSPACE}});
	struct reach_list u = {0};
	check(&user, &u, "nodeport client node1:30080", REACH_OPEN, NULL);
	check(&user, &u, "service far default/int:80", REACH_OPEN, NULL);
	/* The relay's REDIRECT has nowhere to send what comes from a pod of Calico's. */
	_plan_ struct plan cali =
		plan_of(LAB("  cni: calico\n  kubernetes: \"1.23\"\n") LOCAL,
			&(struct cluster_opts){.mode = &(enum proxy_mode){PROXY_USERSPACE}});
	struct reach_list c = {0};
	check(&cali, &c, "nodeport client node1:30080", REACH_OPEN, NULL);
	check(&cali, &c, "service far default/int:80", REACH_DROPPED,
	      "REDIRECT: Calico's device of the pod has no address");
	/* It takes what a policy then keeps it from handing on. */
	_plan_ struct plan shut =
		plan_of(LAB("  cni: calico\n  kubernetes: \"1.23\"\n")
				LOCAL POLICY("shut", "podSelector: {}"),
			&(struct cluster_opts){.mode = &(enum proxy_mode){PROXY_USERSPACE}});
	struct reach_list s = {0};
	check(&shut, &s, "nodeport client node1:30080", REACH_CLOSED,
	      "NetworkPolicy shut (ingress)");
}

static void test_policies(void **state)
{
	static const char *const denied = "NetworkPolicy web (ingress)";
	_plan_ struct plan p = plan_of(
		LAB("  cni: calico\n") PODS POD("ops", "ops", "node1", "image: busybox")
			SERVICE("web", "type: NodePort, selector: {app: web}, ports: [{port: 80, "
				       "targetPort: http, nodePort: 30080}]")
				POLICY("web", "podSelector: {matchLabels: {app: web}}, ingress: "
					      "[{from: [{podSelector: {matchLabels: {app: far}}}], "
					      "ports: [{port: http}]}, {from: "
					      "[{namespaceSelector: {}, podSelector: {matchLabels: "
					      "{app: ops}}}]}]")
					POLICY("odd", "podSelector: {matchLabels: {app: odd}}, "
						      "policyTypes: [Egress], egress: [{to: "
						      "[{ipBlock: {cidr: 10.244.0.0/16}}], ports: "
						      "[{protocol: UDP, port: 8000, endPort: "
						      "8090}]}]"),
		NULL);
	struct reach_list l = {0};
	/* One port by its name: no ping, no other port. */
	check(&p, &l, "pod far web:8080", REACH_OPEN, NULL);
	check(&p, &l, "service far default/web:80", REACH_OPEN, NULL);
	check(&p, &l, "pod far web", REACH_DROPPED, denied);
	check(&p, &l, "pod far web:8081/udp", REACH_DROPPED, denied);
	check(&p, &l, "pod near web:8080", REACH_DROPPED, denied);
	/* A rule without ports is for all of them. */
	check(&p, &l, "pod ops web", REACH_OPEN, NULL);
	/* Egress: a range of UDP ports. And what comes in at the other end has its own policy. */
	check(&p, &l, "pod odd near", REACH_DROPPED, "NetworkPolicy odd (egress)");
	check(&p, &l, "pod odd web:8081/udp", REACH_DROPPED, denied);
	check(&p, &l, "pod near odd", REACH_OPEN, NULL);
	/* The name server is no pod of 8000 to 8090. */
	check(&p, &l, "dns odd web.default.svc.cluster.local", REACH_DROPPED,
	      "NetworkPolicy odd (egress)");
	/* From outside the packet comes as a node's, which no peer means. */
	check(&p, &l, "nodeport client node1:30080", REACH_DROPPED, denied);
	check(&p, &l, "nodeport client node2:30080", REACH_DROPPED, denied);
	/* A port by its name means pods only: a node's is never it. */
	_plan_ struct plan n =
		plan_of(LAB("  cni: calico\n") PODS POLICY(
				"named", "podSelector: {matchLabels: {app: near}}, policyTypes: "
					 "[Egress], egress: [{ports: [{port: http}]}]"),
			NULL);
	struct reach_list k = {0};
	check(&n, &k, "service near default/kubernetes:443", REACH_DROPPED,
	      "NetworkPolicy named (egress)");
	check(&n, &k, "pod near web:8080", REACH_OPEN, NULL);
	/* A policy drops what kube-proxy's chains would reject behind Calico's; nftables' are
	 * before.
	 */
	const char *none = LAB("  cni: calico\n") PODS SERVICE("none", "ports: [{port: 80}]")
		POLICY("shut", "podSelector: {matchLabels: {app: far}}, policyTypes: [Egress]");
	_plan_ struct plan d = plan_of(none, NULL);
	struct reach_list j = {0};
	check(&d, &j, "service far default/none:80", REACH_DROPPED, "NetworkPolicy shut (egress)");
	check(&d, &j, "service near default/none:80", REACH_REFUSED, "no endpoints");
	_plan_ struct plan e =
		plan_of(none, &(struct cluster_opts){.mode = &(enum proxy_mode){PROXY_NFTABLES}});
	struct reach_list o = {0};
	check(&e, &o, "service far default/none:80", REACH_REFUSED, "no endpoints");
	_plan_ struct plan g = plan_of(
		LAB("  cni: calico\n  kubernetes: \"1.36\"\n") PODS SERVICE("none",
									    "ports: [{port: 80}]")
			POLICY("shut",
			       "podSelector: {matchLabels: {app: far}}, policyTypes: [Egress]"),
		&(struct cluster_opts){.mode = &(enum proxy_mode){PROXY_NFTABLES}});
	struct reach_list q = {0};
	check(&g, &q, "service far default/none:80", REACH_CLOSED, "NetworkPolicy shut (egress)");
	/* flannel enforces nothing. */
	_plan_ struct plan f =
		plan_of(LAB("  cni: flannel\n") PODS POLICY("web", "podSelector: {}"), NULL);
	struct reach_list m = {0};
	check(&f, &m, "pod near web", REACH_OPEN, NULL);
}

#define POOL(mode)                                                                                 \
	"---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: p}\n"           \
	"spec: {cidr: 10.244.0.0/16, " mode "}\n"
#define MASQUERADE_ALL                                                                             \
	"---\napiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"        \
	"iptables: {masqueradeAll: true}\n"
#define WEB_SERVICE SERVICE("web", "selector: {app: web}, ports: [{port: 80, targetPort: 8080}]")

/* A masqueraded packet left its pod as the pod's own, and comes in as the node's: from the tunnel's
 * address where it goes through one. */
static void test_masqueraded(void **state)
{
	static const char *const ways[] = {POOL("ipipMode: Always"), POOL("ipipMode: CrossSubnet"),
					   POOL("ipipMode: Never, vxlanMode: Always"),
					   POOL("ipipMode: Never")};
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++) {
		bool tunnel = i % 2 == 0;
		_strbuf_ struct strbuf yaml = STRBUF_INIT;
		strbuf_addf(&yaml, "%s%s",
			    LAB("  cni: calico\n") PODS HOST_POD WEB_SERVICE MASQUERADE_ALL POLICY(
				    "odd", "podSelector: {matchLabels: {app: odd}}, "
					   "policyTypes: [Egress]")
				    POLICY("web", "podSelector: {matchLabels: {app: web}}, "
						  "ingress: [{from: [{ipBlock: {cidr: "
						  "10.244.0.0/16}}]}]"),
			    ways[i]);
		_plan_ struct plan p = plan_of(strbuf_str(&yaml), NULL);
		struct reach_list l = {0};
		check(&p, &l, "service odd default/web:80", REACH_DROPPED,
		      "NetworkPolicy odd (egress)");
		check(&p, &l, "service near default/web:80", REACH_OPEN, NULL);
		check(&p, &l, "service far default/web:80", tunnel ? REACH_OPEN : REACH_DROPPED,
		      tunnel ? NULL : "NetworkPolicy web (ingress)");
		check(&p, &l, "pod far web:8080", REACH_OPEN, NULL);
		check(&p, &l, "pod host web:8080", tunnel ? REACH_OPEN : REACH_DROPPED,
		      tunnel ? NULL : "NetworkPolicy web (ingress)");
		check(&p, &l, "service host default/web:80", tunnel ? REACH_OPEN : REACH_DROPPED,
		      tunnel ? NULL : "NetworkPolicy web (ingress)");
	}
}

/* A lab of very many pods is not tried whole, and says so; every Service still is, by somebody. */
static void test_many(void **state)
{
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	strbuf_adds(&yaml, LAB("  cni: none\n"));
	for (unsigned i = 0; i < 300; i++)
		strbuf_addf(&yaml,
			    POD("p%u", "default", "node1", "image: busybox") "status: {podIP: "
									     "10.1.%u.%u}\n",
			    i, i, i / 200, 1 + i % 200);
	for (unsigned i = 0; i < 300; i++)
		strbuf_addf(&yaml, SERVICE("s%u", "ports: [{port: 80}]"), i);
	_plan_ struct plan p = plan_of(strbuf_str(&yaml), NULL);
	struct reach_list l = {0};
	bool tried[300] = {false};
	size_t pods = 0, services = 0;
	reach_build(p.arena, p.desired, &l);
	assert_non_null(l.note);
	vec_foreach (const struct reach, r, &l.v) {
		unsigned n;
		pods += strcmp(r->kind, "pod") == 0;
		services += strcmp(r->kind, "service") == 0;
		if (sscanf(r->to, "default/s%u:80", &n) == 1)
			tried[n] = true;
	}
	assert_in_range(pods, REACH_PAIRS_MAX / 2, 2 * REACH_PAIRS_MAX);
	assert_in_range(services, REACH_PAIRS_MAX / 2, 2 * REACH_PAIRS_MAX);
	for (size_t i = 0; i < 300; i++)
		assert_true(tried[i]);
}

/* A UDP server of a node answers its own pods from cni0's address, which was not asked. */
static void test_host_udp(void **state)
{
	_plan_ struct plan p = plan_of(
		LAB("  cni: flannel\n") PODS HOST_POD SERVICE(
			"host",
			"selector: {app: host}, ports: [{name: u, port: 53, targetPort: 8081, "
			"protocol: UDP}, {name: t, port: 80, targetPort: 8080}]"),
		NULL);
	struct reach_list l = {0};
	check(&p, &l, "service far default/host:53/udp", REACH_DROPPED,
	      "a hostNetwork pod answers from cni0's address");
	check(&p, &l, "service far default/host:80", REACH_OPEN, NULL);
	check(&p, &l, "service near default/host:53/udp", REACH_OPEN, NULL);
}

/* The kernel refuses so often only: each pod insists on some, and every Service is one of them. */
static void test_many_refusals(void **state)
{
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	strbuf_adds(&yaml, LAB("  cni: flannel\n") PODS);
	for (unsigned i = 0; i < 12; i++)
		strbuf_addf(&yaml, SERVICE("s%u", "ports: [{port: 80}]"), i);
	_plan_ struct plan p = plan_of(strbuf_str(&yaml), NULL);
	struct reach_list l = {0};
	bool insisted[12] = {false};
	size_t strict = 0, lax = 0;
	reach_build(p.arena, p.desired, &l);
	vec_foreach (const struct reach, r, &l.v) {
		unsigned n;
		if (sscanf(r->to, "default/s%u:80", &n) != 1)
			continue;
		bool insists = r->want == REACH_REFUSED;
		assert_true(insists || r->want == REACH_CLOSED);
		assert_string_equal(r->why, "no endpoints");
		insisted[n] |= insists;
		if (strcmp(r->from_name, "far") == 0)
			*(insists ? &strict : &lax) += 1;
	}
	assert_in_range(strict, 1, REACH_ICMP_MAX);
	assert_int_equal(strict + lax, 12);
	for (size_t i = 0; i < 12; i++)
		assert_true(insisted[i]);
}

static void test_judge(void **state)
{
	struct arena *a = arena_new();
	const char *text;
	struct reach open = {.want = REACH_OPEN};
	struct reach drop = {.want = REACH_DROPPED, .why = "because"};
	struct reach shut = {.want = REACH_CLOSED, .why = "because"};
	struct reach either = {.want = REACH_EITHER, .why = "because"};
	assert_true(reach_judge(a, &open, GOT_ANSWER, NULL, false, &text));
	assert_string_equal(text, "");
	assert_false(reach_judge(a, &open, GOT_REFUSED, NULL, false, &text));
	assert_string_equal(text, "refused");
	assert_true(reach_judge(a, &open, GOT_REFUSED, NULL, true, &text));
	assert_true(reach_judge(a, &open, GOT_CLOSED, NULL, true, &text));
	assert_false(reach_judge(a, &open, GOT_SILENCE, NULL, true, &text));
	assert_false(reach_judge(a, &open, GOT_WRONG, "10.0.0.1", false, &text));
	assert_string_equal(text, "10.0.0.1");
	assert_true(reach_judge(a, &drop, GOT_SILENCE, NULL, false, &text));
	assert_string_equal(text, "no answer: because");
	assert_false(reach_judge(a, &drop, GOT_REFUSED, NULL, false, &text));
	assert_string_equal(text, "refused, but has to be dropped: because");
	assert_false(reach_judge(a, &drop, GOT_ANSWER, NULL, false, &text));
	assert_string_equal(text, "got through, though: because");
	assert_true(reach_judge(a, &shut, GOT_SILENCE, NULL, false, &text));
	assert_true(reach_judge(a, &shut, GOT_REFUSED, NULL, false, &text));
	assert_false(reach_judge(a, &shut, GOT_ANSWER, NULL, false, &text));
	assert_true(reach_judge(a, &either, GOT_ANSWER, NULL, false, &text));
	assert_false(reach_judge(a, &either, GOT_ERROR, "No route to host", false, &text));
	assert_false(reach_judge(a, &either, GOT_NOTHING, NULL, false, &text));
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services),    cmocka_unit_test(test_traffic_policies),
		cmocka_unit_test(test_modes),	    cmocka_unit_test(test_ipvs),
		cmocka_unit_test(test_policies),    cmocka_unit_test(test_judge),
		cmocka_unit_test(test_masqueraded), cmocka_unit_test(test_host_udp),
		cmocka_unit_test(test_many),	    cmocka_unit_test(test_many_refusals),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
