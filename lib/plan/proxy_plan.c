/* SPDX-License-Identifier: MIT */
/* proxy_plan: what kube-proxy decides on a node before it writes a rule. See proxy_plan.h. */
#include "lib/plan/proxy_plan.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

#define LOOPBACK	((struct cidr){0x7f000000, 8})
#define LARGE_ENDPOINTS 1000

#define SINCE_1_32                                                                                 \
	.internal_policy = true, .external_any_type = true, .local_drop = true,                    \
	.terminating = true, .zone_hints = true, .ip_mode = true, .localhost_option = true,        \
	.be_liberal = true

/* What a version of kube-proxy takes into account, with its default feature gates. */
static const struct semantics {
	bool internal_policy;	/* internalTrafficPolicy is read (1.22) */
	bool internal_narrows;	/* ... and Local hides all other endpoints, unless the external
				 * policy is Local (up to 1.24) */
	bool external_any_type; /* externalTrafficPolicy counts for ClusterIP with external IPs */
	bool local_drop;       /* Local without local endpoints is a fate of its own (1.24); before,
				* the chains saw to it */
	bool terminating;      /* ProxyTerminatingEndpoints (1.26) */
	bool zone_hints;       /* followed without the Service's annotation (1.31; off in 1.23) */
	bool node_hints;       /* PreferSameTrafficDistribution (1.34) */
	bool ip_mode;	       /* LoadBalancerIPMode (1.30) */
	bool localhost_option; /* localhostNodePorts is read (1.26) */
	bool be_liberal;       /* nf_conntrack_tcp_be_liberal is looked at (1.29) */
	bool only_ready_counted; /* towards large cluster mode (1.20) */
	bool one_list;		 /* nodePortAddresses are not parted by family (1.20) */
} versions[] = {
	[KUBE_1_20] = {.only_ready_counted = true, .one_list = true},
	[KUBE_1_23] = {.internal_policy = true, .internal_narrows = true},
	[KUBE_1_32] = {SINCE_1_32},
	[KUBE_1_36] = {SINCE_1_32, .node_hints = true},
};

static bool is_served(const struct csvc *s)
{
	const struct service *o = s->obj;
	return !o->headless && !o->ipv6_only && !o->proxy_name && o->type != SVC_EXTERNAL_NAME &&
	       s->cluster_ip != 0;
}

static bool is_external_local(const struct semantics *sem, const struct service *o)
{
	switch (o->type) {
	case SVC_NODE_PORT:
	case SVC_LOAD_BALANCER:
		return o->etp_local;
	case SVC_CLUSTER_IP:
		return o->etp_local && sem->external_any_type && o->external_ips.n > 0;
	case SVC_EXTERNAL_NAME:
		break;
	}
	return false;
}

static void plan_vips(struct arena *a, const struct semantics *sem, ip4 self, struct svc_plan *p)
{
	const struct service *o = p->svc->obj;
	vec_foreach (struct lb_ingress, in, &o->ingress)
		if (in->ip && !(sem->ip_mode && in->mode_proxy))
			*vec_push(a, &p->vips) = in->ip;
	p->ranges = p->vips.n > 0 && o->source_ranges.n > 0;
	vec_foreach (struct cidr, r, &o->source_ranges)
		p->node_in_ranges = p->node_in_ranges || cidr_has(*r, self);
}

static void plan_fates(const struct semantics *sem, struct svc_plan *p)
{
	p->internal = p->outside = p->eps.any ? SVC_SERVE : SVC_REJECT;
	if (!p->eps.any || !sem->local_drop || p->eps.local.n > 0)
		return;
	if (p->internal_local)
		p->internal = SVC_DROP;
	if (p->external_local)
		p->outside = SVC_DROP;
}

static void plan_service(struct arena *a, const struct semantics *sem, const struct proxy_plan *pp,
			 const struct ep_view *view, struct svc_plan *p)
{
	const struct service *o = p->svc->obj;
	p->id = p->port->id;
	p->proto = proto_str(p->port->port->proto);
	plan_vips(a, sem, pp->node_ip, p);
	p->external = p->port->node_port || p->vips.n > 0 || o->external_ips.n > 0;
	p->external_local = is_external_local(sem, o);
	/* The userspace mode knows no policies: its relays go to all endpoints. */
	bool narrowed = sem->internal_narrows && o->itp_local && !p->external_local &&
			pp->cluster->proxy.mode != PROXY_USERSPACE;
	p->internal_local = sem->internal_policy && !sem->internal_narrows && o->itp_local;
	if (o->type == SVC_LOAD_BALANCER && p->external_local)
		p->health_port = o->health_check_port;

	unsigned uses = narrowed ? EP_ONLY_LOCAL : 0;
	/* Even with the external policy Local, pods and the node itself reach all endpoints. */
	if (!p->internal_local || p->external)
		uses |= EP_CLUSTER;
	/* Up to 1.23 there is a chain for local endpoints even when nothing leads to it yet. */
	if (p->internal_local || (p->external_local && (p->external || !sem->local_drop)))
		uses |= EP_LOCAL;
	endpoints_choose(a, p->port, view, uses, &p->eps);
	plan_fates(sem, p);
}

static int by_id(const void *a, const void *b)
{
	const struct svc_plan *x = a, *y = b;
	int r = strcmp(x->id, y->id);
	return r ? r : strcmp(x->proto, y->proto);
}

/* The port with its endpoints as this node sees them. */
static const struct csvcport *port_seen(struct arena *a, const struct csvcport *port,
					const char *node)
{
	bool twins = false;
	vec_foreach (const struct cendpoint, ep, &port->eps)
		twins |= ep->n_twins > 0;
	if (!twins)
		return port;
	struct csvcport *own = arena_new_type(a, struct csvcport);
	*own = *port;
	own->eps.v = NULL;
	own->eps.n = own->eps.cap = 0;
	vec_foreach (const struct cendpoint, ep, &port->eps)
		*vec_push(a, &own->eps) = *endpoint_seen(ep, node);
	return own;
}

static void plan_services(struct arena *a, const struct semantics *sem, struct proxy_plan *pp)
{
	const struct ep_view view = {
		.node = pp->node->name,
		.zone = pp->node->obj ? pp->node->obj->zone : NULL,
		.terminating = sem->terminating,
		.zone_hints = sem->zone_hints,
		.node_hints = sem->node_hints,
	};
	size_t endpoints = 0;
	vec_foreach (struct csvc, s, &pp->cluster->services) {
		if (!is_served(s))
			continue;
		vec_foreach (struct csvcport, port, &s->ports) {
			struct svc_plan *p = vec_push(a, &pp->svcs);
			*p = (struct svc_plan){.svc = s,
					       .port = port_seen(a, port, pp->node->name)};
			plan_service(a, sem, pp, &view, p);
			vec_foreach (struct cendpoint, ep, &port->eps)
				endpoints += !sem->only_ready_counted || ep->ready;
		}
	}
	if (pp->svcs.n > 0)
		qsort(pp->svcs.v, pp->svcs.n, sizeof(*pp->svcs.v), by_id);
	pp->large = endpoints > LARGE_ENDPOINTS;
}

static int by_ip(const void *a, const void *b)
{
	ip4 x = *(const ip4 *)a, y = *(const ip4 *)b;
	return (x > y) - (x < y);
}

/* The IPv4 CIDRs of nodePortAddresses; "primary" is the node's own address (1.31). Other words and
 * IPv6 are left out, as kube-proxy's IPv4 half does; without any all addresses take node ports. */
static void plan_node_ports(struct arena *a, const struct semantics *sem, struct proxy_plan *pp)
{
	const struct proxy_config *cfg = &pp->cluster->proxy;
	vec_of(struct cidr) nets = {0};
	bool zero6 = false;
	vec_foreach (const char *, s, &cfg->node_port_addresses) {
		struct cidr net;
		zero6 = zero6 || strcmp(*s, "::/0") == 0;
		if (strcmp(*s, NODE_PORTS_PRIMARY) == 0 && !cidr_has(LOOPBACK, pp->node_ip))
			*vec_push(a, &nets) = (struct cidr){pp->node_ip, 32};
		else if (cidr_parse(*s, &net))
			*vec_push(a, &nets) = net;
	}
	pp->node_ports_all = nets.n == 0;
	if (sem->one_list && cfg->node_port_addresses.n > 0)
		pp->node_ports_all = zero6;
	bool loopback = nets.n == 0;
	vec_foreach (struct cidr, net, &nets) {
		pp->node_ports_all = pp->node_ports_all || net->len == 0;
		loopback = loopback || cidr_overlap(*net, LOOPBACK);
	}
	pp->localhost_ports = !sem->localhost_option || (cfg->localhost_node_ports && loopback);
	if (pp->node_ports_all)
		return;
	vec_foreach (ip4, ip, &pp->node->local_addrs) {
		bool wanted = pp->localhost_ports || !cidr_has(LOOPBACK, *ip);
		bool in = false;
		vec_foreach (struct cidr, net, &nets)
			in = in || cidr_has(*net, *ip);
		vec_foreach (ip4, seen, &pp->node_port_addrs)
			in = in && *seen != *ip;
		if (in && wanted)
			*vec_push(a, &pp->node_port_addrs) = *ip;
	}
	if (pp->node_port_addrs.n > 0)
		qsort(pp->node_port_addrs.v, pp->node_port_addrs.n, sizeof(ip4), by_ip);
}

static void plan_pod_match(struct arena *a, struct proxy_plan *pp)
{
	const struct proxy_config *cfg = &pp->cluster->proxy;
	switch (cfg->detect) {
	case DETECT_CLUSTER_CIDR:
		pp->pod_cidr = cidr_net(cfg->cluster_cidr);
		pp->pods = cfg->has_cluster_cidr ? POD_CIDR : POD_ANY;
		break;
	case DETECT_NODE_CIDR:
		pp->pod_cidr = cidr_net(pp->node->pod_cidr);
		pp->pods = pp->node->pod_cidr.len ? POD_CIDR : POD_ANY;
		break;
	case DETECT_BRIDGE:
		pp->pod_interface = cfg->bridge_interface;
		pp->pods = cfg->bridge_interface ? POD_INTERFACE : POD_ANY;
		break;
	case DETECT_PREFIX:
		if (cfg->interface_prefix)
			pp->pod_interface = arena_printf(a, "%s+", cfg->interface_prefix);
		pp->pods = cfg->interface_prefix ? POD_INTERFACE : POD_ANY;
		break;
	}
}

/* bindAddress, else the Node's address; kube-proxy that finds none takes 127.0.0.1. */
static ip4 own_address(const struct cluster *c, const struct cnode *n)
{
	if (c->proxy.bind_address)
		return c->proxy.bind_address;
	return n->ip ? n->ip : LOOPBACK.addr + 1;
}

void proxy_plan_build(struct arena *a, const struct cluster *c, int node, struct proxy_plan *ret)
{
	const struct semantics *sem = &versions[c->kubernetes];
	*ret = (struct proxy_plan){.cluster = c, .node = &c->nodes.v[node]};
	ret->node_ip = own_address(c, ret->node);
	ret->mark = UINT32_C(1) << (c->proxy.masquerade_bit & 31);
	ret->random_fully = !ret->node->no_random_fully;
	ret->drop_invalid = !(sem->be_liberal && ret->node->tcp_be_liberal);
	plan_pod_match(a, ret);
	plan_node_ports(a, sem, ret);
	plan_services(a, sem, ret);
}

#define SAME_LIST(a, b)                                                                            \
	((a)->n == (b)->n && ((a)->n == 0 || !memcmp((a)->v, (b)->v, (a)->n * sizeof(*(a)->v))))

static bool same_service(const struct svc_plan *a, const struct svc_plan *b)
{
	return a->port == b->port && a->internal_local == b->internal_local &&
	       a->external_local == b->external_local && a->external == b->external &&
	       a->internal == b->internal && a->outside == b->outside && a->ranges == b->ranges &&
	       a->node_in_ranges == b->node_in_ranges && a->health_port == b->health_port &&
	       a->eps.any == b->eps.any && SAME_LIST(&a->vips, &b->vips) &&
	       SAME_LIST(&a->eps.cluster, &b->eps.cluster) &&
	       SAME_LIST(&a->eps.local, &b->eps.local) &&
	       SAME_LIST(&a->eps.reachable, &b->eps.reachable);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

bool proxy_plan_same(const struct proxy_plan *a, const struct proxy_plan *b)
{
	bool same = a->cluster == b->cluster && a->pods == b->pods &&
		    a->pod_cidr.addr == b->pod_cidr.addr && a->pod_cidr.len == b->pod_cidr.len &&
		    same_text(a->pod_interface, b->pod_interface) &&
		    a->node_ports_all == b->node_ports_all &&
		    SAME_LIST(&a->node_port_addrs, &b->node_port_addrs) &&
		    a->localhost_ports == b->localhost_ports && a->mark == b->mark &&
		    a->random_fully == b->random_fully && a->drop_invalid == b->drop_invalid &&
		    a->large == b->large && a->svcs.n == b->svcs.n;
	for (size_t i = 0; same && i < a->svcs.n; i++)
		same = same_service(&a->svcs.v[i], &b->svcs.v[i]);
	return same;
}

bool proxy_route_localnet(const struct cluster *c, int node)
{
	if (c->proxy.mode == PROXY_IPVS)
		return c->kubernetes <= KUBE_1_23;
	if (c->proxy.mode != PROXY_IPTABLES)
		return false;
	_arena_ struct arena *a = arena_new();
	struct proxy_plan pp = {.cluster = c, .node = &c->nodes.v[node]};
	pp.node_ip = own_address(c, pp.node);
	plan_node_ports(a, &versions[c->kubernetes], &pp);
	return pp.localhost_ports;
}
