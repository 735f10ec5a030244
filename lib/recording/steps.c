/* SPDX-License-Identifier: MIT */
/* steps: one flight, step by step: sightings, and between them what must have happened. */
#include <string.h>

#include "lib/recording/emit.h"
#include "lib/recording/ends.h"
#include "lib/recording/lookup.h"

#define GATEWAY_LINK_LOCAL 0xa9fe0101u /* 169.254.1.1, Calico's gateway */

static const struct rec_sight *sight_at(const struct walk *w, int pos)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	return pos < 0 || (size_t)pos >= f->sights.n ? NULL : &w->r->sights.v[f->sights.v[pos]];
}

static const struct rec_hdr *hdr_at(const struct walk *w, int pos)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	return pos < 0 || (size_t)pos >= f->sights.n ? NULL : &w->d->pk[f->sights.v[pos]].h;
}

/* ---- sightings ---- */

static void why_veth(struct walk *w, const struct rec_if *i)
{
	if (!i || !streq(i->kind, "veth") || i->peer_ns < 0 || !i->peer_ifindex)
		return;
	const char *far = arena_printf(w->r->arena, "%s/%s", ns_name(w->r, i->peer_ns),
				       if_name(w->r, i->peer_ns, i->peer_ifindex));
	why(w, REC_INFERRED, "dev.veth", "", i->name, far, NULL);
}

static void try_device(struct walk *w, int ns, const struct rec_if *i)
{
	struct arena *a = w->r->arena;
	if (!i || !i->name)
		return;
	const char *name = re_quote(a, i->name);
	const char *expect =
		i->master ? arena_printf(a, "%s.* master %s", name, re_quote(a, i->master))
			  : arena_printf(a, "%s.* mtu %u", name, i->mtu);
	try_cmd(w, ns, expect, "ip link show dev %s", i->name);
}

/* A translated packet: br_netfilter asks the routes where the new destination is (see
 * br_nf_pre_routing_finish()), and what is behind the same bridge stays in it. */
static void why_bridged_nat(struct walk *w, int ns, const struct rec_if *bridge)
{
	ip4 dst = w->cur.inner.dst;
	if (w->came.inner.dst == dst)
		return;
	size_t n = last_step(w)->why.n;
	why_route(w, ns, dst);
	why(w, REC_INFERRED, "bridge.nat", "", ip_text(w, dst), bridge->name, NULL);
	why_neigh(w, ns, bridge, dst);
	for (; n < last_step(w)->why.n; n++)
		last_step(w)->why.v[n].decides = false; /* the bridge does */
}

/* Out of the port it came in by: only in hairpin mode. */
static void why_hairpin(struct walk *w, int ns, const struct rec_if *in, const struct rec_if *out)
{
	if (!in || in != out)
		return;
	why(w, REC_INFERRED, "bridge.hairpin", "", in->name, NULL);
	try_cmd(w, ns, "hairpin on", "bridge -d link show dev %s", in->name);
}

static void why_bridge(struct walk *w, const struct rec_sight *s, const struct rec_if *i, int pos)
{
	const struct rec_sight *n = sight_at(w, pos + 1), *p = sight_at(w, pos - 1);
	const struct rec_hdr *ph = hdr_at(w, pos - 1);
	const char *mac = mac_text(w, w->cur.dmac);
	if (!s->tx) {
		why(w, REC_OBSERVED, "bridge.up", mac, NULL)->decides = true;
		return;
	}
	why(w, REC_OBSERVED, "bridge.down", "", i->name, NULL);
	const struct rec_if *port =
		n && n->ns == s->ns && n->tx ? if_at(w->r, n->ns, n->ifindex) : NULL;
	const struct rec_if *came =
		p && p->ns == s->ns && !p->tx ? if_at(w->r, p->ns, p->ifindex) : NULL;
	why_hairpin(w, s->ns, came, port);
	if (port) {
		why(w, REC_OBSERVED, "bridge.to-port", mac, port->name, NULL)->decides = true;
		try_cmd(w, s->ns,
			arena_printf(w->r->arena, "%s dev %s", mac,
				     re_quote(w->r->arena, port->name)),
			"bridge fdb show br %s", i->name);
	}
	const struct rec_if *from =
		p && p->ns == s->ns && !p->tx ? if_master(w->r, p->ns, p->ifindex) : NULL;
	if (from == i && ph->ttl == w->cur.ttl) {
		why(w, REC_OBSERVED, "bridge.same", "", i->name, num(w, w->cur.ttl), NULL);
		why_bridged_nat(w, s->ns, i);
		note(w, "note.same-node", num(w, w->cur.ttl));
	}
}

static void why_device(struct walk *w, const struct rec_sight *s, const struct rec_if *i)
{
	if (!i)
		return;
	why_veth(w, i);
	if (i->master && !s->tx)
		why(w, REC_INFERRED, "dev.port", "", i->name, i->master, NULL);
	unsigned ip = s->hatype == 1 && s->len > 14 ? s->len - 14 : s->len;
	if (i->mtu && s->tx)
		why(w, REC_OBSERVED, "dev.mtu", "", i->name, num(w, ip), num(w, i->mtu), NULL);
	if (streq(i->kind, "ipip"))
		note(w, "note.ipip-device", i->name);
}

/* Not for the machines between: what passes there is one step. */
static bool in_fabric(const struct walk *w, int pos)
{
	const struct rec_sight *s = sight_at(w, pos);
	return s && ns_is(w->r, s->ns, "fabric");
}

static void step_underlay(struct walk *w, int pos)
{
	int last = pos;
	const struct rec_sight *s = sight_at(w, pos);
	while (in_fabric(w, last + 1) && sight_at(w, last + 1)->ns == s->ns)
		last++;
	const struct rec_if *a = if_at(w->r, s->ns, s->ifindex);
	const struct rec_sight *e = sight_at(w, last);
	const struct rec_if *b = if_at(w->r, e->ns, e->ifindex);
	struct rec_step *t = add_step(w, REC_BRIDGE, s->ns, s->ifindex);
	t->outer = w->cur.encap;
	why(w, REC_OBSERVED, "dev.seen", hdr_text(w->r->arena, &w->cur),
	    if_name(w->r, s->ns, s->ifindex), "in", NULL);
	why(w, REC_INFERRED, "underlay", "", a && a->peer_ns >= 0 ? ns_name(w->r, a->peer_ns) : "?",
	    b && b->peer_ns >= 0 ? ns_name(w->r, b->peer_ns) : "?", NULL);
}

static enum rec_step_kind kind_of(const struct walk *w, int pos, const struct rec_if *i)
{
	const struct rec_sight *s = sight_at(w, pos), *p = sight_at(w, pos - 1);
	const struct rec_hdr *ph = hdr_at(w, pos - 1);
	if (!s->tx && p && p->ns == s->ns && ph->encap && !hdr_at(w, pos)->encap)
		return REC_DECAP;
	if (i && streq(i->kind, "bridge"))
		return REC_BRIDGE;
	return s->tx ? REC_DEV_TX : REC_DEV_RX;
}

static void step_sight(struct walk *w, int pos)
{
	const struct rec_sight *s = sight_at(w, pos);
	const struct rec_if *i = if_at(w->r, s->ns, s->ifindex);
	const struct rec_sight *p = sight_at(w, pos - 1);
	bool fabric = in_fabric(w, pos);
	if (fabric && pos && p->ns == s->ns)
		return;
	uint32_t mark = p && p->ns == s->ns ? w->cur.mark : 0;
	struct rec_hdr was = w->cur;
	w->cur = *hdr_at(w, pos);
	w->cur.mark = mark;
	if (!p || p->ns != s->ns)
		w->came = w->cur;
	if (fabric) {
		step_underlay(w, pos);
	} else {
		enum rec_step_kind kind = kind_of(w, pos, i);
		struct rec_step *t = add_step(w, kind, s->ns, s->ifindex);
		if (kind == REC_DECAP)
			t->before = was;
		t->outer = w->cur.encap;
		why(w, REC_OBSERVED, "dev.seen", hdr_text(w->r->arena, &w->cur),
		    if_name(w->r, s->ns, s->ifindex), s->tx ? "out" : "in", NULL);
		if (kind == REC_DECAP && i)
			why_decap(w, s->ns, &was, i);
		if (kind == REC_BRIDGE)
			why_bridge(w, s, i, pos);
		why_device(w, s, i);
		if (s->csum_pending && pos == 0)
			why(w, REC_OBSERVED, "dev.csum", "", NULL);
		try_device(w, s->ns, i);
	}
	last_step(w)->t = s->t;
	last_step(w)->sight = w->r->flights.v[w->flight].sights.v[pos];
}

/* ---- gaps ---- */

/* Rules of the forwarding hooks were met, and not for a frame that the bridge merely passes on. */
static bool forwarded(const struct walk *w, const struct gap_in *g)
{
	vec_foreach (const struct visit, v, &w->d->visits)
		if (v->flight == w->flight && v->pos == g->pos && v->ns == g->ns && !v->outer &&
		    (v->hook == HOOK_FORWARD) && (v->iif != v->oif || !v->physin))
			return true;
	return false;
}

static bool is_routed(const struct walk *w, const struct gap_in *g)
{
	if (!g->p || g->p->tx)
		return false;
	if (!g->n)
		return forwarded(w, g);
	return g->n->tx && g->ph->ttl != g->nh->ttl && !(g->ph->encap && g->nh->encap);
}

void step_bridged(struct walk *w, const struct gap_in *g)
{
	if (!g->p || !g->n || g->p->tx || !g->n->tx || ns_is(w->r, g->ns, "fabric"))
		return;
	const struct rec_if *m = if_master(w->r, g->ns, g->p->ifindex);
	if (!m || m != if_master(w->r, g->ns, g->n->ifindex) || g->ph->ttl != g->nh->ttl)
		return;
	add_step(w, REC_BRIDGE, g->ns, m->ifindex);
	why(w, REC_OBSERVED, "bridge.same", "", m->name, num(w, w->cur.ttl), NULL)->decides = true;
	const char *mac = mac_text(w, g->nh->dmac), *port = if_name(w->r, g->ns, g->n->ifindex);
	why(w, REC_OBSERVED, "bridge.to-port", mac, port, NULL);
	why_bridged_nat(w, g->ns, m);
	why_hairpin(w, g->ns, if_at(w->r, g->ns, g->p->ifindex), if_at(w->r, g->ns, g->n->ifindex));
	int nf = bridge_nf(ns_at(w->r, g->ns));
	if (nf >= 0)
		why(w, REC_OBSERVED, "bridge.nf", nf ? "1" : "0", "", ns_name(w->r, g->ns), NULL);
	if (!w->r->flights.v[w->flight].reply)
		note(w, "note.same-node", num(w, w->cur.ttl));
	else if (!nf)
		note(w, "note.reply-lost-nat", ip_text(w, w->cur.inner.src));
	try_cmd(w, g->ns, arena_printf(w->r->arena, "%s dev %s", mac, re_quote(w->r->arena, port)),
		"bridge fdb show br %s", m->name);
}

static void between(struct walk *w, int pos)
{
	struct gap_in g = {
		.pos = pos,
		.p = sight_at(w, pos),
		.n = sight_at(w, pos + 1),
		.ph = hdr_at(w, pos),
		.nh = hdr_at(w, pos + 1),
	};
	g.ns = g.p ? g.p->ns : g.n ? g.n->ns : first_ns(w);
	if (g.p && g.n && g.p->ns != g.n->ns) {
		g.n = NULL;
		g.nh = NULL;
	}
	if (ns_is(w->r, g.ns, "fabric"))
		return;
	g.routed = is_routed(w, &g);
	bool unwrapping = g.ph && g.ph->encap, wrapping = g.nh && g.nh->encap;
	if (unwrapping) {
		hooks_outer(w, &g);
		if (wrapping && g.n->tx && g.ph->outer_ttl != g.nh->outer_ttl)
			step_route_outer(w, &g);
		return;
	}
	bool leaves = g.n && g.n->tx;
	const struct gap_in in = {g.pos, g.p, g.n, g.ph, wrapping ? NULL : g.nh, g.ns, g.routed};
	hooks_inner(w, &in);
	const struct rec_if *dev = leaves ? if_at(w->r, g.ns, g.n->ifindex) : NULL;
	bool named = next_hop(w->r, g.ns, w->cur.inner.dst) == GATEWAY_LINK_LOCAL;
	if (leaves && !wrapping && (g.routed || !g.p) && dev &&
	    (streq(dev->kind, "vxlan") || (named && !g.p)))
		step_neigh(w, &g);
	if (wrapping) {
		step_tunnel(w, &g);
		hooks_outer(w, &g);
	}
}

/* What a visitor at the first hook says of the packet before any translation. */
static void begin(struct walk *w)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	w->cur = f->sights.n ? *hdr_at(w, 0) : f->hdr;
	w->cur.encap = false;
	w->cur.smac = w->cur.dmac = (struct mac){{0}};
	vec_foreach (const struct visit, v, &w->d->visits)
		if (v->flight == w->flight && v->pos < 0 && v->pkt.ok && !v->outer &&
		    v->ns == (f->sights.n ? sight_at(w, 0)->ns : w->r->probe.from_ns)) {
			w->cur.inner = v->pkt.h.inner;
			w->cur.ttl = v->pkt.h.ttl;
			break;
		}
	w->came = w->cur;
}

/* ---- next lines ---- */

/* Over the network between the machines: to the one where it is seen next. */
static void name_underlay(struct walk *w, struct rec_step *s, const struct rec_step *n)
{
	bool last = n == last_step(w);
	s->next_key = "next.underlay";
	s->next = last ? NULL : ns_name(w->r, n[1].ns);
}

static void name_next(struct walk *w, struct rec_step *s, const struct rec_step *n)
{
	struct arena *a = w->r->arena;
	const char *dev = if_name(w->r, n->ns, n->ifindex);
	const char *place = arena_printf(a, "%s/%s", ns_name(w->r, n->ns), dev);
	static const char *const keys[] = {
		[REC_DEV_TX] = "next.device",	 [REC_BRIDGE] = "next.bridge",
		[REC_HOOK] = "next.hook",	 [REC_DNAT] = "next.hook",
		[REC_SNAT] = "next.hook",	 [REC_UNNAT] = "next.undo",
		[REC_CT_STEP] = "next.hook",	 [REC_FDB] = "next.fdb",
		[REC_ENCAP] = "next.encap",	 [REC_DECAP] = "next.decap",
		[REC_DELIVER] = "next.deliver",	 [REC_APP_RECV] = "next.program",
		[REC_DROP] = "next.end",	 [REC_LOST] = "next.end",
		[REC_NEIGH] = "next.neigh",	 [REC_ICMP_ERROR] = "next.end",
		[REC_ROUTE] = "next.route",	 [REC_DEV_RX] = "next.cross",
		[REC_APP_SEND] = "next.program", [REC_IPVS] = "next.ipvs",
	};
	s->next_key = keys[n->kind];
	s->next = dev;
	if (n->kind == REC_HOOK || n->kind == REC_DNAT || n->kind == REC_SNAT ||
	    n->kind == REC_IPVS)
		s->next = n->hook;
	else if (n->kind == REC_ROUTE || n->kind == REC_NEIGH)
		s->next = ip_text(w, n->outer ? n->before.outer.dst : n->before.inner.dst);
	else if (n->kind == REC_DEV_RX)
		s->next = place;
	else if (n->kind == REC_DELIVER || n->kind == REC_APP_RECV)
		s->next = ns_name(w->r, n->ns);
	else if (n->kind == REC_UNNAT)
		s->next = NULL;
	else if (n->kind == REC_BRIDGE && ns_is(w->r, n->ns, "fabric"))
		name_underlay(w, s, n);
	if (n->kind == REC_NEIGH)
		s->next = ip_text(w, next_hop(w->r, n->ns, n->before.inner.dst));
}

static const char *next_flight(const struct walk *w)
{
	for (size_t k = (size_t)w->flight + 1; k < w->d->fly.n; k++)
		if (w->d->fly.v[k].steps)
			return w->r->flights.v[k].title;
	return NULL;
}

static void name_all_next(struct walk *w, size_t first)
{
	struct recording *r = w->r;
	int dnat = -1; /* namespace of the last translation */
	for (size_t i = first; i + 1 < r->steps.n; i++) {
		struct rec_step *s = &r->steps.v[i];
		dnat = s->kind == REC_DNAT ? s->ns : dnat;
		name_next(w, s, s + 1);
		if (s[1].kind == REC_ROUTE && s[1].ns == dnat)
			s->next_key = "next.route-new";
	}
	if (r->steps.n == first)
		return;
	struct rec_step *s = last_step(w);
	s->next = next_flight(w);
	s->next_key = s->next ? "next.reply" : "next.end";
}

void reduce_steps(struct red *d, int flight)
{
	struct walk w = {.d = d, .r = d->r, .a = d->a, .flight = flight};
	size_t first = d->r->steps.n;
	size_t sights = d->r->flights.v[flight].sights.n;
	begin(&w);
	step_begin(&w);
	for (int pos = -1; pos < (int)sights; pos++) {
		if (pos >= 0)
			step_sight(&w, pos);
		between(&w, pos);
	}
	step_end(&w);
	name_all_next(&w, first);
	d->r->flights.v[flight].first_step = (int)first;
	d->r->flights.v[flight].n_steps = (int)(d->r->steps.n - first);
}
