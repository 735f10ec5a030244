/* SPDX-License-Identifier: MIT */
/*
 * proxy_userspace: the iptables rules of kube-proxy's userspace mode. See proxy_userspace.h.
 *
 * Way of a packet: from elsewhere it is redirected to the relay's port (PORTALS-CONTAINER,
 * NODEPORT-CONTAINER); from the node itself, where REDIRECT would lead to 127.0.0.1, it is sent to
 * that port at the node's own address (the -HOST chains). The relay opens a connection of its own
 * to an endpoint: pods see the node as their client.
 */
#include "lib/plan/proxy_userspace.h"

#include <stdlib.h>

#include "lib/plan/proxy.h"
#include "lib/plan/proxy_text.h"

/* net.ipv4.ip_local_port_range as Linux has it, from which a socket bound to port 0 gets one. */
#define PORT_FIRST 32768
#define PORT_LAST  60999

struct userspace {
	ip4 host; /* where the node itself finds the relay */
	struct xtable filter, nat;
	struct xchain *portals, *portals_host, *nodeports, *nodeports_host, *non_local;
};

static bool taken(const relays *r, uint16_t port)
{
	vec_foreach (struct relay, have, r)
		if (have->port == port)
			return true;
	return false;
}

static uint16_t choose_port(const relays *r, const struct svc_plan *p)
{
	char hash[17];
	uint32_t n = 0;
	proxy_hash(p->id, p->proto, NULL, hash);
	for (unsigned i = 0; i < 6; i++)
		n = n * 32 + (uint32_t)(hash[i] >= 'A' ? hash[i] - 'A' : hash[i] - '2' + 26);
	const uint32_t span = PORT_LAST - PORT_FIRST + 1;
	n %= span;
	while (taken(r, (uint16_t)(PORT_FIRST + n)))
		n = (n + 1) % span;
	return (uint16_t)(PORT_FIRST + n);
}

void proxy_relays(struct arena *a, const struct proxy_plan *plan, relays *ret)
{
	*ret = (relays){0};
	vec_foreach (struct svc_plan, p, &plan->svcs) {
		/* A node holds as many sockets as there are ports, not more. */
		if (p->port->port->proto == PROTO_SCTP || ret->n > PORT_LAST - PORT_FIRST)
			continue;
		uint16_t port = choose_port(ret, p);
		*vec_push(a, ret) = (struct relay){p, port};
	}
}

/* Rules ---------------------------------------------------------------------------------------- */

static void to_address(struct xchain *c, const struct relay *r, ip4 ip, const char *match,
		       const char *target)
{
	const struct svc_plan *p = r->p;
	xrule(c, "-d %s/32 -p %s -m comment --comment \"%s\" -m %s --dport %u %s-j %s", IP4(ip),
	      p->proto, p->id, p->proto, p->port->port->port, match, target);
}

static void to_node_port(struct xchain *c, const struct relay *r, const char *target)
{
	const struct svc_plan *p = r->p;
	xrule(c, "-p %s -m comment --comment \"%s\" -m %s --dport %u -j %s", p->proto, p->id,
	      p->proto, p->port->node_port, target);
}

static void write_relay(struct userspace *u, struct arena *a, const struct relay *r)
{
	const struct svc_plan *p = r->p;
	const char *redirect = arena_printf(a, "REDIRECT --to-ports %u", r->port);
	const char *dnat = arena_printf(a, "DNAT --to-destination %s:%u", IP4(u->host), r->port);
	to_address(u->portals, r, p->svc->cluster_ip, "", redirect);
	to_address(u->portals_host, r, p->svc->cluster_ip, "", dnat);
	/* External IPs: only what comes from another machine, or goes to an address of this one. */
	vec_foreach (ip4, ip, &p->svc->obj->external_ips) {
		to_address(u->portals, r, *ip, "-m physdev ! --physdev-is-in ", redirect);
		to_address(u->portals, r, *ip, "-m addrtype --dst-type LOCAL ", redirect);
		to_address(u->portals_host, r, *ip, "-m addrtype --dst-type LOCAL ", dnat);
	}
	vec_foreach (ip4, ip, &p->vips) {
		to_address(u->portals, r, *ip, "", redirect);
		to_address(u->portals_host, r, *ip, "", dnat);
	}
	if (!p->port->node_port)
		return;
	to_node_port(u->nodeports, r, redirect);
	to_node_port(u->nodeports_host, r, dnat);
	xrule(u->non_local,
	      "-p %s -m comment --comment \"%s\" -m %s --dport %u -m state --state NEW -j ACCEPT",
	      p->proto, p->id, p->proto, r->port);
}

static void make_chains(struct userspace *u)
{
	static const char portals[] =
		"-m comment --comment \"handle ClusterIPs; NOTE: this must be before the NodePort "
		"rules\" -j %s";
	static const char nodeports[] =
		"-m addrtype --dst-type LOCAL -m comment --comment \"handle service NodePorts; "
		"NOTE: this must be the last rule in the chain\" -j %s";
	struct xchain *pre = xtable_builtin(&u->nat, "PREROUTING");
	struct xchain *out = xtable_builtin(&u->nat, "OUTPUT");
	xrule(pre, portals, "KUBE-PORTALS-CONTAINER");
	xrule(pre, nodeports, "KUBE-NODEPORT-CONTAINER");
	xrule(out, portals, "KUBE-PORTALS-HOST");
	xrule(out, nodeports, "KUBE-NODEPORT-HOST");
	xrule(xtable_builtin(&u->filter, "INPUT"),
	      "-m comment --comment \"Ensure that non-local NodePort traffic can flow\" "
	      "-j KUBE-NODEPORT-NON-LOCAL");
	u->portals = xtable_chain(&u->nat, "KUBE-PORTALS-CONTAINER", "");
	u->portals_host = xtable_chain(&u->nat, "KUBE-PORTALS-HOST", "");
	u->nodeports = xtable_chain(&u->nat, "KUBE-NODEPORT-CONTAINER", "");
	u->nodeports_host = xtable_chain(&u->nat, "KUBE-NODEPORT-HOST", "");
	u->non_local = xtable_chain(&u->filter, "KUBE-NODEPORT-NON-LOCAL", "");
}

static void print_relay(const struct relay *r, struct strbuf *out)
{
	strbuf_addf(out, "#   %s %u for %s:", r->p->proto, r->port, r->p->id);
	vec_foreach (const struct cendpoint *, ep, &r->p->eps.cluster)
		strbuf_addf(out, " %s:%u", IP4((*ep)->ip), (*ep)->port);
	strbuf_adds(out, r->p->eps.cluster.n ? "\n" : " nobody\n");
}

const char *proxy_userspace_rules(struct arena *a, const struct proxy_plan *plan, const relays *all)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	struct userspace u = {
		.host = plan->node->ip,
		.filter = {.arena = a, .name = "filter"},
		.nat = {.arena = a, .name = "nat"},
	};
	make_chains(&u);
	vec_foreach (const struct relay, r, all)
		write_relay(&u, a, r);
	xtable_print(&u.filter, &text);
	xtable_print(&u.nat, &text);
	return arena_strdup(a, strbuf_str(&text));
}

void proxy_userspace(const struct cluster *c, int node, struct strbuf *out)
{
	_arena_ struct arena *a = arena_new();
	struct proxy_plan plan;
	relays all;
	proxy_plan_build(a, c, node, &plan);
	proxy_relays(a, &plan, &all);
	strbuf_addf(out,
		    "#!/bin/sh\n# What kube-proxy %s in userspace mode makes on %s. Run it as root "
		    "there.\nset -eu\n\n"
		    "# kube-proxy itself listens on these ports of 0.0.0.0 and hands on:\n",
		    kube_version_str(c->kubernetes), plan.node->name);
	vec_foreach (struct relay, r, &all)
		print_relay(r, out);
	strbuf_addf(out, "\niptables-restore --noflush <<'END'\n%sEND\n",
		    proxy_userspace_rules(a, &plan, &all));
}
