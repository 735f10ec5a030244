/* SPDX-License-Identifier: MIT */
/*
 * visits: rule trace messages put together to passes of one packet through one base chain, each
 * with the flight it belongs to. nf_tables' trace id is no packet id (it changes with the headers
 * and is used again): only the headers join.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/lookup.h"
#include "lib/recording/packet.h"
#include "lib/recording/reduce.h"

#define OPEN_VISITS 4 /* packets in netfilter at once, in one namespace: few processors */
#define OWN_TABLE   "labd_trace"

static const char *const hook_names[] = {"",	    "PREROUTING", "INPUT",
					 "FORWARD", "OUTPUT",	  "POSTROUTING"};

const char *hook_str(enum hook h)
{
	return hook_names[h];
}

static enum hook hook_named(const char *s)
{
	for (unsigned i = 1; s && i < ARRAY_SIZE(hook_names); i++)
		if (!strcasecmp(s, hook_names[i]))
			return (enum hook)i;
	return HOOK_NONE;
}

/* num: NF_INET_*, -1 when the message does not say. HOOK_NONE: no base chain. */
enum hook hook_of(const struct rec_ns *n, const char *table, const char *chain, int num)
{
	if (num >= 0 && num <= 4)
		return (enum hook)(num + 1);
	for (size_t i = 0; n && i < n->chains.n; i++)
		if (streq(n->chains.v[i].table, table) && streq(n->chains.v[i].chain, chain))
			return hook_named(n->chains.v[i].hook);
	return hook_named(chain);
}

static int by_stream(const void *pa, const void *pb, void *arg)
{
	const struct recording *r = arg;
	const int *ia = pa, *ib = pb;
	const struct rec_match *a = &r->matches.v[*ia], *b = &r->matches.v[*ib];
	if (a->ns != b->ns)
		return a->ns < b->ns ? -1 : 1;
	if (a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	return *ia < *ib ? -1 : *ia > *ib;
}

static bool is_base(const struct recording *r, const struct rec_match *m)
{
	return hook_of(ns_at(r, m->ns), m->table, m->chain, -1) != HOOK_NONE;
}

/* A tunnel's packet and the one inside of it have one key: what they came by tells them apart. */
static bool same_pass(const struct visit *v, const struct rec_match *m, const struct pkt *p)
{
	return p->key == v->pkt.key && p->ip_id == v->pkt.ip_id && p->tunnel == v->pkt.tunnel &&
	       p->h.encap == v->pkt.h.encap && m->iif == v->iif && m->oif == v->oif;
}

/* Does the message go on with this visit? */
static bool goes_on(const struct red *d, const struct visit *v, const struct rec_match *m,
		    const struct pkt *p)
{
	const struct rec_match *last = &d->r->matches.v[v->matches.v[v->matches.n - 1]];
	if (v->ns != m->ns || v->trace_id != m->trace_id || !streq(v->table, m->table) || v->ended)
		return false;
	if (p->ok && v->pkt.ok && !same_pass(v, m, p))
		return false;
	if (m->hook >= 0 && last->hook >= 0)
		return m->hook == last->hook;
	if (!is_base(d->r, m))
		return true;
	if (m->trace_id) /* nft's own tables may have several base chains at a hook */
		return streq(m->chain, d->r->matches.v[v->matches.v[0]].chain);
	return hook_of(ns_at(d->r, m->ns), m->table, m->chain, -1) == v->hook;
}

static struct visit *open_visit(struct red *d, const struct rec_match *m, const struct pkt *p)
{
	size_t low = d->visits.n > OPEN_VISITS ? d->visits.n - OPEN_VISITS : 0;
	for (size_t i = d->visits.n; i-- > low;)
		if (goes_on(d, &d->visits.v[i], m, p))
			return &d->visits.v[i];
	struct visit *v = vec_push(d->a, &d->visits);
	*v = (struct visit){
		.ns = m->ns,
		.table = m->table,
		.hook = hook_of(ns_at(d->r, m->ns), m->table, m->chain, m->hook),
		.pkt = *p,
		.trace_id = m->trace_id,
		.iif = m->iif,
		.oif = m->oif,
		.physin = m->physin,
		.physout = m->physout,
		.mark_in = m->mark,
		.flight = -1,
		.pos = -1,
	};
	return v;
}

static void take_match(struct red *d, int i)
{
	const struct rec_match *m = &d->r->matches.v[i];
	struct pkt p;
	pkt_read(m->data, m->caplen, PACKET_BARE_IP, &p);
	struct visit *v = open_visit(d, m, &p);
	if (!v->pkt.ok)
		v->pkt = p;
	*vec_push(d->a, &v->matches) = i;
	v->mark = m->mark;
	v->ended = m->kind == REC_POLICY;
}

/* By the inside's own identity; when the message was cut short, by the outer header's. */
static bool belongs(const struct red *d, const struct visit *v, int flight)
{
	const struct pkt *p = &v->pkt;
	if (!p->tunnel)
		return d->fly.v[flight].key == p->key && d->fly.v[flight].ip_id == p->ip_id;
	vec_foreach (const int, i, &d->r->flights.v[flight].sights) {
		const struct pkt *s = &d->pk[*i];
		if (s->h.encap && s->outer_id == p->ip_id && same_tuple(&s->h.outer, &p->h.inner) &&
		    d->r->sights.v[*i].ns == v->ns)
			return true;
	}
	return false;
}

/* Dropped before any device saw it: then the rules are all there is of it. An ICMP error is traced
 * only for what it quotes. */
static bool is_probe(const struct red *d, const struct pkt *p)
{
	return !p->tunnel && (p->quotes || (p->h.inner.proto == PROTO_TCP &&
					    p->h.seq - d->r->probe.isn < ISN_WINDOW));
}

/* A message without headers follows the one before it in the stream. */
static void find_flight(struct red *d, size_t i)
{
	struct visit *v = &d->visits.v[i];
	if (!v->pkt.ok) {
		struct visit *b = i ? v - 1 : NULL;
		if (b && b->ns == v->ns) {
			v->flight = b->flight;
			v->outer = b->outer;
		}
		return;
	}
	v->outer = v->pkt.tunnel || v->pkt.h.encap;
	for (size_t k = 0; k < d->fly.n && v->flight < 0; k++)
		if (belongs(d, v, (int)k))
			v->flight = (int)k;
	if (v->flight < 0 && is_probe(d, &v->pkt))
		v->flight = add_flight(d, &v->pkt, 1);
}

void reduce_visits(struct red *d)
{
	struct recording *r = d->r;
	int *order = arena_new_array(d->a, int, r->matches.n + 1);
	size_t n = 0;
	for (size_t i = 0; i < r->matches.n; i++) {
		const struct rec_match *m = &r->matches.v[i];
		bool own = m->table && !strncmp(m->table, OWN_TABLE, strlen(OWN_TABLE));
		if (!own && m->table && m->chain && ns_at(r, m->ns))
			order[n++] = (int)i;
	}
	qsort_r(order, n, sizeof(*order), by_stream, r);
	for (size_t i = 0; i < n; i++)
		take_match(d, order[i]);
	for (size_t i = 0; i < d->visits.n; i++)
		find_flight(d, i);
}
