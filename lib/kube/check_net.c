/* SPDX-License-Identifier: MIT */
/*
 * The networks of a lab: underlays and the machines on them, pod networks, which address lies
 * where, and what overlaps.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/check.h"

void check_claim_net(struct checker *k, struct cidr cidr, const struct meta *m, const char *path,
		     const char *what)
{
	*vec_push(k->a, &k->nets) = (struct net){.cidr = cidr_net(cidr),
						 .meta = m,
						 .path = path,
						 .what = what,
						 .order = (unsigned)k->nets.n};
}

/* Underlays and machines ------------------------------------------------------------------------
 */

static const char *underlay_path(struct checker *k, size_t i, const char *key)
{
	const json_t *spec = json_object_get(k->o->lab.meta.raw, "spec");
	if (json_object_get(spec, "underlay"))
		return arena_printf(k->a, "spec.underlay.%s", key);
	return arena_printf(k->a, "spec.underlays[%zu].%s", i, key);
}

static void check_nic(struct checker *k, const char *nic, const char *path)
{
	static const char *const ours[] = {"lo",	 "cni0",      "docker0",     "tunl0",
					   "kube-ipvs0", "flannel.1", "vxlan.calico"};
	bool taken = strncmp(nic, "cali", 4) == 0 || strncmp(nic, "veth", 4) == 0;
	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		taken = taken || strcmp(nic, ours[i]) == 0;
	if (taken)
		check_fault(k, &k->o->lab.meta, path, NULL,
			    "`%s` is the name of a device that a node gets anyway", nic);
}

void check_underlays(struct checker *k)
{
	const struct lab_spec *lab = &k->o->lab;
	for (size_t i = 0; i < lab->underlays.n; i++) {
		struct underlay *u = vec_push(k->a, &k->underlays);
		*u = lab->underlays.v[i];
		u->cidr = cidr_net(u->cidr);
		if (!u->gateway)
			u->gateway = u->cidr.addr + 1;
		check_claim_net(k, u->cidr, &lab->meta, underlay_path(k, i, "cidr"),
				"the underlay");
		check_claim_address(k, u->gateway, &lab->meta, underlay_path(k, i, "gateway"),
				    arena_printf(k->a, "the gateway of %s", CIDR(u->cidr)));
		if (u->nic)
			check_nic(k, u->nic, underlay_path(k, i, "nic"));
	}
	if (lab->underlays.n || !k->o->nodes.n || !k->o->nodes.v[0].internal_ip)
		return;
	/* Without any, the /24 around the first node is taken. */
	struct cidr c = cidr_net((struct cidr){k->o->nodes.v[0].internal_ip, 24});
	*vec_push(k->a, &k->underlays) = (struct underlay){.cidr = c, .gateway = c.addr + 1};
	check_claim_net(k, c, NULL, "", "the underlay");
	check_claim_address(k, c.addr + 1, NULL, "",
			    arena_printf(k->a, "the gateway of %s", CIDR(c)));
}

/* An address that must be a machine's on an underlay. */
static void check_machine(struct checker *k, const struct meta *m, const char *path, ip4 ip)
{
	const struct underlay *u = check_underlay_of(k, ip);
	const char *hint = NULL;
	if (k->underlays.n == 1)
		hint = arena_printf(k->a, "the underlay is %s", CIDR(k->underlays.v[0].cidr));
	if (!u && k->underlays.n)
		check_fault(k, m, path, hint, "%s lies in no underlay", IP4(ip));
	else if (u && ip == cidr_first(u->cidr))
		check_fault(k, m, path, NULL, "%s is the network address of %s", IP4(ip),
			    CIDR(u->cidr));
	else if (u && ip == cidr_last(u->cidr))
		check_fault(k, m, path, NULL, "%s is the broadcast address of %s", IP4(ip),
			    CIDR(u->cidr));
}

/* Where the node's InternalIP stands. */
static const char *internal_ip_path(struct checker *k, const struct node *n)
{
	const json_t *status = json_object_get(n->meta.raw, "status"), *item;
	size_t i;
	json_array_foreach (json_object_get(status, "addresses"), i, item) {
		const char *type = json_string_value(json_object_get(item, "type"));
		const char *text = json_string_value(json_object_get(item, "address"));
		ip4 ip;
		if (type && text && strcmp(type, "InternalIP") == 0 && ip4_parse(text, &ip) &&
		    ip == n->internal_ip)
			return arena_printf(k->a, "status.addresses[%zu].address", i);
	}
	return "status.addresses";
}

/* Was an InternalIP meant, only in a way that did not bind (a fault of its own)? */
static bool has_internal_ip(const struct node *n)
{
	const json_t *status = json_object_get(n->meta.raw, "status"), *item;
	size_t i;
	json_array_foreach (json_object_get(status, "addresses"), i, item) {
		const char *type = json_string_value(json_object_get(item, "type"));
		const char *text = json_string_value(json_object_get(item, "address"));
		if (type && strcmp(type, "InternalIP") == 0 && !(text && is_ip6(text)))
			return true;
	}
	return false;
}

static void check_node(struct checker *k, const struct node *n)
{
	if (!n->internal_ip) {
		if (!has_internal_ip(n))
			check_fault(k, &n->meta, "status.addresses",
				    "status: {addresses: [{type: InternalIP, address: ...}]}",
				    "the node has no IPv4 address of type InternalIP");
		return;
	}
	const char *path = internal_ip_path(k, n);
	check_machine(k, &n->meta, path, n->internal_ip);
	check_claim_address(k, n->internal_ip, &n->meta, path, check_object(k, &n->meta));
}

void check_nodes(struct checker *k)
{
	if (!k->o->nodes.n)
		check_fault(k, &k->o->lab.meta, "", "add a document of kind Node",
			    "the lab has no nodes");
	vec_foreach (struct node, n, &k->o->nodes)
		check_node(k, n);
}

static void same_host(struct checker *k, const struct claim *first, const struct claim *again)
{
	check_fault(k, again->meta, again->path, NULL, "`%s` is also the name of %s", again->text,
		    first->what);
}

void check_hosts(struct checker *k)
{
	const struct lab_spec *lab = &k->o->lab;
	claims names = {0};
	vec_foreach (struct node, n, &k->o->nodes)
		check_claim(k, &names, (struct claim){.text = n->meta.name, .what = "a Node"});
	for (size_t i = 0; i < lab->hosts.n; i++) {
		const struct lab_host *h = &lab->hosts.v[i];
		const char *ip_path = arena_printf(k->a, "spec.hosts[%zu].ip", i);
		if (*h->name)
			check_claim(k, &names,
				    (struct claim){
					    .text = h->name,
					    .meta = &lab->meta,
					    .path = arena_printf(k->a, "spec.hosts[%zu].name", i),
					    .what = "another host"});
		if (!h->ip)
			continue;
		check_machine(k, &lab->meta, ip_path, h->ip);
		check_claim_address(k, h->ip, &lab->meta, ip_path,
				    arena_printf(k->a, "host %s", h->name));
	}
	check_twice(k, &names, same_host);
}

/* Pods ----------------------------------------------------------------------------------------- */

/* The pod network that lib/plan takes when the file names none: kube-proxy's clusterCIDR, else what
 * kubeadm's documentation and flannel's manifest say. */
static struct cidr default_network(const struct checker *k)
{
	const struct proxy_config *p = &k->o->proxy;
	return p->has_cluster_cidr ? cidr_net(p->cluster_cidr) : (struct cidr){0x0af40000, 16};
}

static struct cidr flannel_network(const struct checker *k)
{
	return k->o->flannel.present ? k->o->flannel.network : default_network(k);
}

static const struct node *node_of(const struct checker *k, const struct pod *p)
{
	if (!p->spec.node_name)
		return NULL;
	vec_foreach (struct node, n, &k->o->nodes)
		if (strcmp(n->meta.name, p->spec.node_name) == 0)
			return n;
	return NULL;
}

static const struct ip_pool *pool_of(const struct checker *k, struct cidr c)
{
	vec_foreach (struct ip_pool, p, &k->pools)
		if (cidr_contains(p->cidr, c))
			return p;
	return NULL;
}

static const char *pod_ip_path(const struct pod *p)
{
	const json_t *status = json_object_get(p->meta.raw, "status");
	return json_object_get(status, "podIP") ? "status.podIP" : "status.podIPs";
}

static void check_flannel_ip(struct checker *k, const struct pod *p, const struct node *n)
{
	const char *path = pod_ip_path(p);
	if (!n || !n->has_pod_cidr) {
		if (!cidr_has(flannel_network(k), p->ip))
			check_fault(k, &p->meta, path, NULL, "%s is outside flannel's network %s",
				    IP4(p->ip), CIDR(flannel_network(k)));
		return;
	}
	struct cidr c = cidr_net(n->pod_cidr);
	if (!cidr_has(c, p->ip))
		check_fault(k, &p->meta, path, NULL, "%s is outside the podCIDR of %s, %s",
			    IP4(p->ip), n->meta.name, CIDR(c));
	else if (p->ip == cidr_first(c) || p->ip == cidr_last(c))
		check_fault(k, &p->meta, path, NULL, "%s is the %s address of %s", IP4(p->ip),
			    p->ip == cidr_first(c) ? "network" : "broadcast", CIDR(c));
	else if (p->ip == cidr_first(c) + 1)
		check_fault(k, &p->meta, path, NULL, "%s is the address of cni0 on %s", IP4(p->ip),
			    n->meta.name);
}

static void check_calico_ip(struct checker *k, const struct pod *p)
{
	const char *hint = NULL;
	if (pool_of(k, (struct cidr){p->ip, 32}))
		return;
	if (k->pools.n == 1)
		hint = arena_printf(k->a, "the pool is %s", CIDR(k->pools.v[0].cidr));
	check_fault(k, &p->meta, pod_ip_path(p), hint, "%s lies in no IPPool", IP4(p->ip));
}

static void check_pod(struct checker *k, const struct pod *p)
{
	const struct node *n = node_of(k, p);
	if (p->spec.node_name)
		check_node_name(k, &p->meta, "spec.nodeName", p->spec.node_name);
	if (!p->ip)
		return;
	if (p->spec.host_network) {
		if (n && n->internal_ip && n->internal_ip != p->ip)
			check_fault(k, &p->meta, pod_ip_path(p), NULL,
				    "a pod with hostNetwork has its node's address, %s, not %s",
				    IP4(n->internal_ip), IP4(p->ip));
		return;
	}
	check_claim_address(k, p->ip, &p->meta, pod_ip_path(p), check_object(k, &p->meta));
	if (k->o->lab.cni == CNI_FLANNEL)
		check_flannel_ip(k, p, n);
	if (k->o->lab.cni == CNI_CALICO)
		check_calico_ip(k, p);
}

void check_pods(struct checker *k)
{
	vec_foreach (struct ip_pool, p, &k->o->pools)
		*vec_push(k->a, &k->pools) = *p;
	if (!k->pools.n)
		*vec_push(k->a, &k->pools) = (struct ip_pool){
			.meta = {.name = "default-ipv4-ippool", .path = ""},
			.cidr = default_network(k),
			.block_size = 26,
		};
	vec_foreach (struct pod, p, &k->o->pods)
		check_pod(k, p);
}

/* Pod networks --------------------------------------------------------------------------------- */

static int compare_nets(const void *a, const void *b)
{
	const struct net *x = a, *y = b;
	if (x->cidr.addr != y->cidr.addr)
		return x->cidr.addr < y->cidr.addr ? -1 : 1;
	if (x->cidr.len != y->cidr.len)
		return x->cidr.len < y->cidr.len ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Find overlaps: in order of addresses each network is held against the one before that reaches
 * furthest. The fault goes to what stands later in the file. */
static void check_overlaps(struct checker *k, struct net *nets, size_t n)
{
	if (n < 2)
		return;
	qsort(nets, n, sizeof(*nets), compare_nets);
	const struct net *far = &nets[0];
	for (size_t i = 1; i < n; i++) {
		const struct net *x = far, *y = &nets[i];
		if (cidr_last(y->cidr) > cidr_last(far->cidr))
			far = y;
		if (!cidr_overlap(x->cidr, y->cidr))
			continue;
		if (!y->meta || (x->meta && x->order > y->order)) {
			const struct net *t = x;
			x = y;
			y = t;
		}
		if (y->meta)
			check_fault(k, y->meta, y->path, NULL, "%s overlaps %s %s", CIDR(y->cidr),
				    x->what, CIDR(x->cidr));
	}
}

static void check_flannel_network(struct checker *k)
{
	const struct flannel_config *f = &k->o->flannel;
	struct cidr network = flannel_network(k);
	const char *hint = f->present ? NULL : "ConfigMap kube-flannel-cfg can name another";
	check_claim_net(k, network, f->present ? &f->meta : NULL, "data[\"net-conf.json\"]",
			"the pod network");
	vec_foreach (struct node, n, &k->o->nodes) {
		if (!n->has_pod_cidr)
			continue;
		if (!cidr_contains(network, n->pod_cidr))
			check_fault(k, &n->meta, "spec.podCIDR", hint,
				    "%s is outside flannel's network %s", CIDR(n->pod_cidr),
				    CIDR(network));
		if (n->pod_cidr.len > 30)
			check_fault(k, &n->meta, "spec.podCIDR", NULL, "%s has no room for pods",
				    CIDR(n->pod_cidr));
	}
}

static void check_pod_cidrs(struct checker *k)
{
	struct net *nets = arena_new_array(k->a, struct net, k->o->nodes.n);
	unsigned n = 0;
	vec_foreach (struct node, node, &k->o->nodes) {
		if (!node->has_pod_cidr)
			continue;
		const char *what = arena_printf(k->a, "the podCIDR of %s,", node->meta.name);
		nets[n] = (struct net){.cidr = cidr_net(node->pod_cidr),
				       .meta = &node->meta,
				       .path = "spec.podCIDR",
				       .what = what,
				       .order = n};
		n++;
	}
	check_overlaps(k, nets, n);
}

static void same_block(struct checker *k, const struct claim *first, const struct claim *again)
{
	if (strcmp(first->what, again->what) != 0)
		check_fault(k, again->meta, "spec.cidr", NULL, "%s belongs to %s already",
			    again->text, first->what);
}

/* Blocks that the file gives to nodes. */
static void check_blocks(struct checker *k)
{
	claims blocks = {0};
	vec_foreach (struct ipam_block, b, &k->o->blocks) {
		const struct ip_pool *pool = pool_of(k, b->cidr);
		const char *affinity =
			json_object_get(json_object_get(b->meta.raw, "spec"), "affinity")
				? "spec.affinity"
				: "spec.node";
		check_node_name(k, &b->meta, affinity, b->node);
		if (!pool)
			check_fault(k, &b->meta, "spec.cidr", NULL, "%s lies in no IPPool",
				    CIDR(b->cidr));
		else if (b->cidr.len != pool->block_size || b->cidr.addr != cidr_first(b->cidr))
			check_fault(k, &b->meta, "spec.cidr", NULL,
				    "%s is not a block of IPPool %s, whose blocks are /%u",
				    CIDR(b->cidr), pool->meta.name, pool->block_size);
		check_claim(k, &blocks,
			    (struct claim){.text = arena_strdup(k->a, CIDR(b->cidr)),
					   .meta = &b->meta,
					   .what = b->node});
	}
	check_twice(k, &blocks, same_block);
}

void check_pod_network(struct checker *k)
{
	check_pod_cidrs(k);
	if (k->o->lab.cni == CNI_FLANNEL)
		check_flannel_network(k);
	if (k->o->lab.cni != CNI_CALICO)
		return;
	vec_foreach (struct ip_pool, p, &k->pools)
		check_claim_net(k, p->cidr, p->meta.raw ? &p->meta : NULL, "spec.cidr",
				arena_printf(k->a, "IPPool %s,", p->meta.name));
	check_blocks(k);
}

void check_nets(struct checker *k)
{
	/* dockerd's own bridge is there up to 1.23 (LABFILE.md "Versions"). */
	if (k->o->lab.kubernetes <= KUBE_1_23)
		check_claim_net(k, (struct cidr){0xac110000, 16}, NULL, "", "docker0's network");
	if (k->default_services)
		check_claim_net(k, check_service_network, NULL, "", "the service network");
	check_overlaps(k, k->nets.v, k->nets.n);
}
