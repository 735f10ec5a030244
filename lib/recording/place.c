/* SPDX-License-Identifier: MIT */
/*
 * place: between which sightings did a visit happen? The rule stream has no clock of its own;
 * inside a namespace it is in order. A visit goes into the gap where its devices fit and where the
 * header changes from what it was on entry: this gets br_netfilter right, whose PREROUTING names
 * the bridge but runs at the port.
 */
#include "lib/recording/lookup.h"
#include "lib/recording/reduce.h"

#define NO_FIT -1000

/* A gap of one flight: between these sightings of its namespace. */
struct gap {
	int before, after; /* positions in the flight's sightings; -1 none */
};

struct placer {
	struct red *d;
	const struct rec_flight *f;
	int ns;
};

static const struct rec_sight *sight(const struct placer *p, int pos)
{
	return pos < 0 ? NULL : &p->d->r->sights.v[p->f->sights.v[pos]];
}

static const struct rec_hdr *hdr(const struct placer *p, int pos)
{
	return pos < 0 ? NULL : &p->d->pk[p->f->sights.v[pos]].h;
}

/* Is the sighting's device the one that the visit names, or a port of it? */
static int dev_fits(const struct placer *p, const struct rec_sight *s, int dev, int phys)
{
	if (!s)
		return 0;
	if (phys)
		return s->ifindex == phys ? 4 : 0;
	if (!dev)
		return 0;
	if (s->ifindex == dev)
		return 2;
	const struct rec_if *m = if_master(p->d->r, p->ns, s->ifindex);
	bool nf = !s->tx && bridge_nf(ns_at(p->d->r, p->ns)) == 1;
	return m && m->ifindex == dev ? (nf ? 3 : 1) : 0;
}

/* The header as it was on entry fits what was seen before. */
static int entry_fits(const struct visit *v, const struct rec_hdr *h)
{
	if (!h || !v->pkt.ok)
		return 0;
	const struct rec_tuple *seen = v->pkt.tunnel && h->encap ? &h->outer : &h->inner;
	return same_tuple(&v->pkt.h.inner, seen) ? 2 : -4;
}

/* Behind PREROUTING the destination may be another. That the source is another says nothing: that
 * is POSTROUTING's to change. */
static int changes(const struct visit *v, const struct rec_hdr *n)
{
	if (!n || !v->pkt.ok || v->pkt.tunnel)
		return 0;
	const struct rec_tuple *was = &v->pkt.h.inner;
	bool port = was->proto != PROTO_ICMP && was->dport != n->inner.dport;
	return was->dst != n->inner.dst || port ? 2 : 0;
}

/* Inside or outside of a tunnel's headers must agree with the visit on the side where it counts. */
static bool layer(const struct visit *v, const struct rec_hdr *h)
{
	return !h || h->encap == v->outer;
}

/* INPUT runs when the bridge itself has taken the frame, not at the port as br_netfilter's
 * PREROUTING does. */
static int input_fits(const struct rec_sight *s, const struct visit *v)
{
	return s->ifindex == v->iif ? 2 : 0;
}

static int score_in(const struct placer *p, const struct visit *v, struct gap g)
{
	const struct rec_sight *s = sight(p, g.before), *n = sight(p, g.after);
	const struct rec_hdr *h = hdr(p, g.before);
	if (!s || s->tx || !layer(v, h))
		return NO_FIT;
	int dev = v->hook == HOOK_INPUT ? input_fits(s, v) : dev_fits(p, s, v->iif, v->physin);
	if (!dev && v->iif)
		return NO_FIT;
	int x = dev + entry_fits(v, h);
	if (v->hook == HOOK_PREROUTING)
		return x + changes(v, hdr(p, g.after));
	if (v->hook == HOOK_INPUT && n && n->tx && hdr(p, g.after)->encap == v->outer)
		x -= 2; /* what is delivered does not go out again (but by ip_vs) */
	return x;
}

/* What is sent from here: nothing of its layer was seen here before. Its device is not asked: a
 * translation may have led it elsewhere. */
static int score_output(const struct placer *p, const struct visit *v, struct gap g)
{
	const struct rec_hdr *h = hdr(p, g.before), *n = hdr(p, g.after);
	bool first = v->outer ? h && !h->encap : !h;
	if (!first || (n && (!sight(p, g.after)->tx || n->encap != v->outer)))
		return NO_FIT;
	return n ? 2 : 1;
}

static int score_out(const struct placer *p, const struct visit *v, struct gap g)
{
	const struct rec_sight *s = sight(p, g.before), *n = sight(p, g.after);
	if (n && (!n->tx || !layer(v, hdr(p, g.after))))
		return NO_FIT;
	if (!n && s && s->tx && hdr(p, g.before)->encap == v->outer)
		return NO_FIT; /* it went out already */
	if (!n && s && hdr(p, g.before)->encap && !v->outer)
		return NO_FIT;
	int dev = dev_fits(p, n, v->oif, v->physout);
	if (n && v->oif && !dev)
		return NO_FIT;
	if (v->hook == HOOK_FORWARD) {
		/* Translated to a pod of the same bridge, it goes out by the bridge's own device
		 * (br_nf_pre_routing_finish_bridge) before it is forwarded to the port. */
		bool bridged = s && s->tx && v->iif == v->oif && s->ifindex == v->iif;
		if (!s || !layer(v, hdr(p, g.before)) || (s->tx && !bridged))
			return NO_FIT;
		return dev + (bridged ? 5 : dev_fits(p, s, v->iif, v->physin));
	}
	return n ? dev + 1 : 0;
}

static int score(const struct placer *p, const struct visit *v, struct gap g)
{
	switch (v->hook) {
	case HOOK_PREROUTING:
	case HOOK_INPUT:
		return score_in(p, v, g);
	case HOOK_OUTPUT:
		return score_output(p, v, g);
	case HOOK_FORWARD:
	case HOOK_POSTROUTING:
		return score_out(p, v, g);
	default:
		return NO_FIT;
	}
}

/* Where it is told: right after what came in, or right before what goes out. */
static int told_at(const struct visit *v, struct gap g)
{
	bool leaving = v->hook == HOOK_OUTPUT || v->hook == HOOK_POSTROUTING;
	if (leaving && g.after >= 0)
		return g.after - 1;
	return g.before;
}

/* The gaps of this namespace, in order; n+1 of them. */
static size_t gaps(const struct placer *p, struct gap *ret)
{
	size_t n = 0;
	int last = -1;
	for (size_t i = 0; i < p->f->sights.n; i++) {
		if (sight(p, (int)i)->ns != p->ns)
			continue;
		ret[n++] = (struct gap){last, (int)i};
		last = (int)i;
	}
	ret[n++] = (struct gap){last, -1};
	return n;
}

static void place_in(struct placer *p, int flight, struct gap *g)
{
	size_t n = gaps(p, g), at = 0;
	vec_foreach (struct visit, v, &p->d->visits) {
		if (v->flight != flight || v->ns != p->ns)
			continue;
		size_t best = at;
		int top = NO_FIT;
		for (size_t i = at; i < n; i++) {
			int s = score(p, v, g[i]);
			if (s > top) {
				top = s;
				best = i;
			}
		}
		at = best; /* nothing fits: where the one before it was */
		v->pos = told_at(v, g[best]);
	}
}

void place_visits(struct red *d)
{
	for (size_t k = 0; k < d->fly.n; k++) {
		const struct rec_flight *f = &d->r->flights.v[k];
		if (!d->fly.v[k].steps)
			continue;
		struct gap *g = arena_new_array(d->a, struct gap, f->sights.n + 2);
		for (size_t ns = 0; ns < d->r->ns.n; ns++)
			place_in(&(struct placer){d, f, (int)ns}, (int)k, g);
	}
}
