/* SPDX-License-Identifier: MIT */
/*
 * cluster_build: what the parts of cluster_build() share. Private to lib/plan/cluster*.c.
 *
 * The order matters: nodes, then pools and the blocks that nodes claim, then pods (which take
 * addresses from those), then Services (whose endpoints are the pods).
 */
#ifndef PLAN_CLUSTER_BUILD_H
#define PLAN_CLUSTER_BUILD_H

#include "lib/kube/ipam.h"
#include "lib/plan/cluster.h"

struct builder {
	struct cluster *c;
	const struct objects *o;
	struct arena *a;
	struct faults *faults;
	bool default_dns;		     /* the lab brings no kube-dns: make it */
	vec_of(const struct service *) svc;  /* the file's and the defaults */
	vec_of(const struct ep_set *) sets;  /* likewise */
	vec_of(struct ip_alloc) block_alloc; /* one per cluster.blocks */
};

/* A fault on an object, at a path inside it. */
#define builder_fault(b, meta, where, ...)                                                         \
	fault_add((b)->faults, (meta)->doc, FAULT_VALUE, meta_str((b)->a, (meta)), (where), NULL,  \
		  __VA_ARGS__)

/* Nodes, underlays, machines outside; pod CIDRs of flannel. */
void build_nodes(struct builder *b);
/* What -m addrtype calls LOCAL on each node; needs the pods. */
void build_local_addrs(struct builder *b);
/* Calico's pools; blocks and tunnel addresses of the nodes. */
void build_blocks(struct builder *b);
/* The next address of the pod network for a pod of Calico on a node; 0 when all are taken. */
ip4 build_calico_next(struct builder *b, int node);
/* All pods: where they run, their addresses and names. */
void build_pods(struct builder *b);
/* The Deployment behind kube-dns in a lab that brings none (builder.default_dns). */
const struct deployment *build_dns_deployment(struct builder *b);
/* Services the lab does not bring although every cluster has them. */
void build_default_services(struct builder *b);
/* Services with cluster IPs, node ports and endpoints. */
void build_services(struct builder *b);

/* A number from a text, evenly spread: the seeded choice of ports and addresses. */
unsigned build_hash(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
