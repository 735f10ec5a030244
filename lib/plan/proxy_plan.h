/* SPDX-License-Identifier: MIT */
/*
 * proxy_plan: what kube-proxy decides on a node before it writes a single rule, the same for every
 * mode: which service ports it serves, where their traffic may go, what is refused, which addresses
 * take node ports, how a pod's traffic is told. Pure. Not for how a mode writes it down.
 *
 * Source: Kubernetes pkg/proxy/serviceport.go, pkg/proxy/util/nodeport_addresses.go and the start
 * of pkg/proxy/iptables/proxier.go of 1.20.2, 1.23 and 1.30 - 1.36.
 */
#ifndef PLAN_PROXY_PLAN_H
#define PLAN_PROXY_PLAN_H

#include "lib/base/strbuf.h"
#include "lib/plan/endpoints.h"

enum svc_fate {
	SVC_SERVE,
	SVC_REJECT, /* no endpoint anywhere: ICMP port unreachable */
	SVC_DROP    /* none that the policy Local allows on this node */
};

/* One service port. Only what differs from the objects is copied. */
struct svc_plan {
	const struct csvc *svc;
	const struct csvcport *port;
	const char *id;	   /* svcport, "ns/name:port" */
	const char *proto; /* "tcp" "udp" "sctp" */
	struct ep_choice eps;
	bool internal_local, external_local; /* policies Local, where this version honours them */
	bool external;			     /* has a node port, a load balancer's or external IP */
	enum svc_fate internal, outside;     /* for the cluster IP; for all the others */
	vec_of(ip4) vips;		     /* load balancer IPs that this node answers itself */
	bool ranges;			     /* source ranges restrict the vips */
	bool node_in_ranges;		     /* one of them holds the node's own address */
	uint16_t health_port;		     /* 0 none */
};

enum pod_match { POD_ANY, POD_CIDR, POD_INTERFACE };

struct proxy_plan {
	const struct cluster *cluster;
	const struct cnode *node;
	ip4 node_ip;		      /* what kube-proxy takes for the node's address */
	vec_of(struct svc_plan) svcs; /* in order of id, then protocol */
	/* How traffic of the cluster's own pods is told; POD_ANY: it is not. */
	enum pod_match pods;
	struct cidr pod_cidr;	   /* POD_CIDR */
	const char *pod_interface; /* POD_INTERFACE: a name, or a prefix followed by "+" */
	/* Which local addresses take node ports: all, or just those listed (none is possible). */
	bool node_ports_all;
	vec_of(ip4) node_port_addrs; /* ascending */
	bool localhost_ports;	     /* 127.0.0.0/8 among them; kube-proxy sets route_localnet */
	uint32_t mark;		     /* of packets to be masqueraded */
	bool random_fully;	     /* MASQUERADE --random-fully */
	bool drop_invalid;	     /* packets of state INVALID are not forwarded */
	bool large;		     /* over 1000 endpoints: rules for endpoints lose comments */
};

/* Decide for the node with that index. Lists are in the arena and point into the cluster. */
void proxy_plan_build(struct arena *a, const struct cluster *c, int node, struct proxy_plan *ret);

/* The same rules as proxy_iptables() writes, of a plan at hand. */
void proxy_iptables_write(const struct proxy_plan *plan, struct strbuf *out);
/* Do two nodes of one cluster decide the same, but for who they are? Then they have the same
 * iptables rules. */
bool proxy_plan_same(const struct proxy_plan *a, const struct proxy_plan *b);

/* Does kube-proxy set net.ipv4.conf.all.route_localnet to 1 on that node? (dataplane A.8; up
 * to 1.25 always. The ipvs mode did up to 1.23, the others never do.) */
bool proxy_route_localnet(const struct cluster *c, int node);

#endif
