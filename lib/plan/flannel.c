/* SPDX-License-Identifier: MIT */
/* flannel: see flannel.h. */
#include "lib/plan/flannel.h"

#include <string.h>

#include "lib/plan/desired_build.h"

/* 0.20 and newer: chains of its own. */
static void rules_chains(struct strbuf *s, const char *net, const char *own)
{
	static const char c[] = "-m comment --comment \"flanneld masq\"";
	static const char f[] = "-m comment --comment \"flanneld forward\"";

	strbuf_addf(s, "*nat\n:FLANNEL-POSTRTG - [0:0]\n");
	strbuf_addf(s, "-A POSTROUTING %s -j FLANNEL-POSTRTG\n", c);
	strbuf_addf(s, "-A FLANNEL-POSTRTG -m mark --mark 0x4000/0x4000 %s -j RETURN\n", c);
	strbuf_addf(s, "-A FLANNEL-POSTRTG -s %s -d %s %s -j RETURN\n", own, net, c);
	strbuf_addf(s, "-A FLANNEL-POSTRTG -s %s -d %s %s -j RETURN\n", net, own, c);
	strbuf_addf(s, "-A FLANNEL-POSTRTG ! -s %s -d %s %s -j RETURN\n", net, own, c);
	strbuf_addf(s,
		    "-A FLANNEL-POSTRTG -s %s ! -d 224.0.0.0/4 %s -j MASQUERADE --random-fully\n",
		    net, c);
	strbuf_addf(s, "-A FLANNEL-POSTRTG ! -s %s -d %s %s -j MASQUERADE --random-fully\n", net,
		    net, c);
	strbuf_addf(s, "COMMIT\n*filter\n:FLANNEL-FWD - [0:0]\n");
	strbuf_addf(s, "-A FORWARD %s -j FLANNEL-FWD\n", f);
	strbuf_addf(s, "-A FLANNEL-FWD -s %s %s -j ACCEPT\n", net, f);
	strbuf_addf(s, "-A FLANNEL-FWD -d %s %s -j ACCEPT\nCOMMIT\n", net, f);
}

/* Up to 0.19: straight in the built-in chains; up to 0.16 without comments. */
static void rules_plain(struct strbuf *s, const char *net, const char *own, bool comments)
{
	const char *c = comments ? "-m comment --comment \"flanneld masq\" " : "";
	const char *f = comments ? "-m comment --comment \"flanneld forward\" " : "";

	strbuf_addf(s, "*nat\n-A POSTROUTING -s %s -d %s %s-j RETURN\n", net, net, c);
	strbuf_addf(s, "-A POSTROUTING -s %s ! -d 224.0.0.0/4 %s-j MASQUERADE --random-fully\n",
		    net, c);
	strbuf_addf(s, "-A POSTROUTING ! -s %s -d %s %s-j RETURN\n", net, own, c);
	strbuf_addf(s, "-A POSTROUTING ! -s %s -d %s %s-j MASQUERADE --random-fully\n", net, net,
		    c);
	strbuf_addf(s, "COMMIT\n*filter\n-A FORWARD -s %s %s-j ACCEPT\n", net, f);
	strbuf_addf(s, "-A FORWARD -d %s %s-j ACCEPT\nCOMMIT\n", net, f);
}

void flannel_iptables(const struct cluster *c, int node, struct strbuf *out)
{
	const char *net = CIDR(cidr_net(c->flannel.network));
	const char *own = CIDR(c->nodes.v[node].pod_cidr);

	if (c->kubernetes >= KUBE_1_32)
		rules_chains(out, net, own);
	else
		rules_plain(out, net, own, c->kubernetes >= KUBE_1_23);
}

static const char *tunnel_name(struct dbuild *b)
{
	const struct flannel_config *f = &b->c->flannel;

	switch (f->backend) {
	case FLANNEL_VXLAN:
		return arena_printf(b->a, "flannel.%u", f->vni ? f->vni : 1);
	case FLANNEL_IPIP:
		return "flannel.ipip";
	case FLANNEL_HOST_GW:
		break;
	}
	return NULL;
}

static void tunnel(struct dbuild *b, int ns, const struct cnode *n, const char *name)
{
	const struct flannel_config *f = &b->c->flannel;
	bool vxlan = f->backend == FLANNEL_VXLAN;
	if (!vxlan)
		add_idle_tunl0(b, ns);
	struct dlink *l = add_link(b, ns, vxlan ? DLINK_VXLAN : DLINK_IPIP, name);
	struct cidr own = {.addr = n->pod_cidr.addr, .len = 32};

	l->mtu = b->c->underlays.v[n->underlay].mtu - (vxlan ? 50 : 20);
	l->local = n->ip;
	if (vxlan) {
		l->mac = n->vtep_mac;
		l->vni = f->vni ? f->vni : 1;
		l->port = f->port;
		l->lower = node_nic(b, n);
		l->conf.accept_ra6 = 0;
	}
	add_addr(b, ns, (struct daddr){.dev = name, .addr = own});
}

/* What one lease of another node makes here (dataplane E.2). */
static void lease(struct dbuild *b, int ns, const struct cnode *n, const struct cnode *other,
		  const char *tun)
{
	const struct flannel_config *f = &b->c->flannel;
	struct droute r = {.dst = other->pod_cidr, .proto = RTP_BOOT};
	bool direct = n->underlay == other->underlay && (f->direct_routing || !tun);

	/* host-gw asks for a gateway on the link; behind a router the kernel refuses the route,
	 * which flanneld only logs. */
	if (!direct && !tun)
		return;
	if (direct) {
		r.via = other->ip;
		r.dev = node_nic(b, n);
		add_route(b, ns, r);
		return;
	}
	r.dev = tun;
	r.onlink = true;
	r.via = other->ip;
	if (f->backend == FLANNEL_VXLAN) {
		r.via = other->pod_cidr.addr;
		*vec_push(b->a, &b->d->ns.v[ns].neighs) =
			(struct dneigh){.dev = tun, .ip = r.via, .mac = other->vtep_mac};
		*vec_push(b->a, &b->d->ns.v[ns].fdbs) =
			(struct dfdb){.dev = tun, .mac = other->vtep_mac, .dst = other->ip};
	}
	add_route(b, ns, r);
}

static void bridge(struct dbuild *b, int ns, const struct cnode *n)
{
	struct dlink *l = add_link(b, ns, DLINK_BRIDGE, "cni0");
	struct cidr addr = {.addr = n->pod_cidr.addr + 1, .len = n->pod_cidr.len};

	l->mac = n->bridge_mac;
	l->mtu = b->c->pod_mtu;
	add_addr(b, ns, (struct daddr){.dev = "cni0", .addr = addr, .brd = cidr_last(addr)});
}

static void subnet_env(struct dbuild *b, int ns, const struct cnode *n)
{
	struct cidr own = {.addr = n->pod_cidr.addr + 1, .len = n->pod_cidr.len};

	add_file(b, ns, "/run/flannel/subnet.env",
		 arena_printf(b->a,
			      "FLANNEL_NETWORK=%s\nFLANNEL_SUBNET=%s\nFLANNEL_MTU=%u\n"
			      "FLANNEL_IPMASQ=true\n",
			      CIDR(cidr_net(b->c->flannel.network)), CIDR(own), b->c->pod_mtu));
}

void flannel_node(struct dbuild *b, const struct cnode *n)
{
	int ns = b->first_node + n->index;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *tun = tunnel_name(b);

	if (!n->pod_cidr.len)
		return;
	if (tun)
		tunnel(b, ns, n, tun);
	if (n->has_pods)
		bridge(b, ns, n);
	/* Leases come in any order. Last node first: current kernels list the newest FDB entry
	 * first, so that `bridge fdb` prints the nodes in their order. */
	for (size_t i = b->c->nodes.n; i-- > 0;) {
		const struct cnode *other = &b->c->nodes.v[i];
		if (other != n && other->pod_cidr.len)
			lease(b, ns, n, other, tun);
	}
	subnet_env(b, ns, n);
	flannel_iptables(b->c, n->index, &text);
	add_rules(b, ns, "flannel", arena_strdup(b->a, strbuf_str(&text)));
}

void flannel_pod(struct dbuild *b, const struct cpod *p)
{
	int ns = b->pod_ns[pod_index(b, p)], node = b->first_node + p->node;
	const struct cnode *n = &b->c->nodes.v[p->node];
	struct cidr addr = {.addr = p->ip, .len = n->pod_cidr.len};
	ip4 gateway = n->pod_cidr.addr + 1;
	struct dlink *l;
	size_t host;

	if (!n->pod_cidr.len)
		return;
	bool ipip = b->c->flannel.backend == FLANNEL_IPIP;
	if (ipip)
		add_idle_tunl0(b, ns);
	l = add_pod_pair(b, p, &host);
	l->conf.arp_notify = 1;
	if (b->c->kubernetes == KUBE_1_20) /* CNI plugins before 1.0 */
		l->ifindex = ipip ? IFINDEX_PAIR_IN_POD_TUNL : IFINDEX_PAIR_IN_POD;
	b->d->ns.v[node].links.v[host].master = "cni0";
	b->d->ns.v[node].links.v[host].hairpin = true;
	add_addr(b, ns, (struct daddr){.dev = "eth0", .addr = addr, .brd = cidr_last(addr)});
	add_route(b, ns, (struct droute){.via = gateway, .dev = "eth0", .proto = RTP_BOOT});
	add_route(b, ns,
		  (struct droute){.dst = cidr_net(b->c->flannel.network),
				  .via = gateway,
				  .dev = "eth0",
				  .proto = RTP_BOOT});
}
