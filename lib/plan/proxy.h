/* SPDX-License-Identifier: MIT */
/*
 * proxy: what kube-proxy programs on a node, as text for the tool that takes it. Pure.
 * Facts: Kubernetes pkg/proxy of 1.20 - 1.36; dump formats held against real kube-proxy binaries
 * (tests/golden/kube-proxy).
 */
#ifndef PLAN_PROXY_H
#define PLAN_PROXY_H

#include "lib/base/strbuf.h"
#include "lib/plan/cluster.h"

/* iptables mode: the text for `iptables-restore --noflush` that brings a node's fresh tables to
 * what kube-proxy of cluster->kubernetes makes there (canaries, jumps, all chains). Services in
 * order of svcport; a service's rules in kube-proxy's order. */
void proxy_iptables(const struct cluster *c, int node, struct strbuf *out);

/* The counters (nfacct) that must be there before the rules; kube-proxy 1.31+ makes both, used or
 * not. None where cluster.nfacct is not set. */
#define PROXY_COUNTER_INVALID	"ct_state_invalid_dropped_pkts"
#define PROXY_COUNTER_LOCALHOST "localhost_nps_accepted_pkts"
void proxy_counters(const struct cluster *c, struct arena *a, strs *ret);

/* nftables mode: what `nft -f` takes: table ip kube-proxy, made anew in one transaction.
 * Layouts 1.32 and 1.36 (dataplane D). Elements are sorted, services in order of svcport. Where
 * pods are told by their bridge, 1.32 matches its index: the device must exist when this is loaded.
 */
void proxy_nftables(const struct cluster *c, int node, struct strbuf *out);

/* ipvs mode: a shell script of sysctl, ip, ipset, ipvsadm and iptables-restore that makes on a node
 * what proxy_ipvs_build() (proxy_ipvs.h) decides. */
void proxy_ipvs(const struct cluster *c, int node, struct strbuf *out);

/* userspace mode: a shell script with the rules (iptables-restore); what kube-proxy itself would
 * do, listening and relaying, stands there as comments. */
void proxy_userspace(const struct cluster *c, int node, struct strbuf *out);

/* What `labctl plan --section kube-proxy --node` prints in the mode of cluster->proxy. */
void proxy_rules(const struct cluster *c, int node, struct strbuf *out);

/* First 16 characters of base32(sha256(svcport + proto)); with an endpoint "ip:port" appended for
 * KUBE-SEP. dataplane A.1. */
void proxy_hash(const char *svcport, const char *proto, const char *endpoint, char ret[static 17]);

#endif
