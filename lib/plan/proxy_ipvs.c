/* SPDX-License-Identifier: MIT */
/*
 * proxy_ipvs: a proxy_plan as virtual services, ipsets and addresses of kube-ipvs0. See
 * proxy_ipvs.h; the rules are written by proxy_ipvs_rules.c.
 *
 * Way of a packet: every address of a service is on kube-ipvs0, so the packet is for this node and
 * comes to INPUT, where IPVS picks a destination and sends it out again. The rules only mark what
 * must be masqueraded on the way.
 */
#include "lib/plan/proxy_ipvs.h"

#include <stdlib.h>
#include <string.h>

#include "lib/plan/proxy.h"
#include "lib/plan/proxy_ipvs_sets.h"

#define LOOPBACK_NET 127

static const struct ipvs_layout layout_1_20 = {
	.node_loopback = true,
	.sctp_masq_first = true,
	.localnet = true,
};
static const struct ipvs_layout layout_1_23 = {
	.health = true,
	.internal_policy = true,
	.fallback = true,
	.one_established = true,
	.skip_own = true,
	.any_state = true,
	.reuse_kept = true,
	.localnet = true,
};
static const struct ipvs_layout layout_1_32 = {
	.health = true,
	.internal_policy = true,
	.fallback = true,
	.own_firewall = true,
	.no_loopback = true,
	.access = true,
	.one_established = true,
	.skip_own = true,
	.any_state = true,
	.reuse_kept = true,
};

static const struct ipvs_layout *const layouts[] = {
	[KUBE_1_20] = &layout_1_20,
	[KUBE_1_23] = &layout_1_23,
	[KUBE_1_32] = &layout_1_32,
	[KUBE_1_36] = &layout_1_32,
};

/* Sets ----------------------------------------------------------------------------------------- */

#define PORTS "bitmap:port"

static const struct {
	const char *name, *type, *comment;
} sets[] = {
	[SET_LOOP_BACK] = {"KUBE-LOOP-BACK", "hash:ip,port,ip",
			   "Kubernetes endpoints dst ip:port, source ip for solving hairpin "
			   "purpose"},
	[SET_CLUSTER_IP] = {"KUBE-CLUSTER-IP", "hash:ip,port",
			    "Kubernetes service cluster ip + port for masquerade purpose"},
	[SET_EXTERNAL_IP] = {"KUBE-EXTERNAL-IP", "hash:ip,port",
			     "Kubernetes service external ip + port for masquerade and filter "
			     "purpose"},
	[SET_EXTERNAL_IP_LOCAL] = {"KUBE-EXTERNAL-IP-LOCAL", "hash:ip,port",
				   "Kubernetes service external ip + port with "
				   "externalTrafficPolicy=local"},
	[SET_LB] = {"KUBE-LOAD-BALANCER", "hash:ip,port", "Kubernetes service lb portal"},
	[SET_LB_LOCAL] = {"KUBE-LOAD-BALANCER-LOCAL", "hash:ip,port",
			  "Kubernetes service load balancer ip + port with "
			  "externalTrafficPolicy=local"},
	[SET_LB_FW] = {"KUBE-LOAD-BALANCER-FW", "hash:ip,port",
		       "Kubernetes service load balancer ip + port for load balancer with "
		       "sourceRange"},
	[SET_LB_SOURCE_CIDR] = {"KUBE-LOAD-BALANCER-SOURCE-CIDR", "hash:ip,port,net",
				"Kubernetes service load balancer ip + port + source cidr for "
				"packet filter purpose"},
	[SET_LB_SOURCE_IP] = {"KUBE-LOAD-BALANCER-SOURCE-IP", "hash:ip,port,ip",
			      "Kubernetes service load balancer ip + port + source IP for packet "
			      "filter purpose"},
	[SET_NODE_PORT_TCP] = {"KUBE-NODE-PORT-TCP", PORTS,
			       "Kubernetes nodeport TCP port for masquerade purpose"},
	[SET_NODE_PORT_LOCAL_TCP] = {"KUBE-NODE-PORT-LOCAL-TCP", PORTS,
				     "Kubernetes nodeport TCP port with "
				     "externalTrafficPolicy=local"},
	[SET_NODE_PORT_UDP] = {"KUBE-NODE-PORT-UDP", PORTS,
			       "Kubernetes nodeport UDP port for masquerade purpose"},
	[SET_NODE_PORT_LOCAL_UDP] = {"KUBE-NODE-PORT-LOCAL-UDP", PORTS,
				     "Kubernetes nodeport UDP port with "
				     "externalTrafficPolicy=local"},
	[SET_NODE_PORT_SCTP] = {"KUBE-NODE-PORT-SCTP-HASH", "hash:ip,port",
				"Kubernetes nodeport SCTP port for masquerade purpose with type "
				"'hash ip:port'"},
	[SET_NODE_PORT_LOCAL_SCTP] = {"KUBE-NODE-PORT-LOCAL-SCTP-HASH", "hash:ip,port",
				      "Kubernetes nodeport SCTP port with "
				      "externalTrafficPolicy=local with type 'hash ip:port'"},
	[SET_HEALTH_CHECK] = {"KUBE-HEALTH-CHECK-NODE-PORT", PORTS,
			      "Kubernetes health check node port"},
	[SET_IPVS_IPS] = {"KUBE-IPVS-IPS", "hash:ip", "Addresses on the ipvs interface"},
};

const char *ipvs_set_name(enum ipvs_set s)
{
	return sets[s].name;
}

const char *ipvs_set_comment(enum ipvs_set s)
{
	return sets[s].comment;
}

static bool has_set(const struct ipvs *x, enum ipvs_set s)
{
	if (s == SET_HEALTH_CHECK)
		return x->layout->health;
	return s != SET_IPVS_IPS || x->layout->access;
}

static void member(struct ipvs *x, enum ipvs_set s, const char *text)
{
	vec_foreach (const char *, have, &x->sets[s])
		if (strcmp(*have, text) == 0)
			return;
	*vec_push(x->arena, &x->sets[s]) = text;
}

static const char *address_member(struct ipvs *x, const struct svc_plan *p, ip4 ip)
{
	return arena_printf(x->arena, "%s,%s:%u", IP4(ip), p->proto, p->port->port->port);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_port(const void *a, const void *b)
{
	long x = strtol(*(const char *const *)a, NULL, 10);
	long y = strtol(*(const char *const *)b, NULL, 10);
	return (x > y) - (x < y);
}

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct dipset *)a)->name, ((const struct dipset *)b)->name);
}

static void give_sets(struct ipvs *x)
{
	for (enum ipvs_set s = 0; s < N_IPVS_SETS; s++) {
		bool ports = strcmp(sets[s].type, PORTS) == 0;
		strs *m = &x->sets[s];
		if (!has_set(x, s))
			continue;
		if (m->n > 0)
			qsort(m->v, m->n, sizeof(*m->v), ports ? by_port : by_text);
		*vec_push(x->arena, &x->ret->sets) = (struct dipset){
			.name = sets[s].name,
			.type = sets[s].type,
			.options =
				ports ? "range 0-65535" : "family inet hashsize 1024 maxelem 65536",
			.members = *m,
		};
	}
	qsort(x->ret->sets.v, x->ret->sets.n, sizeof(*x->ret->sets.v), by_name);
}

/* Virtual services ----------------------------------------------------------------------------- */

static const char *flag(enum proto p)
{
	static const char *const flags[] = {
		[PROTO_TCP] = "-t", [PROTO_UDP] = "-u", [PROTO_SCTP] = "--sctp-service"};
	return flags[p];
}

/* With the policy Local, and no endpoint here, kube-proxy takes what it has (#97081). */
static const ep_ptrs *destinations(const struct ipvs *x, const struct svc_plan *p, bool local)
{
	if (!local)
		return &p->eps.cluster;
	return p->eps.local.n == 0 && x->layout->fallback ? &p->eps.cluster : &p->eps.local;
}

static void virtual_service(struct ipvs *x, const struct svc_plan *p, ip4 ip, uint16_t port,
			    bool local)
{
	const struct service *o = p->svc->obj;
	const char *scheduler = x->plan->cluster->proxy.scheduler;
	const char *proto = flag(p->port->port->proto);
	struct strbuf *out = &x->services;
	if (!scheduler[0])
		scheduler = "rr";
	strbuf_addf(out, "-A %s %s:%u -s %s", proto, IP4(ip), port, scheduler);
	if (o->affinity_client_ip)
		strbuf_addf(out, " -p %u", o->affinity_seconds);
	/* kube-proxy's "source hash flag": the source port is hashed too. */
	strbuf_adds(out, strcmp(scheduler, "mh") == 0 ? " -b mh-port\n" : "\n");
	vec_foreach (const struct cendpoint *, ep, destinations(x, p, local))
		strbuf_addf(out, "-a %s %s:%u -r %s:%u -m -w 1\n", proto, IP4(ip), port,
			    IP4((*ep)->ip), (*ep)->port);
}

static void bind_address(struct ipvs *x, ip4 ip, bool foreign)
{
	if (foreign && x->layout->skip_own)
		vec_foreach (ip4, own, &x->plan->node->local_addrs)
			if (*own == ip)
				return;
	vec_foreach (ip4, have, &x->ret->addrs)
		if (*have == ip)
			return;
	*vec_push(x->arena, &x->ret->addrs) = ip;
	member(x, SET_IPVS_IPS, arena_strdup(x->arena, IP4(ip)));
}

static void add_hairpins(struct ipvs *x, const struct svc_plan *p)
{
	vec_foreach (struct cendpoint, ep, &p->port->eps)
		if (endpoint_on(ep, x->plan->node->name) && (ep->ready || x->layout->any_state))
			member(x, SET_LOOP_BACK,
			       arena_printf(x->arena, "%s,%s:%u,%s", IP4(ep->ip), p->proto,
					    ep->port, IP4(ep->ip)));
}

static void add_cluster_ip(struct ipvs *x, const struct svc_plan *p)
{
	ip4 ip = p->svc->cluster_ip;
	member(x, SET_CLUSTER_IP, address_member(x, p, ip));
	bind_address(x, ip, false);
	virtual_service(x, p, ip, p->port->port->port,
			x->layout->internal_policy && p->svc->obj->itp_local);
}

static void add_external_ips(struct ipvs *x, const struct svc_plan *p)
{
	vec_foreach (ip4, ip, &p->svc->obj->external_ips) {
		member(x, p->external_local ? SET_EXTERNAL_IP_LOCAL : SET_EXTERNAL_IP,
		       address_member(x, p, *ip));
		bind_address(x, *ip, true);
		virtual_service(x, p, *ip, p->port->port->port, p->external_local);
	}
}

/* An ipset takes no network of length 0: kube-proxy cannot add it and goes on, but writes the rules
 * of a set that has something. */
static void add_ranges(struct ipvs *x, const struct svc_plan *p, ip4 vip)
{
	const char *at = address_member(x, p, vip);
	member(x, SET_LB_FW, at);
	vec_foreach (struct cidr, r, &p->svc->obj->source_ranges)
		if (r->len == 0)
			x->open_ranges = true;
		else
			member(x, SET_LB_SOURCE_CIDR,
			       r->len == 32
				       ? arena_printf(x->arena, "%s,%s", at, IP4(r->addr))
				       : arena_printf(x->arena, "%s,%s", at, CIDR(cidr_net(*r))));
	if (p->node_in_ranges)
		member(x, SET_LB_SOURCE_IP, arena_printf(x->arena, "%s,%s", at, IP4(vip)));
	else
		*vec_push(x->arena, &x->closed) = (struct ipvs_closed){vip, p};
}

static void add_vips(struct ipvs *x, const struct svc_plan *p)
{
	vec_foreach (ip4, vip, &p->vips) {
		member(x, SET_LB, address_member(x, p, *vip));
		if (p->external_local)
			member(x, SET_LB_LOCAL, address_member(x, p, *vip));
		if (p->ranges)
			add_ranges(x, p, *vip);
		bind_address(x, *vip, true);
		virtual_service(x, p, *vip, p->port->port->port, p->external_local);
	}
}

static void add_node_port(struct ipvs *x, const struct svc_plan *p)
{
	static const struct {
		enum ipvs_set all, local;
	} by_proto[] = {
		[PROTO_TCP] = {SET_NODE_PORT_TCP, SET_NODE_PORT_LOCAL_TCP},
		[PROTO_UDP] = {SET_NODE_PORT_UDP, SET_NODE_PORT_LOCAL_UDP},
		[PROTO_SCTP] = {SET_NODE_PORT_SCTP, SET_NODE_PORT_LOCAL_SCTP},
	};
	enum proto proto = p->port->port->proto;
	unsigned port = p->port->node_port;
	vec_foreach (ip4, ip, &x->node_ips) {
		const char *text = proto == PROTO_SCTP
					   ? arena_printf(x->arena, "%s,sctp:%u", IP4(*ip), port)
					   : arena_printf(x->arena, "%u", port);
		member(x, by_proto[proto].all, text);
		if (p->external_local)
			member(x, by_proto[proto].local, text);
		virtual_service(x, p, *ip, p->port->node_port, p->external_local);
	}
}

static void add_service(struct ipvs *x, const struct svc_plan *p)
{
	add_hairpins(x, p);
	add_cluster_ip(x, p);
	add_external_ips(x, p);
	add_vips(x, p);
	if (p->port->node_port && x->node_ips.n == 0)
		return;
	if (p->port->node_port)
		add_node_port(x, p);
	if (p->health_port && has_set(x, SET_HEALTH_CHECK))
		member(x, SET_HEALTH_CHECK, arena_printf(x->arena, "%u", p->health_port));
}

/* Node ----------------------------------------------------------------------------------------- */

static void choose_node_ips(struct ipvs *x)
{
	const struct proxy_plan *p = x->plan;
	bool all = p->node_ports_all;
	vec_foreach (ip4, ip, &p->node->local_addrs)
		if (all && (*ip >> 24 != LOOPBACK_NET || x->layout->node_loopback))
			*vec_push(x->arena, &x->node_ips) = *ip;
	vec_foreach (ip4, ip, &p->node_port_addrs)
		if (!all && (*ip >> 24 != LOOPBACK_NET || x->layout->node_loopback))
			*vec_push(x->arena, &x->node_ips) = *ip;
}

static void sysctl(struct ipvs *x, const char *key, const char *value)
{
	*vec_push(x->arena, &x->ret->sysctls) = (struct dsysctl){.key = key, .value = value};
}

static void add_sysctls(struct ipvs *x)
{
	const struct proxy_config *cfg = &x->plan->cluster->proxy;
	if (x->layout->localnet)
		sysctl(x, "net.ipv4.conf.all.route_localnet", "1");
	sysctl(x, "net.ipv4.vs.conntrack", "1");
	if (!x->layout->reuse_kept)
		sysctl(x, "net.ipv4.vs.conn_reuse_mode", "0");
	sysctl(x, "net.ipv4.vs.expire_nodest_conn", "1");
	sysctl(x, "net.ipv4.vs.expire_quiescent_template", "1");
	sysctl(x, "net.ipv4.ip_forward", "1");
	if (cfg->strict_arp) {
		sysctl(x, "net.ipv4.conf.all.arp_ignore", "1");
		sysctl(x, "net.ipv4.conf.all.arp_announce", "2");
	}
	if (cfg->ipvs_tcp_timeout || cfg->ipvs_tcpfin_timeout || cfg->ipvs_udp_timeout)
		x->ret->timeouts = arena_printf(x->arena, "%u %u %u", cfg->ipvs_tcp_timeout,
						cfg->ipvs_tcpfin_timeout, cfg->ipvs_udp_timeout);
}

static int by_address_text(const void *a, const void *b)
{
	return strcmp(IP4(*(const ip4 *)a), IP4(*(const ip4 *)b));
}

void proxy_ipvs_build(struct arena *a, const struct cluster *c, int node, struct ipvs_state *ret)
{
	struct proxy_plan plan;
	struct ipvs x = {.layout = layouts[c->kubernetes], .plan = &plan, .arena = a, .ret = ret};
	proxy_plan_build(a, c, node, &plan);
	*ret = (struct ipvs_state){0};
	choose_node_ips(&x);
	vec_foreach (struct svc_plan, p, &plan.svcs)
		add_service(&x, p);
	if (ret->addrs.n > 0)
		qsort(ret->addrs.v, ret->addrs.n, sizeof(ip4), by_address_text);
	add_sysctls(&x);
	give_sets(&x);
	ipvs_write_rules(&x);
	ret->services = arena_strdup(a, strbuf_str(&x.services));
	strbuf_free(&x.services);
}

/* Script --------------------------------------------------------------------------------------- */

static void print_sets(const struct ipvs_state *s, struct strbuf *out)
{
	strbuf_adds(out, "\nipset restore <<'END'\n");
	vec_foreach (const struct dipset, set, &s->sets) {
		strbuf_addf(out, "create %s %s %s\n", set->name, set->type, set->options);
		vec_foreach (const char *, m, &set->members)
			strbuf_addf(out, "add %s %s\n", set->name, *m);
	}
	strbuf_adds(out, "END\n");
}

void proxy_ipvs(const struct cluster *c, int node, struct strbuf *out)
{
	_arena_ struct arena *a = arena_new();
	struct ipvs_state s;
	proxy_ipvs_build(a, c, node, &s);
	strbuf_addf(out,
		    "#!/bin/sh\n# What kube-proxy %s in ipvs mode makes on %s. Run it as root "
		    "there.\nset -eu\n\n",
		    kube_version_str(c->kubernetes), c->nodes.v[node].name);
	vec_foreach (struct dsysctl, ctl, &s.sysctls)
		strbuf_addf(out, "sysctl -q -w %s=%s\n", ctl->key, ctl->value);
	if (layouts[c->kubernetes]->reuse_kept)
		strbuf_adds(out, "# net.ipv4.vs.conn_reuse_mode stays as it is since Linux 5.9.\n");
	strbuf_addf(out,
		    "\n# Never up: its addresses count as the node's own all the same.\n"
		    "ip link add %s mtu %u arp off type dummy\n",
		    IPVS_DEVICE, IPVS_MTU);
	vec_foreach (ip4, ip, &s.addrs)
		strbuf_addf(out, "ip addr add %s/32 dev %s\n", IP4(*ip), IPVS_DEVICE);
	print_sets(&s, out);
	if (s.timeouts)
		strbuf_addf(out, "\nipvsadm --set %s\n", s.timeouts);
	strbuf_addf(out, "\nipvsadm --restore <<'END'\n%sEND\n", s.services);
	strbuf_addf(out, "\niptables-restore --noflush <<'END'\n%sEND\n", s.rules);
}

bool proxy_ipvs_falls_back(const struct cluster *c)
{
	return layouts[c->kubernetes]->fallback;
}
