/* SPDX-License-Identifier: MIT */
/*
 * proxy_ipvs_sets: the ipsets of kube-proxy's ipvs mode: names, types, the comments of rules that
 * match them. Shared by the files of that mode; nobody else includes it.
 */
#ifndef PLAN_PROXY_IPVS_SETS_H
#define PLAN_PROXY_IPVS_SETS_H

#include "lib/plan/proxy_ipvs.h"
#include "lib/plan/proxy_plan.h"
#include "lib/plan/proxy_text.h"

enum ipvs_set {
	SET_LOOP_BACK,
	SET_CLUSTER_IP,
	SET_EXTERNAL_IP,
	SET_EXTERNAL_IP_LOCAL,
	SET_LB,
	SET_LB_LOCAL,
	SET_LB_FW,
	SET_LB_SOURCE_CIDR,
	SET_LB_SOURCE_IP,
	SET_NODE_PORT_TCP,
	SET_NODE_PORT_LOCAL_TCP,
	SET_NODE_PORT_UDP,
	SET_NODE_PORT_LOCAL_UDP,
	SET_NODE_PORT_SCTP,
	SET_NODE_PORT_LOCAL_SCTP,
	SET_HEALTH_CHECK,
	SET_IPVS_IPS,
	N_IPVS_SETS
};

/* What differs between the layouts, by the version it came with. */
struct ipvs_layout {
	bool health;	   /* 1.21: health check node ports are accepted */
	bool fallback;	   /* 1.21: without local endpoints the policy Local takes all (#97081) */
	bool own_firewall; /* 1.25: source ranges are filtered in table filter; before: in nat, by
			    * way of KUBE-MARK-DROP */
	bool no_loopback;  /* 1.26: nothing from 127.0.0.0/8 */
	bool access;	   /* 1.27: only services are to be had at their addresses */
	bool one_established; /* 1.23: one rule for both directions of known connections */
	bool skip_own;	      /* 1.23: an address that another device has is not bound again */
	bool any_state;	      /* 1.22: endpoints that are not ready count for hairpin traffic */
	bool reuse_kept;      /* 1.22: conn_reuse_mode is left alone on kernels since 5.9 */
	bool node_loopback;   /* up to 1.20: 127.0.0.1 takes node ports */
	bool sctp_masq_first; /* up to 1.20: SCTP is marked before the policy Local is looked at */
	bool internal_policy; /* 1.22: internalTrafficPolicy is read */
	bool localnet;	      /* up to 1.23: route_localnet is set */
};

/* A load balancer's address whose source ranges leave the node itself out. */
struct ipvs_closed {
	ip4 vip;
	const struct svc_plan *p;
};

struct ipvs {
	const struct ipvs_layout *layout;
	const struct proxy_plan *plan;
	struct arena *arena;
	struct ipvs_state *ret;
	strs sets[N_IPVS_SETS]; /* members */
	bool open_ranges; /* a source range of length 0, which no set takes, was meant for one */
	vec_of(struct ipvs_closed) closed;
	vec_of(ip4) node_ips; /* that take node ports */
	struct strbuf services;
};

const char *ipvs_set_name(enum ipvs_set s);
const char *ipvs_set_comment(enum ipvs_set s);
/* Write the rules, for the sets as they are filled, into ret->rules. */
void ipvs_write_rules(struct ipvs *x);

#endif
