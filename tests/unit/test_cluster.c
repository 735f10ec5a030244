/* SPDX-License-Identifier: MIT */
/* What cluster_build() decides: where pods run, addresses, blocks, Services and their endpoints. */
#include "lib/plan/endpoints.h"
#include "lib/plan/proxy_plan.h"
#include "plan_lab.h"

#include "lib/base/limits.h"

#define FLANNEL "labs/flannel-vxlan.lab.yaml"
#define CALICO	"labs/calico-ipip.lab.yaml"

static void test_flannel_lab(void **state)
{
	_plan_ struct plan p = plan_of(FLANNEL, NULL);
	const struct cluster *c = p.cluster;
	const struct csvc *nginx = plan_svc(&p, "nginx-deployment");

	(void)state;
	assert_int_equal(c->pod_mtu, 1450);
	assert_true(c->docker_look);
	assert_ip(c->dns_ip, "10.96.0.10");
	assert_ip(plan_pod(&p, "busybox1-")->ip, "10.244.2.2");
	assert_ip(plan_pod(&p, "nginx-")->ip, "10.244.2.5");
	assert_ip(plan_pod(&p, "busybox3-")->ip, "10.244.1.2");
	assert_string_equal(plan_pod(&p, "busybox1-")->host_if, "veth78b826c3");
	assert_int_equal(plan_pod(&p, "nginx-")->host_ifindex, 9);
	assert_string_equal(plan_pod(&p, "nginx-")->obj->owner, "nginx-deployment");
	assert_string_equal(MAC(c->nodes.v[2].vtep_mac), "ae:f9:fd:4f:2a:16");
	assert_ip(nginx->cluster_ip, "10.107.254.44");
	assert_int_equal(nginx->ports.v[0].node_port, 31856);
	assert_string_equal(nginx->ports.v[0].id, "default/nginx-deployment:nginx-service80");
	assert_string_equal(plan_eps(&p, &nginx->ports.v[0]), "10.244.2.5:80");
	assert_string_equal(nginx->ports.v[0].eps.v[0].node, "node02");
	assert_string_equal(plan_eps(&p, &plan_svc(&p, "kubernetes")->ports.v[0]),
			    "100.100.137.200:6443");
	assert_string_equal(plan_eps(&p, &plan_svc(&p, "kube-dns")->ports.v[0]),
			    "10.244.0.2:53 10.244.0.3:53");
	assert_int_equal(c->pods.n, 7);
}

static void test_calico_lab(void **state)
{
	_plan_ struct plan p = plan_of(CALICO, NULL);

	(void)state;
	assert_int_equal(p.cluster->pod_mtu, 1480);
	assert_string_equal(plan_pod(&p, "busybox1-")->host_if, "cali16cfa08a6f9");
	assert_string_equal(plan_pod(&p, "nginx-")->host_if, "caliae3c1d6879e");
	assert_string_equal(plan_pod(&p, "busybox3-")->host_if, "calibd1d74ace38");
	assert_int_equal(plan_pod(&p, "busybox3-")->obj->restarts, 1);
	assert_string_equal(plan_eps(&p, &plan_svc(&p, "nginx-deployment")->ports.v[0]),
			    "10.244.140.66:80");
	assert_int_equal(plan_svc(&p, "nginx-deployment")->ports.v[0].node_port, 30008);
	/* No block but those that the nodes' names pick. */
	assert_int_equal(p.cluster->blocks.n, 3);
}

/* Nothing but three names: the document's blocks and tunnel addresses. */
static void test_calico_blocks(void **state)
{
	_plan_ struct plan p = plan_of(PLAN_NODES("calico", "") PLAN_DEPLOYMENT("web", "2"), NULL);
	static const char *const want[] = {"10.244.241.64/26", "10.244.196.128/26",
					   "10.244.140.64/26"};

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct cnode *n = &p.cluster->nodes.v[i];

		assert_int_equal(n->blocks.n, 1);
		assert_string_equal(CIDR(p.cluster->blocks.v[n->blocks.v[0]].cidr), want[i]);
		assert_int_equal(n->tunnel_ip, p.cluster->blocks.v[n->blocks.v[0]].cidr.addr);
	}
	assert_string_equal(p.cluster->pools.v[0].meta.name, "default-ipv4-ippool");
	/* coredns on the control plane, web on the workers: first addresses behind the tunnel's. */
	assert_ip(plan_pod(&p, "coredns-")->ip, "10.244.241.65");
	vec_foreach (struct cpod, k, &p.cluster->pods)
		if (strncmp(k->name, "web", 3) == 0)
			assert_ip(k->ip, k->node == 1 ? "10.244.196.129" : "10.244.140.65");
}

/* 70 pods on one node need a second block; 5 on a pool with one block of 4 do not fit. */
static void test_calico_more_blocks(void **state)
{
	_plan_ struct plan p =
		plan_of(PLAN_NODES("calico", "") PLAN_DEPLOYMENT("web", "140"), NULL);
	_plan_ struct plan full = plan_try(
		PLAN_NODES("calico", "") "---\napiVersion: crd.projectcalico.org/v1\nkind: "
					 "IPPool\nmetadata: {name: small}\n"
					 "spec: {cidr: 10.9.0.0/28, blockSize: 30, ipipMode: "
					 "Always}\n" PLAN_DEPLOYMENT("web", "20"),
		NULL);
	unsigned faults = 0;

	(void)state;
	assert_int_equal(p.cluster->nodes.v[1].blocks.n, 2);
	vec_foreach (struct cpod, k, &p.cluster->pods) {
		bool own = false;

		vec_foreach (int, i, &p.cluster->nodes.v[k->node].blocks)
			own |= cidr_has(p.cluster->blocks.v[*i].cidr, k->ip);
		assert_true(own);
	}
	vec_foreach (struct fault, f, &full.faults.list)
		faults += strstr(f->text, "no address is left for this pod in any pool") != NULL;
	assert_int_equal(faults, 20 + 2 + 3 - 16);
}

static void test_pinned_block(void **state)
{
	_plan_ struct plan p = plan_of(
		PLAN_NODES("calico",
			   "") "---\napiVersion: crd.projectcalico.org/v1\nkind: "
			       "BlockAffinity\nmetadata: {name: a}\n"
			       "spec: {cidr: 10.244.7.0/26, node: node01, state: confirmed}\n"
			       "---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"
			       "spec: {nodeName: node02, containers: [{name: c, image: busybox}]}\n"
			       "status: {podIP: 10.244.9.9}\n",
		NULL);
	const struct cnode *n = p.cluster->nodes.v;

	(void)state;
	assert_int_equal(n[1].blocks.n, 1);
	assert_ip(n[1].tunnel_ip, "10.244.7.0");
	/* The pod's block is its node's, beside the one that the node claimed by itself. */
	assert_int_equal(n[2].blocks.n, 2);
	assert_string_equal(CIDR(p.cluster->blocks.v[n[2].blocks.v[1]].cidr), "10.244.9.0/26");
	assert_ip(n[2].tunnel_ip, "10.244.140.64");
}

static void test_defaults(void **state)
{
	_plan_ struct plan p = plan_of(PLAN_NODES("flannel", ""), NULL);
	const struct cluster *c = p.cluster;

	(void)state;
	assert_int_equal(c->kubernetes, KUBE_1_32);
	assert_false(c->docker_look);
	assert_string_equal(CIDR(c->nodes.v[0].pod_cidr), "10.244.0.0/24");
	assert_string_equal(CIDR(c->nodes.v[2].pod_cidr), "10.244.2.0/24");
	assert_ip(plan_svc(&p, "kubernetes")->cluster_ip, "10.96.0.1");
	assert_string_equal(plan_eps(&p, &plan_svc(&p, "kubernetes")->ports.v[0]),
			    "100.100.137.200:6443");
	assert_ip(plan_svc(&p, "kube-dns")->cluster_ip, "10.96.0.10");
	assert_string_equal(plan_eps(&p, &plan_svc(&p, "kube-dns")->ports.v[0]),
			    "10.244.0.2:53 10.244.0.3:53");
	assert_int_equal(c->pods.n, 2);
	assert_int_equal(c->pods.v[0].node, 0);
	assert_true(strncmp(c->pods.v[0].cni_netns, "cni-", 4) == 0);
	assert_string_equal(c->services.v[0].name, "kubernetes"); /* default before kube-system */
}

static bool same_pod(const struct cpod *a, const struct cpod *b)
{
	return strcmp(a->name, b->name) == 0 && a->ip == b->ip && a->node == b->node &&
	       strcmp(a->host_if, b->host_if) == 0 && strcmp(a->uid, b->uid) == 0 &&
	       memcmp(&a->mac, &b->mac, sizeof(a->mac)) == 0;
}

static void test_deployment(void **state)
{
	_plan_ struct plan p = plan_of(PLAN_NODES("flannel", "") PLAN_DEPLOYMENT("web", "4"), NULL);
	_plan_ struct plan again =
		plan_of(PLAN_NODES("flannel", "") PLAN_DEPLOYMENT("web", "4"), NULL);
	_plan_ struct plan more =
		plan_of(PLAN_NODES("flannel", "") PLAN_DEPLOYMENT("web", "5"), NULL);
	int on[3] = {0};

	(void)state;
	assert_int_equal(p.cluster->pods.n, 6);
	for (size_t i = 0; i < p.cluster->pods.n; i++) {
		const struct cpod *k = &p.cluster->pods.v[i];
		unsigned same = 0;

		on[k->node]++;
		assert_true(same_pod(k, &again.cluster->pods.v[i]));
		vec_foreach (struct cpod, m, &more.cluster->pods)
			same += same_pod(k, m);
		assert_int_equal(same, 1); /* scaling leaves it alone */
		for (size_t j = 0; j < i; j++)
			assert_int_not_equal(k->ip, p.cluster->pods.v[j].ip);
	}
	/* Round robin over the workers, none on the control plane but coredns. */
	assert_int_equal(on[0], 2);
	assert_int_equal(on[1], 2);
	assert_int_equal(on[2], 2);
}

#define POD(name, node, ip, more)                                                                  \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", labels: {app: web" more "}}\n" \
	"spec: {nodeName: " node ", containers: [{name: c, image: nginx, "                         \
	"ports: [{name: web, containerPort: 8080}]}]}\n"                                           \
	"status: {podIP: " ip "}\n"

static void test_adoption(void **state)
{
	_plan_ struct plan p =
		plan_of(PLAN_NODES("flannel", "") POD("web-abc-1", "node01", "10.244.1.7",
						      ", pod-template-hash: 6b9d659f5f")
				POD("web-7c9-x2", "node02", "10.244.2.7", "")
					POD("web-1", "node02", "10.244.2.8", "")
						PLAN_DEPLOYMENT("web", "3"),
			NULL);
	unsigned n = 0;

	(void)state;
	vec_foreach (struct cpod, k, &p.cluster->pods) {
		if (strncmp(k->name, "web", 3) != 0)
			continue;
		if (strcmp(k->name, "web-1") == 0) { /* has the labels, but no ReplicaSet made it */
			assert_null(k->obj->owner);
			continue;
		}
		n++;
		assert_string_equal(k->obj->owner, "web");
		if (strcmp(k->name, "web-abc-1") == 0 || strcmp(k->name, "web-7c9-x2") == 0)
			continue;
		assert_int_equal(strncmp(k->name, "web-6b9d659f5f-", 15), 0);
		if (k->node == 1) /* host-local goes on behind the last address given */
			assert_ip(k->ip, "10.244.1.8");
	}
	assert_int_equal(n, 3);
}

#define SERVICE(name, spec)                                                                        \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: " name "}\nspec: {" spec "}\n"

static void test_services(void **state)
{
	_plan_ struct plan p = plan_of(
		PLAN_NODES("flannel", "") POD("a", "node01", "10.244.1.10",
					      "") POD("b", "node01", "10.244.1.9", "")
			SERVICE("named", "selector: {app: web}, type: NodePort, "
					 "ports: [{port: 80, targetPort: web}]")
				SERVICE("lb", "selector: {app: web}, type: LoadBalancer, "
					      "externalTrafficPolicy: Local, ports: [{port: 80}]")
					SERVICE("none", "selector: {app: nobody}, "
							"ports: [{port: 80, targetPort: gone}]"),
		NULL);
	const struct csvc *named = plan_svc(&p, "named"), *lb = plan_svc(&p, "lb");
	struct cidr range = {.addr = 0x0a600000, .len = 12};

	(void)state;
	/* By the text: .10 before .9. */
	assert_string_equal(plan_eps(&p, &named->ports.v[0]), "10.244.1.10:8080 10.244.1.9:8080");
	assert_string_equal(plan_eps(&p, &lb->ports.v[0]), "10.244.1.10:80 10.244.1.9:80");
	assert_int_equal(plan_svc(&p, "none")->ports.v[0].eps.n, 0);
	assert_true(cidr_has(range, named->cluster_ip) && cidr_has(range, lb->cluster_ip));
	assert_int_not_equal(named->cluster_ip, lb->cluster_ip);
	assert_in_range(named->ports.v[0].node_port, 30000, 32767);
	assert_in_range(lb->ports.v[0].node_port, 30000, 32767);
	assert_in_range(lb->obj->health_check_port, 30000, 32767);
	assert_int_not_equal(lb->obj->health_check_port, lb->ports.v[0].node_port);
	assert_int_not_equal(named->ports.v[0].node_port, lb->ports.v[0].node_port);
	assert_string_equal(named->ports.v[0].id, "default/named");
}

static void test_readiness(void **state)
{
	static const char yaml[] = PLAN_NODES(
		"flannel",
		"") "---\napiVersion: v1\nkind: Pod\nmetadata: {name: a, labels: {app: web}}\n"
		    "spec: {nodeName: node01, hostname: zero, subdomain: hl, "
		    "containers: [{name: c, image: nginx}]}\n"
		    "status: {podIP: 10.244.1.5, conditions: [{type: Ready, status: "
		    "'False'}]}\n" SERVICE("plain", "selector: {app: web}, ports: [{port: 80}]")
			    SERVICE("all", "selector: {app: web}, publishNotReadyAddresses: true, "
					   "ports: [{port: 80}]")
				    SERVICE("hl", "selector: {app: web}, clusterIP: None, "
						  "publishNotReadyAddresses: true, "
						  "ports: [{name: web, port: 80}]");
	_plan_ struct plan p = plan_of(yaml, NULL);
	const struct csvc *hl = plan_svc(&p, "hl");

	(void)state;
	assert_false(plan_svc(&p, "plain")->ports.v[0].eps.v[0].ready);
	assert_true(plan_svc(&p, "all")->ports.v[0].eps.v[0].ready);
	assert_int_equal(hl->cluster_ip, 0);
	assert_int_equal(hl->dns.n, 1);
	assert_string_equal(hl->dns.v[0].hostname, "zero");
	assert_string_equal(hl->dns.v[0].port_name, "web");
}

#define SLICE(name, endpoints)                                                                     \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"           \
	"metadata: {name: " name ", labels: {kubernetes.io/service-name: web}}\n"                  \
	"ports: [{name: '', port: 80, protocol: TCP}]\nendpoints: [" endpoints "]\n"

/* Bare manifests: the node of hostnameOverride, endpoints anywhere, slices merged. */
static void test_bare(void **state)
{
	static const char yaml[] =
		"apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\n"
		"hostnameOverride: here\n" SERVICE("web", "clusterIP: 10.1.2.3, ports: [{port: "
							  "80}]")
			SLICE("s1",
			      "{addresses: [10.0.0.2], nodeName: here}, {addresses: [10.0.0.10]}")
				SLICE("s2", "{addresses: [10.0.0.2]}, {addresses: [10.9.0.1], "
					    "nodeName: far}");
	_plan_ struct plan p = plan_of(yaml, NULL);
	const struct csvcport *port = &plan_svc(&p, "web")->ports.v[0];

	(void)state;
	assert_int_equal(p.cluster->nodes.n, 1);
	assert_string_equal(p.cluster->nodes.v[0].name, "here");
	assert_false(p.cluster->proxy.has_cluster_cidr);
	assert_int_equal(p.cluster->kubernetes, KUBE_1_32);
	assert_string_equal(plan_eps(&p, port), "10.0.0.10:80 10.0.0.2:80 10.9.0.1:80");
	assert_string_equal(port->eps.v[1].node, "here");
	assert_string_equal(port->eps.v[2].node, "far");
	assert_int_equal(p.cluster->services.n, 1); /* nothing is made up */
	assert_int_equal(port->node_port, 0);
}

#define NODE_X "apiVersion: v1\nkind: Node\nmetadata: {name: x}\n"
#define NODE_B "apiVersion: v1\nkind: Node\nmetadata: {name: b}\n"

/* "node ready" of one endpoint as a node sees it. */
static const char *seen_as(struct plan *p, const struct cendpoint *e, const char *node)
{
	const struct cendpoint *s = endpoint_seen(e, node);

	return arena_printf(p->arena, "%s %s", s->node ? s->node : "-", s->ready ? "ready" : "not");
}

static size_t sent_to(struct plan *p, const char *node)
{
	struct proxy_plan plan;

	proxy_plan_build(p->arena, p->cluster, cluster_node(p->cluster, node), &plan);
	assert_int_equal(plan.svcs.n, 1);
	for (size_t i = 0; i < plan.svcs.v[0].eps.cluster.n; i++)
		if (!plan.svcs.v[0].eps.cluster.v[i]->ready)
			return 0; /* it stands in */
	return plan.svcs.v[0].eps.cluster.n;
}

/* One address twice: the first, but on the node of a later one that; since 1.36 the last that does
 * not terminate, wherever one looks from. */
static void test_twins(void **state)
{
	static const char yaml[] =
		NODE_X "---\n" NODE_B SERVICE("web", "clusterIP: 10.1.2.3, ports: [{port: 80}]")
			SLICE("s1", "{addresses: [10.0.0.2], nodeName: a, conditions: {ready: "
				    "false}}, {addresses: [10.0.0.3], nodeName: a}")
				SLICE("s2",
				      "{addresses: [10.0.0.2], nodeName: b}, {addresses: "
				      "[10.0.0.2], nodeName: c, conditions: {ready: false, "
				      "serving: true, terminating: true}}, {addresses: "
				      "[10.0.0.2], nodeName: b, conditions: {ready: false}}, "
				      "{addresses: [10.0.0.3], nodeName: b, conditions: {ready: "
				      "false, serving: true, terminating: true}}");
	const enum kube_version newest = KUBE_1_36;
	_plan_ struct plan p = plan_of(yaml, NULL);
	_plan_ struct plan q = plan_of(yaml, &(struct cluster_opts){.version = &newest});
	const struct csvcport *port = &plan_svc(&p, "web")->ports.v[0];

	(void)state;
	assert_string_equal(plan_eps(&p, port), "10.0.0.2:80 10.0.0.3:80");
	assert_string_equal(seen_as(&p, &port->eps.v[0], "x"), "a not");
	assert_string_equal(seen_as(&p, &port->eps.v[0], "a"), "a not");
	assert_string_equal(seen_as(&p, &port->eps.v[0], "b"), "b not");
	assert_string_equal(seen_as(&p, &port->eps.v[0], "c"), "c not");
	assert_string_equal(seen_as(&p, &port->eps.v[1], "x"), "a ready");
	assert_string_equal(seen_as(&p, &port->eps.v[1], "b"), "b not");
	/* what kube-proxy of each node sends to */
	assert_int_equal(sent_to(&p, "x"), 1);
	assert_int_equal(sent_to(&p, "b"), 0);
	assert_int_equal(sent_to(&q, "b"), 1);
	port = &plan_svc(&q, "web")->ports.v[0];
	assert_string_equal(seen_as(&q, &port->eps.v[0], "x"), "b not");
	assert_string_equal(seen_as(&q, &port->eps.v[0], "c"), "b not");
	assert_string_equal(seen_as(&q, &port->eps.v[1], "b"), "a ready");
}

static void test_bare_node(void **state)
{
	const enum kube_version version = KUBE_1_20;
	const enum proxy_mode mode = PROXY_IPVS;
	const struct cluster_opts opts = {.name = "x", .version = &version, .mode = &mode};
	_plan_ struct plan p = plan_of(
		"apiVersion: v1\nkind: Node\nmetadata: {name: a}\n"
		"spec: {podCIDR: 10.244.3.0/24}\n"
		"status: {addresses: [{type: InternalIP, address: 10.0.0.1}]}\n"
		"---\napiVersion: v1\nkind: Node\nmetadata: {name: b, annotations: "
		"{case/local-addresses: '127.0.0.1,192.168.0.2', case/random-fully: 'false', "
		"case/tcp-be-liberal: 'true'}}\n",
		&opts);
	const struct cnode *n = p.cluster->nodes.v;

	(void)state;
	assert_string_equal(p.cluster->name, "x");
	assert_int_equal(p.cluster->kubernetes, KUBE_1_20);
	assert_int_equal(p.cluster->proxy.mode, PROXY_IPVS);
	assert_true(p.cluster->proxy.has_cluster_cidr);
	assert_string_equal(CIDR(p.cluster->proxy.cluster_cidr), "10.244.0.0/16");
	assert_int_equal(n[0].local_addrs.n, 3);
	assert_ip(n[0].local_addrs.v[2], "10.244.3.1");
	assert_int_equal(n[1].local_addrs.n, 2);
	assert_ip(n[1].local_addrs.v[1], "192.168.0.2");
	assert_true(n[1].no_random_fully && n[1].tcp_be_liberal);
	assert_false(n[0].no_random_fully || n[0].tcp_be_liberal);
}

static void test_mtu(void **state)
{
	static const char pool[] =
		"---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: a}\n"
		"spec: {cidr: 10.1.0.0/16, %s}\n";
	static const struct {
		const char *spec;
		unsigned mtu;
	} rows[] = {{"ipipMode: Never", 1500},
		    {"ipipMode: CrossSubnet", 1480},
		    {"vxlanMode: Always", 1450}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		char yaml[2048];
		int n = snprintf(yaml, sizeof(yaml), "%s", PLAN_NODES("calico", ""));

		snprintf(yaml + n, sizeof(yaml) - (size_t)n, pool, rows[i].spec);
		_plan_ struct plan p = plan_of(yaml, NULL);
		assert_int_equal(p.cluster->pod_mtu, rows[i].mtu);
	}
}

static void want_fault(const char *yaml, const char *text)
{
	_plan_ struct plan p = plan_try(yaml, NULL);

	vec_foreach (struct fault, f, &p.faults.list)
		if (strcmp(f->text, text) == 0)
			return;
	yaml_files_print(p.files, &p.faults, stderr);
	fail_msg("no fault: %s", text);
}

#define ANNOTATED(name, key, value)                                                                \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", annotations: {" key            \
	": '" value "'}}\nspec: {nodeName: node01, containers: [{name: c, image: busybox}]}\n"

static void test_faults(void **state)
{
	(void)state;
	want_fault(PLAN_NODES("flannel", "") ANNOTATED("p", "labd.dev/host-interface", "v0")
			   ANNOTATED("q", "labd.dev/host-interface", "v0"),
		   "two pods of node node01 would have the host-side device v0");
	want_fault(PLAN_NODES("flannel",
			      "") "---\napiVersion: v1\nkind: ConfigMap\n"
				  "metadata: {name: kube-flannel-cfg, namespace: kube-flannel}\n"
				  "data: {net-conf.json: '{\"Network\": \"10.5.0.0/23\", "
				  "\"Backend\": {\"Type\": \"vxlan\"}}'}\n",
		   "no /24 is left in the pod network 10.5.0.0/23 for this node");
	want_fault(
		PLAN_NODES("none", "") "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
				       "spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}\n",
		"10.96.0.10 is the address of Service kube-system/kube-dns, which every cluster "
		"has");
	/* Its own kube-dns may have any address. */
	_plan_ struct plan own = plan_of(
		PLAN_NODES("none", "") "---\napiVersion: v1\nkind: Service\nmetadata: {name: s}\n"
				       "spec: {clusterIP: 10.96.0.10, ports: [{port: 80}]}\n"
				       "---\napiVersion: v1\nkind: Service\n"
				       "metadata: {name: kube-dns, namespace: kube-system}\n"
				       "spec: {clusterIP: 10.96.0.53, ports: [{port: 53}]}\n",
		NULL);
	assert_ip(own.cluster->dns_ip, "10.96.0.53");
}

/* A large Deployment: every name is its own, and a node's /24 is full at last. */
static void test_large(void **state)
{
	_plan_ struct plan p =
		plan_try(PLAN_NODES("flannel", "") PLAN_DEPLOYMENT("web", "600"), NULL);
	unsigned full = 0;

	(void)state;
	vec_foreach (struct fault, f, &p.faults.list)
		full += strncmp(f->text, "no address is left for this pod in 10.244.", 41) == 0;
	assert_true(full > 0 && full <= MAX_FAULTS);
	assert_int_equal(p.faults.total, 600 - 2 * 253);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flannel_lab),   cmocka_unit_test(test_calico_lab),
		cmocka_unit_test(test_calico_blocks), cmocka_unit_test(test_calico_more_blocks),
		cmocka_unit_test(test_pinned_block),  cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_deployment),    cmocka_unit_test(test_adoption),
		cmocka_unit_test(test_services),      cmocka_unit_test(test_readiness),
		cmocka_unit_test(test_bare),	      cmocka_unit_test(test_twins),
		cmocka_unit_test(test_bare_node),     cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_faults),	      cmocka_unit_test(test_large),
	};

	return cmocka_run_group_tests_name("cluster", tests, NULL, NULL);
}
