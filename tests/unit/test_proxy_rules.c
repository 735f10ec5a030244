/* SPDX-License-Identifier: MIT */
/*
 * test_proxy_rules: kube-proxy's decisions and rules in combinations that no golden case has. What
 * is expected follows the source of that version.
 */
#include "tests/unit/proxy_lab.h"

#include "lib/plan/proxy_plan.h"

/* The plan with chain hashes replaced by what they stand for, to be readable. */
static void tag(struct lab *l, const char *id, const char *proto, const char *endpoint,
		const char *name)
{
	char hash[17];
	proxy_hash(id, proto, endpoint, hash);
	struct strbuf out = STRBUF_INIT;
	const char *s = strbuf_str(&l->text), *at;
	for (; (at = strstr(s, hash)); s = at + strlen(hash)) {
		strbuf_add(&out, s, (size_t)(at - s));
		strbuf_adds(&out, name);
	}
	strbuf_adds(&out, s);
	strbuf_free(&l->text);
	l->text = out;
}

/* The rules of a chain must be these lines, "-A CHAIN " left out; NULL: there is no such chain. */
static void assert_chain(const struct lab *l, const char *table, const char *chain,
			 const char *want)
{
	char head[64];
	snprintf(head, sizeof(head), "*%s\n", table);
	const char *from = strstr(strbuf_str(&l->text), head), *end = strstr(from, "\nCOMMIT");
	char *part = arena_strndup(l->arena, from, (size_t)(end - from) + 1);
	snprintf(head, sizeof(head), "\n:%s - ", chain);
	if (!want) {
		assert_null(strstr(part, head));
		return;
	}
	assert_non_null(strstr(part, head));
	_strbuf_ struct strbuf got = STRBUF_INIT;
	snprintf(head, sizeof(head), "-A %s ", chain);
	char *save = NULL;
	for (char *s = strtok_r(part, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		if (strncmp(s, head, strlen(head)) == 0)
			strbuf_addf(&got, "%s\n", s + strlen(head));
	assert_same(chain, strbuf_str(&got), want);
}

static void assert_lacks(const struct lab *l, const char *text)
{
	if (strstr(strbuf_str(&l->text), text))
		fail_msg("there should be no %s", text);
}

#define SERVICE(name, spec)                                                                        \
	"---\napiVersion: v1\nkind: Service\nmetadata: {namespace: a, name: " name "}\n" spec
#define SLICE(name, ports, endpoints)                                                              \
	"---\napiVersion: discovery.k8s.io/v1\nkind: EndpointSlice\naddressType: IPv4\n"           \
	"metadata: {namespace: a, name: " name "-1, labels: {kubernetes.io/service-name: " name    \
	"}}\nports: [" ports "]\nendpoints:\n" endpoints

static struct lab lab_of(enum kube_version version, const char *config, const char *objects)
{
	_strbuf_ struct strbuf yaml = STRBUF_INIT;
	add_node(&yaml, config);
	strbuf_adds(&yaml, objects);
	return lab_text(version, yaml.s);
}

/* A load balancer with everything at once: two addresses, ranges that hold the node, affinity, the
 * policy Local, UDP; one local endpoint is on its way out. */
static const char everything[] = SERVICE(
	"x", "spec:\n"
	     "  type: LoadBalancer\n"
	     "  clusterIP: 172.30.0.1\n"
	     "  externalTrafficPolicy: Local\n"
	     "  healthCheckNodePort: 31000\n"
	     "  externalIPs: [192.168.9.1]\n"
	     "  loadBalancerSourceRanges: [192.168.0.77/16, 0.0.0.0/0]\n"
	     "  sessionAffinity: ClientIP\n"
	     "  sessionAffinityConfig: {clientIP: {timeoutSeconds: 60}}\n"
	     "  ports: [{port: 53, protocol: UDP, nodePort: 30001}]\n"
	     "status: {loadBalancer: {ingress: [{ip: 1.1.1.1}, {ip: 1.1.1.2, ipMode: Proxy}]}}\n")
	SLICE("x", "{name: '', port: 5353, protocol: UDP}",
	      "- {addresses: [10.1.0.5], nodeName: n1}\n"
	      "- {addresses: [10.2.0.5], nodeName: n2}\n"
	      "- {addresses: [10.1.0.9], nodeName: n1, "
	      "conditions: {ready: false, serving: true, terminating: true}}\n");

static struct lab lab_everything(enum kube_version version)
{
	struct lab l = lab_of(version, "clusterCIDR: 10.0.0.0/8\n", everything);
	tag(&l, "a/x", "udp", NULL, "X");
	tag(&l, "a/x", "udp", "10.1.0.5:5353", "here");
	tag(&l, "a/x", "udp", "10.2.0.5:5353", "there");
	assert_chain(&l, "nat", "KUBE-SEP-here",
		     "-s 10.1.0.5/32 -m comment --comment \"a/x\" -j KUBE-MARK-MASQ\n"
		     "-p udp -m comment --comment \"a/x\" -m recent --set --name KUBE-SEP-here "
		     "--mask 255.255.255.255 --rsource -m udp -j DNAT "
		     "--to-destination 10.1.0.5:5353\n");
	assert_lacks(&l, "10.1.0.9");
	return l;
}

#define RECENT(ep)                                                                                 \
	"-m recent --rcheck --seconds 60 --reap --name KUBE-SEP-" ep                               \
	" --mask 255.255.255.255 --rsource -j KUBE-SEP-" ep "\n"
#define LB "-m comment --comment \"a/x loadbalancer IP\" -j "
#define PORTALS                                                                                    \
	"-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last rule "   \
	"in "                                                                                      \
	"this chain\" "
#define UDP(ip, what) "-d " ip "/32 -p udp -m comment --comment \"a/x " what "\" -m udp --dport 53 "

static const char xlb_fw[] = "-s 192.168.0.0/16 " LB "KUBE-XLB-X\n" LB "KUBE-XLB-X\n"
			     "-s 1.1.1.1/32 " LB "KUBE-XLB-X\n" LB "KUBE-MARK-DROP\n"
			     "-s 192.168.0.0/16 " LB "KUBE-XLB-X\n" LB "KUBE-XLB-X\n"
			     "-s 1.1.1.2/32 " LB "KUBE-XLB-X\n" LB "KUBE-MARK-DROP\n";

static const char xlb[] =
	"-s 10.0.0.0/8 -m comment --comment \"Redirect pods trying to reach external loadbalancer "
	"VIP to clusterIP\" -j KUBE-SVC-X\n"
	"-m comment --comment \"masquerade LOCAL traffic for a/x LB IP\" "
	"-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n"
	"-m comment --comment \"route LOCAL traffic for a/x LB IP to service chain\" "
	"-m addrtype --src-type LOCAL -j KUBE-SVC-X\n"
	"-m comment --comment \"a/x\" " RECENT(
		"here") "-m comment --comment \"Balancing rule 0 for a/x\" -j KUBE-SEP-here\n";

#define OLD_BALANCE                                                                                \
	"-m comment --comment \"a/x\" " RECENT("here") "-m comment --comment \"a/x\" " RECENT(     \
		"there") "-m comment --comment \"a/x\" -m statistic --mode random --probability "  \
			 "0.50000000000 "                                                          \
			 "-j KUBE-SEP-here\n"                                                      \
			 "-m comment --comment \"a/x\" -j KUBE-SEP-there\n"

#define LOCAL_NODE_PORT                                                                            \
	"-s 127.0.0.0/8 -p udp -m comment --comment \"a/x\" -m udp --dport 30001 "                 \
	"-j KUBE-MARK-MASQ\n"                                                                      \
	"-p udp -m comment --comment \"a/x\" -m udp --dport 30001 -j KUBE-XLB-X\n"

static void test_everything_1_20(void **state)
{
	_lab_ struct lab l = lab_everything(KUBE_1_20);
	assert_chain(&l, "nat", "KUBE-FW-X", xlb_fw);
	assert_chain(&l, "nat", "KUBE-XLB-X", xlb);
	assert_chain(&l, "nat", "KUBE-SVC-X", OLD_BALANCE);
	assert_chain(&l, "nat", "KUBE-NODEPORTS", LOCAL_NODE_PORT);
	assert_chain(&l, "nat", "KUBE-SERVICES",
		     "! -s 10.0.0.0/8 " UDP("172.30.0.1", "cluster IP") "-j KUBE-MARK-MASQ\n" UDP("172.30.0.1", "cluster IP") "-j KUBE-SVC-X\n" UDP(
			     "192.168.9.1",
			     "external IP") "-m physdev ! --physdev-is-in "
					    "-m addrtype ! --src-type LOCAL -j KUBE-XLB-X\n" UDP(
						    "192.168.9.1",
						    "external IP") "-m addrtype --dst-type LOCAL "
								   "-j KUBE-XLB-X\n" UDP("1.1.1.1", "loadbalancer IP") "-j KUBE-FW-X\n" UDP(
									   "1.1.1.2",
									   "loadbalancer"
									   " IP") "-j "
										  "KUBE-"
										  "FW-"
										  "X"
										  "\n" PORTALS "-m "
										  "addrt"
										  "ype "
										  "--"
										  "dst-"
										  "type "
										  "LOCAL"
										  " -j "
										  "KUBE-"
										  "NODEP"
										  "ORTS"
										  "\n");
	assert_lacks(&l, "31000");
}

static void test_everything_1_23(void **state)
{
	_lab_ struct lab l = lab_everything(KUBE_1_23);
	assert_chain(&l, "nat", "KUBE-FW-X", xlb_fw);
	assert_chain(&l, "nat", "KUBE-XLB-X", xlb);
	assert_chain(&l, "nat", "KUBE-SVC-X",
		     "! -s 10.0.0.0/8 " UDP("172.30.0.1",
					    "cluster IP") "-j KUBE-MARK-MASQ\n" OLD_BALANCE);
	assert_chain(&l, "nat", "KUBE-NODEPORTS", LOCAL_NODE_PORT);
	assert_chain(
		&l, "nat", "KUBE-SERVICES",
		UDP("172.30.0.1", "cluster IP") "-j KUBE-SVC-X\n" UDP("192.168.9.1", "external IP") "-j KUBE-XLB-X\n" UDP(
			"1.1.1.1",
			"loadbalancer IP") "-j KUBE-FW-X\n" UDP("1.1.1.2",
								"loadbalancer IP") "-j "
										   "KUBE-FW-"
										   "X\n" PORTALS
										   "-m addrtype "
										   "--dst-type "
										   "LOCAL -j "
										   "KUBE-"
										   "NODEPORTS\n");
	assert_chain(&l, "filter", "KUBE-NODEPORTS",
		     "-p tcp -m comment --comment \"a/x health check node port\" -m tcp "
		     "--dport 31000 -j ACCEPT\n");
}

static void test_everything_1_32(void **state)
{
	_lab_ struct lab l = lab_everything(KUBE_1_32);
	assert_chain(&l, "nat", "KUBE-FW-X",
		     "-s 192.168.0.0/16 " LB "KUBE-EXT-X\n" LB "KUBE-EXT-X\n"
		     "-s 1.1.1.1/32 " LB "KUBE-EXT-X\n"
		     "-m comment --comment \"other traffic to a/x will be dropped by "
		     "KUBE-PROXY-FIREWALL\"\n");
	assert_chain(&l, "nat", "KUBE-EXT-X",
		     "-s 10.0.0.0/8 -m comment --comment \"pod traffic for a/x external "
		     "destinations\" -j KUBE-SVC-X\n"
		     "-m comment --comment \"masquerade LOCAL traffic for a/x external "
		     "destinations\" -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ\n"
		     "-m comment --comment \"route LOCAL traffic for a/x external destinations\" "
		     "-m addrtype --src-type LOCAL -j KUBE-SVC-X\n"
		     "-j KUBE-SVL-X\n");
	assert_chain(
		&l, "nat", "KUBE-SVL-X",
		"-m comment --comment \"a/x -> 10.1.0.5:5353\" " RECENT(
			"here") "-m comment --comment \"a/x -> 10.1.0.5:5353\" -j KUBE-SEP-here\n");
	assert_chain(&l, "filter", "KUBE-PROXY-FIREWALL",
		     UDP("1.1.1.1", "traffic not accepted by KUBE-FW-X") "-j DROP\n");
	assert_chain(&l, "filter", "KUBE-EXTERNAL-SERVICES", "");
	assert_lacks(&l, "1.1.1.2");
}

/* External IPs before 1.24: 1.20 marks all of it in front of the jump; 1.23 in KUBE-SVC, and only
 * what does not come from a pod, when it can tell. */
static void test_external_masquerade(void **state)
{
	static const char objects[] = SERVICE(
		"x", "spec: {clusterIP: 172.30.0.1, externalIPs: [192.168.9.1], "
		     "externalTrafficPolicy: Local, ports: [{port: 53, protocol: UDP}]}\n")
		SLICE("x", "{name: '', port: 53, protocol: UDP}", "- {addresses: [10.2.0.5]}\n");
	const struct {
		enum kube_version version;
		const char *config, *want;
	} t[] = {
		{KUBE_1_20, "clusterCIDR: 10.0.0.0/8\n",
		 "-A KUBE-SERVICES " UDP("192.168.9.1", "external IP") "-j KUBE-MARK-MASQ\n"},
		{KUBE_1_23, "clusterCIDR: 10.0.0.0/8\n",
		 "-A KUBE-SVC-X ! -s 10.0.0.0/8 " UDP("192.168.9.1",
						      "external IP") "-j KUBE-MARK-MASQ\n"},
		{KUBE_1_23, "iptables: {masqueradeAll: true}\n",
		 "-A KUBE-SVC-X " UDP("192.168.9.1", "external IP") "-j KUBE-MARK-MASQ\n"},
		/* From 1.24 on the policy Local counts for a ClusterIP with external IPs too. */
		{KUBE_1_32, "clusterCIDR: 10.0.0.0/8\n",
		 "-A KUBE-EXTERNAL-SERVICES " UDP("192.168.9.1",
						  "has no local endpoints") "-j DROP\n"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_lab_ struct lab l = lab_of(t[i].version, t[i].config, objects);
		tag(&l, "a/x", "udp", NULL, "X");
		if (!strstr(strbuf_str(&l.text), t[i].want))
			fail_msg("%s: no %s in\n%s", kube_version_str(t[i].version), t[i].want,
				 strbuf_str(&l.text));
		if (t[i].version != KUBE_1_32)
			assert_lacks(&l, "XLB");
	}
}

/* No endpoint: KUBE-XLB is there before 1.24 but empty, KUBE-FW is not. */
static void test_no_endpoints(void **state)
{
	static const char objects[] =
		SERVICE("x", "spec: {type: LoadBalancer, externalTrafficPolicy: Local, "
			     "clusterIP: 172.30.0.1, externalIPs: [192.168.9.1], "
			     "ports: [{port: 53, protocol: UDP, nodePort: 30001}]}\n"
			     "status: {loadBalancer: {ingress: [{ip: 1.1.1.1}]}}\n");
#define REJECT "-j REJECT --reject-with icmp-port-unreachable\n"
	static const enum kube_version versions[] = {KUBE_1_20, KUBE_1_23, KUBE_1_32};
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++) {
		_lab_ struct lab l = lab_of(versions[i], "clusterCIDR: 10.0.0.0/8\n", objects);
		tag(&l, "a/x", "udp", NULL, "X");
		assert_chain(&l, "nat", "KUBE-XLB-X", versions[i] < KUBE_1_32 ? "" : NULL);
		assert_chain(&l, "nat", "KUBE-EXT-X", NULL);
		assert_chain(&l, "nat", "KUBE-FW-X", NULL);
		assert_chain(&l, "nat", "KUBE-SVC-X", NULL);
		assert_chain(&l, "nat", "KUBE-NODEPORTS", "");
		assert_chain(&l, "filter", "KUBE-SERVICES",
			     UDP("172.30.0.1", "has no endpoints") REJECT);
		assert_chain(&l, "filter", "KUBE-EXTERNAL-SERVICES",
			     UDP("192.168.9.1", "has no endpoints")
				     REJECT UDP("1.1.1.1", "has no endpoints") REJECT
			     "-p udp -m comment --comment \"a/x has no endpoints\" "
			     "-m addrtype --dst-type LOCAL -m udp --dport 30001 " REJECT);
	}
}

/* Node ports ----------------------------------------------------------------------------------- */

static const char node_port[] =
	SERVICE("x", "spec: {type: NodePort, clusterIP: 172.30.0.1, "
		     "ports: [{port: 53, protocol: UDP, nodePort: 30001}]}\n")
		SLICE("x", "{name: '', port: 53, protocol: UDP}", "- {addresses: [10.2.0.5]}\n");

/* How KUBE-SERVICES ends. */
static void assert_tail(enum kube_version version, const char *config, const char *want)
{
	_lab_ struct lab l = lab_of(version, config, "");
	assert_chain(&l, "nat", "KUBE-SERVICES", want);
}

static void test_node_port_addresses(void **state)
{
	static const char here[] = "-d 192.168.0.2/32 " PORTALS "-j KUBE-NODEPORTS\n";
	static const char both[] = "-d 127.0.0.1/32 " PORTALS "-j KUBE-NODEPORTS\n"
				   "-d 192.168.0.2/32 " PORTALS "-j KUBE-NODEPORTS\n"
				   "-d 192.168.1.2/32 " PORTALS "-j KUBE-NODEPORTS\n";
	static const char all[] = PORTALS "-m addrtype --dst-type LOCAL -j KUBE-NODEPORTS\n";
	static const char off[] = "iptables: {localhostNodePorts: false}\n";
	char with[256];
	assert_tail(KUBE_1_32, "nodePortAddresses: [192.168.0.0/24, '2001:db8::/64']\n", here);
	assert_tail(KUBE_1_20, "nodePortAddresses: [192.168.0.0/24]\n", here);
	assert_tail(KUBE_1_32, "nodePortAddresses: [primary]\n", here);
	assert_tail(KUBE_1_32, "nodePortAddresses: ['2001:db8::/64']\n", all);
	assert_tail(KUBE_1_23, "nodePortAddresses: [192.168.0.0/16, 0.0.0.0/0]\n", all);
	static const char two[] = "nodePortAddresses: [192.168.0.0/16, 127.0.0.0/8]\n";
	assert_tail(KUBE_1_32, two, both);
	snprintf(with, sizeof(with), "%s%s", two, off);
	assert_tail(KUBE_1_32, with, both + strcspn(both, "\n") + 1);
	/* The option came with 1.26. */
	assert_tail(KUBE_1_23, with, both);
	snprintf(with, sizeof(with), "! -d 127.0.0.0/8 %s", all);
	assert_tail(KUBE_1_32, off, with);
	assert_tail(KUBE_1_20, off, all);
}

/* 1.20 does not part nodePortAddresses by family: with IPv6 ones alone no address takes node ports.
 */
static void test_node_port_families(void **state)
{
	static const char service[] = SERVICE("s", "spec: {type: NodePort, clusterIP: 10.96.0.7, "
						   "ports: [{port: 80, nodePort: 30080}]}\n")
		SLICE("s", "{name: '', port: 8080}", "- {addresses: [10.1.0.5], nodeName: n1}\n");
	static const struct {
		const char *config;
		enum kube_version v;
		bool open;
	} rows[] = {
		{"nodePortAddresses: ['fd00::/8']\n", KUBE_1_20, false},
		{"nodePortAddresses: ['fd00::/8']\n", KUBE_1_23, true},
		{"nodePortAddresses: ['fd00::/8']\n", KUBE_1_32, true},
		{"nodePortAddresses: ['::/0']\n", KUBE_1_20, true},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_lab_ struct lab l = lab_of(rows[i].v, rows[i].config, service);
		bool open = strstr(l.text.s, "--dst-type LOCAL -j KUBE-NODEPORTS\n");
		bool rule = strstr(l.text.s, "--dport 30080 -j KUBE-");
		assert_int_equal(open, rows[i].open);
		assert_int_equal(rule, rows[i].open);
	}
}

/* Up to 1.23 a load balancer that nothing leads to yet has its local endpoints in KUBE-XLB. */
static void test_local_unused(void **state)
{
	static const char service[] = SERVICE(
		"s", "spec: {type: LoadBalancer, clusterIP: 10.96.0.7, "
		     "externalTrafficPolicy: Local, ports: [{port: 80}]}\n")
		SLICE("s", "{name: '', port: 8080}", "- {addresses: [10.1.0.5], nodeName: n1}\n");
	(void)state;
	for (enum kube_version v = KUBE_1_20; v <= KUBE_1_32; v++) {
		_lab_ struct lab l = lab_of(v, "", service);
		tag(&l, "a/s", "tcp", NULL, "S");
		tag(&l, "a/s", "tcp", "10.1.0.5:8080", "E");
		bool balanced = strstr(l.text.s, "-A KUBE-XLB-S -m comment --comment \"Balancing "
						 "rule 0 for a/s\" -j KUBE-SEP-E\n");
		assert_int_equal(balanced, v <= KUBE_1_23);
		assert_lacks(&l, "KUBE-SVL");
	}
}

static void test_localhost(void **state)
{
	_lab_ struct lab off = lab_of(KUBE_1_32, "iptables: {localhostNodePorts: false}\n", "");
	assert_chain(&off, "filter", "KUBE-FIREWALL", "");
	assert_false(proxy_route_localnet(off.cluster, 0));
	_lab_ struct lab narrow = lab_of(KUBE_1_32, "nodePortAddresses: [192.168.0.0/24]\n", "");
	assert_chain(&narrow, "filter", "KUBE-FIREWALL", "");
	assert_false(proxy_route_localnet(narrow.cluster, 0));
	_lab_ struct lab old = lab_of(KUBE_1_20, "nodePortAddresses: [192.168.0.0/24]\n", "");
	assert_true(proxy_route_localnet(old.cluster, 0));
	_lab_ struct lab on = lab_of(KUBE_1_32, "nodePortAddresses: [127.0.0.1/32]\n", "");
	assert_true(proxy_route_localnet(on.cluster, 0));
}

/* nodePortAddresses that match no address: the port is not caught at all; 1.20 gives up on the
 * whole service, whose chain stays empty. 1.24 and later still write KUBE-NODEPORTS. */
static void test_no_node_port_address(void **state)
{
	static const char config[] = "nodePortAddresses: [203.0.113.0/24]\n";
	_lab_ struct lab l20 = lab_of(KUBE_1_20, config, node_port);
	tag(&l20, "a/x", "udp", NULL, "X");
	assert_chain(&l20, "nat", "KUBE-SVC-X", "");
	assert_chain(&l20, "nat", "KUBE-NODEPORTS", "");
	assert_lacks(&l20, "KUBE-SEP-");
	assert_chain(&l20, "nat", "KUBE-SERVICES",
		     UDP("172.30.0.1", "cluster IP") "-j KUBE-SVC-X\n");

	_lab_ struct lab l23 = lab_of(KUBE_1_23, config, node_port);
	tag(&l23, "a/x", "udp", NULL, "X");
	tag(&l23, "a/x", "udp", "10.2.0.5:53", "there");
	assert_chain(&l23, "nat", "KUBE-SVC-X", "-m comment --comment \"a/x\" -j KUBE-SEP-there\n");
	assert_chain(&l23, "nat", "KUBE-NODEPORTS", "");

	_lab_ struct lab l32 = lab_of(KUBE_1_32, config, node_port);
	tag(&l32, "a/x", "udp", NULL, "X");
	assert_chain(&l32, "nat", "KUBE-NODEPORTS",
		     "-p udp -m comment --comment \"a/x\" -m udp --dport 30001 -j KUBE-EXT-X\n");
	assert_chain(&l32, "nat", "KUBE-SERVICES",
		     UDP("172.30.0.1", "cluster IP") "-j KUBE-SVC-X\n");
}

/* Which traffic is a pod's --------------------------------------------------------------------- */

static void test_detect(void **state)
{
	const struct {
		const char *config, *want;
	} t[] = {
		{"detectLocalMode: NodeCIDR\n",
		 "! -s 10.1.0.0/24 " UDP("172.30.0.1", "cluster IP")},
		{"detectLocalMode: InterfaceNamePrefix\ndetectLocal: {interfaceNamePrefix: veth}\n",
		 "-d 172.30.0.1/32 ! -i veth+ -p udp "},
		{"detectLocalMode: BridgeInterface\ndetectLocal: {bridgeInterface: cni0}\n",
		 "-d 172.30.0.1/32 ! -i cni0 -p udp "},
		{"clusterCIDR: ''\n", "-m comment --comment \"a/x -> "},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_lab_ struct lab l = lab_of(KUBE_1_32, t[i].config, node_port);
		tag(&l, "a/x", "udp", NULL, "X");
		const char *first = strstr(strbuf_str(&l.text), "-A KUBE-SVC-X ");
		assert_non_null(first);
		first += strlen("-A KUBE-SVC-X ");
		if (strncmp(first, t[i].want, strlen(t[i].want)) != 0)
			fail_msg("got %.100s, want %s", first, t[i].want);
	}
}

static void test_mark(void **state)
{
	_lab_ struct lab l = lab_of(KUBE_1_32, "iptables: {masqueradeBit: 3}\n", "");
	assert_chain(&l, "nat", "KUBE-MARK-MASQ", "-j MARK --set-xmark 0x8/0x8\n");
	assert_lacks(&l, "0x4000");
}

/* Endpoints ------------------------------------------------------------------------------------ */

/* The plan of service a/x, and the endpoints of one of its lists as text. */
static void assert_list(const struct lab *l, const ep_ptrs *list, const char *want)
{
	_strbuf_ struct strbuf got = STRBUF_INIT;
	vec_foreach (const struct cendpoint *, ep, list)
		strbuf_addf(&got, "%s%s", got.len ? " " : "", IP4((*ep)->ip));
	assert_string_equal(strbuf_str(&got), want);
}

static struct svc_plan plan_x(struct lab *l)
{
	struct proxy_plan *p = arena_new_type(l->arena, struct proxy_plan);
	proxy_plan_build(l->arena, l->cluster, cluster_node(l->cluster, "n1"), p);
	assert_int_equal(p->svcs.n, 1);
	return p->svcs.v[0];
}

static void test_hints(void **state)
{
	static const char objects[] =
		SERVICE("x", "spec: {clusterIP: 172.30.0.1, ports: [{port: 80}]}\n")
			SLICE("x", "{name: '', port: 80}",
			      "- {addresses: [10.1.0.1], nodeName: n1, "
			      "hints: {forZones: [{name: z1}], forNodes: [{name: n1}]}}\n"
			      "- {addresses: [10.1.0.2], nodeName: n3, "
			      "hints: {forZones: [{name: z1}], forNodes: [{name: n3}]}}\n"
			      "- {addresses: [10.1.0.3], nodeName: n2, "
			      "hints: {forZones: [{name: z2}], forNodes: [{name: n2}]}}\n");
	static const struct {
		enum kube_version version;
		const char *want;
	} t[] = {
		{KUBE_1_20, "10.1.0.1 10.1.0.2 10.1.0.3"},
		{KUBE_1_23, "10.1.0.1 10.1.0.2 10.1.0.3"},
		{KUBE_1_32, "10.1.0.1 10.1.0.2"},
		{KUBE_1_36, "10.1.0.1"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_lab_ struct lab l = lab_of(t[i].version, "clusterCIDR: 10.0.0.0/8\n", objects);
		struct svc_plan p = plan_x(&l);
		assert_list(&l, &p.eps.cluster, t[i].want);
		assert_list(&l, &p.eps.reachable, t[i].want);
	}
}

/* One ready endpoint without a hint, or none for this zone: hints are ignored. */
static void test_hints_unusable(void **state)
{
	static const char *const objects[] = {
		SERVICE("x", "spec: {clusterIP: 172.30.0.1, ports: [{port: 80}]}\n")
			SLICE("x", "{name: '', port: 80}",
			      "- {addresses: [10.1.0.1], hints: {forZones: [{name: z1}]}}\n"
			      "- {addresses: [10.1.0.2]}\n"),
		SERVICE("x", "spec: {clusterIP: 172.30.0.1, ports: [{port: 80}]}\n")
			SLICE("x", "{name: '', port: 80}",
			      "- {addresses: [10.1.0.1], hints: {forZones: [{name: z2}]}}\n"
			      "- {addresses: [10.1.0.2], hints: {forZones: [{name: z3}]}}\n"),
	};
	for (size_t i = 0; i < ARRAY_SIZE(objects); i++) {
		_lab_ struct lab l = lab_of(KUBE_1_32, "clusterCIDR: 10.0.0.0/8\n", objects[i]);
		struct svc_plan p = plan_x(&l);
		assert_list(&l, &p.eps.cluster, "10.1.0.1 10.1.0.2");
	}
}

/* Local and terminating here, ready elsewhere: since 1.26 the local one stands in for the policy
 * Local, and is reachable beside the ready one. */
static void test_terminating(void **state)
{
	static const char objects[] =
		SERVICE("x", "spec: {type: NodePort, externalTrafficPolicy: Local, "
			     "clusterIP: 172.30.0.1, ports: [{port: 80, nodePort: 30001}]}\n")
			SLICE("x", "{name: '', port: 80}",
			      "- {addresses: [10.1.0.1], nodeName: n1, "
			      "conditions: {ready: false, serving: true, terminating: true}}\n"
			      "- {addresses: [10.1.0.2], nodeName: n2}\n");
	_lab_ struct lab l32 = lab_of(KUBE_1_32, "clusterCIDR: 10.0.0.0/8\n", objects);
	struct svc_plan p = plan_x(&l32);
	assert_list(&l32, &p.eps.cluster, "10.1.0.2");
	assert_list(&l32, &p.eps.local, "10.1.0.1");
	assert_list(&l32, &p.eps.reachable, "10.1.0.1 10.1.0.2");
	assert_int_equal(p.outside, SVC_SERVE);

	_lab_ struct lab l23 = lab_of(KUBE_1_23, "clusterCIDR: 10.0.0.0/8\n", objects);
	tag(&l23, "a/x", "tcp", NULL, "X");
	p = plan_x(&l23);
	assert_list(&l23, &p.eps.local, "");
	assert_non_null(strstr(strbuf_str(&l23.text),
			       "-A KUBE-XLB-X -m comment --comment \"a/x has no local endpoints\" "
			       "-j KUBE-MARK-DROP\n"));
}

/* internalTrafficPolicy: unknown in 1.20; in 1.23 it hides remote endpoints from all traffic; later
 * it has its own list. */
static void test_internal_policy(void **state)
{
	static const char objects[] =
		SERVICE("x", "spec: {type: NodePort, internalTrafficPolicy: Local, "
			     "clusterIP: 172.30.0.1, ports: [{port: 80, nodePort: 30001}]}\n")
			SLICE("x", "{name: '', port: 80}",
			      "- {addresses: [10.1.0.1], nodeName: n1}\n"
			      "- {addresses: [10.1.0.2], nodeName: n2}\n");
	static const struct {
		enum kube_version version;
		const char *cluster, *local;
	} t[] = {
		{KUBE_1_20, "10.1.0.1 10.1.0.2", ""},
		{KUBE_1_23, "10.1.0.1", ""},
		{KUBE_1_32, "10.1.0.1 10.1.0.2", "10.1.0.1"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(t); i++) {
		_lab_ struct lab l = lab_of(t[i].version, "clusterCIDR: 10.0.0.0/8\n", objects);
		struct svc_plan p = plan_x(&l);
		assert_list(&l, &p.eps.cluster, t[i].cluster);
		assert_list(&l, &p.eps.local, t[i].local);
	}
}

/* Whole ---------------------------------------------------------------------------------------- */

static void test_ignored(void **state)
{
	static const char objects[] = SERVICE("headless", "spec: {clusterIP: None, ports: [{port: "
							  "80}]}\n")
		SERVICE("elsewhere",
			"spec: {type: ExternalName, externalName: example.org, "
			"ports: [{port: 80}]}\n") "---\napiVersion: v1\nkind: Service\nmetadata:\n "
						  " "
						  "namespace: a\n  name: others\n"
						  "  labels: "
						  "{service.kubernetes.io/service-proxy-name: "
						  "mesh}\n"
						  "spec: {clusterIP: 172.30.0.9, ports: [{port: "
						  "80}]}\n";
	_lab_ struct lab l = lab_of(KUBE_1_32, "clusterCIDR: 10.0.0.0/8\n", objects);
	assert_lacks(&l, "a/");
}

/* "a/x-y" sorts before "a/x:p", whatever the order of the Services' names. */
static void test_order(void **state)
{
	static const char objects[] = SERVICE(
		"x", "spec: {clusterIP: 172.30.0.1, ports: [{name: p, port: 80}]}\n")
		SERVICE("x-y", "spec: {clusterIP: 172.30.0.2, ports: [{name: p, port: 80}]}\n");
	_lab_ struct lab l = lab_of(KUBE_1_32, "clusterCIDR: 10.0.0.0/8\n", objects);
	const char *first = strstr(strbuf_str(&l.text), "a/x-y:p has"),
		   *second = strstr(strbuf_str(&l.text), "a/x:p has");
	assert_non_null(first);
	assert_non_null(second);
	assert_true(first < second);
}

static void large(struct strbuf *yaml, unsigned n)
{
	strbuf_adds(yaml, SERVICE("x", "spec: {type: NodePort, externalTrafficPolicy: Local, "
				       "clusterIP: 172.30.0.1, sessionAffinity: ClientIP, "
				       "ports: [{port: 80, nodePort: 30001}]}\n")
				  SLICE("x", "{name: '', port: 80}", ""));
	for (unsigned i = 0; i < n; i++)
		strbuf_addf(yaml, "- {addresses: [10.1.%u.%u], nodeName: n1}\n", i / 250,
			    i % 250 + 1);
}

/* Over 1000 endpoints, rules for endpoints have no comments; KUBE-XLB's keep them. */
static void test_large(void **state)
{
	static const unsigned counts[] = {1000, 1001};
	static const enum kube_version versions[] = {KUBE_1_20, KUBE_1_23, KUBE_1_32};
	for (size_t i = 0; i < ARRAY_SIZE(counts) * ARRAY_SIZE(versions); i++) {
		enum kube_version version = versions[i / 2];
		bool is_large = counts[i % 2] > 1000;
		_strbuf_ struct strbuf yaml = STRBUF_INIT;
		large(&yaml, counts[i % 2]);
		_lab_ struct lab l = lab_of(version, "clusterCIDR: 10.0.0.0/8\n", yaml.s);
		tag(&l, "a/x", "tcp", NULL, "X");
		tag(&l, "a/x", "tcp", "10.1.0.1:80", "first");
		const char *text = strbuf_str(&l.text);
		assert_int_equal(!!strstr(text, "-A KUBE-SEP-first -s 10.1.0.1/32 -j "), is_large);
		assert_int_equal(!!strstr(text, "-A KUBE-SVC-X -m recent "), is_large);
		assert_int_equal(!!strstr(text, "-A KUBE-SVC-X -m statistic "), is_large);
		assert_lacks(&l, "-A KUBE-XLB-X -m recent");
		assert_lacks(&l, "-A KUBE-XLB-X -m statistic");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_everything_1_20),
		cmocka_unit_test(test_everything_1_23),
		cmocka_unit_test(test_everything_1_32),
		cmocka_unit_test(test_external_masquerade),
		cmocka_unit_test(test_no_endpoints),
		cmocka_unit_test(test_node_port_addresses),
		cmocka_unit_test(test_node_port_families),
		cmocka_unit_test(test_local_unused),
		cmocka_unit_test(test_localhost),
		cmocka_unit_test(test_no_node_port_address),
		cmocka_unit_test(test_detect),
		cmocka_unit_test(test_mark),
		cmocka_unit_test(test_hints),
		cmocka_unit_test(test_hints_unusable),
		cmocka_unit_test(test_terminating),
		cmocka_unit_test(test_internal_policy),
		cmocka_unit_test(test_ignored),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_large),
	};
	return cmocka_run_group_tests_name("proxy_rules", tests, NULL, NULL);
}
