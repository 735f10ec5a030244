/* SPDX-License-Identifier: MIT */
/*
 * desired: the kernel state a cluster must have, namespace by namespace, in the form that is
 * applied (labd/lab/apply), printed as a shell script (shell.h) and compared with the kernel
 * (labd/lab/observe).
 *
 * Order of carrying out: namespaces in list order (fabric, routers, nodes, hosts, then pods); then
 * phase by phase over all namespaces: early sysctls, links, addresses, routes, neighbours and FDB,
 * late sysctls, ipsets, rules, files, processes.
 */
#ifndef PLAN_DESIRED_H
#define PLAN_DESIRED_H

#include "lib/plan/cluster.h"

enum dns_kind {		    /* what a namespace stands for */
		DNS_FABRIC, /* the underlay's switch: one bridge per underlay; no processes */
		DNS_ROUTER, /* joins underlays, has the gateways' addresses, stands for "outside" */
		DNS_NODE,
		DNS_HOST, /* a machine outside the cluster */
		DNS_POD
};

enum dlink_kind {
	DLINK_LO, /* exists; only set up */
	DLINK_VETH,
	DLINK_BRIDGE,
	DLINK_VXLAN,
	DLINK_TUNL0, /* the kernel's fallback ipip device; exists with the module loaded */
	DLINK_IPIP,  /* an ipip device made by name (flannel.ipip) */
	DLINK_DUMMY
};

/* Per-device IPv4 settings; -1 leaves the kernel's. */
struct dconf {
	int forwarding, proxy_arp, rp_filter, route_localnet, arp_notify;
	int proxy_delay; /* net.ipv4.neigh.DEV.proxy_delay */
	int accept_ra6;	 /* net.ipv6.conf.DEV.accept_ra */
};
#define DCONF_NONE                                                                                 \
	(struct dconf)                                                                             \
	{                                                                                          \
		-1, -1, -1, -1, -1, -1, -1                                                         \
	}

struct dlink {
	enum dlink_kind kind;
	const char *name;
	struct mac mac; /* zero: the kernel's choice */
	unsigned mtu;	/* 0: the kernel's choice */
	int ifindex;	/* 0: the kernel's choice */
	bool up;
	bool zero_txqlen;   /* veth, cali: print no qlen */
	const char *master; /* bridge, in the same namespace, or NULL */
	bool hairpin;	    /* as a bridge port */
	/* veth: where the other end lives. Exactly one end of a pair `creates` it (both in place,
	 * the peer never moved); the other end's entry describes what must be found there. */
	int peer_ns; /* index into desired.ns; -1: none */
	const char *peer_name;
	bool creates;
	/* vxlan, ipip */
	unsigned vni, port; /* port 0: the kernel's default */
	ip4 local;
	const char *lower; /* underlying device */
	struct dconf conf;
};

struct daddr {
	const char *dev;
	struct cidr addr;
	ip4 brd; /* 0: none */
	bool host_scope;
	bool no_prefix_route; /* do not let the kernel add the connected route */
	unsigned metric;      /* of the connected route (100 on a NIC) */
};

enum droute_type { DROUTE_UNICAST, DROUTE_BLACKHOLE };

struct droute {
	enum droute_type type;
	struct cidr dst;
	ip4 via;	 /* 0: none */
	const char *dev; /* NULL for blackhole */
	ip4 src;	 /* preferred source; 0: none */
	bool onlink, scope_link;
	unsigned metric;
	uint8_t proto; /* 3 boot (printed as nothing), 4 static, 12 bird, 2 kernel */
};

struct dneigh {
	const char *dev;
	ip4 ip;
	struct mac mac; /* permanent */
};

struct dfdb {
	const char *dev;
	struct mac mac;
	ip4 dst; /* permanent, self */
};

struct dsysctl {
	const char *key; /* "net.ipv4.ip_forward" */
	const char *value;
	bool early;    /* before links exist */
	bool optional; /* a kernel without it is fine */
};

struct dipset {
	const char *name, *type; /* "hash:net" */
	const char *options;	 /* "family inet hashsize 1024 maxelem 1048576" */
	strs members;		 /* as ipset prints them */
};

/* Text for iptables-restore --noflush, applied in order. */
struct drules {
	const char *owner; /* "kube-proxy" | "kubelet" | "flannel" | "calico" */
	const char *text;
};

struct dfile {
	const char *path; /* absolute, as seen inside: only /etc/hosts, /etc/hostname,
			   * /etc/resolv.conf, or below /run */
	const char *content;
	unsigned mode;
};

/* A program of a pod (a container), of a host or of a node. */
enum dproc_restart { DPROC_NEVER, DPROC_ALWAYS, DPROC_ON_FAILURE };
struct dproc {
	const char *name; /* container name */
	const char *
		image; /* "busybox" | "nginx" | "agnhost" | "kube-dns" | other: for `get -o wide` */
	strs argv; /* absolute or looked up in PATH inside; "agnhost" as argv[0] is the built-in */
	strs env;  /* NAME=value */
	enum dproc_restart restart; /* when it ends, with kubelet's back-off */
};

struct dns {
	enum dns_kind kind;
	const char *name;      /* unique in the lab: "fabric" "router" "node01" "client"; a pod:
				* "node01-busybox1-857448d9ff-shdfz"; on the host the namespace is
				* pinned as /run/netns/LAB-NAME */
	const char *hostname;  /* UTS name inside */
	int node;	       /* DNS_NODE, DNS_POD: index into cluster.nodes, else -1 */
	int pod;	       /* DNS_POD: index into cluster.pods, else -1 */
	int parent;	       /* DNS_POD: index in desired.ns of its node, else -1 */
	const char *cni_netns; /* name under the node's own /run/netns (containerd), or NULL */
	bool busybox_first;    /* busybox's applets come first in PATH */
	bool ip6_off;	       /* disable IPv6 (the fabric) */
	vec_of(struct dlink) links;
	vec_of(struct daddr) addrs;
	vec_of(struct droute) routes;
	vec_of(struct dneigh) neighs;
	vec_of(struct dfdb) fdbs;
	vec_of(struct dsysctl) sysctls;
	vec_of(struct dipset) ipsets;
	strs counters; /* names for nfacct, which rules match on */
	vec_of(struct drules) rules;
	vec_of(struct dfile) files;
	vec_of(struct dproc) procs;
	/* kube-proxy's other modes; each NULL for none. */
	const char *nft;	   /* text for `nft -f`: table ip kube-proxy, made anew */
	const char *ipvs;	   /* text for `ipvsadm --restore` */
	const char *ipvs_timeouts; /* arguments of `ipvsadm --set` */
};

struct dns_index;

struct desired {
	struct arena *arena;
	const struct cluster *cluster;
	vec_of(struct dns) ns;
	struct dns_index *index; /* of ns by name; NULL: none was made */
	/* What the kernel must be able to do. */
	bool needs_vxlan, needs_ipip, needs_ipset, needs_ipvs, needs_dummy, needs_nft, needs_bird;
};

/* Parts of the state, for `plan --section`. */
enum dsection {
	SECTION_KUBE_PROXY = 1,
	SECTION_CNI = 2,
	SECTION_PODS = 4,
	SECTION_DNS = 8,
	SECTION_ALL = 15
};

/* Compute it. Pure; never fails for a cluster without faults. */
struct desired *desired_build(struct arena *a, const struct cluster *c);

/* Index of the namespace by name, or -1. */
int desired_ns(const struct desired *d, const char *name);
/* Is it a pod of which each program is one of these (by argv[0]; up to NULL)? */
bool desired_pod_of(const struct dns *ns, const char *const *programs);

#endif
