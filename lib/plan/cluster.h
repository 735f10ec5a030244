/* SPDX-License-Identifier: MIT */
/*
 * cluster: the objects with everything decided: which pod runs where, its address, its host-side
 * device, each Service's endpoints, each node's blocks and MACs. Pure: no I/O, and the same objects
 * always give the same cluster (names that a real cluster draws at random come from a hash of the
 * lab and the object's name).
 *
 * Also where defaults live that need several objects (the Calico pool of a lab that names none, the
 * `kubernetes` Service, kube-dns).
 */
#ifndef PLAN_CLUSTER_H
#define PLAN_CLUSTER_H

#include "lib/kube/objects.h"

struct block {
	struct cidr cidr;
	const struct ip_pool *pool;
	int node; /* index of the node it is affine to */
};

struct cnode {
	const struct node *obj;
	const char *name;
	int index;
	ip4 ip;	      /* InternalIP, on the NIC */
	int underlay; /* index into cluster.underlays */
	struct mac nic_mac;
	struct cidr pod_cidr; /* flannel; len 0 if none */
	struct mac vtep_mac, bridge_mac;
	bool has_pods;	    /* with an address of the pod network: then cni0 exists */
	vec_of(int) blocks; /* Calico: indexes into cluster.blocks, in order of claiming */
	ip4 tunnel_ip;	    /* Calico: address of tunl0 / vxlan.calico; 0 none */
	/* What `-m addrtype --dst-type LOCAL` matches there, loopback included; the annotation
	 * case/local-addresses of bare manifests overrides it. */
	vec_of(ip4) local_addrs;
	bool no_random_fully; /* annotation case/random-fully: "false" */
	bool tcp_be_liberal;  /* annotation case/tcp-be-liberal, or the configuration */
	bool control_plane;
};

struct cpod {
	const struct pod *obj; /* synthesised for Deployments and kube-dns */
	const char *ns, *name;
	const char *uid; /* a UUID, from a hash */
	int node;
	ip4 ip;
	struct mac mac;
	const char *host_if; /* veth1a2b3c4d | cali0123456789a; NULL for hostNetwork */
	struct mac host_mac;
	const char *cni_netns; /* "cni-<uuid>" for containerd's look; NULL for docker's */
	bool host_network;
	bool ready;
	int host_ifindex; /* annotation labd.dev/host-ifindex: index of the host end; 0 none */
	int order;	  /* of creation, over all nodes */
};

struct cendpoint {
	ip4 ip;
	uint16_t port;
	const char
		*node; /* name as in the object (may be a node that is not in the file), or NULL */
	const char *hostname, *pod; /* or NULL */
	bool ready, serving, terminating;
	const strs *hint_zones, *hint_nodes;
	/* Where several have this address and port: all of them, in the order of the objects; which
	 * counts may depend on who looks (endpoint_seen()). NULL: there is but this one. */
	const struct cendpoint *twins;
	size_t n_twins;
};

struct csvcport {
	const struct service_port *port;
	const char
		*id; /* "ns/name:port" or "ns/name" for an unnamed port (dataplane A.1 svcport) */
	uint16_t node_port;	      /* decided; 0 none */
	vec_of(struct cendpoint) eps; /* merged over slices, sorted by the text "ip:port", unique */
};

/* What DNS says of one address of a Service: a headless Service's endpoints may have ports that the
 * Service itself lacks. */
struct cdnsaddr {
	ip4 ip;
	const char *hostname;  /* or NULL */
	const char *port_name; /* "" for an unnamed port or for an address without ports */
	enum proto proto;
	uint16_t port; /* 0: an address without ports */
};

struct csvc {
	const struct service *obj;
	const char *ns, *name;
	ip4 cluster_ip; /* 0 for headless and ExternalName */
	vec_of(struct csvcport) ports;
	vec_of(struct cdnsaddr) dns; /* headless: its ready endpoints, by address, unique */
};

struct chost {
	const char *name;
	ip4 ip;
	int underlay;
	struct mac mac;
};

struct cluster {
	struct arena *arena;
	const struct objects *objects;
	const char *name; /* the lab's, or "manifests" */
	bool is_lab;	  /* false: bare manifests */
	enum kube_version kubernetes;
	enum cni_kind cni;
	enum ipt_backend iptables;
	enum routing_kind routing;
	struct proxy_config proxy;     /* with defaults filled in */
	struct flannel_config flannel; /* likewise */
	struct cidr cluster_cidr;      /* the pod network: flannel's network, or the first pool's */
	struct cidr service_cidr;      /* 10.96.0.0/12 unless services lie elsewhere */
	ip4 dns_ip;		       /* kube-dns' ClusterIP; 0 none */
	vec_of(struct underlay) underlays;
	vec_of(struct cnode) nodes;
	vec_of(struct cpod) pods;     /* by node, then order of creation */
	vec_of(struct csvc) services; /* sorted by ns/name */
	vec_of(struct chost) hosts;
	vec_of(struct ip_pool) pools;
	vec_of(struct block) blocks;
	unsigned pod_mtu; /* by CNI and underlay */
	bool docker_look; /* 1.20, 1.23: docker0, link-netnsid N */
	bool nfacct;	  /* kube-proxy 1.31+ finds a kernel that can make its two counters */
};

struct cluster_opts {
	const char *name;		  /* --name, or NULL */
	const enum kube_version *version; /* --kubernetes, or NULL */
	const enum proxy_mode *mode;	  /* --proxy-mode, or NULL */
	bool nfacct;			  /* the kernel can count by name (nfacct) */
};

/* Decide. Faults that only show now (a pool that is full, a node port range used up) are added to
 * faults. Returns a cluster in the arena; usable only when no fault was added. */
struct cluster *cluster_build(struct arena *a, const struct objects *o,
			      const struct cluster_opts *opts, struct faults *faults);

/* Index of a node by name, or -1. */
int cluster_node(const struct cluster *c, const char *name);

#endif
