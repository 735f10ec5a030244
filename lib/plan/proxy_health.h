/* SPDX-License-Identifier: MIT */
/*
 * proxy_health: what kube-proxy tells on a node's health-check ports: the ports of Services of type
 * LoadBalancer with externalTrafficPolicy Local, and how many endpoints of each run on that node.
 * Pure. Not for answering (labd/init/health.h).
 *
 * Source: Kubernetes pkg/proxy/healthcheck/service_health.go, pkg/proxy/endpoints.go
 * (getLocalReadyEndpointIPs: addresses are counted, not ports).
 */
#ifndef PLAN_PROXY_HEALTH_H
#define PLAN_PROXY_HEALTH_H

#include "lib/plan/cluster.h"

struct svc_health {
	const struct csvc *svc;
	uint16_t port;
	unsigned local; /* ready endpoints on the node */
};
typedef vec_of(struct svc_health) svc_healths;

/* In order of the Services. */
void proxy_health(struct arena *a, const struct cluster *c, int node, svc_healths *ret);

#endif
