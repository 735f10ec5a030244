/* SPDX-License-Identifier: MIT */
/*
 * proxy_userspace: kube-proxy's userspace mode (up to 1.25): rules that lead every service port to
 * a local port on which kube-proxy itself listens. Pure. Not for the relay behind that port.
 *
 * Source: Kubernetes pkg/proxy/userspace/proxier.go of 1.20.2 (dataplane C).
 */
#ifndef PLAN_PROXY_USERSPACE_H
#define PLAN_PROXY_USERSPACE_H

#include "lib/plan/proxy_plan.h"

/* A service port and where kube-proxy listens for it, on 0.0.0.0. A real kube-proxy takes any free
 * port; here it follows from the service's name, so that the same lab always looks the same. */
struct relay {
	const struct svc_plan *p;
	uint16_t port; /* 32768 - 60999, unique on the node */
};
typedef vec_of(struct relay) relays;

/* Choose the ports, in the order of plan->svcs. SCTP is not relayed and left out. */
void proxy_relays(struct arena *a, const struct proxy_plan *plan, relays *ret);
/* The rules that lead to them, for `iptables-restore --noflush`. */
const char *proxy_userspace_rules(struct arena *a, const struct proxy_plan *plan,
				  const relays *all);

#endif
