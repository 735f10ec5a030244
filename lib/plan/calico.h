/* SPDX-License-Identifier: MIT */
/*
 * calico: what Calico's CNI plugin, Felix and BIRD program on a node and in a pod: devices, routes,
 * ipsets; the rules are felix.h's. Facts: dataplane notes F; command outputs held against
 * tests/golden/calico. Routes between nodes are written as BIRD writes them, or by BIRD itself
 * (calico_bird.c).
 */
#ifndef PLAN_CALICO_H
#define PLAN_CALICO_H

#include "lib/plan/cluster.h"
#include "lib/plan/felix.h"

/* What Felix of cluster->kubernetes' generation is configured with on a node. */
void calico_felix_config(struct arena *a, const struct cluster *c, int node,
			 struct felix_config *ret);
/* Does what goes from n to pods of another node go through the pool's tunnel? */
bool calico_tunnels(const struct cnode *n, const struct cnode *other, const struct ip_pool *pool);

#endif
