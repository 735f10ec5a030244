/* SPDX-License-Identifier: MIT */
/*
 * check: what the parts of objects_check() share. Private to lib/kube.
 *
 * Everything here runs on objects that may have had faults when they were bound: names may be "",
 * addresses and ports 0. Such values are passed over, so that one mistake gives one message.
 */
#ifndef KUBE_CHECK_H
#define KUBE_CHECK_H

#include "lib/kube/objects.h"

/* Something of which there may be only one: an address, a name, a port. */
struct claim {
	uint64_t number;
	const char *text;	 /* compared after the number; NULL is "" */
	const struct meta *meta; /* whose it is; NULL: nobody's in the file */
	const char *path;	 /* where it stands in that object */
	const char *what;	 /* for a message about the other: "Pod default/web" */
	unsigned order;		 /* of the file; set by check_claim() */
};

/* A network that may overlap no other one. */
struct net {
	struct cidr cidr;
	const struct meta *meta; /* NULL: not from the file */
	const char *path;
	const char *what; /* "the underlay", "the pod network" */
	unsigned order;
};

struct checker {
	const struct objects *o;
	struct faults *faults;
	struct arena *a; /* for texts and lists */
	vec_of(const char *) node_names;
	vec_of(struct underlay) underlays; /* the lab's, or the one that is taken without any */
	vec_of(struct ip_pool) pools;	   /* likewise */
	vec_of(struct claim) addresses;
	vec_of(struct net) nets;
	/* All ClusterIPs of the file lie in 10.96.0.0/12; then that network is held against the
	 * others as a whole. Set by check_services(). */
	bool default_services;
};

/* Record a fault of an object: the path is inside the object (m->path is put before it). hint may
 * be NULL. */
void check_fault(struct checker *k, const struct meta *m, const char *path, const char *hint,
		 const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* "Pod default/web". */
const char *check_object(struct checker *k, const struct meta *m);
/* Does the lab have this node? */
bool check_has_node(const struct checker *k, const char *name);
/* "there is no Node `nod01`" at the path, unless there is. */
void check_node_name(struct checker *k, const struct meta *m, const char *path, const char *name);
/* The first underlay that holds the address, or NULL. */
const struct underlay *check_underlay_of(const struct checker *k, ip4 ip);

typedef vec_of(struct claim) claims;
void check_claim(struct checker *k, claims *list, struct claim c);
/* Sort the claims; for each that repeats an earlier one of the file call `twice`. */
void check_twice(struct checker *k, claims *list,
		 void (*twice)(struct checker *k, const struct claim *first,
			       const struct claim *again));
/* An address in use; 0 is passed over. All of them are compared at the end. */
void check_claim_address(struct checker *k, ip4 ip, const struct meta *m, const char *path,
			 const char *what);
void check_claim_net(struct checker *k, struct cidr cidr, const struct meta *m, const char *path,
		     const char *what);

/* The parts. check_net.c: */
void check_underlays(struct checker *k);
void check_nodes(struct checker *k);
void check_hosts(struct checker *k);
void check_pods(struct checker *k);
void check_pod_network(struct checker *k);
void check_nets(struct checker *k);
/* check_service.c: */
extern const struct cidr check_service_network; /* kubeadm's, 10.96.0.0/12 */
void check_services(struct checker *k);
void check_endpoints(struct checker *k);
/* check_lab.c: */
void check_flows(struct checker *k);
void check_routing(struct checker *k);
void check_containers(struct checker *k);
void check_annotations(struct checker *k);
void check_proxy(struct checker *k);

#endif
