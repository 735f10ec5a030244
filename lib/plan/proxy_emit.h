/* SPDX-License-Identifier: MIT */
/*
 * proxy_emit: shared by the two halves of the iptables writer, proxy_iptables.c (what stands on
 * every node) and proxy_services.c (what each service port adds). Nobody else includes it.
 */
#ifndef PLAN_PROXY_EMIT_H
#define PLAN_PROXY_EMIT_H

#include "lib/plan/proxy_plan.h"
#include "lib/plan/proxy_text.h"

/* What differs between the layouts, by the version it came or went with. */
struct layout {
	bool ext;      /* 1.24: external traffic enters by KUBE-EXT, local endpoints have KUBE-SVL,
			* KUBE-FW only with source ranges. Before: by KUBE-SVC, or KUBE-XLB with the
			* policy Local; load balancer IPs always by KUBE-FW, which ends in
			* KUBE-MARK-DROP */
	bool svc_masq; /* 1.22: what marks for masquerading stands in KUBE-SVC, not in front of the
			* jump to it */
	bool health;   /* 1.21: filter KUBE-NODEPORTS opens health check ports */
	bool firewall; /* 1.25: KUBE-PROXY-FIREWALL; 1.27: KUBE-FIREWALL too */
	bool ep_names; /* 1.25: comments of balancing rules name the endpoint */
	bool bridged;  /* up to 1.21: external IPs tell bridged traffic apart (physdev) */
	bool two_established; /* up to 1.22: one rule each for a pod as source and destination */
	bool needs_addr;      /* up to 1.22: a service whose node port has no address ends there */
	bool counters;	      /* 1.31: two counters by nfacct, where the kernel has it */
};

/* A match on where a packet comes from, or "": iptables-save has it at two places of a rule. */
struct from {
	const char *src; /* "-s 10.0.0.0/8 ", before -d */
	const char *in;	 /* "-i cni0 ", after -d */
};

#define EMIT_SHARES 256

struct emit {
	const struct layout *layout;
	const struct proxy_plan *plan;
	struct arena *arena;
	struct xtable filter, mangle, nat;
	struct xchain *f_services, *f_external, *f_nodeports, *f_firewall;
	struct xchain *services, *nodeports;
	struct from pods, not_pods;
	bool knows_pods;
	bool counters;			 /* of the layout, and the kernel can */
	const char *shares[EMIT_SHARES]; /* see share_of() */
};

/* Write what one service port adds. */
void emit_service(struct emit *e, const struct svc_plan *p);

#endif
