/* SPDX-License-Identifier: MIT */
/*
 * cluster: the frame of deciding: versions, defaults that need several objects, the order of the
 * parts. The parts are cluster_nodes.c, cluster_blocks.c, cluster_pods.c and cluster_services.c.
 */
#include "lib/plan/cluster.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/kube/naming.h"
#include "lib/plan/cluster_build.h"

static const struct cidr default_pod_cidr = {.addr = 0x0af40000, .len = 16}; /* 10.244.0.0/16 */

unsigned build_hash(const char *fmt, ...)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	unsigned char h[4];
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	name_seeded_bytes(h, sizeof(h), "%s", strbuf_str(&text));
	return (unsigned)h[0] << 24 | (unsigned)h[1] << 16 | (unsigned)h[2] << 8 | h[3];
}

int cluster_node(const struct cluster *c, const char *name)
{
	if (!name)
		return -1;
	vec_foreach (struct cnode, n, &c->nodes)
		if (strcmp(n->name, name) == 0)
			return n->index;
	return -1;
}

/* kube-proxy's defaults (dataplane A.9). Without any configuration a cluster CIDR is assumed; with
 * one that names none there is none, so local traffic cannot be told (LABFILE.md). */
static void decide_proxy(struct builder *b, const struct cluster_opts *opts)
{
	struct cluster *c = b->c;

	c->proxy = b->o->proxy;
	if (!c->proxy.present) {
		c->proxy.masquerade_bit = 14;
		c->proxy.ct = (struct proxy_conntrack){.tcp_established = 86400 * NS_PER_S,
						       .tcp_close_wait = 3600 * NS_PER_S};
		c->proxy.localhost_node_ports = true;
		c->proxy.has_cluster_cidr = true;
		c->proxy.cluster_cidr = default_pod_cidr;
		if (c->cni == CNI_FLANNEL && b->o->flannel.present && b->o->flannel.network.len)
			c->proxy.cluster_cidr = b->o->flannel.network;
		if (c->cni == CNI_CALICO && b->o->pools.n)
			c->proxy.cluster_cidr = b->o->pools.v[0].cidr;
	}
	if (!c->proxy.scheduler)
		c->proxy.scheduler = "";
	if (!opts || !opts->mode)
		return;
	if (*opts->mode == PROXY_NFTABLES && c->proxy.present) {
		c->proxy.masquerade_all = c->proxy.nft_masquerade_all;
		c->proxy.masquerade_bit = c->proxy.nft_masquerade_bit;
	}
	c->proxy.mode = *opts->mode;
}

static void decide_networks(struct builder *b)
{
	struct cluster *c = b->c;

	c->cluster_cidr = c->proxy.has_cluster_cidr ? c->proxy.cluster_cidr : default_pod_cidr;
	c->flannel = b->o->flannel;
	if (!c->flannel.present) {
		c->flannel.backend = FLANNEL_VXLAN;
		c->flannel.vni = 1;
	}
	if (!c->flannel.network.len)
		c->flannel.network = c->cluster_cidr;
	if (c->cni == CNI_FLANNEL)
		c->cluster_cidr = c->flannel.network;
	vec_foreach (struct ip_pool, p, &b->o->pools)
		*vec_push(b->a, &c->pools) = *p;
	if (c->cni == CNI_CALICO && !c->pools.n)
		*vec_push(b->a, &c->pools) = (struct ip_pool){
			.meta = {.name = "default-ipv4-ippool", .doc = -1, .path = ""},
			.cidr = c->cluster_cidr,
			.block_size = 26,
			.ipip = ENCAP_ALWAYS,
			.nat_outgoing = true,
		};
	if (c->cni == CNI_CALICO)
		c->cluster_cidr = c->pools.v[0].cidr;
}

/* 10.96.0.0/12 as kubeadm has it, unless the file's own Services lie elsewhere: then the /16 around
 * the `kubernetes` Service or else the first one with an address. */
static void decide_service_cidr(struct builder *b)
{
	struct cidr def = {.addr = 0x0a600000, .len = 12};
	ip4 seen = 0;

	vec_foreach (struct service, s, &b->o->services) {
		bool api = strcmp(s->meta.name, "kubernetes") == 0 &&
			   strcmp(s->meta.ns, "default") == 0;
		if (s->cluster_ip && (!seen || api))
			seen = s->cluster_ip;
	}
	if (!seen || cidr_has(def, seen))
		b->c->service_cidr = def;
	else
		b->c->service_cidr = cidr_net((struct cidr){.addr = seen, .len = 16});
}

/* The largest packet of a pod that fits the underlay in every encapsulation in use: flannel takes
 * its backend's (dataplane E.1, E.7), Calico's "auto" the smallest of those enabled (F.2). */
static unsigned decide_mtu(const struct cluster *c)
{
	unsigned mtu = 65535, less = 0;

	vec_foreach (struct underlay, u, &c->underlays)
		if (u->mtu < mtu)
			mtu = u->mtu;
	if (!c->underlays.n)
		mtu = 1500;
	if (c->cni == CNI_FLANNEL && c->flannel.backend == FLANNEL_VXLAN)
		less = 50;
	if (c->cni == CNI_FLANNEL && c->flannel.backend == FLANNEL_IPIP)
		less = 20;
	if (c->cni == CNI_CALICO)
		vec_foreach (struct ip_pool, p, &c->pools) {
			if (p->disabled)
				continue;
			if (p->ipip != ENCAP_NEVER && less < 20)
				less = 20;
			if (p->vxlan != ENCAP_NEVER && less < 50)
				less = 50;
		}
	return mtu - less;
}

struct cluster *cluster_build(struct arena *a, const struct objects *o,
			      const struct cluster_opts *opts, struct faults *faults)
{
	struct cluster *c = arena_new_type(a, struct cluster);
	struct builder b = {.c = c, .o = o, .a = a, .faults = faults};

	c->arena = a;
	c->objects = o;
	c->is_lab = o->lab.present;
	c->name = opts && opts->name ? opts->name : c->is_lab ? o->lab.meta.name : "manifests";
	c->kubernetes = c->is_lab ? o->lab.kubernetes : KUBE_1_32;
	if (opts && opts->version)
		c->kubernetes = *opts->version;
	c->cni = c->is_lab ? o->lab.cni : CNI_NONE;
	c->iptables = o->lab.iptables;
	c->routing = o->lab.routing;
	c->docker_look = c->kubernetes <= KUBE_1_23;
	c->nfacct = opts && opts->nfacct;

	decide_proxy(&b, opts);
	decide_networks(&b);
	decide_service_cidr(&b);
	build_nodes(&b);
	c->pod_mtu = decide_mtu(c);
	build_default_services(&b);
	if (c->cni == CNI_CALICO)
		build_blocks(&b);
	build_pods(&b);
	build_local_addrs(&b);
	build_services(&b);
	return c;
}
