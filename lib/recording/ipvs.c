/* SPDX-License-Identifier: MIT */
/*
 * ipvs: what ip_vs does to a packet, as steps. It sits at the end of INPUT (a node's own programs:
 * of OUTPUT), where a packet for a virtual server's address arrives because that address is on
 * kube-ipvs0; there it picks a real server, rewrites the destination and sends the packet on
 * through OUTPUT and POSTROUTING (net/netfilter/ipvs: ip_vs_in_hook, ip_vs_nat_xmit). Answers pass
 * FORWARD and are rewritten at its end (ip_vs_out_hook).
 */
#include <string.h>

#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

static bool is_end(ip4 a, uint16_t ap, ip4 b, uint16_t bp)
{
	return a == b && ap == bp;
}

const struct rec_ipvs *ipvs_forward(const struct recording *r, int ns, const struct rec_tuple *t)
{
	vec_foreach (const struct rec_ipvs, c, &r->ipvs)
		if (c->ns == ns && same_tuple(&c->client, t))
			return c;
	return NULL;
}

const struct rec_ipvs *ipvs_reply(const struct recording *r, int ns, const struct rec_tuple *t)
{
	vec_foreach (const struct rec_ipvs, c, &r->ipvs)
		if (c->ns == ns && c->client.proto == t->proto &&
		    is_end(c->dst, c->dport, t->src, t->sport) &&
		    is_end(c->client.src, c->client.sport, t->dst, t->dport))
			return c;
	return NULL;
}

/* As `ipvsadm -Lcn` prints it, without the time that it has left. */
static const char *conn_text(struct arena *a, const struct rec_ipvs *c)
{
	const char *proto = c->client.proto == PROTO_TCP ? "TCP" : "UDP";
	const char *from = arena_printf(a, "%s:%u", IP4(c->client.src), c->client.sport);
	const char *via = arena_printf(a, "%s:%u", IP4(c->client.dst), c->client.dport);
	return arena_printf(a, "%s %s %s %s %s:%u", proto, c->state ? c->state : "?", from, via,
			    IP4(c->dst), c->dport);
}

static void try_service(struct walk *w, int ns, const struct rec_ipvs *c)
{
	const char *real =
		re_quote(w->r->arena, arena_printf(w->r->arena, "%s:%u", IP4(c->dst), c->dport));
	try_cmd(w, ns, arena_printf(w->r->arena, "-> %s .*%s", real, c->forward ? c->forward : ""),
		"ipvsadm -Ln %s %s:%u", c->client.proto == PROTO_TCP ? "-t" : "-u",
		IP4(c->client.dst), c->client.dport);
}

void step_ipvs(struct walk *w, int ns, enum hook hook, const struct rec_ipvs *c)
{
	struct arena *a = w->r->arena;
	const char *vip = arena_printf(a, "%s:%u", IP4(c->client.dst), c->client.dport);
	const char *to = arena_printf(a, "%s:%u", IP4(c->dst), c->dport);
	struct rec_step *s = add_step(w, REC_IPVS, ns, 0);
	s->hook = hook_str(hook);
	s->table = "ip_vs";
	w->cur.inner.dst = s->after.inner.dst = c->dst;
	w->cur.inner.dport = s->after.inner.dport = c->dport;
	if (c->scheduler)
		why(w, REC_REASKED, "ipvs.schedule", "", vip, c->scheduler, to, NULL)->decides =
			true;
	if (c->servers)
		why(w, REC_REASKED, "ipvs.servers", c->servers, vip, NULL);
	why(w, REC_REASKED, "ipvs.conn", conn_text(a, c), NULL)->decides = !c->scheduler;
	if (c->forward)
		why(w, REC_INFERRED, "ipvs.masq", "", c->forward, NULL);
	if (ct_has(w, ns, &c->client))
		why(w, REC_INFERRED, "ipvs.ct", "", ip_text(w, c->dst), NULL);
	const struct rec_if *dev = if_with_addr(ns_at(w->r, ns), c->client.dst);
	note(w, hook == HOOK_INPUT ? "note.ipvs" : "note.ipvs-local",
	     arena_printf(a, "%s (%s)", IP4(c->client.dst), dev ? dev->name : "?"));
	try_service(w, ns, c);
}

void step_ipvs_undo(struct walk *w, int ns, const struct rec_ipvs *c)
{
	const char *was = ip_text(w, c->dst), *to = ip_text(w, c->client.dst);
	struct rec_step *s = add_step(w, REC_IPVS, ns, 0);
	s->hook = hook_str(HOOK_FORWARD);
	s->table = "ip_vs";
	w->cur.inner.src = s->after.inner.src = c->client.dst;
	w->cur.inner.sport = s->after.inner.sport = c->client.dport;
	why(w, REC_REASKED, "ipvs.undo", "", to, was, NULL)->decides = true;
	why(w, REC_REASKED, "ipvs.conn", conn_text(w->r->arena, c), NULL);
	note(w, "note.ipvs-reply", to);
	try_service(w, ns, c);
}
