/* SPDX-License-Identifier: MIT */
/*
 * proxy_nftables: a proxy_plan written as the table `ip kube-proxy`, in the layouts of Kubernetes
 * 1.32 and 1.36. Decides nothing about services itself.
 *
 * Way of a packet: chain services looks address, protocol and port up in a map, which sends it on
 * to the chain of that service (or to its chain for external traffic); one random number picks the
 * endpoint. What has nowhere to go is found in a second map by the filter chains.
 *
 * Source: Kubernetes pkg/proxy/nftables/proxier.go of 1.32 and 1.36.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/plan/proxy.h"
#include "lib/plan/proxy_nft_text.h"
#include "lib/plan/proxy_plan.h"

/* Names are a hash and what it was made of, cut to fit the kernel's 255 with a prefix. */
#define BASE_MAX 240
#define HASH_LEN 8

#define VMAP_KEY "meta l4proto . th dport"

struct nft_layout {
	bool pre_dnat; /* 1.33: what goes before DNAT has chains of its own, the other filter chains
			* stand at priority 0 and so behind it */
	bool direct;   /* 1.36: a service's chain does the DNAT itself, hairpin traffic is told by a
			* set, and packets are marked in place */
	bool by_name;  /* interfaces are matched by name (before: by index) */
};

static const struct nft_layout layout_1_32 = {0};
static const struct nft_layout layout_1_36 = {.pre_dnat = true, .direct = true, .by_name = true};

/* There is no nftables mode before 1.29; the checks see to it that none is asked for. */
static const struct nft_layout *const layouts[] = {
	[KUBE_1_20] = &layout_1_32,
	[KUBE_1_23] = &layout_1_32,
	[KUBE_1_32] = &layout_1_32,
	[KUBE_1_36] = &layout_1_36,
};

struct nft {
	const struct nft_layout *layout;
	const struct proxy_plan *plan;
	struct arena *arena;
	struct nft_set cluster_ips, nodeport_ips, hairpins;
	struct nft_set no_ep_services, no_ep_nodeports, firewall_ips, service_ips, nodeports;
	struct strbuf affinity; /* sets */
	struct strbuf chains;	/* of services */
	bool knows_pods;
	const char *pods, *not_pods; /* match, with a space behind it; "" when every source does */
	const char *mark;	     /* statement that marks for masquerading */
	bool nodeports_all;	     /* every local address but 127.0.0.0/8 takes node ports */
};

/* The chains of the service port being written. */
struct nft_svc {
	const struct svc_plan *p;
	const char *base;	     /* HASH-ns/name/proto/port */
	const char *cluster, *local; /* names of the chains of the two policies */
	const char **ep;	     /* bases of endpoints, by index into port->eps */
};

/* Names ---------------------------------------------------------------------------------------- */

static const char *name_base(struct arena *a, const char *name)
{
	char hash[17];
	proxy_hash(name, "", NULL, hash);
	char *base = arena_printf(a, "%.*s-%s", HASH_LEN, hash, name);
	if (strlen(base) > BASE_MAX)
		strcpy(base + BASE_MAX - 3, "...");
	return base;
}

static void name_chains(struct nft *x, const struct svc_plan *p, struct nft_svc *s)
{
	struct arena *a = x->arena;
	const char *name = arena_printf(a, "%s/%s/%s/%s", p->svc->ns, p->svc->name, p->proto,
					p->port->port->name);
	s->p = p;
	s->base = name_base(a, name);
	s->cluster = arena_printf(a, "service-%s", s->base);
	s->local = arena_printf(a, "local-%s", s->base);
	s->ep = arena_new_array(a, const char *, p->port->eps.n + 1);
	vec_foreach (const struct cendpoint *, ep, &p->eps.reachable)
		s->ep[*ep - p->port->eps.v] = name_base(
			a, arena_printf(a, "%s__%s/%u", name, IP4((*ep)->ip), (*ep)->port));
}

/* Maps ----------------------------------------------------------------------------------------- */

static const char *address_key(struct nft *x, const struct svc_plan *p, ip4 ip)
{
	return arena_printf(x->arena, "%s . %s . %u", IP4(ip), p->proto, p->port->port->port);
}

static const char *refusal(struct nft *x, const struct svc_plan *p, enum svc_fate f)
{
	return arena_printf(x->arena, " comment \"%s\" : %s", p->id,
			    f == SVC_DROP ? "drop" : "goto reject-chain");
}

static const char *go_to(struct nft *x, const char *prefix, const char *chain)
{
	return arena_printf(x->arena, " : goto %s%s", prefix, chain);
}

static void capture_cluster_ip(struct nft *x, const struct nft_svc *s)
{
	const struct svc_plan *p = s->p;
	ip4 ip = p->svc->cluster_ip;
	const char *key = address_key(x, p, ip);
	nft_elem_add(x->arena, &x->cluster_ips, arena_strdup(x->arena, IP4(ip)), "");
	if (p->internal == SVC_SERVE)
		nft_elem_add(x->arena, &x->service_ips, key,
			     go_to(x, "", p->internal_local ? s->local : s->cluster));
	else
		nft_elem_add(x->arena, &x->no_ep_services, key, refusal(x, p, p->internal));
}

/* Even what is dropped for others goes on to the external chain: pods and the node itself still
 * reach every endpoint from there. */
static void capture_external(struct nft *x, const struct nft_svc *s, ip4 ip)
{
	const struct svc_plan *p = s->p;
	const char *key = address_key(x, p, ip);
	if (p->eps.any)
		nft_elem_add(x->arena, &x->service_ips, key, go_to(x, "external-", s->base));
	if (p->outside != SVC_SERVE)
		nft_elem_add(x->arena, &x->no_ep_services, key, refusal(x, p, p->outside));
}

static void capture_node_port(struct nft *x, const struct nft_svc *s)
{
	const struct svc_plan *p = s->p;
	const char *key = arena_printf(x->arena, "%s . %u", p->proto, p->port->node_port);
	if (p->eps.any)
		nft_elem_add(x->arena, &x->nodeports, key, go_to(x, "external-", s->base));
	if (p->outside != SVC_SERVE)
		nft_elem_add(x->arena, &x->no_ep_nodeports, key, refusal(x, p, p->outside));
}

static void capture_firewall(struct nft *x, const struct nft_svc *s)
{
	vec_foreach (ip4, vip, &s->p->vips)
		nft_elem_add(x->arena, &x->firewall_ips, address_key(x, s->p, *vip),
			     go_to(x, "firewall-", s->base));
}

/* Chains --------------------------------------------------------------------------------------- */

static int by_net(const void *a, const void *b)
{
	const struct cidr *x = a, *y = b;
	if (x->addr != y->addr)
		return x->addr > y->addr ? 1 : -1;
	return (x->len > y->len) - (x->len < y->len);
}

/* The load balancer's source ranges. A node inside one may also send with the load balancer's
 * address as source: its request never left the node. A set with overlapping ranges is refused by
 * nft, so one inside another is left out. */
static void write_firewall(struct nft *x, const struct nft_svc *s)
{
	const struct svc_plan *p = s->p;
	vec_of(struct cidr) nets = {0};
	vec_foreach (struct cidr, r, &p->svc->obj->source_ranges)
		*vec_push(x->arena, &nets) = cidr_net(*r);
	vec_foreach (ip4, vip, &p->vips)
		if (p->node_in_ranges)
			*vec_push(x->arena, &nets) = (struct cidr){*vip, 32};
	qsort(nets.v, nets.n, sizeof(*nets.v), by_net);
	_strbuf_ struct strbuf list = STRBUF_INIT;
	size_t n = 0;
	struct cidr last = {0};
	vec_foreach (struct cidr, net, &nets) {
		if (n > 0 && cidr_contains(last, *net))
			continue;
		last = *net;
		strbuf_addf(&list, "%s%s", n++ ? ", " : "",
			    net->len == 32 ? IP4(net->addr) : CIDR(*net));
	}
	nft_chain_begin(&x->chains, "firewall-", s->base);
	if (n > 1)
		nft_rule(&x->chains, "ip saddr != { %s } drop", list.s);
	else
		nft_rule(&x->chains, "ip saddr != %s drop", list.s);
	nft_chain_end(&x->chains);
}

static void write_external(struct nft *x, const struct nft_svc *s)
{
	const struct svc_plan *p = s->p;
	struct strbuf *out = &x->chains;
	bool direct = x->layout->direct;
	nft_chain_begin(out, "external-", s->base);
	if (!p->external_local) {
		nft_rule(out, "%s%s", x->mark, direct ? " comment \"masquerade\"" : "");
	} else {
		if (x->knows_pods)
			nft_rule(out, "%sgoto %s comment \"short-circuit pod traffic\"", x->pods,
				 s->cluster);
		nft_rule(out, "fib saddr type local %s comment \"masquerade local traffic\"",
			 x->mark);
		nft_rule(out,
			 "fib saddr type local goto %s comment \"short-circuit local traffic\"",
			 s->cluster);
	}
	if (p->outside == SVC_SERVE)
		nft_rule(out, "goto %s", p->external_local ? s->local : s->cluster);
	nft_chain_end(out);
}

/* Spread over endpoints, or keep a client to the one it had. */
static void write_balance(struct nft *x, const struct nft_svc *s, const ep_ptrs *eps)
{
	const struct svc_plan *p = s->p;
	struct strbuf *out = &x->chains;
	bool sticky = p->svc->obj->affinity_client_ip, jumps = sticky || !x->layout->direct;
	vec_foreach (const struct cendpoint *, ep, eps) {
		const char *base = s->ep[*ep - p->port->eps.v];
		if (sticky)
			nft_rule(out, "ip saddr @affinity-%s goto endpoint-%s", base, base);
	}
	if (jumps)
		strbuf_addf(out, "\t\tnumgen random mod %zu vmap { ", eps->n);
	else
		strbuf_addf(out, "\t\tmeta l4proto %s dnat ip to numgen random mod %zu map { ",
			    p->proto, eps->n);
	for (size_t i = 0; i < eps->n; i++) {
		const struct cendpoint *ep = eps->v[i];
		const char *sep = i ? ", " : "";
		if (jumps)
			strbuf_addf(out, "%s%zu : goto endpoint-%s", sep, i,
				    s->ep[ep - p->port->eps.v]);
		else
			strbuf_addf(out, "%s%zu : %s . %u", sep, i, IP4(ep->ip), ep->port);
	}
	strbuf_adds(out, " }\n");
}

/* The chain of one policy. Up to 1.35 traffic to the cluster IP from elsewhere is marked here. */
static void write_policy(struct nft *x, const struct nft_svc *s, bool local)
{
	const struct svc_plan *p = s->p;
	bool internal = p->internal == SVC_SERVE && p->internal_local == local;
	bool all = x->plan->cluster->proxy.masquerade_all;
	nft_chain_begin(&x->chains, local ? s->local : s->cluster, "");
	if (internal && !x->layout->direct && (all || x->knows_pods))
		nft_rule(&x->chains, "ip daddr %s %s dport %u %s%s", IP4(p->svc->cluster_ip),
			 p->proto, p->port->port->port, all ? "" : x->not_pods, x->mark);
	write_balance(x, s, local ? &p->eps.local : &p->eps.cluster);
	nft_chain_end(&x->chains);
}

static void write_endpoint(struct nft *x, const struct nft_svc *s, const struct cendpoint *ep)
{
	const struct svc_plan *p = s->p;
	const char *base = s->ep[ep - p->port->eps.v];
	bool sticky = p->svc->obj->affinity_client_ip;
	if (x->layout->direct && endpoint_on(ep, x->plan->node->name))
		nft_elem_add(x->arena, &x->hairpins,
			     arena_printf(x->arena, "%s . %s . %s . %u", IP4(ep->ip), IP4(ep->ip),
					  p->proto, ep->port),
			     "");
	if (x->layout->direct && !sticky)
		return;
	nft_chain_begin(&x->chains, "endpoint-", base);
	if (!x->layout->direct)
		nft_rule(&x->chains, "ip saddr %s %s", IP4(ep->ip), x->mark);
	if (sticky) {
		nft_rule(&x->chains, "update @affinity-%s { ip saddr }", base);
		strbuf_addf(&x->affinity,
			    "\tset affinity-%s {\n\t\ttype ipv4_addr\n\t\tsize 65535\n"
			    "\t\tflags dynamic,timeout\n\t\ttimeout %s\n\t}\n\n",
			    base, nft_duration(x->arena, p->svc->obj->affinity_seconds));
	}
	nft_rule(&x->chains, "meta l4proto %s dnat to %s:%u", p->proto, IP4(ep->ip), ep->port);
	nft_chain_end(&x->chains);
}

static void write_service(struct nft *x, const struct svc_plan *p)
{
	struct nft_svc s;
	name_chains(x, p, &s);
	capture_cluster_ip(x, &s);
	vec_foreach (ip4, ip, &p->svc->obj->external_ips)
		capture_external(x, &s, *ip);
	vec_foreach (ip4, ip, &p->vips)
		capture_external(x, &s, *ip);
	if (p->port->node_port)
		capture_node_port(x, &s);
	if (p->ranges) {
		capture_firewall(x, &s);
		write_firewall(x, &s);
	}
	vec_foreach (const struct cendpoint *, ep, &p->eps.reachable)
		write_endpoint(x, &s, *ep);
	if (p->eps.cluster.n > 0)
		write_policy(x, &s, false);
	if (p->eps.local.n > 0)
		write_policy(x, &s, true);
	if (p->eps.any && p->external)
		write_external(x, &s);
}

/* Static part ---------------------------------------------------------------------------------- */

static const char *filter_hook(struct arena *a, const char *hook, const char *priority)
{
	return arena_printf(a, "type filter hook %s priority %s; policy accept;", hook, priority);
}

static void print_base_chains(const struct nft *x, struct strbuf *out)
{
	bool pre = x->layout->pre_dnat;
	const char *prio = pre ? "filter" : "-110";
	const char *firewall = "ct state new jump firewall-check";
	const char *services = "ct state new jump service-endpoints-check";
	const char *cluster_ips = "ct state new jump cluster-ips-check";
	struct arena *a = x->arena;
	nft_chain(out, pre ? "filter-prerouting-pre-dnat" : "filter-prerouting",
		  "type filter hook prerouting priority dstnat - 10; policy accept;", firewall,
		  NULL);
	if (pre)
		nft_chain(out, "filter-output-pre-dnat",
			  "type filter hook output priority -110; policy accept;", firewall, NULL);
	nft_chain(out, "filter-input", filter_hook(a, "input", prio),
		  "ct state new jump nodeport-endpoints-check", services, NULL);
	nft_chain(out, "filter-forward", filter_hook(a, "forward", prio), services, cluster_ips,
		  NULL);
	nft_chain(out, "filter-output", filter_hook(a, "output", prio), services,
		  pre ? cluster_ips : firewall, NULL);
	if (!pre)
		nft_chain(out, "filter-output-post-dnat",
			  "type filter hook output priority -90; policy accept;", cluster_ips,
			  NULL);
	nft_chain(out, "nat-prerouting", "type nat hook prerouting priority dstnat; policy accept;",
		  "jump services", NULL);
	nft_chain(out, "nat-output", "type nat hook output priority -100; policy accept;",
		  "jump services", NULL);
	nft_chain(out, "nat-postrouting",
		  "type nat hook postrouting priority srcnat; policy accept;", "jump masquerading",
		  NULL);
}

static void print_masquerading(const struct nft *x, struct strbuf *out)
{
	unsigned mark = x->plan->mark;
	nft_chain_begin(out, "masquerading", "");
	/* The mark is cleared so that the outer packet of a tunnel is not masqueraded too. */
	if (x->layout->direct) {
		nft_rule(out,
			 "meta mark & 0x%08x != 0x00000000 meta mark set meta mark ^ 0x%08x "
			 "masquerade fully-random",
			 mark, mark);
		nft_rule(out, "ct status dnat ip saddr . ip daddr . " VMAP_KEY
			      " @hairpin-connections masquerade fully-random");
	} else {
		nft_rule(out, "meta mark & 0x%08x == 0x00000000 return", mark);
		nft_rule(out, "meta mark set meta mark ^ 0x%08x", mark);
		nft_rule(out, "masquerade fully-random");
	}
	nft_chain_end(out);
	if (!x->layout->direct)
		nft_chain(out, "mark-for-masquerade",
			  arena_printf(x->arena, "meta mark set meta mark | 0x%08x", mark), NULL);
}

static void print_services(const struct nft *x, struct strbuf *out)
{
	const struct proxy_config *cfg = &x->plan->cluster->proxy;
	nft_chain_begin(out, "services", "");
	if (x->layout->direct && cfg->masquerade_all)
		nft_rule(out,
			 "ip daddr @cluster-ips %s comment \"masquerade all clusterIP traffic\"",
			 x->mark);
	else if (x->layout->direct && x->knows_pods)
		nft_rule(out,
			 "ip daddr @cluster-ips %s%s comment "
			 "\"masquerade clusterIP traffic from outside cluster\"",
			 x->not_pods, x->mark);
	nft_rule(out, "ip daddr . " VMAP_KEY " vmap @service-ips");
	nft_rule(out, "%s " VMAP_KEY " vmap @service-nodeports",
		 x->nodeports_all ? "fib daddr type local ip daddr != 127.0.0.0/8"
				  : "ip daddr @nodeport-ips");
	nft_chain_end(out);
}

/* What is not a service: refused at a service's address, dropped elsewhere in the ServiceCIDRs. */
static void print_cluster_ips_check(const struct nft *x, struct strbuf *out)
{
	_strbuf_ struct strbuf list = STRBUF_INIT;
	size_t n = 0;
	vec_foreach (struct cidr, c, &x->plan->cluster->objects->service_cidrs)
		strbuf_addf(&list, "%s%s", n++ ? ", " : "", CIDR(*c));
	nft_chain_begin(out, "cluster-ips-check", "");
	nft_rule(out, "ip daddr @cluster-ips reject comment "
		      "\"Reject traffic to invalid ports of ClusterIPs\"");
	if (n > 0)
		nft_rule(out,
			 "ip daddr %s%s%s drop comment \"Drop traffic to unallocated ClusterIPs\"",
			 n > 1 ? "{ " : "", list.s, n > 1 ? " }" : "");
	nft_chain_end(out);
}

static void print_chains(const struct nft *x, struct strbuf *out)
{
	print_base_chains(x, out);
	nft_chain_begin(out, "nodeport-endpoints-check", "");
	nft_rule(out, "%s " VMAP_KEY " vmap @no-endpoint-nodeports",
		 x->nodeports_all ? "ip daddr != 127.0.0.0/8" : "ip daddr @nodeport-ips");
	nft_chain_end(out);
	nft_chain(out, "service-endpoints-check",
		  "ip daddr . " VMAP_KEY " vmap @no-endpoint-services", NULL);
	nft_chain(out, "firewall-check", "ip daddr . " VMAP_KEY " vmap @firewall-ips", NULL);
	print_services(x, out);
	print_masquerading(x, out);
	print_cluster_ips_check(x, out);
	nft_chain(out, "reject-chain",
		  "comment \"helper for @no-endpoint-services / @no-endpoint-nodeports\"", "reject",
		  NULL);
	strbuf_add(out, strbuf_str(&x->chains), x->chains.len);
}

static void print_sets(struct nft *x, struct strbuf *out)
{
	if (x->layout->direct)
		nft_set_print(&x->hairpins, "set", out);
	nft_set_print(&x->cluster_ips, "set", out);
	if (!x->nodeports_all)
		nft_set_print(&x->nodeport_ips, "set", out);
	nft_set_print(&x->no_ep_services, "map", out);
	nft_set_print(&x->no_ep_nodeports, "map", out);
	nft_set_print(&x->firewall_ips, "map", out);
	nft_set_print(&x->service_ips, "map", out);
	nft_set_print(&x->nodeports, "map", out);
	strbuf_add(out, strbuf_str(&x->affinity), x->affinity.len);
}

/* Whole ---------------------------------------------------------------------------------------- */

/* An interface known only by the start of its name has no index to match. */
static void tell_pods(struct nft *x)
{
	const struct proxy_plan *p = x->plan;
	x->knows_pods = p->pods != POD_ANY;
	x->pods = x->not_pods = "";
	if (p->pods == POD_CIDR) {
		x->pods = arena_printf(x->arena, "ip saddr %s ", CIDR(p->pod_cidr));
		x->not_pods = arena_printf(x->arena, "ip saddr != %s ", CIDR(p->pod_cidr));
	} else if (p->pods == POD_INTERFACE) {
		size_t len = strlen(p->pod_interface);
		bool prefix = p->pod_interface[len - 1] == '+';
		const char *key = x->layout->by_name || prefix ? "iifname" : "iif";
		const char *name = arena_printf(x->arena, "\"%.*s%s\"", (int)(len - prefix),
						p->pod_interface, prefix ? "*" : "");
		x->pods = arena_printf(x->arena, "%s %s ", key, name);
		x->not_pods = arena_printf(x->arena, "%s != %s ", key, name);
	}
}

/* Without nodePortAddresses this mode takes node ports on the node's own address only, and never on
 * 127.0.0.0/8. */
static void tell_node_ports(struct nft *x)
{
	const struct proxy_plan *p = x->plan;
	bool primary = p->cluster->proxy.node_port_addresses.n == 0;
	x->nodeports_all = p->node_ports_all && !primary;
	if (primary && p->node_ip >> 24 != 127)
		nft_elem_add(x->arena, &x->nodeport_ips, arena_strdup(x->arena, IP4(p->node_ip)),
			     "");
	vec_foreach (ip4, ip, &p->node_port_addrs)
		if (!primary && *ip >> 24 != 127)
			nft_elem_add(x->arena, &x->nodeport_ips, arena_strdup(x->arena, IP4(*ip)),
				     "");
}

#define TYPE_SERVICE "ipv4_addr . inet_proto . inet_service"
#define TYPE_PORT    "inet_proto . inet_service"

void proxy_nftables(const struct cluster *c, int node, struct strbuf *out)
{
	_arena_ struct arena *a = arena_new();
	struct proxy_plan plan;
	proxy_plan_build(a, c, node, &plan);
	const struct nft_layout *layout = layouts[c->kubernetes];
	struct nft x = {
		.layout = layout,
		.plan = &plan,
		.arena = a,
		.cluster_ips = {"cluster-ips", "ipv4_addr", "Active ClusterIPs", {0}},
		.nodeport_ips = {"nodeport-ips",
				 "ipv4_addr",
				 "IPs that accept NodePort traffic",
				 {0}},
		.hairpins = {"hairpin-connections",
			     "ipv4_addr . " TYPE_SERVICE,
			     "service hairpin connections",
			     {0}},
		.no_ep_services = {"no-endpoint-services",
				   TYPE_SERVICE " : verdict",
				   "vmap to drop or reject packets to services with no endpoints",
				   {0}},
		.no_ep_nodeports =
			{"no-endpoint-nodeports",
			 TYPE_PORT " : verdict",
			 "vmap to drop or reject packets to service nodeports with no endpoints",
			 {0}},
		.firewall_ips = {"firewall-ips",
				 TYPE_SERVICE " : verdict",
				 "destinations that are subject to LoadBalancerSourceRanges",
				 {0}},
		.service_ips = {"service-ips",
				TYPE_SERVICE " : verdict",
				"ClusterIP, ExternalIP and LoadBalancer IP traffic",
				{0}},
		.nodeports = {"service-nodeports", TYPE_PORT " : verdict", "NodePort traffic", {0}},
	};
	x.mark = layout->direct ? arena_printf(a, "meta mark set meta mark | 0x%08x", plan.mark)
				: "jump mark-for-masquerade";
	tell_pods(&x);
	tell_node_ports(&x);
	vec_foreach (struct svc_plan, p, &plan.svcs)
		write_service(&x, p);
	/* In one transaction: whatever the table held before is gone. */
	strbuf_adds(out, "table ip kube-proxy\ndelete table ip kube-proxy\n"
			 "table ip kube-proxy {\n\tcomment \"rules for kube-proxy\"\n");
	print_sets(&x, out);
	print_chains(&x, out);
	out->s[--out->len] = '\0'; /* no empty line before the end */
	strbuf_adds(out, "}\n");
	strbuf_free(&x.affinity);
	strbuf_free(&x.chains);
}
