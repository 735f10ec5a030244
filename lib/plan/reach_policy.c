/* SPDX-License-Identifier: MIT */
/* See reach_policy.h. Facts: the NetworkPolicy API (networking.k8s.io/v1); that a node reaches its
 * own pods whatever policies say: dataplane notes G, Calico's documentation of host traffic. */
#include "lib/plan/reach_policy.h"

#include <string.h>

#include "lib/plan/calico_policy.h"

void reach_policies(struct arena *a, const struct cluster *c, struct reach_policies *ret)
{
	*ret = (struct reach_policies){0};
	if (c->cni == CNI_CALICO)
		calico_all_policies(a, c, &ret->all);
	ret->limits = arena_new_array(a, const struct felix_endpoint *, c->pods.n + 1);
}

static const struct felix_endpoint *limits_of(struct arena *a, const struct cluster *c,
					      struct reach_policies *all, const struct cpod *p)
{
	const struct felix_endpoint **at = &all->limits[p - c->pods.v];
	if (!*at) {
		struct felix_endpoint *e = arena_new_type(a, struct felix_endpoint);
		calico_policies_of(a, &all->all, p, e);
		*at = e;
	}
	return *at;
}

static bool port_ok(const struct np_rule *rule, const struct reach_packet *p)
{
	if (!rule->ports.n)
		return true;
	vec_foreach (const struct np_port, q, &rule->ports) {
		if (p->icmp || q->proto != p->proto)
			continue;
		if (q->any_port)
			return true;
		if (!q->port_name) {
			unsigned last = q->end_port ? q->end_port : q->port;
			if (p->port >= q->port && p->port <= last)
				return true;
			continue;
		}
		if (!p->dst.pod) /* only pods have named ports */
			continue;
		vec_foreach (const struct container, k, &p->dst.pod->obj->spec.containers)
			vec_foreach (const struct container_port, have, &k->ports)
				if (have->proto == p->proto && have->port == p->port &&
				    strcmp(have->name, q->port_name) == 0)
					return true;
	}
	return false;
}

static bool peer_ok(struct arena *a, const struct cluster *c, const struct np_rule *rule,
		    const char *ns, const struct reach_end *end)
{
	if (rule->any_peer)
		return true;
	vec_foreach (const struct np_peer, peer, &rule->peers) {
		bool in = peer->is_block && cidr_has(peer->block, end->ip);
		vec_foreach (const struct cidr, e, &peer->except)
			in = in && !cidr_has(*e, end->ip);
		if (!peer->is_block && end->pod)
			in = calico_peer_means(a, c, peer, ns, end->pod);
		if (in)
			return true;
	}
	return false;
}

/* Does one of the policies that limit a pod let the packet pass? */
static bool passes(struct arena *a, const struct cluster *c, const felix_policies *limits,
		   bool ingress, const struct reach_packet *p)
{
	const struct reach_end *peer = ingress ? &p->src : &p->dst;
	vec_foreach (const struct felix_policy *, q, limits) {
		const struct network_policy *np = (*q)->obj;
		size_t n = ingress ? np->in.n : np->out.n;
		for (size_t i = 0; i < n; i++) {
			const struct np_rule *rule = ingress ? &np->in.v[i] : &np->out.v[i];
			if (port_ok(rule, p) && peer_ok(a, c, rule, np->meta.ns, peer))
				return true;
		}
	}
	return !limits->n;
}

const char *reach_denied(struct arena *a, const struct cluster *c, struct reach_policies *all,
			 const struct reach_packet *p)
{
	const struct felix_endpoint *e;
	if (!all->all.n)
		return NULL;
	e = p->src.pod ? limits_of(a, c, all, p->src.pod) : NULL;
	if (e && !passes(a, c, &e->out, false, p))
		return arena_printf(a, "NetworkPolicy %s (egress)", e->out.v[0]->obj->meta.name);
	struct reach_packet in = *p;
	if (p->seen.ip)
		in.src = p->seen;
	if (!p->dst.pod || in.src.node == p->dst.pod->node)
		return NULL;
	e = limits_of(a, c, all, p->dst.pod);
	if (!passes(a, c, &e->in, true, &in))
		return arena_printf(a, "NetworkPolicy %s (ingress)", e->in.v[0]->obj->meta.name);
	return NULL;
}
