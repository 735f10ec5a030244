/* SPDX-License-Identifier: MIT */
/*
 * kubelet: the iptables chains that kubelet makes on each node, beside kube-proxy's. Pure. Up to
 * 1.23 KUBE-MARK-DROP marks nothing without them, and so a load balancer's source ranges and the
 * policy Local would let through what a real node drops.
 *
 * Source: Kubernetes pkg/kubelet/kubelet_network_linux.go of 1.20, and of 1.28 and later (what was
 * made for others went with IPTablesOwnershipCleanup, KEP-3178).
 */
#ifndef PLAN_KUBELET_H
#define PLAN_KUBELET_H

#include "lib/base/strbuf.h"
#include "lib/plan/cluster.h"

/* The text for `iptables-restore --noflush` that adds kubelet's part behind kube-proxy's: kubelet
 * starts first, and kube-proxy puts its jumps before what is there. Nothing in the nftables mode,
 * so that a lab in it needs no iptables. */
void kubelet_rules(const struct cluster *c, struct strbuf *out);

#endif
