/* SPDX-License-Identifier: MIT */
/* The kernel state that desired_build() wants, and the shell script that shell_print() makes of it.
 */
#include "plan_lab.h"

#include "lib/base/file.h"
#include "lib/plan/flannel.h"
#include "lib/plan/kubelet.h"
#include "lib/plan/shell.h"

#define FLANNEL "labs/flannel-vxlan.lab.yaml"
#define CALICO	"labs/calico-ipip.lab.yaml"

static const struct dlink *link_of(const struct dns *ns, const char *name)
{
	vec_foreach (struct dlink, l, &ns->links)
		if (strcmp(l->name, name) == 0)
			return l;
	fail_msg("%s has no %s", ns->name, name);
	return NULL;
}

/* A route as `ip route` prints it, as far as it is the plan's. */
static const char *route_text(struct arena *a, const struct droute *r)
{
	const char *s = arena_printf(a, "%s%s", r->type == DROUTE_BLACKHOLE ? "blackhole " : "",
				     r->dst.len ? CIDR(r->dst) : "default");

	if (r->via)
		s = arena_printf(a, "%s via %s", s, IP4(r->via));
	if (r->dev)
		s = arena_printf(a, "%s dev %s", s, r->dev);
	if (r->proto == 4 || r->proto == 12)
		s = arena_printf(a, "%s proto %s", s, r->proto == 4 ? "static" : "bird");
	return arena_printf(a, "%s%s%s%s", s, r->scope_link ? " scope link" : "",
			    r->metric ? arena_printf(a, " metric %u", r->metric) : "",
			    r->onlink ? " onlink" : "");
}

static void want_route(const struct plan *p, const char *ns, const char *text)
{
	vec_foreach (struct droute, r, &plan_ns(p, ns)->routes)
		if (strcmp(route_text(p->arena, r), text) == 0)
			return;
	fail_msg("%s has no route %s", ns, text);
}

static void test_flannel_node(void **state)
{
	_plan_ struct plan p = plan_of(FLANNEL, NULL);
	const struct dns *n = plan_ns(&p, "node01");
	const struct dlink *l = link_of(n, "flannel.1");
	static const char *const order[] = {"lo",   "ens192",	    "docker0",	   "flannel.1",
					    "cni0", "veth42779e36", "veth19ff212d"};

	(void)state;
	/* The order of creation gives the document's interface numbers. */
	assert_int_equal(n->links.n, 7);
	for (size_t i = 0; i < 7; i++)
		assert_string_equal(n->links.v[i].name, order[i]);
	assert_int_equal(l->kind, DLINK_VXLAN);
	assert_int_equal(l->vni, 1);
	assert_int_equal(l->port, 0);
	assert_int_equal(l->mtu, 1450);
	assert_int_equal(l->conf.accept_ra6, 0);
	assert_string_equal(MAC(l->mac), "56:a7:5f:12:81:f3");
	assert_ip(l->local, "100.100.137.201");
	assert_string_equal(l->lower, "ens192");
	l = link_of(n, "veth42779e36");
	assert_true(l->hairpin && l->zero_txqlen && !l->creates);
	assert_string_equal(l->master, "cni0");
	want_route(&p, "node01", "default via 100.100.137.1 dev ens192 proto static metric 100");
	want_route(&p, "node01", "10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink");
	want_route(&p, "node01", "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink");
	assert_int_equal(n->routes.n, 3);
	assert_int_equal(n->fdbs.n, 2);
	/* The last node first: see flannel_node(). */
	assert_string_equal(MAC(n->fdbs.v[0].mac), "ae:f9:fd:4f:2a:16");
	assert_ip(n->fdbs.v[0].dst, "100.100.137.202");
	assert_ip(n->neighs.v[0].ip, "10.244.2.0");
	assert_int_equal(n->rules.n, 3);
	assert_string_equal(n->rules.v[0].owner, "kube-proxy");
	assert_string_equal(n->rules.v[1].owner, "kubelet");
	assert_string_equal(n->rules.v[2].owner, "flannel");
	assert_true(p.desired->needs_vxlan && !p.desired->needs_ipip && !p.desired->needs_ipset);
}

static void test_flannel_pod(void **state)
{
	_plan_ struct plan p = plan_of(FLANNEL, NULL);
	const struct dns *n = plan_ns(&p, "node02-busybox1-857448d9ff-shdfz");
	const struct dlink *l = link_of(n, "eth0");

	(void)state;
	assert_true(l->creates && !l->zero_txqlen);
	assert_int_equal(l->ifindex, 0);
	assert_int_equal(l->mtu, 1450);
	assert_int_equal(l->conf.arp_notify, 1);
	assert_string_equal(l->peer_name, "veth78b826c3");
	assert_string_equal(p.desired->ns.v[l->peer_ns].name, "node02");
	assert_int_equal(n->parent, l->peer_ns);
	assert_string_equal(CIDR(n->addrs.v[0].addr), "10.244.2.2/24");
	assert_ip(n->addrs.v[0].brd, "10.244.2.255");
	want_route(&p, n->name, "default via 10.244.2.1 dev eth0");
	want_route(&p, n->name, "10.244.0.0/16 via 10.244.2.1 dev eth0");
	assert_int_equal(link_of(plan_ns(&p, "node02"), "veth70cee1b2")->ifindex, 9);
	assert_true(n->busybox_first);
	assert_null(n->cni_netns);
}

static void test_calico(void **state)
{
	_plan_ struct plan p = plan_of(CALICO, NULL);
	const struct dns *n = plan_ns(&p, "node02");
	const struct dlink *l = link_of(n, "caliae3c1d6879e");
	const struct dns *pod = plan_ns(&p, "node02-nginx-deployment-6b9d659f5f-qbchs");

	(void)state;
	assert_string_equal(MAC(l->mac), "ee:ee:ee:ee:ee:ee");
	assert_int_equal(l->conf.proxy_arp, 1);
	assert_int_equal(l->conf.proxy_delay, 0);
	assert_int_equal(l->conf.forwarding, 1);
	assert_int_equal(l->conf.route_localnet, 1);
	assert_null(l->master);
	assert_int_equal(link_of(n, "tunl0")->mtu, 1480);
	assert_int_equal(link_of(pod, "eth0")->ifindex, 4);
	want_route(&p, "node02", "blackhole 10.244.140.64/26 proto bird");
	want_route(&p, "node02", "10.244.140.65/32 dev cali16cfa08a6f9 scope link");
	want_route(&p, "node02", "10.244.140.66/32 dev caliae3c1d6879e scope link");
	want_route(&p, "node02", "10.244.140.67/32 dev calibc123ec5773 scope link");
	want_route(&p, "node02", "10.244.140.69/32 dev cali20636a2ec93 scope link");
	want_route(&p, "node02",
		   "10.244.196.128/26 via 100.100.137.201 dev tunl0 proto bird onlink");
	want_route(&p, "node02",
		   "10.244.241.64/26 via 100.100.137.200 dev tunl0 proto bird onlink");
	want_route(&p, pod->name, "169.254.1.1/32 dev eth0 scope link");
	want_route(&p, pod->name, "default via 169.254.1.1 dev eth0");
	assert_string_equal(CIDR(pod->addrs.v[0].addr), "10.244.140.66/32");
	assert_int_equal(n->ipsets.n, 3);
	assert_string_equal(n->ipsets.v[1].name, "cali40masq-ipam-pools");
	assert_string_equal(n->ipsets.v[1].members.v[0], "10.244.0.0/16");
	assert_string_equal(n->ipsets.v[2].members.v[0], "100.100.137.200");
	assert_string_equal(n->rules.v[2].owner, "calico");
	assert_true(p.desired->needs_ipip && p.desired->needs_ipset && !p.desired->needs_vxlan);
}

#define POOL(spec)                                                                                 \
	"---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: a}\n"           \
	"spec: {cidr: 10.244.0.0/16, " spec "}\n"

/* Two subnets: CrossSubnet tunnels only between them. */
static void test_cross_subnet(void **state)
{
	static const char yaml[] =
		"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec:\n  cni: calico\n"
		"  underlays:\n  - {cidr: 10.0.1.0/24, nic: eth0}\n  - {cidr: 10.0.2.0/24, nic: "
		"eth1}\n"
		"---\napiVersion: v1\nkind: Node\nmetadata: {name: node01}\n"
		"status: {addresses: [{type: InternalIP, address: 10.0.1.11}]}\n"
		"---\napiVersion: v1\nkind: Node\nmetadata: {name: node02}\n"
		"status: {addresses: [{type: InternalIP, address: 10.0.1.12}]}\n"
		"---\napiVersion: v1\nkind: Node\nmetadata: {name: node03}\n"
		"status: {addresses: [{type: InternalIP, address: 10.0.2.13}]}\n" POOL(
			"ipipMode: CrossSubnet");
	_plan_ struct plan p = plan_of(yaml, NULL);
	const struct dns *router = plan_ns(&p, "router");

	(void)state;
	want_route(&p, "node01", "10.244.140.64/26 via 10.0.1.12 dev eth0 proto bird");
	vec_foreach (struct droute, r, &plan_ns(&p, "node01")->routes)
		if (r->via == 0x0a00020d)
			assert_string_equal(r->dev, "tunl0");
	assert_int_equal(router->links.n, 3);
	assert_string_equal(CIDR(router->addrs.v[2].addr), "10.0.2.1/24");
	assert_string_equal(link_of(plan_ns(&p, "node03"), "eth1")->peer_name, "node03");
	assert_string_equal(link_of(plan_ns(&p, "fabric"), "node03")->master, "underlay1");
}

static void test_calico_vxlan(void **state)
{
	_plan_ struct plan p = plan_of(PLAN_NODES("calico", "") POOL("vxlanMode: Always"), NULL);
	const struct dns *n = plan_ns(&p, "node01");
	const struct dlink *l = link_of(n, "vxlan.calico");

	(void)state;
	assert_int_equal(l->vni, 4096);
	assert_int_equal(l->port, 4789);
	assert_string_equal(MAC(l->mac), "66:aa:99:2f:dc:24");
	assert_int_equal(n->fdbs.n, 2);
	assert_string_equal(MAC(n->fdbs.v[1].mac), "66:68:4e:61:da:e6");
	assert_ip(n->neighs.v[1].ip, "10.244.140.64");
	want_route(&p, "node01", "10.244.140.64/26 via 10.244.140.64 dev vxlan.calico onlink");
	assert_false(p.desired->needs_ipip);
}

/* Each end of a pair names the other, and one of them makes it. */
static void check_pairs(const struct desired *d)
{
	for (size_t i = 0; i < d->ns.n; i++)
		vec_foreach (struct dlink, l, &d->ns.v[i].links) {
			const struct dlink *peer;

			if (l->kind != DLINK_VETH)
				continue;
			assert_in_range(l->peer_ns, 0, d->ns.n - 1);
			assert_true(strlen(l->name) < 16);
			peer = link_of(&d->ns.v[l->peer_ns], l->peer_name);
			assert_int_equal(peer->peer_ns, i);
			assert_string_equal(peer->peer_name, l->name);
			assert_int_equal(peer->creates + l->creates, 1);
			assert_int_equal(peer->mtu, l->mtu);
		}
}

static void check_names(const struct desired *d)
{
	for (size_t i = 0; i < d->ns.n; i++) {
		assert_true(strlen(d->ns.v[i].name) <= 200);
		assert_int_equal(desired_ns(d, d->ns.v[i].name), i);
	}
}

static void test_all_versions(void **state)
{
	static const char *const labs[] = {FLANNEL, CALICO};

	(void)state;
	for (size_t i = 0; i < 2; i++)
		for (enum kube_version v = KUBE_1_20; v <= KUBE_1_36; v++) {
			const struct cluster_opts opts = {.version = &v};
			_plan_ struct plan p = plan_of(labs[i], &opts);
			const struct dns *n = plan_ns(&p, "node01");
			bool docker = false;

			check_pairs(p.desired);
			check_names(p.desired);
			vec_foreach (struct dlink, l, &n->links)
				docker |= strcmp(l->name, "docker0") == 0;
			assert_int_equal(docker, v <= KUBE_1_23);
			vec_foreach (struct dns, ns, &p.desired->ns)
				if (ns->kind == DNS_POD)
					assert_int_equal(ns->cni_netns != NULL, v > KUBE_1_23);
		}
}

/* Pods that would get one name, and a name that is too long for a file. */
static void test_names(void **state)
{
	char yaml[4096], longname[240];

	(void)state;
	memset(longname, 'a', sizeof(longname) - 1);
	longname[sizeof(longname) - 1] = '\0';
	snprintf(yaml, sizeof(yaml),
		 "%s---\napiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: n1}\n"
		 "spec: {nodeName: node01, containers: [{name: c, image: busybox}]}\n"
		 "---\napiVersion: v1\nkind: Pod\nmetadata: {name: x, namespace: n2}\n"
		 "spec: {nodeName: node01, containers: [{name: c, image: busybox}]}\n"
		 "---\napiVersion: v1\nkind: Pod\nmetadata: {name: %s}\n"
		 "spec: {nodeName: node01, containers: [{name: c, image: busybox}]}\n",
		 PLAN_NODES("flannel", ""), longname);
	_plan_ struct plan p = plan_of(yaml, NULL);
	check_names(p.desired);
	check_pairs(p.desired);
	assert_string_equal(plan_ns(&p, "node01-x")->hostname, "x");
	plan_ns(&p, "node01-x-2");
}

static const char *file_of(const struct dns *ns, const char *path)
{
	vec_foreach (struct dfile, f, &ns->files)
		if (strcmp(f->path, path) == 0)
			return f->content;
	fail_msg("%s has no %s", ns->name, path);
	return NULL;
}

static void test_files(void **state)
{
	const enum kube_version modern = KUBE_1_32;
	const struct cluster_opts opts = {.version = &modern};
	_plan_ struct plan p = plan_of(FLANNEL, NULL);
	_plan_ struct plan q = plan_of(FLANNEL, &opts);
	static const char pod[] = "node01-busybox3-c997b9cc4-tlvrq";

	(void)state;
	assert_string_equal(file_of(plan_ns(&p, pod), "/etc/resolv.conf"),
			    "nameserver 10.96.0.10\n"
			    "search default.svc.cluster.local svc.cluster.local cluster.local\n"
			    "options ndots:5\n");
	assert_string_equal(file_of(plan_ns(&q, pod), "/etc/resolv.conf"),
			    "search default.svc.cluster.local svc.cluster.local cluster.local\n"
			    "nameserver 10.96.0.10\n"
			    "options ndots:5\n");
	assert_non_null(strstr(file_of(plan_ns(&p, pod), "/etc/hosts"),
			       "\n10.244.1.2\tbusybox3-c997b9cc4-tlvrq\n"));
	assert_string_equal(file_of(plan_ns(&p, "node01"), "/run/flannel/subnet.env"),
			    "FLANNEL_NETWORK=10.244.0.0/16\nFLANNEL_SUBNET=10.244.1.1/24\n"
			    "FLANNEL_MTU=1450\nFLANNEL_IPMASQ=true\n");
	assert_non_null(strstr(
		file_of(plan_ns(&p, "master01-coredns-6d8c4cb4d-bq7rv"), "/run/dnsmasq.conf"),
		"\nhost-record=nginx-deployment.default.svc.cluster.local,"
		"10.107.254.44\n"));
}

#define CONTAINERS(list)                                                                           \
	PLAN_NODES("flannel", "")                                                                  \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: x}\n"                                    \
	"spec:\n  nodeName: node01\n  containers:\n" list

static void test_programs(void **state)
{
	_plan_ struct plan p = plan_of(
		CONTAINERS("  - {name: a, image: busybox:1.36}\n"
			   "  - {name: b, image: docker.io/library/nginx:1.25, args: [x]}\n"
			   "  - {name: c, image: registry.k8s.io/e2e-test-images/agnhost:2.40}\n"
			   "  - {name: d, image: agnhost, args: [echo]}\n"
			   "  - {name: e, image: other, command: [/bin/sh, -c], args: ['true']}\n"
			   "  - {name: f, image: busybox, args: [sh, -c, date]}\n"),
		NULL);
	static const char *const want[] = {"sleep infinity",
					   "nginx -c /run/nginx/nginx.conf",
					   "agnhost netexec --http-port=8080 --udp-port=8081",
					   "agnhost echo",
					   "/bin/sh -c true",
					   "sh -c date"};
	const struct dns *ns = plan_ns(&p, "node01-x");
	unsigned env = 0;

	(void)state;
	assert_int_equal(ns->procs.n, 6);
	for (size_t i = 0; i < 6; i++)
		assert_string_equal(plan_argv(&p, &ns->procs.v[i]), want[i]);
	assert_string_equal(ns->procs.v[1].image, "nginx");
	assert_non_null(strstr(file_of(ns, "/run/nginx/nginx.conf"), "listen 80;"));
	vec_foreach (const char *, e, &ns->procs.v[0].env)
		env += strcmp(*e, "KUBERNETES_SERVICE_HOST=10.96.0.1") == 0 ||
		       strcmp(*e, "KUBERNETES_SERVICE_PORT_HTTPS=443") == 0 ||
		       strcmp(*e, "HOSTNAME=x") == 0;
	assert_int_equal(env, 3);
}

/* Kubelet's chains: up to 1.23 it makes what KUBE-MARK-DROP does, and what kube-proxy's mode does
 * not; never anything twice. */
static void test_kubelet(void **state)
{
	static const char canaries[] = ":KUBE-KUBELET-CANARY - [0:0]\n";
	static const char firewall[] = "-A INPUT -j KUBE-FIREWALL\n-A OUTPUT -j KUBE-FIREWALL\n";
	static const char drop[] =
		"-A KUBE-FIREWALL -m comment --comment \"kubernetes firewall for dropping marked "
		"packets\" -m mark --mark 0x8000/0x8000 -j DROP\n";
	static const char mark[] = "-A KUBE-MARK-DROP -j MARK --set-xmark 0x8000/0x8000\n";
	static const struct {
		enum kube_version v;
		enum proxy_mode mode;
		bool firewall, drop, declares_drop, masq, hint;
	} rows[] = {
		{KUBE_1_20, PROXY_IPTABLES, true, true, false, false, false},
		{KUBE_1_23, PROXY_IPVS, true, true, false, false, false},
		{KUBE_1_20, PROXY_USERSPACE, true, true, true, true, false},
		{KUBE_1_32, PROXY_IPTABLES, false, false, false, false, true},
		{KUBE_1_36, PROXY_IPVS, true, false, false, false, true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct cluster_opts opts = {.version = &rows[i].v, .mode = &rows[i].mode};
		_plan_ struct plan p = plan_of(FLANNEL, &opts);
		_strbuf_ struct strbuf out = STRBUF_INIT;

		kubelet_rules(p.cluster, &out);
		const char *s = strbuf_str(&out);
		assert_non_null(strstr(s, canaries));
		assert_int_equal(strstr(s, firewall) != NULL, rows[i].firewall);
		assert_int_equal(strstr(s, drop) != NULL, rows[i].drop);
		assert_int_equal(strstr(s, mark) != NULL, rows[i].drop);
		assert_int_equal(strstr(s, ":KUBE-MARK-DROP") != NULL, rows[i].declares_drop);
		assert_int_equal(strstr(s, "-j MASQUERADE") != NULL, rows[i].masq);
		assert_int_equal(strstr(s, ":KUBE-IPTABLES-HINT") != NULL, rows[i].hint);
	}
	enum proxy_mode nft = PROXY_NFTABLES;
	_plan_ struct plan p = plan_of(FLANNEL, &(const struct cluster_opts){.mode = &nft});
	_strbuf_ struct strbuf out = STRBUF_INIT;
	kubelet_rules(p.cluster, &out);
	assert_int_equal(out.len, 0);
}

/* flannel's rules: the lines of a golden dump, in their order. */
static void test_flannel_rules(void **state)
{
	static const struct {
		enum kube_version v;
		const char *file;
	} rows[] = {{KUBE_1_20, "tests/golden/flannel/node01.flannel-v0.14.expected"},
		    {KUBE_1_23, "tests/golden/flannel/node01.flannel-v0.17.expected"},
		    {KUBE_1_32, "tests/golden/flannel/node01.flannel-v0.20.expected"}};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const struct cluster_opts opts = {.version = &rows[i].v};
		_plan_ struct plan p = plan_of(FLANNEL, &opts);
		struct strbuf ours = STRBUF_INIT, theirs = STRBUF_INIT;
		const char *tables[] = {"*nat\n", "*filter\n"};
		struct err err = {0};

		flannel_iptables(p.cluster, 1, &ours);
		assert_return_code(file_read(rows[i].file, 1 << 20, &theirs, &err), 0);
		for (size_t t = 0; t < 2; t++) {
			const char *a = strstr(strbuf_str(&ours), tables[t]);
			const char *b = strstr(strbuf_str(&theirs), tables[t]);

			/* Their chain lines are the kernel's; rules follow. */
			a = strstr(a, "\n-A");
			b = strstr(b, "\n-A");
			assert_memory_equal(a, b,
					    (size_t)(strstr(b, "COMMIT\n") - b) + strlen("COMMIT"));
		}
		strbuf_free(&ours);
		strbuf_free(&theirs);
	}
}

static const char *script(const struct plan *p, const struct shell_opts *o)
{
	struct strbuf s = STRBUF_INIT;
	const char *text;

	shell_print(p->desired, o, &s);
	text = arena_strdup(p->arena, strbuf_str(&s));
	strbuf_free(&s);
	return text;
}

/* Does a shell take it? */
static void check_syntax(const char *text)
{
	FILE *sh = popen("sh -n", "w");

	assert_non_null(sh);
	assert_int_equal(fputs(text, sh) >= 0, 1);
	assert_int_equal(pclose(sh), 0);
}

static void test_script(void **state)
{
	_plan_ struct plan p = plan_of(CALICO, NULL);
	const struct shell_opts all = {.node = -1, .sections = SECTION_ALL};
	const struct shell_opts down = {.node = -1, .sections = SECTION_ALL, .down = true};
	const struct shell_opts cni = {.node = 1, .sections = SECTION_CNI};
	const struct shell_opts pods = {.node = 1, .sections = SECTION_PODS};
	const struct shell_opts proxy = {.node = 1, .sections = SECTION_KUBE_PROXY};
	const struct shell_opts dns = {.node = -1, .sections = SECTION_DNS};
	const char *s = script(&p, &all);

	(void)state;
	check_syntax(s);
	assert_non_null(strstr(s, "\nip netns add calico-ipip-node01\n"));
	assert_non_null(strstr(s, "\nstart calico-ipip-node01-busybox3-c997b9cc4-tlvrq busybox "
				  "busybox sleep infinity\n"));
	s = script(&p, &down);
	check_syntax(s);
	vec_foreach (struct dns, ns, &p.desired->ns)
		assert_non_null(
			strstr(s, arena_printf(p.arena, "\ntake calico-ipip-%s\n", ns->name)));
	s = script(&p, &cni);
	check_syntax(s);
	assert_non_null(strstr(s, "10.244.140.64/26 via 100.100.137.202 dev tunl0"));
	assert_non_null(strstr(s, "cali-PREROUTING"));
	assert_null(strstr(s, "calico-ipip-node02"));
	assert_null(strstr(s, "ip netns add"));
	assert_null(strstr(s, "KUBE-"));
	s = script(&p, &pods);
	assert_non_null(strstr(s, "calico-ipip-node01-busybox3"));
	assert_null(strstr(s, "cali-PREROUTING"));
	s = script(&p, &proxy);
	assert_non_null(strstr(s, "KUBE-SVC-UOXPL5GMPXS4446O"));
	assert_null(strstr(s, "cali-PREROUTING"));
	s = script(&p, &dns);
	assert_non_null(strstr(s, "dnsmasq --keep-in-foreground"));
	assert_null(strstr(s, "nginx.conf"));
}

/* Words of a lab file never become commands. */
static void test_quoting(void **state)
{
	_plan_ struct plan p = plan_of(CONTAINERS("  - name: c\n    image: busybox\n"
						  "    command: ['|touch x', '$(touch y)', "
						  "\"a'b\", \"x\\nEOF\\ntouch z\"]\n"),
				       NULL);
	const struct shell_opts all = {.node = -1, .sections = SECTION_ALL};
	const char *s = script(&p, &all);

	(void)state;
	check_syntax(s);
	assert_non_null(
		strstr(s, "c busybox '|touch x' '$(touch y)' 'a'\\''b' 'x\nEOF\ntouch z'\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flannel_node),  cmocka_unit_test(test_flannel_pod),
		cmocka_unit_test(test_calico),	      cmocka_unit_test(test_cross_subnet),
		cmocka_unit_test(test_calico_vxlan),  cmocka_unit_test(test_all_versions),
		cmocka_unit_test(test_names),	      cmocka_unit_test(test_files),
		cmocka_unit_test(test_programs),      cmocka_unit_test(test_kubelet),
		cmocka_unit_test(test_flannel_rules), cmocka_unit_test(test_script),
		cmocka_unit_test(test_quoting),
	};

	return cmocka_run_group_tests_name("desired", tests, NULL, NULL);
}
