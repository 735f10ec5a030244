/* SPDX-License-Identifier: MIT */
/*
 * calico_policy: which NetworkPolicies limit which pods, and which pods their peers mean: what
 * Calico computes before Felix renders it. Private to lib/plan/calico*.c and reach*.c.
 */
#ifndef PLAN_CALICO_POLICY_H
#define PLAN_CALICO_POLICY_H

#include "lib/plan/felix.h"

/* All NetworkPolicies of the cluster in Felix's order: they have one order number (1000), so by
 * key. */
void calico_all_policies(struct arena *a, const struct cluster *c, felix_policies *ret);
/* Those that limit a pod, into e->in and e->out. */
void calico_policies_of(struct arena *a, const felix_policies *all, const struct cpod *p,
			struct felix_endpoint *e);
/* Does a peer (no ipBlock) of a policy in namespace ns mean this pod? */
bool calico_peer_means(struct arena *a, const struct cluster *c, const struct np_peer *peer,
		       const char *ns, const struct cpod *p);
/* What an ipset holds, as ipset prints it: "10.244.1.5" or "10.244.1.5,tcp:8080". */
void calico_set_members(struct arena *a, const struct cluster *c, const struct felix_set *set,
			strs *ret);

#endif
