/* SPDX-License-Identifier: MIT */
/* rec_flannel: a pod's connection to a ClusterIP whose pod is on the other node, over VXLAN. */
#ifndef TEST_REC_FLANNEL_H
#define TEST_REC_FLANNEL_H

#include "tests/unit/rec_lab.h"

enum { CLIENT, NODE01, FABRIC, NODE02, SERVER };

#define SVC   "KUBE-SVC-UOXPAAAAAAAAAAAA"
#define SEP   "KUBE-SEP-DBQJAEEGMK54M5LU"
#define VTEP1 "0a:00:00:00:00:01"
#define VTEP2 "0a:00:00:00:00:02"

static inline void flannel_node(struct rec_lab *l, int ns, int k)
{
	bool one = k == 1;
	lab_if(l, ns, 2, "ens192", "veth", one ? "02:00:00:00:01:01" : "02:00:00:00:01:02",
	       one ? "100.100.137.201/24" : "100.100.137.202/24")
		->mtu = 1500;
	struct rec_if *vx = lab_if(l, ns, 3, "flannel.1", "vxlan", one ? VTEP1 : VTEP2,
				   one ? "10.244.1.0/32" : "10.244.2.0/32");
	vx->vni = 1;
	vx->vxlan_port = 8472;
	vx->local = A(one ? "100.100.137.201" : "100.100.137.202");
	lab_if(l, ns, 4, "cni0", "bridge", one ? "02:00:00:00:03:01" : "02:00:00:00:03:02",
	       one ? "10.244.1.1/24" : "10.244.2.1/24");
	lab_if(l, ns, 7, one ? "veth42779e36" : "veth70cee1b2", "veth", "26:a9:23:fb:7a:c7", NULL)
		->master = "cni0";
	lab_route(l, ns,
		  one ? "10.244.1.0/24 dev cni0 proto kernel scope link src 10.244.1.1"
		      : "10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink");
	lab_route(l, ns,
		  one ? "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink"
		      : "10.244.2.0/24 dev cni0 proto kernel scope link src 10.244.2.1");
	lab_route(l, ns, "100.100.137.0/24 dev ens192 proto kernel scope link");
	lab_route(l, ns, "default via 100.100.137.254 dev ens192");
	struct rec_ns *n = &l->r->ns.v[ns];
	*vec_push(l->a, &n->sysctls) =
		(struct rec_sysctl){"net.bridge.bridge-nf-call-iptables", "1"};
	*vec_push(l->a, &n->sysctls) = (struct rec_sysctl){"net.ipv4.ip_forward", "1"};
	struct rec_neigh *e = vec_push(l->a, &n->neighs);
	*e = (struct rec_neigh){3, A(one ? "10.244.2.0" : "10.244.1.0"), {{0}}, "PERMANENT"};
	mac_parse(one ? VTEP2 : VTEP1, &e->mac);
	struct rec_fdb *d = vec_push(l->a, &n->fdbs);
	*d = (struct rec_fdb){.ifindex = 3, .dst = A(one ? "100.100.137.202" : "100.100.137.201")};
	mac_parse(one ? VTEP2 : VTEP1, &d->mac);
	static const char *const chains[][3] = {{"nat", "PREROUTING", "prerouting"},
						{"nat", "POSTROUTING", "postrouting"},
						{"nat", "OUTPUT", "output"},
						{"filter", "FORWARD", "forward"},
						{"filter", "INPUT", "input"}};
	for (size_t i = 0; i < 5; i++)
		lab_chain(l, ns, chains[i][0], chains[i][1], chains[i][2], "ACCEPT");
	static const char *const nat[] = {
		"-A PREROUTING -m comment --comment \"kubernetes service portals\" -j "
		"KUBE-SERVICES",
		"-A OUTPUT -m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES",
		"-A POSTROUTING -m comment --comment \"kubernetes postrouting rules\" -j "
		"KUBE-POSTROUTING",
		"-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-SVC-DNS",
		"-A KUBE-SERVICES -d 10.107.254.44/32 -p tcp -m tcp --dport 80 -j " SVC,
		"-A " SVC " ! -s 10.244.0.0/16 -d 10.107.254.44/32 -p tcp -m tcp --dport 80 -j "
		"KUBE-MARK-MASQ",
		"-A " SVC " -j " SEP,
		"-A " SEP " -s 10.244.2.5/32 -j KUBE-MARK-MASQ",
		"-A " SEP " -p tcp -m tcp -j DNAT --to-destination 10.244.2.5:80",
		"-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN",
	};
	for (size_t i = 0; i < sizeof(nat) / sizeof(nat[0]); i++)
		lab_rule(l, ns, "nat", nat[i]);
	lab_rule(l, ns, "filter", "-A FORWARD -j KUBE-FORWARD");
	lab_rule(l, ns, "filter", "-A FORWARD -s 10.244.0.0/16 -j ACCEPT");
}

static inline void flannel_snapshot(struct rec_lab *l)
{
	lab_ns(l, "busybox3", "busybox3", "pod");
	lab_ns(l, "node01", "node/node01", "node");
	lab_ns(l, "fabric", NULL, "fabric");
	lab_ns(l, "node02", "node/node02", "node");
	lab_ns(l, "nginx", "nginx", "pod");
	lab_if(l, CLIENT, 2, "eth0", "veth", "5a:00:00:00:00:01", "10.244.1.2/24");
	lab_route(l, CLIENT, "default via 10.244.1.1 dev eth0");
	lab_if(l, SERVER, 2, "eth0", "veth", "5a:00:00:00:00:05", "10.244.2.5/24");
	lab_route(l, SERVER, "default via 10.244.2.1 dev eth0");
	flannel_node(l, NODE01, 1);
	flannel_node(l, NODE02, 2);
	lab_if(l, FABRIC, 10, "p-n1", "veth", NULL, NULL)->master = "br0";
	lab_if(l, FABRIC, 11, "p-n2", "veth", NULL, NULL)->master = "br0";
	lab_if(l, FABRIC, 12, "br0", "bridge", NULL, NULL);
	lab_veth(l, CLIENT, 2, NODE01, 7);
	lab_veth(l, SERVER, 2, NODE02, 7);
	lab_veth(l, NODE01, 2, FABRIC, 10);
	lab_veth(l, NODE02, 2, FABRIC, 11);
	lab_ask(l, NODE01, "route", "10.244.2.5",
		"10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink", 0);
	lab_ask(l, NODE01, "neigh", "10.244.2.0",
		"10.244.2.0 dev flannel.1 lladdr " VTEP2 " PERMANENT", 0);
	lab_ask(l, NODE01, "fdb", VTEP2, VTEP2 " dst 100.100.137.202 self permanent", 0);
	lab_ask(l, NODE02, "route", "10.244.2.5", "10.244.2.0/24 dev cni0", 0);
}

/* Where the way of the SYN may be cut: it is followed up to the sighting number `until` (1..12). */
static inline void flannel_syn(struct rec_lab *l, int until)
{
	struct frame f = {.src = A("10.244.1.2"),
			  .dst = A("10.107.254.44"),
			  .sport = 38770,
			  .dport = 80,
			  .seq = ISN,
			  .flags = 2,
			  .ttl = 64,
			  .id = 777,
			  .smac = "5a:00:00:00:00:01",
			  .dmac = "02:00:00:00:03:01"};
	const struct at pre = {0, 4, 0, 7, 0, 0}, fwd = {2, 4, 3, 7, 0, 0},
			post = {4, 0, 3, 7, 0, 0};
	lab_see(l, CLIENT, 2, true, &f);
	lab_see(l, NODE01, 7, false, &f);
	if (until < 3)
		return;
	lab_match(l, NODE01, "nat", "PREROUTING", REC_RULE, 1, pre, &f);
	lab_match(l, NODE01, "nat", "KUBE-SERVICES", REC_RULE, 2, pre, &f);
	lab_match(l, NODE01, "nat", SVC, REC_RULE, 2, pre, &f);
	lab_match(l, NODE01, "nat", SEP, REC_RULE, 2, pre, &f);
	f.dst = A("10.244.2.5");
	lab_see(l, NODE01, 4, false, &f);
	if (until < 4)
		return;
	f.ttl = 63; /* ip_forward() takes it before the hook */
	lab_match(l, NODE01, "filter", "FORWARD", REC_RULE, 1, fwd, &f);
	lab_match(l, NODE01, "filter", "KUBE-FORWARD", REC_RETURN, 3, fwd, &f);
	lab_match(l, NODE01, "filter", "FORWARD", REC_RULE, 2, fwd, &f);
	lab_match(l, NODE01, "nat", "POSTROUTING", REC_RULE, 1, post, &f);
	lab_match(l, NODE01, "nat", "KUBE-POSTROUTING", REC_RULE, 1, post, &f);
	lab_match(l, NODE01, "nat", "POSTROUTING", REC_POLICY, 2, post, &f);
	lab_ct(l, NODE01, (struct rec_tuple){A("10.244.1.2"), A("10.107.254.44"), 38770, 80, 6},
	       (struct rec_tuple){A("10.244.2.5"), A("10.244.1.2"), 80, 38770, 6});
	f.smac = VTEP1;
	f.dmac = VTEP2;
	lab_see(l, NODE01, 3, true, &f);
	if (until < 5)
		return;
	struct frame o = f;
	o.tunnel = 17;
	o.osrc = A("100.100.137.201");
	o.odst = A("100.100.137.202");
	o.osport = 57882;
	o.oid = 4711;
	o.vni = 1;
	o.ottl = 64;
	o.ismac = VTEP1;
	o.idmac = VTEP2;
	o.smac = "02:00:00:00:01:01";
	o.dmac = "02:00:00:00:01:02";
	const struct at out = {3, 0, 2, 0, 0, 0}, opost = {4, 0, 2, 0, 0, 0};
	lab_match(l, NODE01, "nat", "OUTPUT", REC_RULE, 1, out, &o);
	lab_match(l, NODE01, "nat", "KUBE-SERVICES", REC_RETURN, 3, out, &o);
	lab_match(l, NODE01, "nat", "OUTPUT", REC_POLICY, 2, out, &o);
	lab_match(l, NODE01, "nat", "POSTROUTING", REC_POLICY, 2, opost, &o);
	lab_see(l, NODE01, 2, true, &o);
	if (until < 6)
		return;
	lab_see(l, FABRIC, 10, false, &o);
	lab_see(l, FABRIC, 11, true, &o);
	lab_see(l, NODE02, 2, false, &o);
	if (until < 9)
		return;
	const struct at opre = {0, 2, 0, 0, 0, 0}, in = {1, 2, 0, 0, 0, 0};
	lab_match(l, NODE02, "nat", "PREROUTING", REC_RULE, 1, opre, &o);
	lab_match(l, NODE02, "nat", "PREROUTING", REC_POLICY, 2, opre, &o);
	lab_match(l, NODE02, "filter", "INPUT", REC_POLICY, 1, in, &o);
	f.smac = VTEP1;
	f.dmac = VTEP2;
	lab_see(l, NODE02, 3, false, &f);
	if (until < 10)
		return;
	const struct at pre2 = {0, 3, 0, 0, 0, 0}, fwd2 = {2, 3, 4, 0, 0, 0},
			post2 = {4, 0, 4, 0, 0, 0};
	lab_match(l, NODE02, "nat", "PREROUTING", REC_RULE, 1, pre2, &f);
	lab_match(l, NODE02, "nat", "PREROUTING", REC_POLICY, 2, pre2, &f);
	f.ttl = 62;
	lab_match(l, NODE02, "filter", "FORWARD", REC_RULE, 2, fwd2, &f);
	lab_match(l, NODE02, "nat", "POSTROUTING", REC_POLICY, 2, post2, &f);
	f.smac = "02:00:00:00:03:02";
	f.dmac = "5a:00:00:00:00:05";
	lab_see(l, NODE02, 4, true, &f);
	lab_see(l, NODE02, 7, true, &f);
	lab_see(l, SERVER, 2, false, &f);
}

static inline void flannel_syn_ack(struct rec_lab *l)
{
	struct frame f = {.src = A("10.244.2.5"),
			  .dst = A("10.244.1.2"),
			  .sport = 80,
			  .dport = 38770,
			  .seq = SERVER_ISN,
			  .ack = ISN + 1,
			  .flags = 0x12,
			  .ttl = 64};
	const struct at fwd2 = {2, 4, 3, 7, 0, 0}, fwd = {2, 3, 4, 0, 0, 0};
	lab_see(l, SERVER, 2, true, &f);
	lab_see(l, NODE02, 7, false, &f);
	lab_see(l, NODE02, 4, false, &f);
	lab_match(l, NODE02, "filter", "FORWARD", REC_RULE, 2, fwd2, &f);
	f.ttl = 63;
	f.smac = VTEP2;
	f.dmac = VTEP1;
	lab_see(l, NODE02, 3, true, &f);
	struct frame o = f;
	o.tunnel = 17;
	o.osrc = A("100.100.137.202");
	o.odst = A("100.100.137.201");
	o.osport = 40000;
	o.oid = 99;
	o.vni = 1;
	o.ottl = 64;
	lab_see(l, NODE02, 2, true, &o);
	lab_see(l, FABRIC, 11, false, &o);
	lab_see(l, FABRIC, 10, true, &o);
	lab_see(l, NODE01, 2, false, &o);
	lab_see(l, NODE01, 3, false, &f);
	lab_match(l, NODE01, "filter", "FORWARD", REC_RULE, 2, fwd, &f);
	f.ttl = 62;
	f.src = A("10.107.254.44");
	f.smac = "02:00:00:00:03:01";
	f.dmac = "5a:00:00:00:00:01";
	lab_see(l, NODE01, 4, true, &f);
	lab_see(l, NODE01, 7, true, &f);
	lab_see(l, CLIENT, 2, false, &f);
}

static inline struct recording *flannel_cross(struct arena *a)
{
	struct rec_lab l = lab_new(a);
	flannel_snapshot(&l);
	flannel_syn(&l, 12);
	flannel_syn_ack(&l);
	return l.r;
}

/* Seen up to node01's bridge, and dropped there by the first rule of FORWARD. */
static inline struct recording *flannel_dropped(struct arena *a)
{
	struct rec_lab l = lab_new(a);
	const struct at fwd = {2, 4, 3, 7, 0, 0};
	struct frame f = {.src = A("10.244.1.2"),
			  .dst = A("10.244.2.5"),
			  .sport = 38770,
			  .dport = 80,
			  .seq = ISN,
			  .flags = 2,
			  .ttl = 63,
			  .id = 777};
	flannel_snapshot(&l);
	l.r->probe.outcome = "timeout";
	l.r->probe.answer = "no answer";
	l.r->probe.error = 110;
	vec_foreach (struct rec_rule, x, &l.r->ns.v[1].rules)
		x->num += !strcmp(x->chain, "FORWARD");
	*vec_push(a, &l.r->ns.v[1].rules) =
		(struct rec_rule){.table = "filter",
				  .chain = "FORWARD",
				  .num = 1,
				  .target = "DROP",
				  .text = "-A FORWARD -d 10.244.2.5/32 -j DROP"};
	flannel_syn(&l, 3);
	f.smac = "5a:00:00:00:00:01";
	f.dmac = "02:00:00:00:03:01";
	f.ttl = 64;
	lab_see(&l, 1, 4, false, &f);
	f.ttl = 63;
	lab_match(&l, 1, "filter", "FORWARD", REC_RULE, 1, fwd, &f);
	return l.r;
}

/* Seen no further than its sighting `until`; nothing answered. */
static inline struct recording *flannel_cut(struct arena *a, int until)
{
	struct rec_lab l = lab_new(a);
	flannel_snapshot(&l);
	l.r->probe.outcome = "timeout";
	l.r->probe.answer = "Connection timed out";
	l.r->probe.error = 110;
	flannel_syn(&l, until);
	return l.r;
}

#endif
