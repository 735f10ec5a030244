/* SPDX-License-Identifier: MIT */
/*
 * mtu: a packet that was too big for the next device of its way. Who drops it: a router, if the
 * packet may not be cut up (ip_forward(), and the IPIP device, which copies that bit), and says so
 * by ICMP 3/4; a bridge's port and the far end of a veth pair (is_skb_forwardable()), in silence.
 * What is still to be cut into segments by the card (GSO) is no packet yet and passes those two.
 */
#include <string.h>

#include "lib/recording/lookup.h"
#include "lib/recording/verdict.h"

#define WORD	   64
#define ETHER_LEN  14
#define IPIP_BYTES 20u

struct limit {
	int ns;
	const struct rec_if *dev; /* too small, NULL when nothing is known */
	unsigned size;		  /* of the packet as IP counts it */
};

static unsigned ip_size(const struct rec_sight *s)
{
	return s->hatype == 1 && s->len > ETHER_LEN ? s->len - ETHER_LEN : s->len;
}

static bool has_df(const struct red *d, const struct end *e)
{
	const struct rec_flight *f = &d->r->flights.v[e->flight];
	return f->sights.n && d->pk[f->sights.v[f->sights.n - 1]].df;
}

/* The device that the route to dst names. */
static const struct rec_if *out_device(const struct recording *r, int ns, ip4 dst)
{
	char dev[WORD];
	const struct rec_ask *q = ask_ip(r, "route", ns, dst);
	const char *line = q && q->answer && !q->error ? q->answer : route_line(ns_at(r, ns), dst);
	return line && line_word(line, "dev", dev, sizeof(dev)) ? if_named(ns_at(r, ns), dev)
								: NULL;
}

/* Of a bridge: the port behind which dst is, when that is one cable away. */
static const struct rec_if *port_to(const struct recording *r, int ns, const char *bridge, ip4 dst)
{
	int there = ns_of_addr(r, dst);
	const struct rec_ns *n = ns_at(r, ns);
	for (size_t i = 0; there >= 0 && i < n->ifs.n; i++)
		if (n->ifs.v[i].peer_ns == there && streq(n->ifs.v[i].master, bridge))
			return &n->ifs.v[i];
	return NULL;
}

/* Sent into a cable: the far end takes only what fits it. */
static struct limit at_cable(const struct red *d, const struct end *e)
{
	const struct rec_if *i = e->dev;
	struct limit l = {.ns = i->peer_ns, .size = ip_size(e->s)};
	if (e->s->tx && streq(i->kind, "veth") && i->peer_ns >= 0)
		l.dev = if_at(d->r, i->peer_ns, i->peer_ifindex);
	return l;
}

/* Into or within a bridge: the port that it has to leave by. */
static struct limit at_bridge(const struct red *d, const struct end *e)
{
	const struct rec_if *m = if_master(d->r, e->ns, e->dev->ifindex);
	struct limit l = {.ns = e->ns, .size = ip_size(e->s)};
	bool routed = m && same_mac(e->h.dmac, m->mac);
	if (!e->s->tx && m && !routed)
		l.dev = port_to(d->r, e->ns, m->name, e->h.encap ? e->h.outer.dst : e->h.inner.dst);
	else if (e->s->tx && streq(e->dev->kind, "bridge"))
		l.dev = port_to(d->r, e->ns, e->dev->name, e->h.inner.dst);
	return l;
}

/* Came in to be passed on, or went into an IPIP device: DF forbids to cut it up. Of what is not
 * yet cut into segments only their upper bound is known. */
static struct limit at_hop(const struct red *d, const struct end *e)
{
	struct limit l = {.ns = e->ns, .size = e->h.ip_len};
	if (l.size > e->dev->mtu)
		l.size = e->dev->mtu;
	if (!has_df(d, e) || e->h.encap || addr_is_local(e->n, e->h.inner.dst))
		return l;
	if (!e->s->tx) {
		l.dev = out_device(d->r, e->ns, e->h.inner.dst);
	} else if (streq(e->dev->kind, "ipip")) {
		l.dev = out_device(d->r, e->ns, next_hop(d->r, e->ns, e->h.inner.dst));
		l.size += IPIP_BYTES;
	}
	return l;
}

static bool too_big(const struct limit *l)
{
	return l->dev && l->dev->mtu && l->size > l->dev->mtu;
}

/* The ICMP error about it; -1 none. */
static int icmp_flight(const struct red *d)
{
	for (size_t k = 0; k < d->fly.n; k++)
		if (d->fly.v[k].error &&
		    d->r->flights.v[k].hdr.inner.dport == (ICMP_UNREACHABLE << 8 | 4))
			return (int)k;
	return -1;
}

static bool say_mtu(struct red *d, const struct end *e, const struct limit *l, enum rec_how how)
{
	struct end there = *e;
	there.ns = l->ns;
	return lost_at(d, &there, "mtu", l->dev->name,
		       arena_printf(d->r->arena, "%u > %u", l->size, l->dev->mtu), how);
}

/* The sender's own device: it was told at once (EMSGSIZE). */
static bool at_sender(struct red *d, const struct end *e)
{
	const struct rec_if *i = out_device(d->r, e->ns, e->h.inner.dst);
	return lost_at(d, e, "mtu", i ? i->name : NULL,
		       arena_printf(d->r->arena, "> %u", i ? i->mtu : 0), REC_OBSERVED);
}

bool diagnose_mtu(struct red *d, const struct end *e)
{
	if (!e->s)
		return at_sender(d, e);
	if (!e->dev)
		return false;
	struct limit hop = at_hop(d, e), cable = at_cable(d, e), bridge = at_bridge(d, e);
	if (too_big(&hop))
		return say_mtu(d, e, &hop, icmp_flight(d) >= 0 ? REC_OBSERVED : REC_INFERRED);
	if (e->dev->mtu && ip_size(e->s) > e->dev->mtu)
		return false; /* GSO */
	if (too_big(&cable))
		return say_mtu(d, e, &cable, REC_INFERRED);
	return too_big(&bridge) && say_mtu(d, e, &bridge, REC_INFERRED);
}

static void why_icmp(struct walk *w)
{
	int k = icmp_flight(w->d);
	if (k < 0) {
		why(w, REC_OBSERVED, "mtu.silent", "", NULL);
		return;
	}
	const struct rec_flight *f = &w->r->flights.v[k];
	const struct rec_match *m = dropped_by(w->d, k);
	int ns = f->sights.n ? w->r->sights.v[f->sights.v[0]].ns : m ? m->ns : -1;
	why(w, REC_OBSERVED, "mtu.icmp", "", ns_name(w->r, ns), NULL);
	if (w->d->fly.v[k].arrived)
		why(w, REC_OBSERVED, "mtu.icmp-came", "", NULL);
	else if (m)
		why(w, REC_OBSERVED, "mtu.icmp-dropped", rule_text(w->r, m), ns_name(w->r, m->ns),
		    NULL);
	else
		why(w, REC_OBSERVED, "mtu.icmp-lost", "", NULL);
}

void why_mtu(struct walk *w, const struct rec_if *dev)
{
	const struct rec_verdict *v = &w->r->verdict;
	const char *detail = v->args.n > 2 ? v->args.v[2] : "";
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	if (!dev || !f->sights.n)
		return;
	why(w, v->how, "mtu.size", "", arena_strndup(w->r->arena, detail, strcspn(detail, " ")),
	    dev->name, num(w, dev->mtu), NULL);
	if (w->d->pk[f->sights.v[f->sights.n - 1]].df)
		why(w, REC_OBSERVED, "mtu.df", "", NULL);
	why_icmp(w);
	try_cmd(w, v->ns, arena_printf(w->r->arena, "mtu %u ", dev->mtu), "ip link show dev %s",
		dev->name);
}
