/* SPDX-License-Identifier: MIT */
/*
 * Calico's and flannel's modes: the routes of each between two subnets, blocks that fill up and are
 * borrowed from, BIRD's configuration; and the rules of a node as the real iptables-save prints
 * them, against tests/golden/calico and tests/golden/flannel (that needs root, for a network
 * namespace).
 */
#include "plan_lab.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/file.h"

#define GOLDEN "tests/golden/"

/* Routes --------------------------------------------------------------------------------------- */

#define NODE(name, ip)                                                                             \
	"---\napiVersion: v1\nkind: Node\nmetadata: {name: " name "}\n"                            \
	"status: {addresses: [{type: InternalIP, address: " ip "}]}\n"

/* node01 and node02 in one subnet, node03 behind the router. */
#define TWO_SUBNETS(cni, more)                                                                     \
	"apiVersion: labd.dev/v1\nkind: Lab\nmetadata: {name: t}\nspec:\n  cni: " cni "\n" more    \
	"  underlays:\n  - {cidr: 10.0.1.0/24, nic: eth0}\n  - {cidr: 10.0.2.0/24, nic: "          \
	"eth1}\n" NODE("node01", "10.0.1.11") NODE("node02", "10.0.1.12")                          \
		NODE("node03", "10.0.2.13")

#define POOL(spec)                                                                                 \
	"---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\nmetadata: {name: a}\n"           \
	"spec: {cidr: 10.244.0.0/16, " spec "}\n"

#define NET_CONF(backend)                                                                          \
	"---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: kube-flannel-cfg, namespace: "     \
	"kube-flannel}\ndata:\n  net-conf.json: '{\"Network\": \"10.244.0.0/16\", \"Backend\": "   \
	"" backend "}'\n"

static const char *route_text(struct arena *a, const struct droute *r)
{
	return arena_printf(a, "%s%s%s%s%s%s%s%s%s",
			    r->type == DROUTE_BLACKHOLE ? "blackhole " : "", CIDR(r->dst),
			    r->via ? " via " : "", r->via ? IP4(r->via) : "", r->dev ? " dev " : "",
			    r->dev ? r->dev : "",
			    r->proto == 12   ? " proto bird"
			    : r->proto == 80 ? " proto 80"
					     : "",
			    r->scope_link ? " scope link" : "", r->onlink ? " onlink" : "");
}

/* The routes of a namespace to other nodes' part of the pod network, one per line. */
static const char *routes(const struct plan *p, const char *ns)
{
	const char *s = "";

	vec_foreach (struct droute, r, &plan_ns(p, ns)->routes)
		if (cidr_has((struct cidr){0x0af40000, 16}, r->dst.addr) && !r->scope_link)
			s = arena_printf(p->arena, "%s%s\n", s, route_text(p->arena, r));
	return s;
}

static void want_routes(const char *yaml, const char *ns, const char *text)
{
	_plan_ struct plan p = plan_of(yaml, NULL);

	assert_string_equal(routes(&p, ns), text);
}

/* Blocks of the three names: node01 .196.128, node02 .140.64, node03 .186.192 (as claimed). */
static void test_calico_routes(void **state)
{
	_plan_ struct plan any = plan_of(TWO_SUBNETS("calico", "") POOL("ipipMode: Always"), NULL);
	const char *b3 = CIDR(any.cluster->blocks.v[2].cidr),
		   *t3 = IP4(any.cluster->nodes.v[2].tunnel_ip);
	struct arena *a = any.arena;

	(void)state;
#define HOLE(proto) "blackhole 10.244.196.128/26 proto " proto "\n"
	want_routes(
		TWO_SUBNETS("calico", "") POOL("ipipMode: Always"), "node01",
		arena_printf(
			a,
			HOLE("bird") "10.244.140.64/26 via 10.0.1.12 dev tunl0 proto bird onlink\n"
				     "%s via 10.0.2.13 dev tunl0 proto bird onlink\n",
			b3));
	want_routes(TWO_SUBNETS("calico", "") POOL("ipipMode: CrossSubnet"), "node01",
		    arena_printf(a,
				 HOLE("bird") "10.244.140.64/26 via 10.0.1.12 dev eth0 proto bird\n"
					      "%s via 10.0.2.13 dev tunl0 proto bird onlink\n",
				 b3));
	want_routes(TWO_SUBNETS("calico", "") POOL("ipipMode: Never"), "node01",
		    arena_printf(a,
				 HOLE("bird") "10.244.140.64/26 via 10.0.1.12 dev eth0 proto bird\n"
					      "%s via 10.0.1.1 dev eth0 proto bird\n",
				 b3));
	/* The router is their BGP peer then, and only then. */
	want_routes(TWO_SUBNETS("calico", "") POOL("ipipMode: Never"), "router",
		    arena_printf(a,
				 "10.244.196.128/26 via 10.0.1.11 dev eth0 proto bird\n"
				 "10.244.140.64/26 via 10.0.1.12 dev eth0 proto bird\n"
				 "%s via 10.0.2.13 dev eth1 proto bird\n",
				 b3));
	want_routes(TWO_SUBNETS("calico", "") POOL("ipipMode: CrossSubnet"), "router", "");
	want_routes(TWO_SUBNETS("calico", "") POOL("vxlanMode: Always"), "node01",
		    arena_printf(a,
				 HOLE("80") "10.244.140.64/26 via 10.244.140.64 dev vxlan.calico "
					    "proto 80 onlink\n%s via %s dev vxlan.calico proto 80 "
					    "onlink\n",
				 b3, t3));
	want_routes(
		TWO_SUBNETS("calico", "") POOL("vxlanMode: CrossSubnet"), "node01",
		arena_printf(a,
			     HOLE("80") "10.244.140.64/26 via 10.0.1.12 dev eth0 proto 80 onlink\n"
					"%s via %s dev vxlan.calico proto 80 onlink\n",
			     b3, t3));
}

static void test_flannel_routes(void **state)
{
	_plan_ struct plan p =
		plan_of(TWO_SUBNETS("flannel", "")
				NET_CONF("{\"Type\": \"vxlan\", \"DirectRouting\": true}"),
			NULL);

	(void)state;
	assert_string_equal(routes(&p, "node01"),
			    "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink\n"
			    "10.244.1.0/24 via 10.0.1.12 dev eth0\n");
	/* A near node takes part in nothing of the tunnel. */
	assert_int_equal(plan_ns(&p, "node01")->fdbs.n, 1);
	assert_int_equal(plan_ns(&p, "node01")->neighs.n, 1);
	want_routes(TWO_SUBNETS("flannel", "") NET_CONF("{\"Type\": \"vxlan\"}"), "node01",
		    "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink\n"
		    "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink\n");
	/* host-gw has no way to a node behind a router. */
	want_routes(TWO_SUBNETS("flannel", "") NET_CONF("{\"Type\": \"host-gw\"}"), "node01",
		    "10.244.1.0/24 via 10.0.1.12 dev eth0\n");
	want_routes(TWO_SUBNETS("flannel", "")
			    NET_CONF("{\"Type\": \"ipip\", \"DirectRouting\": true}"),
		    "node03",
		    "10.244.1.0/24 via 10.0.1.12 dev flannel.ipip onlink\n"
		    "10.244.0.0/24 via 10.0.1.11 dev flannel.ipip onlink\n");
}

/* Blocks --------------------------------------------------------------------------------------- */

/* The 64th pod of a node needs a second block (the tunnel has one address), which others route. */
static void test_block_growth(void **state)
{
	static const char one[] = PLAN_NODES(
		"calico",
		"") "---\napiVersion: v1\nkind: Node\n"
		    "metadata: {name: idle}\nspec: {unschedulable: true}\nstatus: "
		    "{addresses: [{type: InternalIP, address: 100.100.137.203}]}\n" PLAN_DEPLOYMENT(
			    "web", "128");
	_plan_ struct plan p = plan_of(one, NULL);
	const struct cnode *n = &p.cluster->nodes.v[1];
	struct cidr second;

	(void)state;
	assert_int_equal(n->blocks.n, 2);
	second = p.cluster->blocks.v[n->blocks.v[1]].cidr;
	/* The one behind the first: the search goes on upwards. */
	assert_string_equal(CIDR(second), "10.244.196.192/26");
	assert_non_null(
		strstr(routes(&p, "idle"), "10.244.196.192/26 via 100.100.137.201 dev tunl0"));
	assert_non_null(strstr(routes(&p, "node01"), "blackhole 10.244.196.192/26 proto bird\n"));
}

/* Four blocks of four: the third pod of node02 borrows, and its address is announced alone. */
static const char full[] = TWO_SUBNETS(
	"calico",
	"") "---\napiVersion: crd.projectcalico.org/v1\nkind: IPPool\n"
	    "metadata: {name: small}\nspec: {cidr: 10.244.0.0/29, blockSize: 31, ipipMode: "
	    "Always}\n"
	    "---\napiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: "
	    "kube-system}\n"
	    "spec: {clusterIP: 10.96.0.10, ports: [{port: 53, protocol: UDP}]}\n"
	    "---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  replicas: "
	    "4\n"
	    "  selector: {matchLabels: {app: web}}\n  template:\n    metadata: {labels: {app: "
	    "web}}\n"
	    "    spec:\n      nodeName: node02\n      containers: [{name: c, image: nginx}]\n";

static void test_borrowing(void **state)
{
	_plan_ struct plan p = plan_of(full, NULL);
	const struct cnode *n = &p.cluster->nodes.v[1];
	unsigned borrowed = 0;

	(void)state;
	/* The fourth block became node02's second; four pods and a tunnel need five addresses. */
	assert_int_equal(n->blocks.n, 2);
	vec_foreach (struct cpod, k, &p.cluster->pods) {
		bool own = false;

		vec_foreach (int, i, &n->blocks)
			own |= cidr_has(p.cluster->blocks.v[*i].cidr, k->ip);
		if (own)
			continue;
		borrowed++;
		assert_non_null(strstr(routes(&p, "node01"),
				       arena_printf(p.arena,
						    "%s/32 via 10.0.1.12 dev tunl0 proto bird "
						    "onlink\n",
						    IP4(k->ip))));
	}
	assert_int_equal(borrowed, 1);
}

/* BIRD ----------------------------------------------------------------------------------------- */

static const char *bird_conf(const struct plan *p, const char *node)
{
	vec_foreach (struct dfile, f, &plan_ns(p, node)->files)
		if (strcmp(f->path, "/run/calico/bird.cfg") == 0)
			return f->content;
	return NULL;
}

static bool runs_bird(const struct plan *p, const char *node)
{
	vec_foreach (const struct dproc, q, &plan_ns(p, node)->procs)
		if (strcmp(q->argv.v[0], "bird") == 0)
			return true;
	return false;
}

static void test_bird(void **state)
{
	_plan_ struct plan p = plan_of(
		TWO_SUBNETS("calico", "  routing: bird\n") POOL("ipipMode: CrossSubnet"), NULL);
	_plan_ struct plan none =
		plan_of(TWO_SUBNETS("calico", "  routing: bird\n") POOL("vxlanMode: Always"), NULL);
	const char *c = bird_conf(&p, "node01");

	(void)state;
	assert_non_null(c);
	assert_non_null(strstr(c, "\troute 10.0.1.12/32 via \"eth0\";\n"
				  "\troute 10.0.2.13/32 via 10.0.2.13%tunl0 onlink;\n"));
	assert_non_null(strstr(c, "\troute 10.244.196.128/26 blackhole;\n"));
	/* The smaller address connects. */
	assert_non_null(strstr(c, "Mesh_10_0_1_12 from mesh {\n\tneighbor 10.0.1.12 as 64512;\n}"));
	assert_non_null(
		strstr(bird_conf(&p, "node02"), "neighbor 10.0.1.11 as 64512;\n\tpassive;\n}"));
	assert_true(runs_bird(&p, "node01"));
	assert_true(p.desired->needs_bird);
	/* With VXLAN there is nothing for it to do. */
	assert_null(bird_conf(&none, "node01"));
	assert_false(runs_bird(&none, "node01"));
}

static void test_bird_pools(void **state)
{
	_plan_ struct plan p = plan_try(
		TWO_SUBNETS("calico", "  routing: bird\n")
			POOL("ipipMode: Always") "---\napiVersion: crd.projectcalico.org/v1\nkind: "
						 "IPPool\nmetadata: {name: b}\nspec: {cidr: "
						 "10.245.0.0/16, ipipMode: Never}\n",
		NULL);

	(void)state;
	assert_int_equal(p.faults.total, 1);
	assert_string_equal(p.faults.list.v[0].path, "spec.ipipMode");
}

/* Golden --------------------------------------------------------------------------------------- */

/* Put a text into a file. */
static void spill(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

/* In the child: load sets and rules into a new network namespace, save. */
static int load_and_save(const char *dir)
{
	char cmd[2048];

	if (unshare(CLONE_NEWNET) < 0)
		return 77;
	snprintf(cmd, sizeof(cmd),
		 "export XTABLES_LOCKFILE=%s/lock PATH=$PATH:/usr/sbin:/sbin && cd %s && "
		 "ipset restore <sets && iptables-legacy-restore --noflush <rules && "
		 "for t in filter mangle nat raw; do iptables-legacy-save -t $t; done >saved",
		 dir, dir);
	return system(cmd) == 0 ? 0 : 1;
}

/* Without iptables-save's own comments and its counters, and without empty tables that the golden
 * file does not show. */
static char *plain(struct arena *a, const char *text, const char *like)
{
	struct strbuf s = STRBUF_INIT;
	bool shown = true;
	char *ret;

	while (*text) {
		size_t n = strcspn(text, "\n");
		const char *line = arena_strndup(a, text, n), *count = strstr(line, " [");

		if (*line == '*')
			shown = strstr(like, arena_printf(a, "%s\n", line)) != NULL;
		if (shown && *line && *line != '#')
			strbuf_addf(&s, "%.*s\n",
				    *line == ':' && count ? (int)(count - line) : (int)strlen(line),
				    line);
		text += n + (text[n] == '\n');
	}
	ret = arena_strdup(a, strbuf_str(&s));
	strbuf_free(&s);
	return ret;
}

/* The rules of some owners on a node, as the kernel holds them, are the golden file's. */
static void check_golden(const struct plan *p, const char *node, const char *owners,
			 const char *golden)
{
	char dir[] = "/tmp/labd-golden-XXXXXX";
	struct strbuf rules = STRBUF_INIT, sets = STRBUF_INIT, saved = STRBUF_INIT,
		      want = STRBUF_INIT;
	struct err err = {0};
	char *got, *text;
	int status;
	pid_t pid;

	vec_foreach (struct drules, r, &plan_ns(p, node)->rules)
		if (strstr(owners, r->owner))
			strbuf_adds(&rules, r->text);
	vec_foreach (struct dipset, s, &plan_ns(p, node)->ipsets)
		strbuf_addf(&sets, "create %s %s %s\n", s->name, s->type, s->options);
	assert_non_null(mkdtemp(dir));
	spill(arena_printf(p->arena, "%s/rules", dir), strbuf_str(&rules));
	spill(arena_printf(p->arena, "%s/sets", dir), strbuf_str(&sets));
	pid = fork();
	if (pid == 0)
		_exit(load_and_save(dir));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	text = arena_printf(p->arena, "%s/saved", dir);
	if (WEXITSTATUS(status) == 0) {
		assert_int_equal(file_read(text, 1 << 20, &saved, &err), 0);
		assert_int_equal(file_read(golden, 1 << 20, &want, &err), 0);
	}
	assert_int_equal(system(arena_printf(p->arena, "rm -r %s", dir)), 0);
	if (WEXITSTATUS(status) == 77)
		skip();
	assert_int_equal(WEXITSTATUS(status), 0);
	got = plain(p->arena, strbuf_str(&saved), strbuf_str(&want));
	text = plain(p->arena, strbuf_str(&want), strbuf_str(&want));
	assert_string_equal(got, text);
	strbuf_free(&rules);
	strbuf_free(&sets);
	strbuf_free(&saved);
	strbuf_free(&want);
}

#define POD(name, label)                                                                           \
	"---\napiVersion: v1\nkind: Pod\nmetadata: {name: " name ", labels: {app: " label "}}\n"   \
	"spec: {nodeName: node02, containers: [{name: c, image: nginx}]}\n"
#define PODS                                                                                       \
	POD("nginx-deployment-6b9d659f5f-qbchs", "nginx")                                          \
	POD("busybox1-857448d9ff-shdfz", "busybox1")
#define FRONTEND                                                                                   \
	"---\napiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\n"                             \
	"metadata: {name: allow-frontend}\nspec:\n  podSelector: {matchLabels: {app: nginx}}\n"    \
	"  ingress:\n  - from: [{podSelector: {matchLabels: {app: frontend}}}]\n"                  \
	"    ports: [{port: 80}]\n"
/* coredns' pods go to the master, which alone has room for them. */
#define CALICO(version)                                                                            \
	PLAN_NODES("calico", "  kubernetes: \"" version "\"\n")                                    \
	"---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: coredns, namespace: "        \
	"kube-system}\nspec:\n  replicas: 0\n  selector: {matchLabels: {k8s-app: kube-dns}}\n"     \
	"  template:\n    metadata: {labels: {k8s-app: kube-dns}}\n"                               \
	"    spec: {containers: [{name: c, image: kube-dns}]}\n"                                   \
	"---\napiVersion: v1\nkind: Service\nmetadata: {name: kube-dns, namespace: kube-system}\n" \
	"spec: {clusterIP: 10.96.0.10, selector: {k8s-app: kube-dns}, ports: [{port: 53, "         \
	"protocol: UDP}]}\n"

static void test_golden_calico(void **state)
{
	static const struct {
		const char *yaml, *golden;
	} cases[] = {
		{CALICO("1.20") POOL("ipipMode: Always, natOutgoing: true") PODS,
		 "node02-ipip.v3.22"},
		{CALICO("1.23") POOL("ipipMode: Always, natOutgoing: true") PODS,
		 "node02-ipip.v3.24"},
		{CALICO("1.32") POOL("ipipMode: Always, natOutgoing: true") PODS,
		 "node02-ipip.v3.28"},
		{CALICO("1.32") POOL("vxlanMode: Always, natOutgoing: true") PODS,
		 "node02-vxlan.v3.28"},
		{CALICO("1.23") POOL("ipipMode: Always, natOutgoing: true"), "no-pods-ipip.v3.24"},
		{CALICO("1.32") POOL("ipipMode: Always, natOutgoing: true") PODS FRONTEND,
		 "node02-ipip-netpol.v3.28"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_plan_ struct plan p = plan_of(cases[i].yaml, NULL);

		check_golden(&p, "node02", "calico",
			     arena_printf(p.arena, GOLDEN "calico/%s.expected", cases[i].golden));
	}
}

static void test_golden_flannel(void **state)
{
	static const struct {
		enum kube_version version;
		const char *owners, *golden;
	} cases[] = {
		{KUBE_1_20, "flannel", "v0.14"},
		{KUBE_1_23, "flannel", "v0.17"},
		{KUBE_1_23, "flannel kube-proxy", "v0.17-kube-proxy-v1.23"},
		{KUBE_1_32, "flannel", "v0.20"},
		{KUBE_1_32, "flannel kube-proxy", "v0.20-kube-proxy-v1.32"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cluster_opts opts = {.version = &cases[i].version};
		_plan_ struct plan p = plan_of("labs/flannel-vxlan.lab.yaml", &opts);

		check_golden(&p, "node01", cases[i].owners,
			     arena_printf(p.arena, GOLDEN "flannel/node01.flannel-%s.expected",
					  cases[i].golden));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calico_routes), cmocka_unit_test(test_flannel_routes),
		cmocka_unit_test(test_block_growth),  cmocka_unit_test(test_borrowing),
		cmocka_unit_test(test_bird),	      cmocka_unit_test(test_bird_pools),
		cmocka_unit_test(test_golden_calico), cmocka_unit_test(test_golden_flannel),
	};

	return cmocka_run_group_tests_name("calico_modes", tests, NULL, NULL);
}
