/* SPDX-License-Identifier: MIT */
/*
 * desired: a cluster's kernel state, namespace by namespace: the fabric that joins the machines,
 * the router, and what every node and machine has whatever the CNI. The CNI's part is in flannel.c
 * and calico.c, programs and files are in pods.c.
 */
#include "lib/plan/desired.h"

#include <stdio.h>
#include <string.h>

#include <uthash.h>

#include "lib/kube/naming.h"
#include "lib/plan/desired_build.h"
#include "lib/plan/kubelet.h"
#include "lib/plan/proxy.h"

#define NS_NAME_MAX  200	/* so that LAB-NAME stays a file name */
#define OUTSIDE_ADDR 0xcb007101 /* 203.0.113.1 (TEST-NET-3): something to reach outside */

struct dlink *add_link(struct dbuild *b, int ns, enum dlink_kind kind, const char *name)
{
	struct dlink *l = vec_push(b->a, &b->d->ns.v[ns].links);

	*l = (struct dlink){
		.kind = kind, .name = name, .up = true, .peer_ns = -1, .conf = DCONF_NONE};
	return l;
}

void add_idle_tunl0(struct dbuild *b, int ns)
{
	add_link(b, ns, DLINK_TUNL0, "tunl0")->up = false;
}

void add_addr(struct dbuild *b, int ns, struct daddr addr)
{
	*vec_push(b->a, &b->d->ns.v[ns].addrs) = addr;
}

void add_route(struct dbuild *b, int ns, struct droute route)
{
	*vec_push(b->a, &b->d->ns.v[ns].routes) = route;
}

void add_sysctl(struct dbuild *b, int ns, const char *key, const char *value, bool early,
		bool optional)
{
	*vec_push(b->a, &b->d->ns.v[ns].sysctls) =
		(struct dsysctl){.key = key, .value = value, .early = early, .optional = optional};
}

void add_rules(struct dbuild *b, int ns, const char *owner, const char *text)
{
	*vec_push(b->a, &b->d->ns.v[ns].rules) = (struct drules){.owner = owner, .text = text};
}

void add_file(struct dbuild *b, int ns, const char *path, const char *content)
{
	*vec_push(b->a, &b->d->ns.v[ns].files) =
		(struct dfile){.path = path, .content = content, .mode = 0644};
}

int pod_index(const struct dbuild *b, const struct cpod *p)
{
	return (int)(p - b->c->pods.v);
}

const char *node_nic(const struct dbuild *b, const struct cnode *n)
{
	return b->c->underlays.v[n->underlay].nic;
}

/* Namespaces ----------------------------------------------------------------------------------- */

struct ns_name {
	const char *name;
	UT_hash_handle hh;
};

/* A name no other namespace has, short enough for a file. */
static const char *unique_name(struct dbuild *b, struct ns_name **seen, const char *want)
{
	struct ns_name *n;
	const char *name = want;
	char hex[9];

	if (strlen(want) > NS_NAME_MAX) {
		name_seeded_hex(hex, 8, "%s", want);
		want = name = arena_printf(b->a, "%.*s-%s", NS_NAME_MAX - 9, want, hex);
	}
	for (unsigned i = 2;; i++) {
		HASH_FIND_STR(*seen, name, n);
		if (!n)
			break;
		name = arena_printf(b->a, "%s-%u", want, i);
	}
	n = arena_new_type(b->a, struct ns_name);
	n->name = name;
	HASH_ADD_KEYPTR(hh, *seen, n->name, strlen(n->name), n);
	return name;
}

static struct dns *add_ns(struct dbuild *b, enum dns_kind kind, const char *name,
			  const char *hostname)
{
	struct dns *ns = vec_push(b->a, &b->d->ns);

	*ns = (struct dns){.kind = kind,
			   .name = name,
			   .hostname = hostname,
			   .node = -1,
			   .pod = -1,
			   .parent = -1};
	return ns;
}

/* The kernel's names of hosts are short; kubelet cuts a pod's thus. */
static const char *short_hostname(struct dbuild *b, const char *name)
{
	char *s = arena_printf(b->a, "%.63s", name);

	for (size_t n = strlen(s); n && (s[n - 1] == '-' || s[n - 1] == '.'); n--)
		s[n - 1] = '\0';
	return s;
}

static const char *pod_hostname(struct dbuild *b, const struct cpod *p)
{
	return short_hostname(b, p->obj->spec.hostname ? p->obj->spec.hostname : p->name);
}

/* Nodes and hosts are named first: they keep their own names. */
static void lay_out(struct dbuild *b)
{
	const struct cluster *c = b->c;
	struct ns_name *seen = NULL;
	const char **names = arena_new_array(b->a, const char *, c->nodes.n + c->hosts.n + 1);
	size_t i = 0;

	vec_foreach (struct cnode, n, &c->nodes)
		names[i++] = unique_name(b, &seen, n->name);
	vec_foreach (struct chost, h, &c->hosts)
		names[i++] = unique_name(b, &seen, h->name);
	i = 0;

	b->fabric = (int)b->d->ns.n;
	add_ns(b, DNS_FABRIC, unique_name(b, &seen, "fabric"), "fabric")->ip6_off = true;
	b->router = (int)b->d->ns.n;
	add_ns(b, DNS_ROUTER, unique_name(b, &seen, "router"), "router");
	b->first_node = (int)b->d->ns.n;
	vec_foreach (struct cnode, n, &c->nodes)
		add_ns(b, DNS_NODE, names[i++], short_hostname(b, n->name))->node = n->index;
	b->first_host = (int)b->d->ns.n;
	vec_foreach (struct chost, h, &c->hosts)
		add_ns(b, DNS_HOST, names[i++], short_hostname(b, h->name));

	b->pod_ns = arena_new_array(b->a, int, c->pods.n + 1);
	vec_foreach (struct cpod, p, &c->pods) {
		struct dns *ns;

		b->pod_ns[pod_index(b, p)] = -1;
		if (p->host_network || p->node < 0)
			continue;
		b->pod_ns[pod_index(b, p)] = (int)b->d->ns.n;
		ns = add_ns(
			b, DNS_POD,
			unique_name(b, &seen,
				    arena_printf(b->a, "%s-%s", c->nodes.v[p->node].name, p->name)),
			pod_hostname(b, p));
		ns->node = p->node;
		ns->pod = pod_index(b, p);
		ns->parent = b->first_node + p->node;
		ns->cni_netns = p->cni_netns;
	}
	HASH_CLEAR(hh, seen);
}

/* Underlay ------------------------------------------------------------------------------------- */

static const char *bridge_name(struct dbuild *b, int underlay)
{
	return arena_printf(b->a, "underlay%d", underlay);
}

/* A machine's NIC: a veth whose other end is a port of the underlay's bridge in the fabric. The
 * port has the machine's name when that is a device name, else a number. */
static void join(struct dbuild *b, int ns, const char *nic, int underlay, struct mac mac)
{
	unsigned mtu = b->c->underlays.v[underlay].mtu;
	const char *name = b->d->ns.v[ns].name, *port;
	struct dlink *l;

	if (b->d->ns.v[ns].kind == DNS_ROUTER || strlen(name) > 15 ||
	    strncmp(name, "underlay", 8) == 0 || strncmp(name, "port", 4) == 0)
		port = arena_printf(b->a, "port%d.%d", ns, underlay);
	else
		port = name;

	l = add_link(b, b->fabric, DLINK_VETH, port);
	l->mtu = mtu;
	l->master = bridge_name(b, underlay);
	l->peer_ns = ns;
	l->peer_name = nic;

	l = add_link(b, ns, DLINK_VETH, nic);
	l->mtu = mtu;
	l->mac = mac;
	l->peer_ns = b->fabric;
	l->peer_name = port;
	l->creates = true;
}

static void nic_address(struct dbuild *b, int ns, const char *nic, int underlay, ip4 ip)
{
	const struct underlay *u = &b->c->underlays.v[underlay];
	struct cidr addr = {.addr = ip, .len = u->cidr.len};

	if (!ip)
		return;
	/* Metric 100 on both: NetworkManager's first Ethernet device, as the document shows it. */
	add_addr(b, ns,
		 (struct daddr){.dev = nic, .addr = addr, .brd = cidr_last(addr), .metric = 100});
	if (u->gateway && u->gateway != ip)
		add_route(
			b, ns,
			(struct droute){
				.via = u->gateway, .dev = nic, .metric = 100, .proto = RTP_STATIC});
}

/* What a new network namespace would take over from the machine that the lab runs on. */
static void own_settings(struct dbuild *b, int ns, const char *forward)
{
	add_sysctl(b, ns, "net.ipv4.ip_forward", forward, true, false);
	add_sysctl(b, ns, "net.ipv4.conf.all.rp_filter", "0", true, false);
	add_sysctl(b, ns, "net.ipv4.conf.default.rp_filter", "0", true, false);
}

static void build_fabric(struct dbuild *b)
{
	add_link(b, b->fabric, DLINK_LO, "lo");
	/* Frames that pass the switch are not its own traffic: no rules, no connection tracking. */
	add_sysctl(b, b->fabric, "net.bridge.bridge-nf-call-iptables", "0", true, true);
	for (size_t i = 0; i < b->c->underlays.n; i++) {
		struct dlink *l = add_link(b, b->fabric, DLINK_BRIDGE, bridge_name(b, (int)i));
		l->mtu = b->c->underlays.v[i].mtu;
	}
}

static void build_router(struct dbuild *b)
{
	const struct cluster *c = b->c;
	struct cidr outside = {.addr = OUTSIDE_ADDR, .len = 32};

	own_settings(b, b->router, "1");
	add_link(b, b->router, DLINK_LO, "lo");
	add_addr(b, b->router, (struct daddr){.dev = "lo", .addr = outside});
	for (size_t i = 0; i < c->underlays.n; i++) {
		const struct underlay *u = &c->underlays.v[i];
		const char *nic = arena_printf(b->a, "eth%zu", i);
		struct cidr addr = {.addr = u->gateway, .len = u->cidr.len};

		join(b, b->router, nic, (int)i, name_seeded_mac("%s/router/%zu", c->name, i));
		add_addr(b, b->router,
			 (struct daddr){.dev = nic, .addr = addr, .brd = cidr_last(addr)});
	}
}

/* Machines ------------------------------------------------------------------------------------- */

static void docker_bridge(struct dbuild *b, int ns)
{
	struct cidr addr = {.addr = 0xac110001, .len = 16};

	/* No MAC: a bridge that is given one has no carrier until its first port, and then `ip
	 * route` says "linkdown" behind its route, which the documented nodes' does not. */
	add_link(b, ns, DLINK_BRIDGE, "docker0");
	add_addr(b, ns, (struct daddr){.dev = "docker0", .addr = addr, .brd = cidr_last(addr)});
}

/* 0 leaves a timeout as it is; less than a second is 0 then. */
static void ct_timeout(struct dbuild *b, int ns, const char *key, long long ns_time)
{
	if (ns_time > 0)
		add_sysctl(b, ns, key, arena_printf(b->a, "%lld", ns_time / NS_PER_S), false, true);
}

/* kube-proxy's settings of connection tracking (dataplane A.8). */
static void proxy_part(struct dbuild *b, int ns, const struct cnode *n)
{
	const struct proxy_conntrack *ct = &b->c->proxy.ct;
	bool since_1_29 = b->c->kubernetes >= KUBE_1_32;

	ct_timeout(b, ns, "net.netfilter.nf_conntrack_tcp_timeout_established",
		   ct->tcp_established);
	ct_timeout(b, ns, "net.netfilter.nf_conntrack_tcp_timeout_close_wait", ct->tcp_close_wait);
	if (since_1_29) {
		ct_timeout(b, ns, "net.netfilter.nf_conntrack_udp_timeout", ct->udp);
		ct_timeout(b, ns, "net.netfilter.nf_conntrack_udp_timeout_stream", ct->udp_stream);
	}
	if (n->tcp_be_liberal)
		add_sysctl(b, ns, "net.netfilter.nf_conntrack_tcp_be_liberal", "1", false, true);
	proxy_node(b, n);
}

static void kubelet_part(struct dbuild *b, int ns)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;

	kubelet_rules(b->c, &text);
	if (text.len)
		add_rules(b, ns, "kubelet", arena_strdup(b->a, strbuf_str(&text)));
}

static void build_node(struct dbuild *b, const struct cnode *n)
{
	int ns = b->first_node + n->index;
	const char *nic = node_nic(b, n);

	own_settings(b, ns, "1");
	/* What kubeadm's instructions put into /etc/sysctl.d/k8s.conf; without br_netfilter a pod
	 * cannot reach a pod of its own node through a Service (dataplane I.5). */
	add_sysctl(b, ns, "net.bridge.bridge-nf-call-iptables", "1", true, true);
	add_sysctl(b, ns, "net.bridge.bridge-nf-call-ip6tables", "1", true, true);
	add_link(b, ns, DLINK_LO, "lo");
	join(b, ns, nic, n->underlay, n->nic_mac);
	nic_address(b, ns, nic, n->underlay, n->ip);
	if (b->c->docker_look && b->c->is_lab)
		docker_bridge(b, ns);
	machine_files(b, ns);
	proxy_part(b, ns, n);
	kubelet_part(b, ns);
	if (b->c->cni == CNI_FLANNEL)
		flannel_node(b, n);
	if (b->c->cni == CNI_CALICO)
		calico_node(b, n);
}

static void build_host(struct dbuild *b, const struct chost *h, int ns)
{
	const char *nic = b->c->underlays.v[h->underlay].nic;

	own_settings(b, ns, "0");
	add_link(b, ns, DLINK_LO, "lo");
	join(b, ns, nic, h->underlay, h->mac);
	nic_address(b, ns, nic, h->underlay, h->ip);
	machine_files(b, ns);
}

struct dlink *add_pod_pair(struct dbuild *b, const struct cpod *p, size_t *ret_host)
{
	int ns = b->pod_ns[pod_index(b, p)], node = b->first_node + p->node;
	struct dlink *l = add_link(b, node, DLINK_VETH, p->host_if);

	*ret_host = b->d->ns.v[node].links.n - 1;
	l->mac = p->host_mac;
	l->mtu = b->c->pod_mtu;
	l->ifindex = p->host_ifindex;
	l->zero_txqlen = true;
	l->peer_ns = ns;
	l->peer_name = "eth0";

	l = add_link(b, ns, DLINK_VETH, "eth0");
	l->mac = p->mac;
	l->mtu = b->c->pod_mtu;
	l->peer_ns = node;
	l->peer_name = p->host_if;
	l->creates = true;
	return l;
}

/*
 * A pod has a link-local IPv6 address as elsewhere, but does not ask its bridge's hundreds of ports
 * whether it is taken, nor four times for a router that labs have not: each question is copied to
 * every port, in all the square of the pods.
 */
static void quiet_ip6(struct dbuild *b, int ns)
{
	add_sysctl(b, ns, "net.ipv6.conf.default.accept_dad", "0", true, true);
	add_sysctl(b, ns, "net.ipv6.conf.default.router_solicitations", "0", true, true);
}

static void build_pod(struct dbuild *b, const struct cpod *p)
{
	int ns = b->pod_ns[pod_index(b, p)];

	if (ns >= 0) {
		/* Calico's plugin turns forwarding off in the pod; elsewhere it has the node's. */
		own_settings(b, ns, b->c->cni == CNI_CALICO ? "0" : "1");
		quiet_ip6(b, ns);
		add_link(b, ns, DLINK_LO, "lo");
		if (b->c->cni == CNI_FLANNEL && p->ip)
			flannel_pod(b, p);
		if (b->c->cni == CNI_CALICO && p->ip)
			calico_pod(b, p);
	}
	if (p->node >= 0)
		pod_content(b, p);
}

static void needs(struct dbuild *b)
{
	const struct cluster *c = b->c;

	b->d->needs_ipvs = c->proxy.mode == PROXY_IPVS;
	b->d->needs_dummy = c->proxy.mode == PROXY_IPVS;
	b->d->needs_nft = c->proxy.mode == PROXY_NFTABLES;
	b->d->needs_bird = c->routing == ROUTING_BIRD;
	vec_foreach (struct dns, ns, &b->d->ns) {
		b->d->needs_ipset |= ns->ipsets.n > 0;
		vec_foreach (struct dlink, l, &ns->links) {
			b->d->needs_vxlan |= l->kind == DLINK_VXLAN;
			b->d->needs_ipip |= l->kind == DLINK_TUNL0 || l->kind == DLINK_IPIP;
		}
	}
	b->d->needs_ipset |= b->d->needs_ipvs;
}

struct dns_index {
	const char *name;
	int at;
	UT_hash_handle hh;
};

/* uthash's own memory, from here on, is the arena's. */
#undef uthash_malloc
#undef uthash_free
#define uthash_malloc(size)    arena_alloc(arena, size)
#define uthash_free(ptr, size) ((void)(ptr))

static void make_index(struct desired *d, struct arena *arena)
{
	struct dns_index *all = arena_new_array(arena, struct dns_index, d->ns.n + 1);

	for (size_t i = 0; i < d->ns.n; i++) {
		struct dns_index *x = &all[i];
		x->name = d->ns.v[i].name;
		x->at = (int)i;
		HASH_ADD_KEYPTR(hh, d->index, x->name, strlen(x->name), x);
	}
}

int desired_ns(const struct desired *d, const char *name)
{
	struct dns_index *x;

	HASH_FIND_STR(d->index, name, x);
	if (x)
		return x->at;
	for (size_t i = 0; !d->index && i < d->ns.n; i++)
		if (strcmp(d->ns.v[i].name, name) == 0)
			return (int)i;
	return -1;
}

bool desired_pod_of(const struct dns *ns, const char *const *programs)
{
	vec_foreach (const struct dproc, p, &ns->procs) {
		const char *const *name = programs;
		while (*name && strcmp(*name, p->argv.v[0]) != 0)
			name++;
		if (!*name)
			return false;
	}
	return ns->kind == DNS_POD;
}

struct desired *desired_build(struct arena *a, const struct cluster *c)
{
	struct desired *d = arena_new_type(a, struct desired);
	struct dbuild b = {.d = d, .c = c, .a = a};
	int host;

	d->arena = a;
	d->cluster = c;
	lay_out(&b);
	build_fabric(&b);
	build_router(&b);
	if (c->cni == CNI_CALICO)
		calico_router(&b);
	vec_foreach (struct cnode, n, &c->nodes)
		build_node(&b, n);
	host = b.first_host;
	vec_foreach (struct chost, h, &c->hosts)
		build_host(&b, h, host++);
	vec_foreach (struct cpod, p, &c->pods)
		build_pod(&b, p);
	arena_free(b.proxy.arena);
	needs(&b);
	make_index(d, a);
	return d;
}
