/* SPDX-License-Identifier: MIT */
/*
 * test_net: a small flannel lab (a fabric, two nodes, two pods) written down by hand, carried out
 * by labd/kernel/net in namespaces made for it, and looked at three ways: read back by
 * net_observe(), as iproute2 prints it, and by a ping from pod to pod over VXLAN. Needs root for
 * all but the first tests; skips otherwise.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "addr.h"
#include "labd/kernel/net.h"
#include "labd/kernel/probe.h"
#include "labd/kernel/sysctl.h"
#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"

enum { FABRIC, NODE1, NODE2, POD1, POD2, NS_COUNT };

struct lab {
	struct arena *a;
	struct desired d;
	int netns[NS_COUNT];
	struct net_ctx x;
	int home;
};

static bool skipped(void)
{
	struct probe p;
	const char *why = NULL;
	if (geteuid() != 0)
		why = "needs root";
	else if (probe_kernel(&p, NULL) < 0 || !p.veth || !p.bridge || !p.vxlan)
		why = "this kernel lacks veth, bridge or vxlan";
	if (!why)
		return false;
	print_message("skipped: %s\n", why);
	skip();
	return true;
}

/* ---- the lab ---- */

static struct dlink *add_link(struct lab *l, int ns, struct dlink link)
{
	struct dlink *p = vec_push(l->a, &l->d.ns.v[ns].links);
	*p = link;
	return p;
}

static struct dlink device(enum dlink_kind kind, const char *name, const char *hw, unsigned mtu)
{
	return (struct dlink){.kind = kind,
			      .name = name,
			      .mac = hw ? mac(hw) : (struct mac){0},
			      .mtu = mtu,
			      .up = true,
			      .peer_ns = -1,
			      .conf = DCONF_NONE};
}

static struct dlink veth(const char *name, const char *hw, unsigned mtu, int peer_ns,
			 const char *peer, bool creates)
{
	struct dlink d = device(DLINK_VETH, name, hw, mtu);
	d.peer_ns = peer_ns;
	d.peer_name = peer;
	d.creates = creates;
	d.zero_txqlen = true;
	return d;
}

static void add_addr(struct lab *l, int ns, const char *dev, const char *addr, const char *brd,
		     unsigned metric)
{
	*vec_push(l->a, &l->d.ns.v[ns].addrs) = (struct daddr){
		.dev = dev, .addr = net(addr), .brd = brd ? ip(brd) : 0, .metric = metric};
}

static struct droute *add_route(struct lab *l, int ns, const char *dst, const char *via,
				const char *dev)
{
	struct droute *r = vec_push(l->a, &l->d.ns.v[ns].routes);
	*r = (struct droute){.dst = net(dst), .via = via ? ip(via) : 0, .dev = dev, .proto = 3};
	return r;
}

static void build_fabric(struct lab *l)
{
	add_link(l, FABRIC, device(DLINK_LO, "lo", NULL, 0));
	add_link(l, FABRIC, device(DLINK_BRIDGE, "br0", "02:00:00:00:00:01", 1500));
	for (int i = NODE1; i <= NODE2; i++) {
		const char *port = i == NODE1 ? "node01" : "node02";
		add_link(l, FABRIC, veth(port, NULL, 1500, i, "ens192", false))->master = "br0";
	}
	l->d.ns.v[FABRIC].ip6_off = true;
}

static const char *const vtep[] = {[NODE1] = "56:a7:5f:12:81:01", [NODE2] = "56:a7:5f:12:81:02"};
static const char *const nic_ip[] = {[NODE1] = "100.100.137.201", [NODE2] = "100.100.137.202"};

static void build_node(struct lab *l, int n, int pod)
{
	int other = n == NODE1 ? NODE2 : NODE1, k = n - NODE1 + 1, ko = other - NODE1 + 1;
	struct arena *a = l->a;
	add_link(l, n, device(DLINK_LO, "lo", NULL, 0));
	add_link(l, n,
		 veth("ens192", arena_printf(a, "00:50:56:00:00:0%d", k), 1500, FABRIC,
		      n == NODE1 ? "node01" : "node02", true));
	struct dlink *v = add_link(l, n, device(DLINK_VXLAN, "flannel.1", vtep[n], 1450));
	v->vni = 1;
	v->local = ip(nic_ip[n]);
	v->lower = "ens192";
	v->conf.accept_ra6 = 0;
	add_link(l, n,
		 device(DLINK_BRIDGE, "cni0", arena_printf(a, "1a:70:cf:92:25:0%d", k), 1450));
	struct dlink *p = add_link(l, n, veth("veth42779e36", NULL, 1450, pod, "eth0", false));
	p->master = "cni0";
	p->hairpin = true;
	p->conf = (struct dconf){1, 1, 2, 1, -1, 0, 0};

	add_addr(l, n, "ens192", arena_printf(a, "%s/24", nic_ip[n]), "100.100.137.255", 100);
	add_addr(l, n, "flannel.1", arena_printf(a, "10.244.%d.0/32", k), NULL, 0);
	add_addr(l, n, "cni0", arena_printf(a, "10.244.%d.1/24", k),
		 arena_printf(a, "10.244.%d.255", k), 0);
	const char *gw = arena_printf(a, "10.244.%d.0", ko);
	add_route(l, n, arena_printf(a, "10.244.%d.0/24", ko), gw, "flannel.1")->onlink = true;
	/* The gateway's own route stands behind the route that needs it. */
	add_route(l, n, "10.99.0.0/16", "10.98.0.1", "cni0");
	add_route(l, n, "10.98.0.1/32", NULL, "cni0")->scope_link = true;
	struct droute *def = add_route(l, n, "0.0.0.0/0", "100.100.137.1", "ens192");
	def->metric = 100;
	def->proto = 4;
	struct droute *hole = add_route(l, n, "10.97.0.0/26", NULL, NULL);
	hole->type = DROUTE_BLACKHOLE;
	hole->proto = 12;
	*vec_push(a, &l->d.ns.v[n].neighs) =
		(struct dneigh){.dev = "flannel.1", .ip = ip(gw), .mac = mac(vtep[other])};
	*vec_push(a, &l->d.ns.v[n].fdbs) = (struct dfdb){
		.dev = "flannel.1", .mac = mac(vtep[other]), .dst = ip(nic_ip[other])};
	*vec_push(a, &l->d.ns.v[n].sysctls) =
		(struct dsysctl){.key = "net.ipv4.ip_forward", .value = "1", .early = true};
	*vec_push(a, &l->d.ns.v[n].sysctls) =
		(struct dsysctl){.key = "net.ipv4.conf.flannel.1.rp_filter", .value = "2"};
	*vec_push(a, &l->d.ns.v[n].sysctls) =
		(struct dsysctl){.key = "net.no.such.thing", .value = "1", .optional = true};
}

static void build_pod(struct lab *l, int pod, int node)
{
	int k = node - NODE1 + 1;
	struct arena *a = l->a;
	add_link(l, pod, device(DLINK_LO, "lo", NULL, 0));
	struct dlink *e = add_link(l, pod,
				   veth("eth0", arena_printf(a, "6a:7a:d6:57:16:0%d", k), 1450,
					node, "veth42779e36", true));
	e->conf.arp_notify = 1;
	add_addr(l, pod, "eth0", arena_printf(a, "10.244.%d.2/24", k),
		 arena_printf(a, "10.244.%d.255", k), 0);
	const char *gw = arena_printf(a, "10.244.%d.1", k);
	add_route(l, pod, "0.0.0.0/0", gw, "eth0");
	add_route(l, pod, "10.244.0.0/16", gw, "eth0");
}

static int new_netns(int home)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(setns(home, CLONE_NEWNET), 0);
	return fd;
}

static void lab_open(struct lab *l)
{
	static const char *const names[] = {"fabric", "node01", "node02", "node01-a", "node02-b"};
	static const enum dns_kind kinds[] = {DNS_FABRIC, DNS_NODE, DNS_NODE, DNS_POD, DNS_POD};
	*l = (struct lab){.a = arena_new()};
	l->home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < NS_COUNT; i++) {
		*vec_push(l->a, &l->d.ns) = (struct dns){.name = names[i], .kind = kinds[i]};
		l->netns[i] = new_netns(l->home);
	}
	l->x = (struct net_ctx){.d = &l->d, .netns = l->netns};
	build_fabric(l);
	build_node(l, NODE1, POD1);
	build_node(l, NODE2, POD2);
	build_pod(l, POD1, NODE1);
	build_pod(l, POD2, NODE2);
}

static void lab_close(struct lab *l)
{
	for (int i = 0; i < NS_COUNT; i++)
		close(l->netns[i]);
	close(l->home);
	arena_free(l->a);
}

static int apply(struct lab *l, struct err *err)
{
	int n = NS_COUNT;
	int r = net_sysctls(&l->x, 0, n, true, err);
	r = r < 0 ? r : net_links(&l->x, 0, n, err);
	r = r < 0 ? r : net_layer3(&l->x, 0, n, err);
	return r < 0 ? r : net_sysctls(&l->x, 0, n, false, err);
}

static void assert_ok(int r, const struct err *e)
{
	if (r < 0)
		fail_msg("%s: %s", e->path, e->text);
}

/* What a command prints in a namespace; its exit status. */
static int run_in(struct lab *l, int ns, const char *cmd, struct strbuf *out)
{
	char buf[4096];
	strbuf_reset(out);
	assert_int_equal(setns(l->netns[ns], CLONE_NEWNET), 0);
	FILE *f = popen(cmd, "r");
	assert_int_equal(setns(l->home, CLONE_NEWNET), 0);
	assert_non_null(f);
	for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
		strbuf_add(out, buf, n);
	return pclose(f);
}

static void assert_prints(struct lab *l, int ns, const char *cmd, const char *want)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	if (run_in(l, ns, cmd, &out) != 0 || !strstr(strbuf_str(&out), want))
		fail_msg("`%s` in %s lacks \"%s\":\n%s", cmd, l->d.ns.v[ns].name, want,
			 strbuf_str(&out));
}

/* ---- tests ---- */

static void test_sysctl_path(void **state)
{
	static const char *const good[][2] = {
		{"net.ipv4.ip_forward", "sys/net/ipv4/ip_forward"},
		{"net/ipv4/conf/flannel.1/rp_filter", "sys/net/ipv4/conf/flannel.1/rp_filter"},
		{"net.ipv4.conf.flannel/1.rp_filter", "sys/net/ipv4/conf/flannel.1/rp_filter"},
		{"net.ipv4.conf.flannel.1.rp_filter", "sys/net/ipv4/conf/flannel.1/rp_filter"},
		{"net.ipv6.conf.a.b.c.accept_ra", "sys/net/ipv6/conf/a.b.c/accept_ra"},
		{"net.bridge.bridge-nf-call-iptables", "sys/net/bridge/bridge-nf-call-iptables"},
	};
	static const char *const bad[] = {"kernel.panic",
					  "net/../kernel/panic",
					  "net..ipv4",
					  "net/ipv4/",
					  "/net/ipv4/ip_forward",
					  "",
					  "net/./ipv4",
					  "network.x"};
	char buf[128];
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(sysctl_path(good[i][0], buf, sizeof(buf)), 0);
		assert_string_equal(buf, good[i][1]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(sysctl_path(bad[i], buf, sizeof(buf)), -EINVAL);
}

static void assert_ping(struct lab *l, const char *options)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	char cmd[128];
	snprintf(cmd, sizeof(cmd), "busybox ping %s -c 2 -W 3 10.244.2.2 2>&1", options);
	if (run_in(l, POD1, cmd, &out) != 0)
		fail_msg("no answer over VXLAN:\n%s", strbuf_str(&out));
}

static void test_applied_state_is_what_tools_show(void **state)
{
	struct lab l;
	struct err e;
	if (skipped())
		return;
	lab_open(&l);
	assert_ok(apply(&l, &e), &e);

	assert_prints(&l, NODE1, "ip -d link show flannel.1",
		      "vxlan id 1 local 100.100.137.201 dev ens192 srcport 0 0 dstport 8472 "
		      "nolearning");
	assert_prints(&l, NODE1, "ip link show flannel.1", "mtu 1450 qdisc noqueue state UNKNOWN");
	assert_prints(&l, NODE1, "ip link show flannel.1", vtep[NODE1]);
	assert_prints(&l, NODE1, "bridge fdb show dev flannel.1",
		      "56:a7:5f:12:81:02 dst 100.100.137.202 self permanent\n");
	assert_prints(&l, NODE1, "ip neigh show dev flannel.1",
		      "10.244.2.0 lladdr 56:a7:5f:12:81:02 PERMANENT");
	assert_prints(&l, NODE1, "ip route",
		      "default via 100.100.137.1 dev ens192 proto static metric 100 \n"
		      "blackhole 10.97.0.0/26 proto bird \n"
		      "10.98.0.1 dev cni0 scope link \n"
		      "10.99.0.0/16 via 10.98.0.1 dev cni0 \n"
		      "10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1 \n"
		      "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink \n"
		      "100.100.137.0/24 dev ens192 proto kernel scope link src 100.100.137.201 "
		      "metric 100 \n");
	/* Natural numbers in plan order (one more where every namespace has a tunl0); no queue
	 * length; up; the pod is namespace 0, as on a node that has no underlay to count. */
	int first = net_ifindex(l.netns[NODE1], "tunl0", NULL) > 0;
	assert_prints(&l, NODE1, "ip link show veth42779e36",
		      arena_printf(l.a,
				   "%d: veth42779e36@if%d: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu "
				   "1450 qdisc noqueue master cni0 state UP mode DEFAULT group "
				   "default \n",
				   5 + first, 2 + first));
	assert_prints(&l, NODE1, "ip link show veth42779e36", "link-netnsid 0");
	assert_prints(&l, POD1, "ip link show eth0", "link-netnsid 0");
	assert_prints(&l, NODE1, "ip -d link show veth42779e36", "hairpin on");
	assert_prints(&l, NODE1, "ip -d link show veth42779e36", "numtxqueues 1 ");
	assert_prints(&l, NODE1, "ip -d link show cni0", "stp_state 0");
	assert_prints(&l, NODE1, "ip link show cni0", "1a:70:cf:92:25:01");
	assert_prints(&l, POD1, "ip -d link show eth0", "numtxqueues 1 ");
	assert_prints(&l, POD1, "ip addr show lo", "inet 127.0.0.1/8 scope host lo");
	assert_prints(&l, POD1, "ip addr show eth0",
		      "inet 10.244.1.2/24 brd 10.244.1.255 scope global eth0");
	assert_prints(&l, NODE1, "cat /proc/thread-self/net/dev", "veth42779e36");
	lab_close(&l);
}

static void test_sysctls_are_set(void **state)
{
	static const char *const want[][2] = {
		{"net.ipv4.ip_forward", "1"},
		{"net/ipv4/conf/flannel.1/rp_filter", "2"},
		{"net/ipv6/conf/flannel.1/accept_ra", "0"},
		{"net/ipv4/conf/veth42779e36/forwarding", "1"},
		{"net/ipv4/conf/veth42779e36/proxy_arp", "1"},
		{"net/ipv4/conf/veth42779e36/rp_filter", "2"},
		{"net/ipv4/conf/veth42779e36/route_localnet", "1"},
		{"net/ipv4/neigh/veth42779e36/proxy_delay", "0"},
		{"net/ipv6/conf/veth42779e36/accept_ra", "0"},
	};
	struct lab l;
	struct err e;
	char v[32];
	if (skipped())
		return;
	lab_open(&l);
	assert_ok(apply(&l, &e), &e);
	_sysctl_ struct sysctl s = SYSCTL_INIT;
	assert_int_equal(setns(l.netns[NODE2], CLONE_NEWNET), 0);
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		assert_ok(sysctl_get(&s, want[i][0], v, sizeof(v), &e), &e);
		if (strcmp(v, want[i][1]) != 0)
			fail_msg("%s is %s, not %s", want[i][0], v, want[i][1]);
	}
	assert_int_equal(setns(l.netns[POD2], CLONE_NEWNET), 0);
	assert_ok(sysctl_get(&s, "net.ipv4.conf.eth0.arp_notify", v, sizeof(v), &e), &e);
	assert_string_equal(v, "1");
	assert_int_equal(setns(l.netns[FABRIC], CLONE_NEWNET), 0);
	assert_ok(sysctl_get(&s, "net.ipv6.conf.default.disable_ipv6", v, sizeof(v), &e), &e);
	assert_string_equal(v, "1");
	assert_int_equal(setns(l.home, CLONE_NEWNET), 0);
	lab_close(&l);
}

static void test_pods_talk_over_vxlan(void **state)
{
	struct lab l;
	struct err e;
	if (skipped())
		return;
	lab_open(&l);
	assert_ok(apply(&l, &e), &e);
	assert_ping(&l, "-s 56");
	assert_ping(&l, "-s 1400");
	/* Doing it all again changes nothing and breaks nothing. */
	assert_ok(apply(&l, &e), &e);
	assert_ping(&l, "-s 56");
	lab_close(&l);
}

static const struct dlink *seen_link(const struct dns *ns, const char *name)
{
	vec_foreach (const struct dlink, l, &ns->links)
		if (strcmp(l->name, name) == 0)
			return l;
	fail_msg("no link %s was seen", name);
	return NULL;
}

static void assert_same_link(const struct dlink *want, const struct dlink *have)
{
	assert_int_equal(have->kind, want->kind);
	assert_int_equal(have->up, want->up);
	assert_int_equal(have->hairpin, want->hairpin);
	if (want->mtu)
		assert_int_equal(have->mtu, want->mtu);
	if (!mac_is_zero(want->mac))
		assert_memory_equal(&have->mac, &want->mac, sizeof(want->mac));
	assert_string_equal(have->master ? have->master : "", want->master ? want->master : "");
	if (want->kind == DLINK_VETH)
		assert_int_equal(have->zero_txqlen, want->zero_txqlen);
	if (want->kind == DLINK_VXLAN) {
		assert_int_equal(have->vni, want->vni);
		assert_int_equal(have->port, 8472);
		assert_int_equal(have->local, want->local);
		assert_string_equal(have->lower, want->lower);
	}
	const int *w = (const int *)&want->conf, *h = (const int *)&have->conf;
	for (size_t i = 0; i < sizeof(want->conf) / sizeof(int); i++)
		if (w[i] >= 0)
			assert_int_equal(h[i], w[i]);
}

static void assert_same_node(const struct dns *want, const struct dns *have)
{
	vec_foreach (const struct dlink, l, &want->links)
		assert_same_link(l, seen_link(have, l->name));
	/* lo's address comes by itself; sorted by device: cni0, ens192, flannel.1, lo. */
	assert_int_equal(have->addrs.n, want->addrs.n + 1);
	assert_string_equal(have->addrs.v[1].dev, "ens192");
	assert_int_equal(have->addrs.v[1].addr.addr, want->addrs.v[0].addr.addr);
	assert_int_equal(have->addrs.v[1].addr.len, 24);
	assert_int_equal(have->addrs.v[1].brd, want->addrs.v[0].brd);
	assert_int_equal(have->addrs.v[1].metric, 100);
	assert_int_equal(have->addrs.v[2].brd, 0);
	/* Two connected routes are the kernel's own. Sorted by destination: default first. */
	assert_int_equal(have->routes.n, want->routes.n + 2);
	const struct droute *r = have->routes.v;
	assert_true(r[0].dst.len == 0 && r[0].via == ip("100.100.137.1") && r[0].metric == 100);
	assert_int_equal(r[0].proto, 4);
	assert_true(r[1].type == DROUTE_BLACKHOLE && r[1].proto == 12 && !r[1].dev);
	assert_true(r[2].scope_link && r[2].dst.addr == ip("10.98.0.1"));
	assert_int_equal(have->neighs.n, 1);
	assert_memory_equal(&have->neighs.v[0].mac, &want->neighs.v[0].mac, 6);
	assert_int_equal(have->fdbs.n, 1);
	assert_string_equal(have->fdbs.v[0].dev, "flannel.1");
	assert_memory_equal(&have->fdbs.v[0].mac, &want->fdbs.v[0].mac, 6);
	assert_int_equal(have->fdbs.v[0].dst, want->fdbs.v[0].dst);
}

static void test_observe_reads_it_back(void **state)
{
	struct lab l;
	struct err e;
	struct dns seen;
	if (skipped())
		return;
	lab_open(&l);
	assert_ok(apply(&l, &e), &e);
	for (int i = NODE1; i <= NODE2; i++) {
		assert_ok(net_observe(l.a, l.netns[i], &seen, &e), &e);
		assert_same_node(&l.d.ns.v[i], &seen);
	}
	assert_true(net_ifindex(l.netns[POD1], "eth0", &e) >= 2);
	assert_true(net_ifindex(l.netns[POD1], "eth7", &e) < 0);
	lab_close(&l);
}

/* A pod that comes later: only its own namespace is in the range, its far end is set too; and a
 * fault in an end whose creator is out of range is mended. */
static void test_ranges(void **state)
{
	struct lab l;
	struct err e;
	struct dns seen;
	_strbuf_ struct strbuf out = STRBUF_INIT;
	if (skipped())
		return;
	lab_open(&l);
	assert_ok(net_links(&l.x, FABRIC, POD1, &e), &e);
	assert_ok(net_links(&l.x, POD1, POD1 + 1, &e), &e);
	assert_ok(net_observe(l.a, l.netns[NODE1], &seen, &e), &e);
	assert_same_link(&l.d.ns.v[NODE1].links.v[4], seen_link(&seen, "veth42779e36"));
	assert_int_equal(
		run_in(&l, NODE1,
		       "ip link set veth42779e36 nomaster mtu 1400 && ip link set cni0 mtu "
		       "1400 && ip link set veth42779e36 down",
		       &out),
		0);
	assert_ok(net_links(&l.x, NODE1, NODE1 + 1, &e), &e);
	assert_ok(net_observe(l.a, l.netns[NODE1], &seen, &e), &e);
	assert_same_link(&l.d.ns.v[NODE1].links.v[4], seen_link(&seen, "veth42779e36"));
	assert_same_link(&l.d.ns.v[NODE1].links.v[3], seen_link(&seen, "cni0"));
	lab_close(&l);
}

/* Two nodes joined by IPIP: tunl0 as Calico uses it, and a device by name as flannel does. */
static void build_ipip(struct lab *l, int n)
{
	static const char *const tunnel[] = {[NODE1] = "10.244.196.128", [NODE2] = "10.244.140.64"};
	static const char *const block[] = {
		[NODE1] = "10.244.196.128/26", [NODE2] = "10.244.140.64/26"};
	int other = n == NODE1 ? NODE2 : NODE1;
	add_link(l, n, device(DLINK_TUNL0, "tunl0", NULL, 1480));
	struct dlink *t = add_link(l, n, device(DLINK_IPIP, "flannel.ipip", NULL, 1480));
	t->local = ip(nic_ip[n]);
	t->lower = "ens192";
	t->conf.route_localnet = 1;
	add_addr(l, n, "tunl0", arena_printf(l->a, "%s/32", tunnel[n]), NULL, 0);
	struct droute *r = add_route(l, n, block[other], nic_ip[other], "tunl0");
	r->onlink = true;
	r->proto = 12;
	r = add_route(l, n, block[n], NULL, NULL);
	r->type = DROUTE_BLACKHOLE;
	r->proto = 12;
}

static void test_ipip(void **state)
{
	struct lab l;
	struct err e;
	struct probe p;
	struct dns seen;
	if (skipped())
		return;
	assert_ok(probe_kernel(&p, &e), &e);
	if (!p.ipip) {
		print_message("skipped: this kernel has no ipip\n");
		skip();
	}
	lab_open(&l);
	build_ipip(&l, NODE1);
	build_ipip(&l, NODE2);
	for (int i = 0; i < 2; i++) { /* the second time everything is there already */
		assert_ok(apply(&l, &e), &e);
		assert_prints(&l, NODE1, "busybox ping -c 2 -W 3 10.244.140.64 2>&1", "bytes from");
		assert_prints(&l, NODE1, "ip -d link show tunl0",
			      "tunl0@NONE: <NOARP,UP,LOWER_UP> mtu 1480");
		assert_prints(&l, NODE1, "ip -d link show flannel.ipip", "local 100.100.137.201");
		assert_prints(&l, NODE1, "ip route",
			      "10.244.140.64/26 via 100.100.137.202 dev tunl0 proto bird onlink");
		assert_prints(&l, NODE1, "ip route", "blackhole 10.244.196.128/26 proto bird");
	}
	assert_ok(net_observe(l.a, l.netns[NODE1], &seen, &e), &e);
	const struct dlink *t = seen_link(&seen, "flannel.ipip");
	assert_same_link(&l.d.ns.v[NODE1].links.v[6], t);
	assert_int_equal(t->local, ip(nic_ip[NODE1]));
	assert_string_equal(t->lower, "ens192");
	assert_same_link(&l.d.ns.v[NODE1].links.v[5], seen_link(&seen, "tunl0"));
	lab_close(&l);
}

static void test_chosen_index(void **state)
{
	struct lab l;
	struct err e;
	if (skipped())
		return;
	lab_open(&l);
	l.d.ns.v[POD1].links.v[1].ifindex = 7;
	l.d.ns.v[NODE1].links.v[4].ifindex = 99;
	assert_ok(net_links(&l.x, 0, NS_COUNT, &e), &e);
	assert_int_equal(net_ifindex(l.netns[POD1], "eth0", &e), 7);
	assert_int_equal(net_ifindex(l.netns[NODE1], "veth42779e36", &e), 99);
	lab_close(&l);
}

static void test_refusals_name_the_object(void **state)
{
	struct lab l;
	struct err e;
	if (skipped())
		return;
	lab_open(&l);
	assert_ok(apply(&l, &e), &e);

	add_route(&l, NODE2, "10.50.0.0/16", "10.51.0.1", "cni0");
	assert_int_equal(net_layer3(&l.x, 0, NS_COUNT, &e), -ENETUNREACH);
	assert_string_equal(e.path, "node02: route 10.50.0.0/16 via 10.51.0.1 dev cni0");
	assert_string_equal(e.text,
			    "the kernel refused it: Nexthop has invalid gateway: Network is "
			    "unreachable");

	add_addr(&l, POD2, "eth9", "10.1.1.1/24", NULL, 0);
	assert_int_equal(net_layer3(&l.x, POD2, NS_COUNT, &e), -ENODEV);
	assert_string_equal(e.path, "node02-b");
	assert_string_equal(e.text, "no interface eth9: No such device");

	struct dlink *v = &l.d.ns.v[NODE1].links.v[2];
	v->vni = 5; /* there is a flannel.1 already, of VNI 1 */
	assert_int_equal(net_links(&l.x, NODE1, NODE1 + 1, &e), -EOPNOTSUPP);
	assert_string_equal(e.path, "node01: link flannel.1");
	v->vni = 1;

	*vec_push(l.a, &l.d.ns.v[NODE1].sysctls) =
		(struct dsysctl){.key = "net.no.such.key", .value = "1"};
	assert_int_equal(net_sysctls(&l.x, 0, NS_COUNT, false, &e), -ENOENT);
	assert_string_equal(e.path, "node01");
	assert_string_equal(e.text, "sysctl net.no.such.key: No such file or directory");
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sysctl_path),
		cmocka_unit_test(test_applied_state_is_what_tools_show),
		cmocka_unit_test(test_sysctls_are_set),
		cmocka_unit_test(test_pods_talk_over_vxlan),
		cmocka_unit_test(test_observe_reads_it_back),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_ipip),
		cmocka_unit_test(test_chosen_index),
		cmocka_unit_test(test_refusals_name_the_object),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
