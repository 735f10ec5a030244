/* SPDX-License-Identifier: MIT */
/* calico: see calico.h. */
#include "lib/plan/calico.h"

#include <string.h>

#include "lib/kube/naming.h"
#include "lib/plan/calico_policy.h"
#include "lib/plan/calico_routes.h"
#include "lib/plan/desired_build.h"

#define VXLAN_VNI    4096
#define VXLAN_PORT   4789
#define POD_GATEWAY  0xa9fe0101 /* 169.254.1.1: nobody's; proxy ARP answers for it */
#define SET_OPTIONS  "family inet hashsize 1024 maxelem 1048576"
#define VXLAN_DEVICE "vxlan.calico"

/* A disabled pool gives out no more addresses, but those it gave still need their way. */
static bool uses_ipip(const struct cluster *c)
{
	vec_foreach (struct ip_pool, p, &c->pools)
		if (p->ipip != ENCAP_NEVER)
			return true;
	return false;
}

static bool uses_vxlan(const struct cluster *c)
{
	vec_foreach (struct ip_pool, p, &c->pools)
		if (p->vxlan != ENCAP_NEVER)
			return true;
	return false;
}

static enum felix_version felix_version(const struct cluster *c)
{
	if (c->kubernetes <= KUBE_1_20)
		return FELIX_3_22;
	return c->kubernetes <= KUBE_1_23 ? FELIX_3_24 : FELIX_3_28;
}

void calico_felix_config(struct arena *a, const struct cluster *c, int node,
			 struct felix_config *ret)
{
	felix_policies policies = {0};

	calico_all_policies(a, c, &policies);
	*ret = (struct felix_config){.version = felix_version(c),
				     .ipip = uses_ipip(c),
				     .vxlan = uses_vxlan(c),
				     .ipvs = c->proxy.mode == PROXY_IPVS};
	ret->tun_ipip = ret->ipip ? "tunl0" : NULL;
	ret->tun_vxlan = ret->vxlan ? VXLAN_DEVICE : NULL;
	vec_foreach (struct ip_pool, p, &c->pools)
		ret->nat_outgoing |= p->nat_outgoing;
	vec_foreach (struct cpod, p, &c->pods) {
		const char *account = p->obj->spec.service_account;
		struct felix_endpoint *e;

		if (p->node != node || p->host_network || !p->host_if)
			continue;
		e = vec_push(a, &ret->endpoints);
		*e = (struct felix_endpoint){.iface = p->host_if};
		*vec_push(a, &e->profiles) = arena_printf(a, "kns.%s", p->ns);
		*vec_push(a, &e->profiles) =
			arena_printf(a, "ksa.%s.%s", p->ns, account ? account : "default");
		calico_policies_of(a, &policies, p, e);
	}
}

/* Devices -------------------------------------------------------------------------------------- */

static void tunnel_devices(struct dbuild *b, int ns, const struct cnode *n)
{
	unsigned mtu = b->c->underlays.v[n->underlay].mtu;
	struct cidr own = {.addr = n->tunnel_ip, .len = 32};
	struct dlink *l;

	if (uses_ipip(b->c)) {
		l = add_link(b, ns, DLINK_TUNL0, "tunl0");
		l->mtu = mtu - 20;
		if (n->tunnel_ip)
			add_addr(b, ns, (struct daddr){.dev = "tunl0", .addr = own});
	}
	if (uses_vxlan(b->c)) {
		l = add_link(b, ns, DLINK_VXLAN, VXLAN_DEVICE);
		l->mac = name_calico_vxlan_mac(n->name);
		l->mtu = mtu - 50;
		l->vni = VXLAN_VNI;
		l->port = VXLAN_PORT;
		l->local = n->ip;
		l->lower = node_nic(b, n);
		if (n->tunnel_ip)
			add_addr(b, ns, (struct daddr){.dev = VXLAN_DEVICE, .addr = own});
	}
}

/* Routes --------------------------------------------------------------------------------------- */

static bool is_vxlan(const struct ip_pool *p)
{
	return p->vxlan != ENCAP_NEVER;
}

bool calico_tunnels(const struct cnode *n, const struct cnode *other, const struct ip_pool *pool)
{
	enum encap mode = is_vxlan(pool) ? pool->vxlan : pool->ipip;
	return mode == ENCAP_ALWAYS ||
	       (mode == ENCAP_CROSS_SUBNET && n->underlay != other->underlay);
}

/* The destination's pool decides. */
bool calico_route_to(struct dbuild *b, const struct cnode *n, const struct cnode *other,
		     const struct ip_pool *pool, struct droute *ret)
{
	bool near = n->underlay == other->underlay;
	bool tunnel = calico_tunnels(n, other, pool);
	struct droute r = {.via = other->ip};

	r.proto = is_vxlan(pool) ? RTP_CALICO : RTP_BIRD;
	r.dev = node_nic(b, n);
	r.onlink = tunnel || is_vxlan(pool);
	if (tunnel && is_vxlan(pool)) {
		r.dev = VXLAN_DEVICE;
		r.via = other->tunnel_ip;
	} else if (tunnel) {
		r.dev = "tunl0";
	} else if (!near) {
		r.via = b->c->underlays.v[n->underlay].gateway;
	}
	*ret = r;
	return r.via != 0;
}

/* The way to a block (or a borrowed address) of another node. */
static void route_to(struct dbuild *b, int ns, const struct cnode *n, const struct cnode *other,
		     const struct ip_pool *pool, struct cidr dst)
{
	struct droute r;

	if (!calico_route_to(b, n, other, pool, &r))
		return;
	r.dst = dst;
	add_route(b, ns, r);
}

static void block_routes(struct dbuild *b, int ns, const struct cnode *n)
{
	vec_foreach (struct block, k, &b->c->blocks) {
		struct droute hole = {.type = DROUTE_BLACKHOLE, .dst = k->cidr};

		if (k->node == n->index) {
			hole.proto = is_vxlan(k->pool) ? RTP_CALICO : RTP_BIRD;
			add_route(b, ns, hole);
		} else if (k->node >= 0) {
			route_to(b, ns, n, &b->c->nodes.v[k->node], k->pool, k->cidr);
		}
	}
}

static bool in_own_block(const struct cluster *c, const struct cpod *p)
{
	vec_foreach (int, k, &c->nodes.v[p->node].blocks)
		if (cidr_has(c->blocks.v[*k].cidr, p->ip))
			return true;
	return false;
}

/* Addresses that pods hold from another node's block are announced one by one. */
static void borrowed_routes(struct dbuild *b, int ns, const struct cnode *n)
{
	vec_foreach (struct cpod, p, &b->c->pods) {
		struct cidr one = {.addr = p->ip, .len = 32};

		if (p->node < 0 || p->node == n->index || p->host_network || in_own_block(b->c, p))
			continue;
		vec_foreach (struct block, k, &b->c->blocks)
			if (cidr_has(k->cidr, p->ip))
				route_to(b, ns, n, &b->c->nodes.v[p->node], k->pool, one);
	}
}

/* Without encapsulation the network itself must know where the blocks are. Where it is more than
 * one subnet the router between them is a BGP peer of the nodes, as Calico's documentation demands.
 */
void calico_router(struct dbuild *b)
{
	if (b->c->underlays.n < 2)
		return;
	vec_foreach (struct block, k, &b->c->blocks) {
		const struct cnode *n = k->node >= 0 ? &b->c->nodes.v[k->node] : NULL;

		if (n && n->ip && k->pool->ipip == ENCAP_NEVER && k->pool->vxlan == ENCAP_NEVER)
			add_route(b, b->router,
				  (struct droute){.dst = k->cidr,
						  .via = n->ip,
						  .dev = arena_printf(b->a, "eth%d", n->underlay),
						  .proto = RTP_BIRD});
	}
}

static void vxlan_peers(struct dbuild *b, int ns, const struct cnode *n)
{
	vec_foreach (struct cnode, other, &b->c->nodes) {
		struct mac mac = name_calico_vxlan_mac(other->name);

		if (other == n || !other->tunnel_ip)
			continue;
		*vec_push(b->a, &b->d->ns.v[ns].neighs) =
			(struct dneigh){.dev = VXLAN_DEVICE, .ip = other->tunnel_ip, .mac = mac};
		*vec_push(b->a, &b->d->ns.v[ns].fdbs) =
			(struct dfdb){.dev = VXLAN_DEVICE, .mac = mac, .dst = other->ip};
	}
}

/* ipsets --------------------------------------------------------------------------------------- */

static struct dipset *add_set(struct dbuild *b, int ns, const char *name)
{
	struct dipset *s = vec_push(b->a, &b->d->ns.v[ns].ipsets);

	*s = (struct dipset){.name = name, .type = "hash:net", .options = SET_OPTIONS};
	return s;
}

static void own_addresses_set(struct dbuild *b, int ns, const struct cnode *n)
{
	struct dipset *s = add_set(b, ns, "cali40this-host");

	s->type = "hash:ip";
	vec_foreach (ip4, ip, &n->local_addrs)
		*vec_push(b->a, &s->members) = arena_strdup(b->a, IP4(*ip));
}

static void policy_sets(struct dbuild *b, int ns, const struct felix_config *cfg)
{
	felix_sets sets = {0};

	felix_policy_ipsets(b->a, cfg, &sets);
	vec_foreach (struct felix_set, set, &sets) {
		struct dipset *s = add_set(b, ns, set->name);

		if (set->port_name)
			s->type = "hash:ip,port";
		calico_set_members(b->a, b->c, set, &s->members);
	}
}

static void hosts_set(struct dbuild *b, int ns, const char *name)
{
	struct dipset *s = add_set(b, ns, name);

	vec_foreach (struct cnode, n, &b->c->nodes)
		if (n->ip)
			*vec_push(b->a, &s->members) = arena_strdup(b->a, IP4(n->ip));
}

static void pools_set(struct dbuild *b, int ns, const char *name, bool nat_only)
{
	struct dipset *s = add_set(b, ns, name);

	vec_foreach (struct ip_pool, p, &b->c->pools)
		if (!nat_only || p->nat_outgoing)
			*vec_push(b->a, &s->members) = arena_strdup(b->a, CIDR(cidr_net(p->cidr)));
}

/* A node ----------------------------------------------------------------------------------------
 */

void calico_node(struct dbuild *b, const struct cnode *n)
{
	int ns = b->first_node + n->index;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	struct felix_config cfg;

	tunnel_devices(b, ns, n);
	block_routes(b, ns, n);
	borrowed_routes(b, ns, n);
	if (b->c->routing == ROUTING_BIRD)
		calico_bird(b, ns, n);
	if (uses_vxlan(b->c))
		vxlan_peers(b, ns, n);
	pools_set(b, ns, "cali40all-ipam-pools", false);
	pools_set(b, ns, "cali40masq-ipam-pools", true);
	if (uses_ipip(b->c))
		hosts_set(b, ns, "cali40all-hosts-net");
	if (uses_vxlan(b->c))
		hosts_set(b, ns, "cali40all-vxlan-net");
	calico_felix_config(b->a, b->c, n->index, &cfg);
	if (cfg.ipvs)
		own_addresses_set(b, ns, n);
	policy_sets(b, ns, &cfg);
	felix_iptables(b->a, &cfg, &text);
	add_rules(b, ns, "calico", arena_strdup(b->a, strbuf_str(&text)));
}

void calico_pod(struct dbuild *b, const struct cpod *p)
{
	int ns = b->pod_ns[pod_index(b, p)], node = b->first_node + p->node;
	struct cidr addr = {.addr = p->ip, .len = 32}, gateway = {.addr = POD_GATEWAY, .len = 32};
	struct dlink *l;
	struct dconf *conf;
	size_t host;

	if (uses_ipip(b->c))
		add_idle_tunl0(b, ns);
	l = add_pod_pair(b, p, &host);
	/* Up to 3.26 the plugin made the pair inside the pod (dataplane F.2). */
	if (felix_version(b->c) < FELIX_3_28)
		l->ifindex = uses_ipip(b->c) ? IFINDEX_PAIR_IN_POD_TUNL : IFINDEX_PAIR_IN_POD;
	conf = &b->d->ns.v[node].links.v[host].conf;
	conf->forwarding = 1;
	conf->proxy_arp = 1;
	conf->route_localnet = 1;
	conf->proxy_delay = 0;
	conf->accept_ra6 = 0;
	conf->rp_filter = 0;

	add_addr(b, ns, (struct daddr){.dev = "eth0", .addr = addr});
	add_route(b, ns,
		  (struct droute){
			  .dst = gateway, .dev = "eth0", .scope_link = true, .proto = RTP_BOOT});
	add_route(b, ns, (struct droute){.via = POD_GATEWAY, .dev = "eth0", .proto = RTP_BOOT});
	add_route(b, node,
		  (struct droute){
			  .dst = addr, .dev = p->host_if, .scope_link = true, .proto = RTP_BOOT});
}
