/* SPDX-License-Identifier: MIT */
/*
 * proxy_ipvs_rules: the iptables rules of kube-proxy's ipvs mode. They are few and nearly static:
 * what belongs to a service is in ipsets. Not for the sets' members (proxy_ipvs.c).
 *
 * A rule that matches a set stands only while the set has members, as kube-proxy does it.
 */
#include "lib/plan/proxy_ipvs_sets.h"

struct rules {
	const struct ipvs *x;
	struct xtable filter, nat;
	struct xchain *services, *lb, *node_port, *postrouting;
	struct xchain *fw; /* where source ranges are looked at */
};

static bool filled(const struct rules *r, enum ipvs_set s)
{
	return r->x->sets[s].n > 0 || (s == SET_LB_SOURCE_CIDR && r->x->open_ranges);
}

/* FROM is what stands in front, with a space behind it, or "". */
static void match(struct rules *r, struct xchain *c, enum ipvs_set s, const char *from,
		  const char *dirs, const char *target)
{
	if (filled(r, s))
		xrule(c, "%s-m comment --comment \"%s\" -m set --match-set %s %s -j %s", from,
		      ipvs_set_comment(s), ipvs_set_name(s), dirs, target);
}

/* nat ------------------------------------------------------------------------------------------ */

static void emit_load_balancer(struct rules *r)
{
	const struct ipvs_layout *l = r->x->layout;
	match(r, r->services, SET_LB, "", "dst,dst", "KUBE-LOAD-BALANCER");
	if (!l->own_firewall)
		match(r, r->lb, SET_LB_FW, "", "dst,dst", "KUBE-FIREWALL");
	match(r, r->lb, SET_LB_LOCAL, "", "dst,dst", "RETURN");
	xrule(r->lb, "-j KUBE-MARK-MASQ");
}

static void emit_ranges(struct rules *r, const char *drop)
{
	match(r, r->fw, SET_LB_SOURCE_CIDR, "", "dst,dst,src", "RETURN");
	match(r, r->fw, SET_LB_SOURCE_IP, "", "dst,dst,src", "RETURN");
	xrule(r->fw, "-j %s", drop);
}

static void emit_node_ports(struct rules *r)
{
	static const struct {
		const char *proto, *dirs;
		enum ipvs_set local, all;
	} kinds[] = {
		{"-p tcp ", "dst", SET_NODE_PORT_LOCAL_TCP, SET_NODE_PORT_TCP},
		{"-p udp ", "dst", SET_NODE_PORT_LOCAL_UDP, SET_NODE_PORT_UDP},
		{"-p sctp ", "dst,dst", SET_NODE_PORT_LOCAL_SCTP, SET_NODE_PORT_SCTP},
	};
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		bool late = kinds[i].all == SET_NODE_PORT_SCTP && r->x->layout->sctp_masq_first;
		if (!late)
			match(r, r->node_port, kinds[i].local, kinds[i].proto, kinds[i].dirs,
			      "RETURN");
		match(r, r->node_port, kinds[i].all, kinds[i].proto, kinds[i].dirs,
		      "KUBE-MARK-MASQ");
		if (late)
			match(r, r->node_port, kinds[i].local, kinds[i].proto, kinds[i].dirs,
			      "RETURN");
	}
}

/* Who is masqueraded on the way to a cluster IP. Without a way to tell pods: the node itself, whose
 * connections to a service have the service's address as source, it being the node's own. */
static void emit_cluster_ips(struct rules *r)
{
	const struct proxy_plan *p = r->x->plan;
	const char *from = "", *dirs = "dst,dst";
	if (p->cluster->proxy.masquerade_all)
		;
	else if (p->pods == POD_CIDR)
		from = arena_printf(r->x->arena, "! -s %s ", CIDR(p->pod_cidr));
	else if (p->pods == POD_INTERFACE)
		from = arena_printf(r->x->arena, "! -i %s ", p->pod_interface);
	else
		dirs = "src,dst";
	match(r, r->services, SET_CLUSTER_IP, from, dirs, "KUBE-MARK-MASQ");
}

/* External IPs: only what comes from another machine, or goes to an address of this one. */
static void emit_external(struct rules *r, enum ipvs_set s)
{
	static const char *const only[] = {
		"-m physdev ! --physdev-is-in -m addrtype ! --src-type LOCAL",
		"-m addrtype --dst-type LOCAL",
	};
	for (size_t i = 0; filled(r, s) && i < 2; i++)
		xrule(r->services,
		      "-m comment --comment \"%s\" -m set --match-set %s dst,dst %s -j ACCEPT",
		      ipvs_set_comment(s), ipvs_set_name(s), only[i]);
}

static void emit_services(struct rules *r)
{
	static const enum ipvs_set accepted[] = {SET_CLUSTER_IP, SET_LB};
	if (r->x->layout->no_loopback)
		xrule(r->services, "-s 127.0.0.0/8 -j RETURN");
	emit_load_balancer(r);
	emit_cluster_ips(r);
	match(r, r->services, SET_EXTERNAL_IP, "", "dst,dst", "KUBE-MARK-MASQ");
	emit_external(r, SET_EXTERNAL_IP);
	emit_external(r, SET_EXTERNAL_IP_LOCAL);
	xrule(r->services, "-m addrtype --dst-type LOCAL -j KUBE-NODE-PORT");
	for (size_t i = 0; i < 2; i++)
		if (filled(r, accepted[i]))
			xrule(r->services, "-m set --match-set %s dst,dst -j ACCEPT",
			      ipvs_set_name(accepted[i]));
}

static void emit_postrouting(struct rules *r)
{
	unsigned mark = r->x->plan->mark;
	match(r, r->postrouting, SET_LOOP_BACK, "", "dst,dst,src", "MASQUERADE");
	xrule(r->postrouting, "-m mark ! --mark 0x%x/0x%x -j RETURN", mark, mark);
	xrule(r->postrouting, "-j MARK --set-xmark 0x%x/0x0", mark);
	xrule(r->postrouting,
	      "-m comment --comment \"kubernetes service traffic requiring SNAT\" -j MASQUERADE%s",
	      r->x->plan->random_fully ? " --random-fully" : "");
}

static void emit_nat(struct rules *r)
{
	static const char portals[] =
		"-m comment --comment \"kubernetes service portals\" -j KUBE-SERVICES";
	struct xtable *t = &r->nat;
	unsigned mark = r->x->plan->mark;
	xrule(xtable_builtin(t, "PREROUTING"), "%s", portals);
	xrule(xtable_builtin(t, "OUTPUT"), "%s", portals);
	xrule(xtable_builtin(t, "POSTROUTING"),
	      "-m comment --comment \"kubernetes postrouting rules\" -j KUBE-POSTROUTING");
	r->services = xtable_chain(t, "KUBE-SERVICES", "");
	r->lb = xtable_chain(t, "KUBE-LOAD-BALANCER", "");
	r->node_port = xtable_chain(t, "KUBE-NODE-PORT", "");
	r->postrouting = xtable_chain(t, "KUBE-POSTROUTING", "");
	xrule(xtable_chain(t, "KUBE-MARK-MASQ", ""), "-j MARK --set-xmark 0x%x/0x%x", mark, mark);
	if (!r->x->layout->own_firewall) {
		xtable_chain(t, "KUBE-MARK-DROP", ""); /* its rule is kubelet's */
		r->fw = xtable_chain(t, "KUBE-FIREWALL", "");
		emit_ranges(r, "KUBE-MARK-DROP");
	}
	emit_services(r);
	emit_node_ports(r);
	emit_postrouting(r);
}

/* filter --------------------------------------------------------------------------------------- */

/* kube-proxy inserts each jump at the top: the last it made stands first. */
static void emit_filter_jumps(struct rules *r)
{
	const struct ipvs_layout *l = r->x->layout;
	struct xchain *in = xtable_builtin(&r->filter, "INPUT");
	struct xchain *fwd = xtable_builtin(&r->filter, "FORWARD");
	struct xchain *out = xtable_builtin(&r->filter, "OUTPUT");
	static const char firewall[] =
		"-m comment --comment \"kube-proxy firewall rules\" -j KUBE-PROXY-FIREWALL";
	static const char access[] = "-m comment --comment \"kubernetes ipvs access filter\" -j %s";
	if (l->access)
		xrule(in, access, "KUBE-IPVS-FILTER");
	if (l->own_firewall) {
		xrule(in, "%s", firewall);
		xrule(fwd, "%s", firewall);
	}
	if (l->health)
		xrule(in, "-m comment --comment \"kubernetes health check rules\" "
			  "-j KUBE-NODE-PORT");
	xrule(fwd, "-m comment --comment \"kubernetes forwarding rules\" -j KUBE-FORWARD");
	if (l->access)
		xrule(out, access, "KUBE-IPVS-OUT-FILTER");
}

static void emit_forward(struct rules *r)
{
	static const char established[] =
		"-m comment --comment \"kubernetes forwarding conntrack %s\" "
		"-m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT";
	struct xchain *c = xtable_chain(&r->filter, "KUBE-FORWARD", "");
	unsigned mark = r->x->plan->mark;
	xrule(c,
	      "-m comment --comment \"kubernetes forwarding rules\" -m mark --mark 0x%x/0x%x "
	      "-j ACCEPT",
	      mark, mark);
	if (r->x->layout->one_established) {
		xrule(c, established, "rule");
		return;
	}
	xrule(c, established, "pod source rule");
	xrule(c, established, "pod destination rule");
}

static unsigned proto_number(enum proto p)
{
	static const unsigned numbers[] = {[PROTO_TCP] = 6, [PROTO_UDP] = 17, [PROTO_SCTP] = 132};
	return numbers[p];
}

/* An address of a service answers on the ports of services only, although the node has it. */
static void emit_access(struct rules *r)
{
	static const enum ipvs_set passed[] = {SET_LB, SET_CLUSTER_IP, SET_EXTERNAL_IP,
					       SET_EXTERNAL_IP_LOCAL, SET_HEALTH_CHECK};
	struct xchain *c = xtable_chain(&r->filter, "KUBE-IPVS-FILTER", "");
	for (size_t i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		xrule(c, "-m set --match-set %s %s -j RETURN", ipvs_set_name(passed[i]),
		      passed[i] == SET_HEALTH_CHECK ? "dst" : "dst,dst");
	xrule(c,
	      "-m conntrack --ctstate NEW -m set --match-set %s dst "
	      "-j REJECT --reject-with icmp-port-unreachable",
	      ipvs_set_name(SET_IPVS_IPS));
	c = xtable_chain(&r->filter, "KUBE-IPVS-OUT-FILTER", "");
	vec_foreach (const struct ipvs_closed, o, &r->x->closed)
		xrule(c, "-s %s/32 -m ipvs --vproto %u --vaddr %s --vport %u -j DROP", IP4(o->vip),
		      proto_number(o->p->port->port->proto), IP4(o->vip), o->p->port->port->port);
}

static void emit_filter(struct rules *r)
{
	const struct ipvs_layout *l = r->x->layout;
	emit_filter_jumps(r);
	emit_forward(r);
	if (l->health)
		xrule(xtable_chain(&r->filter, "KUBE-NODE-PORT", ""),
		      "-m comment --comment \"%s\" -m set --match-set %s dst -j ACCEPT",
		      ipvs_set_comment(SET_HEALTH_CHECK), ipvs_set_name(SET_HEALTH_CHECK));
	if (l->own_firewall) {
		struct xchain *c = xtable_chain(&r->filter, "KUBE-PROXY-FIREWALL", "");
		r->fw = xtable_chain(&r->filter, "KUBE-SOURCE-RANGES-FIREWALL", "");
		match(r, c, SET_LB_FW, "", "dst,dst", "KUBE-SOURCE-RANGES-FIREWALL");
		emit_ranges(r, "DROP");
	}
	if (l->access)
		emit_access(r);
}

void ipvs_write_rules(struct ipvs *x)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	struct rules r = {
		.x = x,
		.filter = {.arena = x->arena, .name = "filter"},
		.nat = {.arena = x->arena, .name = "nat"},
	};
	emit_filter(&r);
	emit_nat(&r);
	xtable_print(&r.filter, &text);
	xtable_print(&r.nat, &text);
	x->ret->rules = arena_strdup(x->arena, strbuf_str(&text));
}
