/* SPDX-License-Identifier: MIT */
/*
 * proxy_ipvs: all that kube-proxy in ipvs mode keeps on a node: addresses on the dummy device
 * kube-ipvs0, virtual services, ipsets, iptables rules, sysctls. Pure. IPv4 only, like every data
 * plane here: the sets KUBE-6-... that the IPv6 half of a dual-stack kube-proxy adds are left out.
 *
 * Source: Kubernetes pkg/proxy/ipvs/proxier.go of 1.20.2, 1.23 and 1.32 (dataplane B).
 */
#ifndef PLAN_PROXY_IPVS_H
#define PLAN_PROXY_IPVS_H

#include "lib/plan/desired.h"

#define IPVS_DEVICE "kube-ipvs0"
#define IPVS_MTU    1500

struct ipvs_state {
	vec_of(ip4) addrs;	    /* on kube-ipvs0, each /32; in order of the text */
	vec_of(struct dipset) sets; /* by name; members sorted as text */
	vec_of(struct dsysctl) sysctls;
	const char *services; /* what `ipvsadm --restore` takes */
	const char *timeouts; /* arguments of `ipvsadm --set`, or NULL */
	const char *rules;    /* what `iptables-restore --noflush` takes; names the sets */
};

/* Decide for the node with that index. All of it is in the arena. */
void proxy_ipvs_build(struct arena *a, const struct cluster *c, int node, struct ipvs_state *ret);
/* Does a virtual server of a policy Local take everybody's endpoints where the node has none? */
bool proxy_ipvs_falls_back(const struct cluster *c);

#endif
