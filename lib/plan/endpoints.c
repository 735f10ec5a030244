/* SPDX-License-Identifier: MIT */
/* endpoints: which endpoints of a service port a node may send to. See endpoints.h. */
#include "lib/plan/endpoints.h"

#include <string.h>

enum topology { TOPOLOGY_NONE, TOPOLOGY_ZONE, TOPOLOGY_NODE };

bool endpoint_on(const struct cendpoint *ep, const char *node)
{
	return ep->node && strcmp(ep->node, node) == 0;
}

const struct cendpoint *endpoint_seen(const struct cendpoint *ep, const char *node)
{
	for (size_t i = ep->n_twins; i-- > 0;)
		if (endpoint_on(&ep->twins[i], node))
			return &ep->twins[i];
	return ep;
}

static bool stands_in(const struct cendpoint *ep)
{
	return ep->serving && ep->terminating;
}

static bool hinted(const strs *hints, const char *name)
{
	if (!hints || !name)
		return false;
	vec_foreach (const char *, h, hints)
		if (strcmp(*h, name) == 0)
			return true;
	return false;
}

static bool has_hints(const strs *hints)
{
	return hints && hints->n > 0;
}

/* A kind of hint is followed only when every ready endpoint has one and one of them points here;
 * hints for nodes go before hints for zones. */
static enum topology topology_of(const struct csvcport *port, const struct ep_view *v)
{
	bool all_zone = v->zone_hints && v->zone && v->zone[0], zone_here = false;
	bool all_node = v->node_hints, node_here = false;
	vec_foreach (struct cendpoint, ep, &port->eps) {
		if (!ep->ready)
			continue;
		all_zone = all_zone && has_hints(ep->hint_zones);
		all_node = all_node && has_hints(ep->hint_nodes);
		zone_here = zone_here || hinted(ep->hint_zones, v->zone);
		node_here = node_here || hinted(ep->hint_nodes, v->node);
	}
	if (all_node && node_here)
		return TOPOLOGY_NODE;
	return all_zone && zone_here ? TOPOLOGY_ZONE : TOPOLOGY_NONE;
}

static bool near_enough(const struct cendpoint *ep, const struct ep_view *v, enum topology t)
{
	switch (t) {
	case TOPOLOGY_ZONE:
		return hinted(ep->hint_zones, v->zone);
	case TOPOLOGY_NODE:
		return hinted(ep->hint_nodes, v->node);
	case TOPOLOGY_NONE:
		break;
	}
	return true;
}

static void choose_cluster(struct arena *a, const struct csvcport *port, const struct ep_view *v,
			   bool only_local, ep_ptrs *ret)
{
	enum topology t = topology_of(port, v);
	vec_foreach (struct cendpoint, ep, &port->eps)
		if (ep->ready && near_enough(ep, v, t) && (!only_local || endpoint_on(ep, v->node)))
			*vec_push(a, ret) = ep;
	if (ret->n > 0 || !v->terminating)
		return;
	vec_foreach (struct cendpoint, ep, &port->eps)
		if (stands_in(ep))
			*vec_push(a, ret) = ep;
}

static void choose_local(struct arena *a, const struct csvcport *port, const struct ep_view *v,
			 ep_ptrs *ret)
{
	vec_foreach (struct cendpoint, ep, &port->eps)
		if (ep->ready && endpoint_on(ep, v->node))
			*vec_push(a, ret) = ep;
	if (ret->n > 0 || !v->terminating)
		return;
	vec_foreach (struct cendpoint, ep, &port->eps)
		if (stands_in(ep) && endpoint_on(ep, v->node))
			*vec_push(a, ret) = ep;
}

static bool any_usable(const struct csvcport *port, const struct ep_view *v)
{
	vec_foreach (struct cendpoint, ep, &port->eps)
		if (ep->ready || (v->terminating && stands_in(ep)))
			return true;
	return false;
}

/* Both lists are in the order of port->eps, so one walk merges them. */
static void merge(struct arena *a, const struct csvcport *port, struct ep_choice *c)
{
	size_t i = 0, j = 0;
	vec_foreach (struct cendpoint, ep, &port->eps) {
		bool in_cluster = i < c->cluster.n && c->cluster.v[i] == ep;
		bool in_local = j < c->local.n && c->local.v[j] == ep;
		if (in_cluster || in_local)
			*vec_push(a, &c->reachable) = ep;
		i += in_cluster;
		j += in_local;
	}
}

void endpoints_choose(struct arena *a, const struct csvcport *port, const struct ep_view *view,
		      unsigned uses, struct ep_choice *ret)
{
	*ret = (struct ep_choice){0};
	if (uses & EP_CLUSTER)
		choose_cluster(a, port, view, uses & EP_ONLY_LOCAL, &ret->cluster);
	if (uses & EP_LOCAL)
		choose_local(a, port, view, &ret->local);
	merge(a, port, ret);
	ret->any = ret->cluster.n > 0 || (uses & EP_LOCAL && any_usable(port, view));
}
