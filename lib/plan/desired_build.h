/* SPDX-License-Identifier: MIT */
/*
 * desired_build: what the parts of desired_build() share. Private to lib/plan.
 *
 * Namespaces are laid out before any is filled, so that a veth's two ends can name each other:
 * fabric, router, nodes, hosts, pods.
 */
#ifndef PLAN_DESIRED_BUILD_H
#define PLAN_DESIRED_BUILD_H

#include "lib/plan/desired.h"

/* Interface numbers of a pod's eth0 that depend on how the CNI plugin made the pair. */
#define IFINDEX_PAIR_IN_POD	 3 /* host end first, then eth0, both inside the pod */
#define IFINDEX_PAIR_IN_POD_TUNL 4 /* the same after the kernel's own tunl0 */

/* The rules of the last node; see proxy_desired.c. */
struct proxy_memo {
	struct arena *arena; /* of the plan */
	const struct proxy_plan *plan;
	const char *text;
};

struct dbuild {
	struct desired *d;
	const struct cluster *c;
	struct arena *a;
	int fabric, router, first_node, first_host; /* indexes in d->ns */
	int *pod_ns;				    /* by pod: index in d->ns; -1 hostNetwork */
	struct proxy_memo proxy;
};

/* Routes' protocol numbers (/etc/iproute2/rt_protos). */
enum { RTP_KERNEL = 2, RTP_BOOT = 3, RTP_STATIC = 4, RTP_BIRD = 12, RTP_CALICO = 80 };

/* Add to a namespace; what is not given is zero, `conf` is DCONF_NONE. The pointer is good until
 * the next call. */
struct dlink *add_link(struct dbuild *b, int ns, enum dlink_kind kind, const char *name);
/* tunl0 as every namespace of a machine with ipip loaded has it: down, without an address. */
void add_idle_tunl0(struct dbuild *b, int ns);
void add_addr(struct dbuild *b, int ns, struct daddr addr);
void add_route(struct dbuild *b, int ns, struct droute route);
void add_sysctl(struct dbuild *b, int ns, const char *key, const char *value, bool early,
		bool optional);
void add_rules(struct dbuild *b, int ns, const char *owner, const char *text);
void add_file(struct dbuild *b, int ns, const char *path, const char *content);

/* The pair between a pod and its node: both ends. Returns the pod's (eth0); *ret_host is the index
 * of the node's end in the node's links. */
struct dlink *add_pod_pair(struct dbuild *b, const struct cpod *p, size_t *ret_host);
int pod_index(const struct dbuild *b, const struct cpod *p);
const char *node_nic(const struct dbuild *b, const struct cnode *n);

/* The parts. */
void flannel_node(struct dbuild *b, const struct cnode *n);
void flannel_pod(struct dbuild *b, const struct cpod *p);
void calico_node(struct dbuild *b, const struct cnode *n);
void calico_pod(struct dbuild *b, const struct cpod *p);
void calico_router(struct dbuild *b);
/* What kube-proxy makes on a node. */
void proxy_node(struct dbuild *b, const struct cnode *n);
/* Files and programs of a pod, into its namespace (hostNetwork: the node's). */
void pod_content(struct dbuild *b, const struct cpod *p);
/* Files of a node or of a machine outside. */
void machine_files(struct dbuild *b, int ns);

#endif
