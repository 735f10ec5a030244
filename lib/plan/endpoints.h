/* SPDX-License-Identifier: MIT */
/*
 * endpoints: which endpoints of a service port a node's kube-proxy may send traffic to. Shared by
 * every proxy mode. Pure. Not for what the policies mean for a service as a whole (proxy_plan.h).
 *
 * Source: Kubernetes pkg/proxy/topology.go of 1.20 (ready ones only), 1.23 (internalTrafficPolicy
 * filters; hints and terminating endpoints still behind gates that are off), 1.26 and later
 * (CategorizeEndpoints), 1.34 and later (hints for nodes).
 */
#ifndef PLAN_ENDPOINTS_H
#define PLAN_ENDPOINTS_H

#include "lib/plan/cluster.h"

typedef vec_of(const struct cendpoint *) ep_ptrs;

/* Where the traffic is seen from, and what kube-proxy of that version takes into account. */
struct ep_view {
	const char *node; /* name */
	const char *zone; /* NULL: the node has no zone label */
	bool terminating; /* serving endpoints that terminate stand in when no ready one is left */
	bool zone_hints, node_hints;
};

enum ep_use {
	EP_CLUSTER = 1,	  /* some traffic goes to any endpoint of the cluster */
	EP_LOCAL = 2,	  /* some traffic goes only to endpoints on this node */
	EP_ONLY_LOCAL = 4 /* with EP_CLUSTER: endpoints elsewhere do not exist (1.22 - 1.24) */
};

/* Each list keeps the order of csvcport.eps and points into it. */
struct ep_choice {
	ep_ptrs cluster;   /* for traffic of policy Cluster; empty when not used */
	ep_ptrs local;	   /* for traffic of policy Local; empty when not used */
	ep_ptrs reachable; /* in either */
	bool any;	   /* some endpoint is usable, if perhaps not from this node */
};

/* Choose; uses are enum ep_use bits. Lists are in the arena. */
void endpoints_choose(struct arena *a, const struct csvcport *port, const struct ep_view *view,
		      unsigned uses, struct ep_choice *ret);

bool endpoint_on(const struct cendpoint *ep, const char *node);

/* Of those with one address and port the one that counts on a node: its own (the last of them),
 * else the first of all. */
const struct cendpoint *endpoint_seen(const struct cendpoint *ep, const char *node);

#endif
