/* SPDX-License-Identifier: MIT */
/*
 * objects: the Kubernetes (and labd) objects of a lab, as C structs, exactly as they were written:
 * nothing is defaulted or decided here except what the API server itself would default on a single
 * object (protocol TCP, namespace default, service type ClusterIP ...). What follows from several
 * objects together is decided in lib/plan/cluster.h.
 *
 * All memory is the arena's that objects_bind() was given. Every object keeps the index of the
 * document it came from (`doc`) so that later checks can still point at the file.
 */
#ifndef KUBE_OBJECTS_H
#define KUBE_OBJECTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/arena.h"
#include "lib/kube/fault.h"

struct kv {
	const char *key, *value;
};
typedef vec_of(struct kv) kvs;
typedef vec_of(const char *) strs;

struct meta {
	const char *name;
	const char *ns; /* "default" when a namespaced object does not say; NULL for others */
	kvs labels, annotations;
	int doc;	  /* document index, for faults */
	const char *path; /* path of the object inside its document: "" or "items[3]" of a List */
	json_t *raw;	  /* the object as sent (borrowed; kept alive by struct objects) */
};

/* kind: Lab ------------------------------------------------------------------------------------ */

enum cni_kind { CNI_NONE, CNI_FLANNEL, CNI_CALICO };
enum kube_version { KUBE_1_20, KUBE_1_23, KUBE_1_32, KUBE_1_36 }; /* LABFILE.md "Versions" */
enum ipt_backend { IPT_AUTO, IPT_LEGACY, IPT_NFT };
enum routing_kind { ROUTING_STATIC, ROUTING_BIRD };

struct underlay {
	struct cidr cidr;
	ip4 gateway;	 /* 0: the first address */
	const char *nic; /* name of the nodes' NIC on it */
	unsigned mtu;
};

struct lab_host {
	const char *name;
	ip4 ip;
};

struct flow {
	const char *name, *from, *to, *description;
	strs expect;
};

/* What the lab may take of the machine; 0: the usual (lib/base/limits.h). */
struct lab_limits {
	unsigned processes;
	uint64_t memory; /* bytes */
};

struct lab_spec {
	bool present; /* false: bare manifests */
	struct meta meta;
	const char *description;
	enum kube_version kubernetes;
	enum cni_kind cni;
	enum ipt_backend iptables;
	enum routing_kind routing;
	vec_of(struct underlay) underlays;
	vec_of(struct lab_host) hosts;
	vec_of(struct flow) flows;
	struct lab_limits limits;
};

/* core/v1 -------------------------------------------------------------------------------------- */

struct node {
	struct meta meta;
	bool has_pod_cidr;
	struct cidr pod_cidr;
	ip4 internal_ip;  /* 0: none given */
	const char *zone; /* label topology.kubernetes.io/zone or NULL */
	bool unschedulable;
	bool no_schedule_taint; /* a taint with effect NoSchedule or NoExecute */
};

enum proto { PROTO_TCP, PROTO_UDP, PROTO_SCTP };

struct env_var {
	const char *name, *value;
};

struct container_port {
	const char *name; /* "" when unnamed */
	uint16_t port;
	enum proto proto;
};

struct container {
	const char *name, *image;
	strs command, args;
	vec_of(struct container_port) ports;
	vec_of(struct env_var) env;
};

enum restart_policy { RESTART_ALWAYS, RESTART_ON_FAILURE, RESTART_NEVER };

struct pod_spec {
	const char *node_name; /* NULL: to be scheduled */
	const char *hostname, *subdomain, *service_account;
	const char *dns_policy;
	enum restart_policy restart;
	bool host_network;
	kvs node_selector;
	bool tolerates_all; /* a toleration with operator Exists and no key, or for the control
			       plane */
	vec_of(struct container) containers;
};

struct pod {
	struct meta meta;
	struct pod_spec spec;
	ip4 ip;		   /* status.podIP; 0: to be allocated */
	bool not_ready;	   /* status.conditions has Ready=False */
	bool down;	   /* likewise while it runs in a lab: not all its containers do (labd) */
	unsigned restarts; /* status.containerStatuses[0].restartCount */
	const char *owner; /* name of the Deployment it was made for, or NULL */
};

struct selector_expr {
	const char *key, *op; /* In NotIn Exists DoesNotExist */
	strs values;
};

struct selector {
	bool present;
	kvs match_labels;
	vec_of(struct selector_expr) exprs;
};

struct deployment {
	struct meta meta;
	unsigned replicas;
	struct selector selector;
	kvs template_labels;
	struct pod_spec template;
	json_t *template_raw; /* borrowed; hashed for the ReplicaSet's name */
};

enum svc_type { SVC_CLUSTER_IP, SVC_NODE_PORT, SVC_LOAD_BALANCER, SVC_EXTERNAL_NAME };

/* kube-apiserver's default --service-node-port-range */
#define NODE_PORT_MIN 30000
#define NODE_PORT_MAX 32767

struct service_port {
	const char *name; /* "" when unnamed */
	enum proto proto;
	uint16_t port;
	uint16_t node_port;	 /* 0: none, or to be allocated */
	uint16_t target_port;	 /* 0: by name, or the same as port */
	const char *target_name; /* named container port, or NULL */
};

struct lb_ingress {
	ip4 ip;
	const char *hostname;
	bool mode_proxy; /* ipMode: Proxy */
};

struct service {
	struct meta meta;
	enum svc_type type;
	ip4 cluster_ip; /* 0: to be allocated, unless headless */
	bool headless;	/* clusterIP: None */
	bool ipv6_only; /* its addresses are all IPv6: carried, not planned */
	vec_of(struct service_port) ports;
	vec_of(ip4) external_ips;
	vec_of(struct lb_ingress) ingress; /* status.loadBalancer.ingress */
	kvs selector;
	bool has_selector;
	bool etp_local, itp_local; /* externalTrafficPolicy, internalTrafficPolicy: Local */
	bool affinity_client_ip;
	unsigned affinity_seconds; /* 10800 by default */
	vec_of(struct cidr) source_ranges;
	uint16_t health_check_port;
	bool publish_not_ready;
	const char *external_name;
	const char *proxy_name; /* label service.kubernetes.io/service-proxy-name, or NULL */
	const char *traffic_distribution;
};

/* One endpoint address, from Endpoints or an EndpointSlice. */
struct ep_addr {
	ip4 ip;
	const char *node_name; /* or NULL */
	const char *hostname;  /* or NULL */
	const char *target;    /* targetRef.name, or NULL */
	bool ready, serving, terminating;
	const char *zone;
	strs hint_zones, hint_nodes;
};

struct ep_port {
	const char *name;
	uint16_t port;
	enum proto proto;
};

/* One subset of an Endpoints object, or one EndpointSlice. */
struct ep_set {
	struct meta meta;
	const char *
		service; /* name of the Service (same namespace); NULL: a slice without the label */
	bool is_slice, ipv6;
	vec_of(struct ep_addr) addrs;
	vec_of(struct ep_port) ports;
};

struct namespace_obj {
	struct meta meta;
};

/* kube-proxy ----------------------------------------------------------------------------------- */

enum proxy_mode { PROXY_IPTABLES, PROXY_IPVS, PROXY_NFTABLES, PROXY_USERSPACE };
enum detect_mode { DETECT_CLUSTER_CIDR, DETECT_NODE_CIDR, DETECT_BRIDGE, DETECT_PREFIX };

#define NS_PER_S	   1000000000LL
#define NODE_PORTS_PRIMARY "primary" /* the word in nodePortAddresses */

/* How often kube-proxy writes its rules: nanoseconds; 0: the default. Checked only: a lab's
 * kube-proxy does all at once. */
struct proxy_periods {
	long long sync, min;
};

/* What connection tracking is told: nanoseconds; 0: stays as it is. */
struct proxy_conntrack {
	long long tcp_established, tcp_close_wait;
	long long udp, udp_stream; /* 1.29 */
};

struct proxy_config {
	bool present;
	struct meta meta;
	enum proxy_mode mode;
	const char *hostname_override; /* or NULL */
	ip4 bind_address;	       /* what kube-proxy takes for its node's address; 0: that */
	const char *hidden_metrics;    /* showHiddenMetricsForVersion, or NULL */
	bool has_cluster_cidr;
	struct cidr cluster_cidr;
	enum detect_mode detect;
	const char *bridge_interface, *interface_prefix;
	bool masquerade_all;
	unsigned masquerade_bit;   /* 14 */
	bool localhost_node_ports; /* true */
	strs node_port_addresses;  /* CIDRs as written, or "primary" */
	struct proxy_periods iptables_periods;
	bool tcp_be_liberal;
	struct proxy_conntrack ct;
	/* ipvs */
	const char *scheduler; /* "" is rr */
	bool strict_arp;
	strs exclude_cidrs;
	unsigned ipvs_tcp_timeout, ipvs_tcpfin_timeout, ipvs_udp_timeout; /* seconds; 0 unset */
	/* masquerade_all and _bit when another mode than the file's is asked for and that is
	 * nftables, which has settings of its own. */
	bool nft_masquerade_all;
	unsigned nft_masquerade_bit;
};

/* flannel: kube-flannel-cfg's net-conf.json
 * --------------------------------------------------------- */

enum flannel_backend { FLANNEL_VXLAN, FLANNEL_HOST_GW, FLANNEL_IPIP };

struct flannel_config {
	bool present;
	struct meta meta;
	struct cidr network; /* 10.244.0.0/16 */
	enum flannel_backend backend;
	unsigned vni, port; /* 1; 0 = the kernel's 8472 */
	bool direct_routing;
};

/* Calico --------------------------------------------------------------------------------------- */

enum encap { ENCAP_NEVER, ENCAP_ALWAYS, ENCAP_CROSS_SUBNET };

struct ip_pool {
	struct meta meta;
	struct cidr cidr;
	unsigned block_size; /* prefix length, 26 */
	enum encap ipip, vxlan;
	bool nat_outgoing, disabled;
};

/* From an IPAMBlock (affinity "host:NAME") or a BlockAffinity. */
struct ipam_block {
	struct meta meta;
	struct cidr cidr;
	const char *node;
};

/* networking.k8s.io/v1 NetworkPolicy ----------------------------------------------------------- */

struct np_port {
	bool any_port;
	enum proto proto;
	uint16_t port, end_port; /* end_port 0: one port */
	const char *port_name;	 /* or NULL */
};

struct np_peer {
	bool is_block;
	struct cidr block;
	vec_of(struct cidr) except;
	struct selector pods, namespaces;
};

struct np_rule {
	bool any_peer; /* no from/to: everybody */
	vec_of(struct np_port) ports;
	vec_of(struct np_peer) peers;
};

struct network_policy {
	struct meta meta;
	struct selector pods;
	bool ingress, egress; /* policyTypes, defaulted as the API server does */
	vec_of(struct np_rule) in, out;
};

struct objects {
	struct arena *arena;
	json_t *docs; /* array of documents as sent; owned */
	struct lab_spec lab;
	vec_of(struct node) nodes;
	vec_of(struct pod) pods;
	vec_of(struct deployment) deployments;
	vec_of(struct service) services;
	vec_of(struct ep_set) ep_sets;
	vec_of(struct namespace_obj) namespaces;
	vec_of(struct network_policy) policies;
	vec_of(struct ip_pool) pools;
	vec_of(struct ipam_block) blocks;
	struct proxy_config proxy;
	struct flannel_config flannel;
	vec_of(struct meta) configmaps;	   /* all, also those nobody reads; raw has the data */
	vec_of(struct cidr) service_cidrs; /* of ServiceCIDR objects, IPv4 */
};

/* The configuration texts inside ConfigMaps (kube-proxy's config.conf) are YAML; binding asks this
 * function to turn one into JSON (a new reference, or NULL with *ret_text saying what is wrong).
 * labctl passes lib/yaml's parser and sends the result, so that labd never reads YAML: in what it
 * sends, data["config.conf"] is replaced by the parsed object. labd passes NULL. */
typedef json_t *(*yaml_fn)(const char *text, char ret_text[static 256]);

/*
 * Bind an array of documents (each a JSON object with apiVersion and kind; a List is unfolded).
 * Every fault that can be seen on single objects is added to faults. Returns the objects (in the
 * arena; call objects_release() before freeing the arena), never NULL; they are usable only when
 * faults->total is 0. `docs` is borrowed (a reference is taken).
 */
struct objects *objects_bind(struct arena *a, json_t *docs, yaml_fn yaml, struct faults *faults);
/* Drop the reference to the documents. */
void objects_release(struct objects *o);

/*
 * Check the objects as a whole lab: unique names, addresses inside their ranges, node ports, nodes
 * that exist, CIDRs that do not overlap ... Bare manifests (no kind: Lab) are held only to what
 * kube-proxy itself demands (LABFILE.md).
 */
void objects_check(const struct objects *o, struct faults *faults);

/* "default/nginx" or "node01". */
const char *meta_str(struct arena *a, const struct meta *m);
/* Value of a label or annotation, or NULL. */
const char *kv_get(const kvs *list, const char *key);
/* Does the selector choose these labels? An absent selector chooses nothing, an empty one all. */
bool selector_matches(const struct selector *s, const kvs *labels);
/* Is a pod of its namespace one of a Deployment's? Its owner says so; or it has none, the selector
 * chooses it, and a ReplicaSet made it: its label pod-template-hash or its name, NAME-HASH-SUFFIX,
 * tells. (A ReplicaSet selects by the hash too: a pod that has only the labels stays on its own.)
 */
bool deployment_owns(const struct deployment *d, const struct pod *p);
/* Does every pair of `want` occur in labels? (A Service's selector.) */
bool kvs_match(const kvs *want, const kvs *labels);

const char *kube_version_str(enum kube_version v);
const char *proto_str(enum proto p); /* "tcp" "udp" "sctp" */
const char *svc_type_str(enum svc_type t);
const char *cni_str(enum cni_kind c);
const char *proxy_mode_str(enum proxy_mode m);

#endif
