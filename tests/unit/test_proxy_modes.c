/* SPDX-License-Identifier: MIT */
/*
 * test_proxy_modes: kube-proxy's nftables, ipvs and userspace modes: the golden cases as text
 * (tests/golden-proxy.sh does it through the kernel), and what they do not show: names that are too
 * long, schedulers, what differs between two states.
 */
#include "tests/unit/proxy_lab.h"

#include <glob.h>

#include "lib/base/file.h"
#include "lib/plan/ipvs_diff.h"
#include "lib/plan/nft_diff.h"

#define CASES "tests/golden/kube-proxy/cases/"

static void read_all(const char *path, struct strbuf *b)
{
	assert_int_equal(file_read(path, 1 << 24, b, NULL), 0);
}

/* Plan the case that an expected file belongs to ("CASES/NAME.vVERSION-MODE.expected"). */
static void plan_case(struct lab *l, const char *expected, enum kube_version v, enum proxy_mode m)
{
	char yaml[512];
	const char *dot = strstr(expected + strlen(CASES), ".v");
	assert_non_null(dot);
	snprintf(yaml, sizeof(yaml), "%.*s.yaml", (int)(dot - expected), expected);
	assert_int_equal(yaml_files_add(l->files, yaml, NULL), 0);
	lab_plan_mode(l, v, m, NULL);
}

/* nftables ------------------------------------------------------------------------------------- */

static void check_table(struct lab *l, const char *expected)
{
	_strbuf_ struct strbuf want = STRBUF_INIT;
	strs words = {0};
	read_all(expected, &want);
	nft_diff(l->arena, strbuf_str(&l->text), strbuf_str(&want), &words);
	if (words.n)
		fail_msg("%s: %s", expected, words.v[0]);
}

static unsigned nft_cases(const char *suffix, enum kube_version v)
{
	glob_t g;
	char pattern[256];
	snprintf(pattern, sizeof(pattern), CASES "*.%s-nftables.expected", suffix);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	unsigned n = (unsigned)g.gl_pathc;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		_lab_ struct lab l = lab_new();
		plan_case(&l, g.gl_pathv[i], v, PROXY_NFTABLES);
		check_table(&l, g.gl_pathv[i]);
	}
	globfree(&g);
	return n;
}

static void test_nftables(void **state)
{
	assert_in_range(nft_cases("v1.32.13", KUBE_1_32), 15, 100);
	assert_in_range(nft_cases("v1.36.2", KUBE_1_36), 15, 100);
}

/* Upstream's own dump was made with a ServiceCIDR, and with more endpoints on the node. */
static void overall(enum kube_version v, const char *expected, const char *const *local)
{
	static const char cidr[] = "---\napiVersion: networking.k8s.io/v1\nkind: ServiceCIDR\n"
				   "metadata: {name: kubernetes}\n"
				   "spec: {cidrs: [172.30.0.0/16, 'fd00:10:96::/112']}\n";
	_strbuf_ struct strbuf file = STRBUF_INIT, yaml = STRBUF_INIT;
	read_all(CASES "overall.yaml", &file);
	for (const char *s = strbuf_str(&file); *s;) {
		size_t n = strcspn(s, "\n");
		strbuf_add(&yaml, s, n);
		strbuf_addc(&yaml, '\n');
		for (size_t i = 0; local[i]; i++)
			if (memmem(s, n, local[i], strlen(local[i])))
				strbuf_adds(&yaml, "  nodeName: test-hostname\n");
		s += n + (s[n] == '\n');
	}
	strbuf_adds(&yaml, cidr);
	_lab_ struct lab l = lab_new();
	assert_int_equal(yaml_files_add_text(l.files, "overall", yaml.s, yaml.len, NULL), 0);
	lab_plan_mode(&l, v, PROXY_NFTABLES, NULL);
	check_table(&l, expected);
}

static void test_nft_upstream(void **state)
{
	static const char *const none[] = {NULL};
	static const char *const local[] = {"[10.180.0.1]", "[10.180.0.3]", NULL};
	overall(KUBE_1_32, CASES "overall.nftables-v1.32.expected", none);
	overall(KUBE_1_36, CASES "overall.nftables-v1.36.expected", local);
}

/* A service of namespace `ns` with one endpoint per address; port 80 unless the spec has ports. */
static void add_service(struct strbuf *b, const char *name, const char *spec, const char *addrs)
{
	bool own = strstr(spec, "ports:");
	strbuf_addf(b,
		    "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: ns, name: %s}\n"
		    "spec:\n  clusterIP: 10.96.0.7\n%s%s%s"
		    "---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"
		    "metadata: {namespace: ns, name: %s-x, labels: {kubernetes.io/service-name: "
		    "%s}}\n"
		    "ports: [{name: http, port: 8080, protocol: %s}]\nendpoints:\n- {addresses: "
		    "[%s], nodeName: n1}\n",
		    name, own ? "" : "  ports: [{name: http, port: 80",
		    own			       ? ""
		    : strstr(spec, "NodePort") ? ", nodePort: 30080}]\n"
					       : "}]\n",
		    spec, name, name, strstr(spec, "SCTP") ? "SCTP" : "TCP", addrs);
}

static struct lab one_service(enum kube_version v, enum proxy_mode m, const char *config,
			      const char *spec)
{
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	add_node(&yaml, config);
	add_service(&yaml, "web", spec, "10.1.0.5");
	struct lab l = lab_new();
	assert_int_equal(yaml_files_add_text(l.files, "test", yaml.s, yaml.len, NULL), 0);
	lab_plan_mode(&l, v, m, "n1");
	return l;
}

static void has(const struct lab *l, const char *text)
{
	if (!strstr(strbuf_str(&l->text), text))
		fail_msg("no \"%s\"", text);
}

static void has_not(const struct lab *l, const char *text)
{
	if (strstr(strbuf_str(&l->text), text))
		fail_msg("there is \"%s\"", text);
}

static void test_nft_options(void **state)
{
	_lab_ struct lab a = one_service(KUBE_1_36, PROXY_NFTABLES,
					 "mode: nftables\nnftables: {masqueradeBit: 4}\n"
					 "detectLocalMode: InterfaceNamePrefix\n"
					 "detectLocal: {interfaceNamePrefix: veth}\n"
					 "nodePortAddresses: [192.168.1.0/24, 127.0.0.0/8]\n",
					 "  sessionAffinity: ClientIP\n  sessionAffinityConfig: "
					 "{clientIP: {timeoutSeconds: 5425}}\n");
	has(&a, "\t\ttimeout 1h30m25s\n");
	has(&a, "meta mark & 0x00000010 != 0x00000000");
	has(&a, "ip daddr @cluster-ips iifname != \"veth*\" meta mark set meta mark | 0x00000010");
	has(&a, "\t\t\t192.168.1.2,\n");
	has_not(&a, "127.0.0.1");
	has_not(&a, "192.168.0.2");

	/* Ranges inside others would make nft refuse the whole table. */
	static const char lb[] = "  type: LoadBalancer\n  loadBalancerSourceRanges: [10.0.0.0/8, "
				 "10.2.0.0/16, 192.168.0.0/16, 203.0.113.7/32]\n"
				 "status: {loadBalancer: {ingress: [{ip: 192.168.9.9}]}}\n";
	_lab_ struct lab b =
		one_service(KUBE_1_32, PROXY_NFTABLES, "clusterCIDR: 10.0.0.0/8\n", lb);
	has(&b, "ip saddr != { 10.0.0.0/8, 192.168.0.0/16, 203.0.113.7 } drop\n");
}

/* Settings of the mode in use: those of iptables count where the file is meant for that mode. */
static void test_nft_masquerade_all(void **state)
{
	static const char *const all = "masquerade all clusterIP traffic";
	static const struct {
		const char *config;
		bool all;
	} t[] = {
		{"mode: nftables\niptables: {masqueradeAll: true}\n", false},
		{"iptables: {masqueradeAll: true}\n", false},
		{"mode: iptables\niptables: {masqueradeAll: true}\n", true},
		{"mode: nftables\nnftables: {masqueradeAll: true}\n", true},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_lab_ struct lab l = one_service(KUBE_1_36, PROXY_NFTABLES, t[i].config, "");
		(t[i].all ? has : has_not)(&l, all);
	}
}

static void test_nft_long_name(void **state)
{
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	char name[64], ns[64];
	memset(name, 'a', 63);
	memset(ns, 'b', 63);
	name[63] = ns[63] = '\0';
	add_node(&yaml, "");
	strbuf_addf(&yaml,
		    "---\napiVersion: v1\nkind: Service\nmetadata: {namespace: %s, name: %s}\n"
		    "spec:\n  clusterIP: 10.96.0.7\n  ports: [{name: http, port: 80}]\n",
		    ns, name);
	_lab_ struct lab l = lab_new();
	assert_int_equal(yaml_files_add_text(l.files, "test", yaml.s, yaml.len, NULL), 0);
	lab_plan_mode(&l, KUBE_1_36, PROXY_NFTABLES, "n1");
	for (const char *s = strstr(strbuf_str(&l.text), "chain "); s; s = strstr(s, "chain ")) {
		s += strlen("chain ");
		assert_in_range(strcspn(s, " \n"), 1, 255);
	}
}

static void test_nft_diff(void **state)
{
	_arena_ struct arena *a = arena_new();
	static const char want[] =
		"table ip kube-proxy {\n\tset s {\n\t\ttype ipv4_addr\n"
		"\t\telements = {\n\t\t\t1.1.1.1,\n\t\t\t2.2.2.2,\n\t\t}\n\t}\n\n"
		"\tchain c {\n\t\tdrop\n\t}\n\n\tchain d {\n\t}\n}\n";
	static const char same[] = "table ip kube-proxy {\n\tchain d {\n\t}\n\tset s {\n"
				   "\t\ttype ipv4_addr\n\t\telements = { 2.2.2.2,\n\t\t\t     "
				   "1.1.1.1 }\n\t}\n\n\tchain c {\n\t\tdrop\n\t}\n}\n";
	static const char other[] = "table ip kube-proxy {\n\tset s {\n\t\ttype ipv4_addr\n"
				    "\t\telements = { 1.1.1.1 }\n\t}\n\tchain e {\n\t}\n"
				    "\tchain c {\n\t\taccept\n\t}\n}\n";
	strs words = {0};
	nft_diff(a,
		 "table ip t {\n\tset d {\n\t\tflags dynamic,timeout\n\t\telements = { 1.1.1.1 "
		 "}\n\t}\n}\n",
		 "table ip t {\n\tset d {\n\t\tflags dynamic,timeout\n\t}\n}\n", &words);
	assert_int_equal(words.n, 0);
	nft_diff(a, same, want, &words);
	assert_int_equal(words.n, 0);
	nft_diff(a, other, want, &words);
	assert_int_equal(words.n, 5);
	assert_string_equal(words.v[0], "chain c: missing: drop");
	assert_string_equal(words.v[1], "chain c: added by hand: accept");
	assert_string_equal(words.v[2], "chain d is missing");
	assert_string_equal(words.v[3], "set s: missing: 2.2.2.2");
	assert_string_equal(words.v[4], "chain e was added by hand");
}

/* ipvs ----------------------------------------------------------------------------------------- */

/* The lines behind the one that begins with `head`, up to one that begins with `end`. */
static char *section(struct arena *a, const char *text, const char *head, const char *end)
{
	const char *s = strstr(text, head);
	assert_non_null(s);
	s += strcspn(s, "\n") + 1;
	const char *e = strncmp(s, end, strlen(end)) == 0 ? s : strstr(s, end);
	assert_non_null(e);
	return arena_strndup(a, s, (size_t)(e - s));
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Lines sorted, without the kernel's own options of sets and the policies of built-in chains. */
static char *sorted(struct arena *a, char *text, bool sort)
{
	static const char *const builtin[] = {":INPUT ", ":OUTPUT ", ":FORWARD ", ":PREROUTING ",
					      ":POSTROUTING "};
	strs lines = {0};
	char *save = NULL;
	for (char *s = strtok_r(text, "\n", &save); s; s = strtok_r(NULL, "\n", &save)) {
		bool skip = false;
		for (size_t i = 0; i < ARRAY_SIZE(builtin); i++)
			skip = skip || strncmp(s, builtin[i], strlen(builtin[i])) == 0;
		char *own = strstr(s, " bucketsize");
		if (own)
			*own = '\0';
		if (!skip)
			*vec_push(a, &lines) = s;
	}
	if (sort && lines.n)
		qsort(lines.v, lines.n, sizeof(*lines.v), by_text);
	struct strbuf out = STRBUF_INIT;
	vec_foreach (const char *, s, &lines)
		strbuf_addf(&out, "%s\n", *s);
	char *r = arena_strdup(a, strbuf_str(&out));
	strbuf_free(&out);
	return r;
}

static void check_ipvs(struct lab *l, const char *expected)
{
	_strbuf_ struct strbuf file = STRBUF_INIT;
	struct arena *a = l->arena;
	const char *got = strbuf_str(&l->text), *want;
	read_all(expected, &file);
	want = arena_printf(a, "# rules\n%s", strbuf_str(&file));
	assert_same(expected, sorted(a, section(a, got, "iptables-restore", "END"), false),
		    sorted(a, section(a, want, "# rules", "# ipvsadm"), false));
	assert_same(expected, sorted(a, section(a, got, "ipvsadm --restore", "END"), true),
		    sorted(a, section(a, want, "# ipvsadm", "# ipset"), true));
	assert_same(expected, sorted(a, section(a, got, "ipset restore", "END"), true),
		    sorted(a, section(a, want, "# ipset", "# addresses"), true));
	char *save = NULL, *addrs = section(a, want, "# addresses", "\n");
	for (char *s = strtok_r(addrs, " ", &save); s; s = strtok_r(NULL, " ", &save))
		has(l, arena_printf(a, "ip addr add %s dev kube-ipvs0\n", s));
}

static void test_ipvs(void **state)
{
	glob_t g;
	assert_int_equal(glob(CASES "*.v1.32-ipvs.expected", 0, NULL, &g), 0);
	assert_in_range(g.gl_pathc, 5, 100);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		_lab_ struct lab l = lab_new();
		plan_case(&l, g.gl_pathv[i], KUBE_1_32, PROXY_IPVS);
		check_ipvs(&l, g.gl_pathv[i]);
	}
	globfree(&g);
}

static void test_ipvs_options(void **state)
{
	static const char nodeport[] = "  type: NodePort\n  externalTrafficPolicy: Local\n"
				       "  sessionAffinity: ClientIP\n";
	_lab_ struct lab mh =
		one_service(KUBE_1_32, PROXY_IPVS,
			    "ipvs: {scheduler: mh, strictARP: true, tcpTimeout: 10s}\n", nodeport);
	has(&mh, "-A -t 10.96.0.7:80 -s mh -p 10800 -b mh-port\n");
	has(&mh, "sysctl -q -w net.ipv4.conf.all.arp_ignore=1\n");
	has(&mh, "sysctl -q -w net.ipv4.conf.all.arp_announce=2\n");
	has(&mh, "ipvsadm --set 10 0 0\n");
	has_not(&mh, "route_localnet");
	/* Without a way to tell pods the node's own connections are masqueraded. */
	has(&mh, "-m set --match-set KUBE-CLUSTER-IP src,dst -j KUBE-MARK-MASQ\n");

	_lab_ struct lab old = one_service(KUBE_1_20, PROXY_IPVS, "", nodeport);
	has(&old, "net.ipv4.vs.conn_reuse_mode=0\n");
	has(&old, "net.ipv4.conf.all.route_localnet=1\n");
	has(&old, "-A -t 127.0.0.1:30080 -s rr -p 10800\n");
	_lab_ struct lab mid = one_service(KUBE_1_23, PROXY_IPVS, "", nodeport);
	has(&mid, "KUBE-HEALTH-CHECK-NODE-PORT");
	has(&mid, ":KUBE-MARK-DROP - [0:0]\n");
	has_not(&mid, "-A -t 127.0.0.1:");
	has_not(&mid, "KUBE-IPVS-IPS");
}

/* What random manifests held against the source of each version showed. */
static void test_ipvs_versions(void **state)
{
	static const char sctp[] =
		"  type: NodePort\n  externalTrafficPolicy: Local\n"
		"  ports: [{name: http, port: 80, nodePort: 30080, protocol: SCTP}]\n";
	static const char *const masq = "KUBE-NODE-PORT-SCTP-HASH dst,dst -j KUBE-MARK-MASQ\n";
	static const char *const local = "KUBE-NODE-PORT-LOCAL-SCTP-HASH dst,dst -j RETURN\n";
	(void)state;
	/* 1.20 marks SCTP before it looks at the policy. */
	for (enum kube_version v = KUBE_1_20; v <= KUBE_1_32; v++) {
		_lab_ struct lab l = one_service(v, PROXY_IPVS, "", sctp);
		has(&l, masq);
		has(&l, local);
		assert_int_equal(strstr(l.text.s, masq) < strstr(l.text.s, local), v == KUBE_1_20);
	}
	/* Loopback addresses take node ports up to 1.20, when they are listed too. */
	static const char nodeport[] = "  type: NodePort\n";
	static const char loopback[] = "nodePortAddresses: [127.0.0.0/8, 192.168.1.0/24]\n";
	_lab_ struct lab old = one_service(KUBE_1_20, PROXY_IPVS, loopback, nodeport);
	has(&old, "-A -t 127.0.0.1:30080 ");
	_lab_ struct lab mid = one_service(KUBE_1_23, PROXY_IPVS, loopback, nodeport);
	has(&mid, "-A -t 192.168.1.2:30080 ");
	has_not(&mid, "-A -t 127.0.0.1:30080 ");
	/* A range that no set takes: kube-proxy cannot add it, but has its rule. */
	static const char lb[] = "  type: LoadBalancer\n  loadBalancerSourceRanges: [0.0.0.0/0]\n"
				 "status: {loadBalancer: {ingress: [{ip: 192.168.9.9}]}}\n";
	_lab_ struct lab open = one_service(KUBE_1_32, PROXY_IPVS, "", lb);
	has(&open, "--match-set KUBE-LOAD-BALANCER-SOURCE-CIDR dst,dst,src -j RETURN\n");
	has_not(&open, "add KUBE-LOAD-BALANCER-SOURCE-CIDR");
	has(&open, "add KUBE-LOAD-BALANCER-SOURCE-IP 192.168.9.9,tcp:80,192.168.9.9\n");
}

/* Both policies Local: in 1.23 the external one keeps the internal one from hiding endpoints, but
 * ipvs sends what goes to the cluster IP to local ones all the same. */
static void test_ipvs_both_local(void **state)
{
	static const char spec[] = "  type: NodePort\n  externalTrafficPolicy: Local\n"
				   "  internalTrafficPolicy: Local\n";
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	(void)state;
	add_node(&yaml, "");
	add_service(&yaml, "web", spec, "10.1.0.5");
	strbuf_adds(&yaml, "- {addresses: [10.1.1.5], nodeName: n2}\n");
	for (enum kube_version v = KUBE_1_20; v <= KUBE_1_32; v++) {
		_lab_ struct lab l = lab_new();
		assert_int_equal(yaml_files_add_text(l.files, "test", yaml.s, yaml.len, NULL), 0);
		lab_plan_mode(&l, v, PROXY_IPVS, "n1");
		has(&l, "-a -t 10.96.0.7:80 -r 10.1.0.5:8080 ");
		has(&l, "-a -t 192.168.0.2:30080 -r 10.1.0.5:8080 ");
		has_not(&l, "-a -t 192.168.0.2:30080 -r 10.1.1.5:8080 ");
		bool elsewhere = strstr(l.text.s, "-a -t 10.96.0.7:80 -r 10.1.1.5:8080 ");
		assert_int_equal(elsewhere, v == KUBE_1_20);
	}
}

/* The userspace mode knows no policies, whatever the version. */
static void test_userspace_policies(void **state)
{
	static const char spec[] = "  internalTrafficPolicy: Local\n";
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	(void)state;
	add_node(&yaml, "");
	add_service(&yaml, "web", spec, "10.1.0.5");
	strbuf_adds(&yaml, "- {addresses: [10.1.1.5], nodeName: n2}\n");
	for (enum kube_version v = KUBE_1_20; v <= KUBE_1_23; v++) {
		_lab_ struct lab l = lab_new();
		assert_int_equal(yaml_files_add_text(l.files, "test", yaml.s, yaml.len, NULL), 0);
		lab_plan_mode(&l, v, PROXY_USERSPACE, "n1");
		has(&l, " for ns/web:http: 10.1.0.5:8080 10.1.1.5:8080\n");
	}
}

static bool one_is_busy(void *arg, const char *service, const char *dest)
{
	return strcmp(service, "-t 1.1.1.1:80") == 0 && strcmp(dest, arg) == 0;
}

static void test_ipvs_diff(void **state)
{
	_arena_ struct arena *a = arena_new();
	static const char have[] = "-A -t 1.1.1.1:80 -s rr\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.1:80 -m -w 1\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.2:80 -m -w 1\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.3:80 -m -w 0\n"
				   "-A -t 2.2.2.2:80 -s rr\n-A -t 3.3.3.3:80 -s rr\n"
				   "-A -u 1.1.1.1:53 -s rr\n"
				   "-a -u 1.1.1.1:53 -r 10.0.0.1:53 -m -w 1\n";
	static const char want[] = "-A -t 1.1.1.1:80 -s lc -p 600\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.3:80 -m -w 1\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.4:80 -m -w 1\n"
				   "-A -u 1.1.1.1:53 -s rr\n-A -t 4.4.4.4:80 -s rr\n";
	_strbuf_ struct strbuf out = STRBUF_INIT;
	strs exclude = {0};
	*vec_push(a, &exclude) = "3.3.3.0/24";
	struct ipvs_diff d = {
		.busy = one_is_busy, .arg = (void *)"10.0.0.1:80", .exclude = &exclude};
	ipvs_diff(a, &d, have, want, &out);
	assert_string_equal(strbuf_str(&out), "-E -t 1.1.1.1:80 -s lc -p 600\n"
					      "-e -t 1.1.1.1:80 -r 10.0.0.3:80 -m -w 1\n"
					      "-a -t 1.1.1.1:80 -r 10.0.0.4:80 -m -w 1\n"
					      "-e -t 1.1.1.1:80 -r 10.0.0.1:80 -m -w 0\n"
					      "-d -t 1.1.1.1:80 -r 10.0.0.2:80\n"
					      "-A -t 4.4.4.4:80 -s rr\n"
					      "-d -u 1.1.1.1:53 -r 10.0.0.1:53\n"
					      "-D -t 2.2.2.2:80\n");
	assert_int_equal(d.words.n, 8);

	/* What only waits for its connections to end is no difference. */
	_strbuf_ struct strbuf none = STRBUF_INIT;
	struct ipvs_diff quiet = {.busy = one_is_busy, .arg = (void *)"10.0.0.1:80"};
	ipvs_diff(a, &quiet, "-A -t 1.1.1.1:80 -s rr\n-a -t 1.1.1.1:80 -r 10.0.0.1:80 -m -w 0\n",
		  "-A -t 1.1.1.1:80 -s rr\n", &none);
	assert_int_equal(none.len, 0);
	assert_int_equal(quiet.words.n, 0);
	assert_int_equal(quiet.draining, 1);
}

/* The look every minute: nothing but what waits and waits no more. */
static void test_ipvs_drained(void **state)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct ipvs_diff d = {.busy = one_is_busy, .arg = (void *)"10.0.0.1:80"};
	static const char have[] = "-A -t 1.1.1.1:80 -s lc\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.1:80 -m -w 0\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.2:80 -m -w 0\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.3:80 -m -w 0\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.4:80 -m -w 1\n"
				   "-A -t 7.7.7.7:80 -s rr\n"
				   "-a -t 7.7.7.7:80 -r 10.0.0.2:80 -m -w 0\n";
	/* .1 is busy still, .3 is wanted, .4 and 7.7.7.7 are drift: somebody else's business */
	static const char want[] = "-A -t 1.1.1.1:80 -s rr\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.3:80 -m -w 1\n"
				   "-a -t 1.1.1.1:80 -r 10.0.0.5:80 -m -w 1\n";
	ipvs_drained(a, &d, have, want, &out);
	assert_string_equal(strbuf_str(&out), "-d -t 1.1.1.1:80 -r 10.0.0.2:80\n");
	assert_int_equal(d.draining, 1);
}

/* userspace ------------------------------------------------------------------------------------ */

static void test_userspace(void **state)
{
	static const char spec[] = "  type: NodePort\n  externalIPs: [1.2.3.4]\n";
	_lab_ struct lab l = one_service(KUBE_1_20, PROXY_USERSPACE, "", spec);
	const char *text = strbuf_str(&l.text);
	const char *s = strstr(text, "REDIRECT --to-ports ");
	assert_non_null(s);
	unsigned port = (unsigned)strtoul(s + strlen("REDIRECT --to-ports "), NULL, 10);
	assert_in_range(port, 32768, 60999);
	struct arena *a = l.arena;
	has(&l, arena_printf(a, "#   tcp %u for ns/web:http: 10.1.0.5:8080\n", port));
	has(&l, arena_printf(a,
			     "-A KUBE-PORTALS-HOST -d 10.96.0.7/32 -p tcp -m comment --comment "
			     "\"ns/web:http\" -m tcp --dport 80 -j DNAT --to-destination "
			     "192.168.0.2:%u\n",
			     port));
	has(&l, arena_printf(a,
			     "-d 1.2.3.4/32 -p tcp -m comment --comment \"ns/web:http\" -m tcp "
			     "--dport 80 -m physdev ! --physdev-is-in -j REDIRECT --to-ports %u\n",
			     port));
	has(&l, arena_printf(a, "--dport %u -m state --state NEW -j ACCEPT\n", port));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nftables),      cmocka_unit_test(test_nft_upstream),
		cmocka_unit_test(test_nft_options),   cmocka_unit_test(test_nft_masquerade_all),
		cmocka_unit_test(test_nft_long_name), cmocka_unit_test(test_nft_diff),
		cmocka_unit_test(test_ipvs),	      cmocka_unit_test(test_ipvs_options),
		cmocka_unit_test(test_ipvs_versions), cmocka_unit_test(test_ipvs_both_local),
		cmocka_unit_test(test_ipvs_diff),     cmocka_unit_test(test_ipvs_drained),
		cmocka_unit_test(test_userspace),     cmocka_unit_test(test_userspace_policies),
	};
	return cmocka_run_group_tests_name("proxy modes", tests, NULL, NULL);
}
