/* SPDX-License-Identifier: MIT */
/*
 * flannel: what flanneld and the CNI plugins flannel, bridge and host-local program on a node and
 * in a pod. Facts: dataplane notes E; flannel 0.14 - 0.20, CNI plugins 0.9 - 1.x; command outputs
 * held against tests/golden/flannel.
 */
#ifndef PLAN_FLANNEL_H
#define PLAN_FLANNEL_H

#include "lib/base/strbuf.h"
#include "lib/plan/cluster.h"

/* flannel's rules on a node, for `iptables-restore --noflush` after kube-proxy's: masquerading and
 * forwarding, in the form of the flannel generation that goes with cluster->kubernetes. */
void flannel_iptables(const struct cluster *c, int node, struct strbuf *out);

#endif
