/* SPDX-License-Identifier: MIT */
/*
 * proxy_services: the iptables rules of one service port: how its addresses and node port are
 * caught, its chains, its endpoints. Decides nothing: see proxy_plan.h.
 */
#include <stdio.h>
#include <stdlib.h>

#include "lib/plan/proxy.h"
#include "lib/plan/proxy_emit.h"

static const struct from anybody = {"", ""};

/* The chains of the service port being written; NULL when it has none. */
struct svc_chains {
	const struct svc_plan *p;
	char hash[17];
	struct xchain *svc, *svl, *ext, *fw; /* ext: KUBE-XLB up to 1.23 */
	const char *entry;		     /* where external traffic goes */
	const char **sep;		     /* names, by index into port->eps */
};

/* A rule for one address of a service: "ID WHAT" is the comment, `then` the rest of the rule. */
static void rule_to(struct xchain *c, const struct svc_plan *p, const struct from *from, ip4 ip,
		    const char *what, const char *then)
{
	xrule(c, "%s-d %s/32 %s-p %s -m comment --comment \"%s %s\" -m %s --dport %u %s", from->src,
	      IP4(ip), from->in, p->proto, p->id, what, p->proto, p->port->port->port, then);
}

static void jump_to(struct xchain *c, const struct svc_plan *p, const struct from *from, ip4 ip,
		    const char *what, const char *target)
{
	char then[48];
	snprintf(then, sizeof(then), "-j %s", target);
	rule_to(c, p, from, ip, what, then);
}

/* A rule for a service's node port. */
static void rule_node_port(struct xchain *c, const struct svc_plan *p, const char *src,
			   const char *target)
{
	xrule(c, "%s-p %s -m comment --comment \"%s\" -m %s --dport %u -j %s", src, p->proto, p->id,
	      p->proto, p->port->node_port, target);
}

static const char *refusal(enum svc_fate f)
{
	return f == SVC_DROP ? "-j DROP" : "-j REJECT --reject-with icmp-port-unreachable";
}

static const char *refusal_comment(enum svc_fate f)
{
	return f == SVC_DROP ? "has no local endpoints" : "has no endpoints";
}

static void refuse(struct xchain *c, const struct svc_plan *p, ip4 ip, enum svc_fate f)
{
	if (f != SVC_SERVE)
		rule_to(c, p, &anybody, ip, refusal_comment(f), refusal(f));
}

static void emit_cluster_ip(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	ip4 ip = p->svc->cluster_ip;
	if (p->internal != SVC_SERVE) {
		refuse(e->f_services, p, ip, p->internal);
		return;
	}
	struct xchain *to = p->internal_local ? s->svl : s->svc;
	struct xchain *masq = e->layout->svc_masq ? to : e->services;
	if (e->plan->cluster->proxy.masquerade_all)
		jump_to(masq, p, &anybody, ip, "cluster IP", "KUBE-MARK-MASQ");
	else if (e->knows_pods)
		jump_to(masq, p, &e->not_pods, ip, "cluster IP", "KUBE-MARK-MASQ");
	jump_to(e->services, p, &anybody, ip, "cluster IP", to->name);
}

/* Up to 1.23 external traffic has no chain of its own to be marked in. */
static void emit_external_masq(struct emit *e, const struct svc_chains *s, ip4 ip)
{
	if (e->layout->ext || s->p->external_local)
		return;
	bool in_svc = e->layout->svc_masq;
	jump_to(in_svc ? s->svc : e->services, s->p,
		in_svc && e->knows_pods ? &e->not_pods : &anybody, ip, "external IP",
		"KUBE-MARK-MASQ");
}

static void emit_external_ips(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	vec_foreach (ip4, ip, &p->svc->obj->external_ips) {
		refuse(e->f_external, p, *ip, p->outside);
		if (!p->eps.any)
			continue;
		emit_external_masq(e, s, *ip);
		if (!e->layout->bridged) {
			jump_to(e->services, p, &anybody, *ip, "external IP", s->entry);
			continue;
		}
		const char *then = arena_printf(e->arena,
						"-m physdev ! --physdev-is-in -m addrtype ! "
						"--src-type LOCAL -j %s",
						s->entry);
		rule_to(e->services, p, &anybody, *ip, "external IP", then);
		then = arena_printf(e->arena, "-m addrtype --dst-type LOCAL -j %s", s->entry);
		rule_to(e->services, p, &anybody, *ip, "external IP", then);
	}
}

static void emit_vips(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	vec_foreach (ip4, ip, &p->vips) {
		refuse(e->f_external, p, *ip, p->outside);
		if (!p->eps.any)
			continue;
		jump_to(e->services, p, &anybody, *ip, "loadbalancer IP",
			s->fw ? s->fw->name : s->entry);
		if (!e->f_firewall || !s->fw)
			continue;
		const char *what =
			arena_printf(e->arena, "traffic not accepted by %s", s->fw->name);
		jump_to(e->f_firewall, p, &anybody, *ip, what, "DROP");
	}
}

static void emit_node_port(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	if (p->outside != SVC_SERVE)
		xrule(e->f_external,
		      "-p %s -m comment --comment \"%s %s\" -m addrtype --dst-type LOCAL "
		      "-m %s --dport %u %s",
		      p->proto, p->id, refusal_comment(p->outside), p->proto, p->port->node_port,
		      refusal(p->outside));
	if (!p->eps.any)
		return;
	if (!e->layout->ext && p->external_local)
		rule_node_port(e->nodeports, p, "-s 127.0.0.0/8 ", "KUBE-MARK-MASQ");
	else if (!e->layout->ext)
		rule_node_port(e->layout->svc_masq ? s->svc : e->nodeports, p, "",
			       "KUBE-MARK-MASQ");
	/* Counts who still uses node ports on 127.0.0.1; the rule after it is never reached then.
	 */
	if (e->counters && e->plan->localhost_ports)
		xrule(e->nodeports,
		      "-d 127.0.0.0/8 -p %s -m comment --comment \"%s\" -m %s --dport %u "
		      "-m nfacct --nfacct-name  " PROXY_COUNTER_LOCALHOST " -j %s",
		      p->proto, p->id, p->proto, p->port->node_port, s->entry);
	rule_node_port(e->nodeports, p, "", s->entry);
}

/* The source ranges of the load balancer. A node inside one may also send with the load balancer's
 * address as source: its request never left the node. */
static void emit_ranges(struct xchain *fw, const struct svc_plan *p, const char *entry)
{
	vec_foreach (struct cidr, r, &p->svc->obj->source_ranges) {
		char src[32] = "";
		if (r->len)
			snprintf(src, sizeof(src), "-s %s ", CIDR(cidr_net(*r)));
		xrule(fw, "%s-m comment --comment \"%s loadbalancer IP\" -j %s", src, p->id, entry);
	}
}

static void emit_range_vip(struct xchain *fw, const struct svc_plan *p, ip4 vip, const char *entry)
{
	if (p->node_in_ranges)
		xrule(fw, "-s %s/32 -m comment --comment \"%s loadbalancer IP\" -j %s", IP4(vip),
		      p->id, entry);
}

static void emit_fw(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	if (e->layout->ext) {
		emit_ranges(s->fw, p, s->entry);
		vec_foreach (ip4, vip, &p->vips)
			emit_range_vip(s->fw, p, *vip, s->entry);
		xrule(s->fw,
		      "-m comment --comment \"other traffic to %s will be dropped by "
		      "KUBE-PROXY-FIREWALL\"",
		      p->id);
		return;
	}
	/* Up to 1.24 all of it is written once for each address. */
	vec_foreach (ip4, vip, &p->vips) {
		static const char rule[] = "-m comment --comment \"%s loadbalancer IP\" -j %s";
		if (!p->external_local)
			xrule(s->fw, rule, p->id, "KUBE-MARK-MASQ");
		if (p->ranges) {
			emit_ranges(s->fw, p, s->entry);
			emit_range_vip(s->fw, p, *vip, s->entry);
		} else {
			xrule(s->fw, rule, p->id, s->entry);
		}
		xrule(s->fw, rule, p->id, "KUBE-MARK-DROP");
	}
}

static const char *ep_str(const struct cendpoint *ep, char buf[static 24])
{
	snprintf(buf, 24, "%s:%u", IP4(ep->ip), ep->port);
	return buf;
}
#define EP(ep) ep_str((ep), (char[24]){0})

/* As the kernel has it: 1/n in ten decimals, as a fraction of 2^31. */
static double probability(size_t n)
{
	char decimal[24];
	snprintf(decimal, sizeof(decimal), "%.10f", 1.0 / (double)n);
	return (uint32_t)(strtod(decimal, NULL) * 0x80000000 + 0.5) / (double)0x80000000;
}

/* The match that lets one in n through, kept for the next time. */
static const char *share_of(struct emit *e, size_t n)
{
	const char **memo = n < EMIT_SHARES ? &e->shares[n] : NULL;
	if (memo && *memo)
		return *memo;
	const char *s = arena_printf(e->arena, "-m statistic --mode random --probability %.11f ",
				     probability(n));
	if (memo)
		*memo = s;
	return s;
}

/* A comment on a rule for an endpoint; "" in a large cluster unless it stands always. */
static const char *comment(struct emit *e, bool always, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static const char *comment(struct emit *e, bool always, const char *fmt, ...)
{
	if (e->plan->large && !always)
		return "";
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(e->arena, fmt, ap);
	va_end(ap);
	return arena_printf(e->arena, "-m comment --comment \"%s\" ", text);
}

/* The comment of the rule that sends to ep from KUBE-SVC or KUBE-SVL. */
static const char *comment_to(struct emit *e, const struct svc_plan *p, const struct cendpoint *ep)
{
	if (e->layout->ep_names)
		return comment(e, false, "%s -> %s", p->id, EP(ep));
	return comment(e, false, "%s", p->id);
}

/* A client that came within the timeout goes where it went. */
static void emit_affinity(struct emit *e, struct xchain *c, const struct svc_chains *s,
			  const ep_ptrs *eps)
{
	const struct svc_plan *p = s->p;
	bool xlb = c == s->ext;
	vec_foreach (const struct cendpoint *, ep, eps) {
		const char *sep = s->sep[*ep - p->port->eps.v];
		const char *why = xlb ? comment(e, true, "%s", p->id) : comment_to(e, p, *ep);
		xrule(c,
		      "%s-m recent --rcheck --seconds %u --reap --name %s --mask 255.255.255.255 "
		      "--rsource -j %s",
		      why, p->svc->obj->affinity_seconds, sep, sep);
	}
}

/* Spread over endpoints: the i-th of n rules takes 1/(n-i) of what reaches it. */
static void emit_balance(struct emit *e, struct xchain *c, const struct svc_chains *s,
			 const ep_ptrs *eps)
{
	const struct svc_plan *p = s->p;
	bool xlb = c == s->ext;
	if (p->svc->obj->affinity_client_ip)
		emit_affinity(e, c, s, eps);
	for (size_t i = 0; i < eps->n; i++) {
		const struct cendpoint *ep = eps->v[i];
		const char *why = xlb ? comment(e, true, "Balancing rule %zu for %s", i, p->id)
				      : comment_to(e, p, ep);
		const char *random = i + 1 < eps->n ? share_of(e, eps->n - i) : "";
		xrule(c, "%s%s-j %s", why, random, s->sep[ep - p->port->eps.v]);
	}
}

/* Policy Local: pods and the node itself may still reach every endpoint, the node masqueraded. */
static void emit_shortcuts(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	bool ext = e->layout->ext;
	const char *svc = s->svc->name, *what = ext ? "external destinations" : "LB IP";
	if (e->knows_pods && ext)
		xrule(s->ext,
		      "%s%s-m comment --comment \"pod traffic for %s external destinations\" -j %s",
		      e->pods.src, e->pods.in, p->id, svc);
	else if (e->knows_pods)
		xrule(s->ext,
		      "%s%s-m comment --comment \"Redirect pods trying to reach external "
		      "loadbalancer VIP to clusterIP\" -j %s",
		      e->pods.src, e->pods.in, svc);
	xrule(s->ext,
	      "-m comment --comment \"masquerade LOCAL traffic for %s %s\" "
	      "-m addrtype --src-type LOCAL -j KUBE-MARK-MASQ",
	      p->id, what);
	xrule(s->ext,
	      "-m comment --comment \"route LOCAL traffic for %s %s%s\" "
	      "-m addrtype --src-type LOCAL -j %s",
	      p->id, what, ext ? "" : " to service chain", svc);
}

static void emit_ext(struct emit *e, const struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	if (p->external_local)
		emit_shortcuts(e, s);
	else
		xrule(s->ext,
		      "-m comment --comment \"masquerade traffic for %s external destinations\" "
		      "-j KUBE-MARK-MASQ",
		      p->id);
	if (!e->layout->ext && p->eps.local.n == 0)
		xrule(s->ext,
		      "-m comment --comment \"%s has no local endpoints\" -j KUBE-MARK-DROP",
		      p->id);
	else if (!e->layout->ext)
		emit_balance(e, s->ext, s, &p->eps.local);
	else if (p->outside == SVC_SERVE)
		xrule(s->ext, "-j %s", p->external_local ? s->svl->name : s->svc->name);
}

/* The endpoint's own chain: hairpin traffic is masqueraded, then the DNAT. */
static void emit_sep(struct emit *e, const struct svc_chains *s, const struct cendpoint *ep)
{
	const struct svc_plan *p = s->p;
	const char *name = s->sep[ep - p->port->eps.v], *why = comment(e, false, "%s", p->id);
	struct xchain *c = xtable_chain(&e->nat, name, "");
	xrule(c, "-s %s/32 %s-j KUBE-MARK-MASQ", IP4(ep->ip), why);
	char recent[96] = "";
	if (p->svc->obj->affinity_client_ip)
		snprintf(recent, sizeof(recent),
			 "-m recent --set --name %s --mask 255.255.255.255 --rsource ", name);
	xrule(c, "-p %s %s%s-m %s -j DNAT --to-destination %s", p->proto, why, recent, p->proto,
	      EP(ep));
}

static void make_chains(struct emit *e, struct svc_chains *s)
{
	const struct svc_plan *p = s->p;
	bool ext = e->layout->ext;
	proxy_hash(p->id, p->proto, NULL, s->hash);
	if (p->eps.cluster.n > 0)
		s->svc = xtable_chain(&e->nat, "KUBE-SVC-", s->hash);
	if (ext && p->eps.local.n > 0)
		s->svl = xtable_chain(&e->nat, "KUBE-SVL-", s->hash);
	if (ext && p->eps.any && p->external)
		s->ext = xtable_chain(&e->nat, "KUBE-EXT-", s->hash);
	if (!ext && p->external_local)
		s->ext = xtable_chain(&e->nat, "KUBE-XLB-", s->hash);
	if (p->eps.any && (ext ? p->ranges : p->vips.n > 0))
		s->fw = xtable_chain(&e->nat, "KUBE-FW-", s->hash);
	struct xchain *entry = s->ext ? s->ext : s->svc;
	s->entry = entry ? entry->name : NULL;

	s->sep = arena_new_array(e->arena, const char *, p->port->eps.n + 1);
	vec_foreach (const struct cendpoint *, ep, &p->eps.reachable) {
		char hash[17];
		proxy_hash(p->id, p->proto, EP(*ep), hash);
		s->sep[*ep - p->port->eps.v] = arena_printf(e->arena, "KUBE-SEP-%s", hash);
	}
}

void emit_service(struct emit *e, const struct svc_plan *p)
{
	struct svc_chains s = {.p = p};
	make_chains(e, &s);
	emit_cluster_ip(e, &s);
	emit_external_ips(e, &s);
	emit_vips(e, &s);
	if (s.fw)
		emit_fw(e, &s);
	bool has_addr = e->plan->node_ports_all || e->plan->node_port_addrs.n > 0;
	if (p->port->node_port && (has_addr || e->layout->ext))
		emit_node_port(e, &s);
	else if (p->port->node_port && e->layout->needs_addr)
		return;
	if (p->health_port && e->f_nodeports)
		xrule(e->f_nodeports,
		      "-p tcp -m comment --comment \"%s health check node port\" -m tcp --dport %u "
		      "-j ACCEPT",
		      p->id, p->health_port);
	if (!p->eps.any)
		return;
	if (s.ext)
		emit_ext(e, &s);
	if (s.svc)
		emit_balance(e, s.svc, &s, &p->eps.cluster);
	if (s.svl)
		emit_balance(e, s.svl, &s, &p->eps.local);
	vec_foreach (const struct cendpoint *, ep, &p->eps.reachable)
		emit_sep(e, &s, *ep);
}
