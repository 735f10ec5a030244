/* SPDX-License-Identifier: MIT */
/*
 * proxy_iptables: a proxy_plan written as iptables rules in the layouts of Kubernetes 1.20, 1.23
 * and 1.32 (= 1.36). Decides nothing about services itself; what differs between the layouts is in
 * one table of flags.
 *
 * Way of a packet: KUBE-SERVICES (by address) or KUBE-NODEPORTS (by port) -> what external traffic
 * enters by (KUBE-EXT; before 1.24 KUBE-XLB or KUBE-FW, see struct layout) -> KUBE-SVC over all
 * endpoints or KUBE-SVL over local ones -> KUBE-SEP, one per endpoint, which does the DNAT. What
 * has nowhere to go is refused in table filter.
 */
#include "lib/plan/proxy.h"

#include <sha2.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/plan/proxy_emit.h"

static const struct layout layout_1_20 = {
	.bridged = true,
	.two_established = true,
	.needs_addr = true,
};
static const struct layout layout_1_23 = {
	.svc_masq = true,
	.health = true,
};
static const struct layout layout_1_32 = {
	.ext = true,
	.svc_masq = true,
	.health = true,
	.firewall = true,
	.ep_names = true,
	.counters = true,
};

static const struct layout *const layouts[] = {
	[KUBE_1_20] = &layout_1_20,
	[KUBE_1_23] = &layout_1_23,
	[KUBE_1_32] = &layout_1_32,
	[KUBE_1_36] = &layout_1_32,
};

void proxy_hash(const char *svcport, const char *proto, const char *endpoint, char ret[static 17])
{
	static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
	uint8_t d[SHA256_DIGEST_LENGTH];
	SHA2_CTX ctx;
	SHA256Init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)svcport, strlen(svcport));
	SHA256Update(&ctx, (const uint8_t *)proto, strlen(proto));
	if (endpoint)
		SHA256Update(&ctx, (const uint8_t *)endpoint, strlen(endpoint));
	SHA256Final(d, &ctx);
	for (unsigned i = 0; i < 16; i++) {
		unsigned bit = i * 5, pair = d[bit / 8] << 8 | d[bit / 8 + 1];
		ret[i] = alphabet[pair >> (11 - bit % 8) & 31];
	}
	ret[16] = '\0';
}

/* Static part ---------------------------------------------------------------------------------- */

static const char NEW_SERVICES[] =
	"-m conntrack --ctstate NEW -m comment --comment \"kubernetes service portals\" "
	"-j KUBE-SERVICES";
static const char NEW_EXTERNAL[] =
	"-m conntrack --ctstate NEW -m comment --comment "
	"\"kubernetes externally-visible service portals\" -j KUBE-EXTERNAL-SERVICES";
static const char NEW_FIREWALL[] =
	"-m conntrack --ctstate NEW -m comment --comment \"kubernetes load balancer firewall\" "
	"-j KUBE-PROXY-FIREWALL";

/* kube-proxy inserts each jump at the top, so the last it made stands first: this is the order on a
 * fresh node. */
static void emit_filter_jumps(struct emit *e)
{
	const struct layout *l = e->layout;
	struct xchain *in = xtable_builtin(&e->filter, "INPUT");
	struct xchain *fwd = xtable_builtin(&e->filter, "FORWARD");
	struct xchain *out = xtable_builtin(&e->filter, "OUTPUT");
	if (l->firewall) {
		xrule(in, "-j KUBE-FIREWALL");
		xrule(in, "%s", NEW_FIREWALL);
		xrule(fwd, "%s", NEW_FIREWALL);
		xrule(out, "-j KUBE-FIREWALL");
		xrule(out, "%s", NEW_FIREWALL);
	}
	if (l->health)
		xrule(in, "-m comment --comment \"kubernetes health check service ports\" "
			  "-j KUBE-NODEPORTS");
	xrule(in, "%s", NEW_EXTERNAL);
	xrule(fwd, "-m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD");
	xrule(fwd, "%s", NEW_SERVICES);
	xrule(fwd, "%s", NEW_EXTERNAL);
	xrule(out, "%s", NEW_SERVICES);
}

static void emit_forward(struct emit *e)
{
	static const char established[] =
		"-m comment --comment \"kubernetes forwarding conntrack %s\" "
		"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
	struct xchain *c = xtable_chain(&e->filter, "KUBE-FORWARD", "");
	unsigned mark = e->plan->mark;
	if (e->plan->drop_invalid)
		xrule(c, "-m conntrack --ctstate INVALID %s-j DROP",
		      e->counters ? "-m nfacct --nfacct-name  " PROXY_COUNTER_INVALID " " : "");
	xrule(c,
	      "-m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x%x/0x%x "
	      "-j ACCEPT",
	      mark, mark);
	const char *first = e->layout->two_established ? "pod source rule" : "rule";
	xrule(c, established, first);
	if (e->layout->two_established)
		xrule(c, established, "pod destination rule");
}

static void emit_filter(struct emit *e)
{
	struct xtable *t = &e->filter;
	emit_filter_jumps(e);
	xtable_chain(t, "KUBE-PROXY-CANARY", "");
	e->f_services = xtable_chain(t, "KUBE-SERVICES", "");
	e->f_external = xtable_chain(t, "KUBE-EXTERNAL-SERVICES", "");
	emit_forward(e);
	if (e->layout->health)
		e->f_nodeports = xtable_chain(t, "KUBE-NODEPORTS", "");
	if (!e->layout->firewall)
		return;
	e->f_firewall = xtable_chain(t, "KUBE-PROXY-FIREWALL", "");
	/* route_localnet lets other machines send to 127.0.0.0/8; this is what keeps them out. */
	struct xchain *c = xtable_chain(t, "KUBE-FIREWALL", "");
	if (e->plan->localhost_ports)
		xrule(c, "! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "
			 "\"block incoming localnet connections\" "
			 "-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP");
}

static void emit_nat(struct emit *e)
{
	static const char portals[] =
		"-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";
	struct xtable *t = &e->nat;
	unsigned mark = e->plan->mark;
	xrule(xtable_builtin(t, "PREROUTING"), "%s", portals);
	xrule(xtable_builtin(t, "OUTPUT"), "%s", portals);
	xrule(xtable_builtin(t, "POSTROUTING"),
	      "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING");

	xtable_chain(t, "KUBE-PROXY-CANARY", "");
	e->services = xtable_chain(t, "KUBE-SERVICES", "");
	e->nodeports = xtable_chain(t, "KUBE-NODEPORTS", "");
	if (!e->layout->firewall)
		xtable_chain(t, "KUBE-MARK-DROP", ""); /* its rule is kubelet's */
	xrule(xtable_chain(t, "KUBE-MARK-MASQ", ""), "-j MARK --set-xmark 0x%x/0x%x", mark, mark);
	/* The mark is cleared so that a packet that leaves once more inside a tunnel's outer packet
	 * is not masqueraded again. */
	struct xchain *post = xtable_chain(t, "KUBE-POSTROUTING", "");
	xrule(post, "-m mark ! --mark 0x%x/0x%x -j RETURN", mark, mark);
	xrule(post, "-j MARK --set-xmark 0x%x/0x0", mark);
	xrule(post,
	      "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE%s",
	      e->plan->random_fully ? " --random-fully" : "");
}

/* Node ports come last in KUBE-SERVICES, so that a service on one of the node's own addresses goes
 * before them. */
static void emit_tail(struct emit *e)
{
	static const char tail[] =
		"-m comment --comment \"kubernetes service nodeports; NOTE: this must be the last "
		"rule in this chain\"";
	if (e->plan->node_ports_all) {
		xrule(e->services, "%s%s -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS",
		      e->plan->localhost_ports ? "" : "! -d 127.0.0.0/8 ", tail);
		return;
	}
	vec_foreach (ip4, ip, &e->plan->node_port_addrs)
		xrule(e->services, "-d %s/32 %s -j KUBE-NODEPORTS", IP4(*ip), tail);
}

/* Whole ---------------------------------------------------------------------------------------- */

static void tell_pods(struct emit *e)
{
	const struct proxy_plan *p = e->plan;
	e->pods = e->not_pods = (struct from){"", ""};
	e->knows_pods = p->pods != POD_ANY;
	if (p->pods == POD_CIDR) {
		e->not_pods.src = arena_printf(e->arena, "! -s %s ", CIDR(p->pod_cidr));
		/* A match on every source is not printed. */
		e->pods.src = p->pod_cidr.len ? e->not_pods.src + 2 : "";
	} else if (p->pods == POD_INTERFACE) {
		e->not_pods.in = arena_printf(e->arena, "! -i %s ", p->pod_interface);
		e->pods.in = e->not_pods.in + 2;
	}
}

void proxy_iptables_write(const struct proxy_plan *plan, struct strbuf *out)
{
	_arena_ struct arena *a = arena_new();
	const struct cluster *c = plan->cluster;
	struct emit e = {
		.layout = layouts[c->kubernetes],
		.plan = plan,
		.arena = a,
		.filter = {.arena = a, .name = "filter"},
		.mangle = {.arena = a, .name = "mangle"},
		.nat = {.arena = a, .name = "nat"},
	};
	e.counters = e.layout->counters && c->nfacct;
	tell_pods(&e);
	emit_filter(&e);
	xtable_chain(&e.mangle, "KUBE-PROXY-CANARY", "");
	emit_nat(&e);
	vec_foreach (struct svc_plan, p, &plan->svcs)
		emit_service(&e, p);
	emit_tail(&e);
	xtable_print(&e.filter, out);
	xtable_print(&e.mangle, out);
	xtable_print(&e.nat, out);
}

void proxy_iptables(const struct cluster *c, int node, struct strbuf *out)
{
	_arena_ struct arena *a = arena_new();
	struct proxy_plan plan;
	proxy_plan_build(a, c, node, &plan);
	proxy_iptables_write(&plan, out);
}

void proxy_counters(const struct cluster *c, struct arena *a, strs *ret)
{
	if (!layouts[c->kubernetes]->counters || !c->nfacct || c->proxy.mode != PROXY_IPTABLES)
		return;
	*vec_push(a, ret) = PROXY_COUNTER_INVALID;
	*vec_push(a, ret) = PROXY_COUNTER_LOCALHOST;
}
