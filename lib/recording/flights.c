/* SPDX-License-Identifier: MIT */
/* flights: which sightings are of one packet, in their order, and what that packet is. */
#include <stdlib.h>
#include <string.h>

#include "lib/recording/lookup.h"
#include "lib/recording/reduce.h"

#define RECENT 64 /* flights in the air at once */

static int by_time(const void *pa, const void *pb, void *arg)
{
	const struct recording *r = arg;
	const int *ia = pa, *ib = pb;
	const struct rec_sight *a = &r->sights.v[*ia], *b = &r->sights.v[*ib];
	if (a->t != b->t)
		return a->t < b->t ? -1 : 1;
	if (a->ns == b->ns && a->seq != b->seq)
		return a->seq < b->seq ? -1 : 1;
	if (a->tx != b->tx && a->ns != b->ns)
		return a->tx ? -1 : 1;
	return *ia < *ib ? -1 : *ia > *ib;
}

/* Was it seen at this place already? Then this one is another attempt. */
static bool passed(const struct red *d, const struct rec_flight *f, int i)
{
	const struct rec_sight *s = &d->r->sights.v[i];
	vec_foreach (const int, k, &f->sights) {
		const struct rec_sight *o = &d->r->sights.v[*k];
		if (o->ns == s->ns && o->ifindex == s->ifindex && o->tx == s->tx &&
		    d->pk[*k].h.encap == d->pk[i].h.encap)
			return true;
	}
	return false;
}

static int find(const struct red *d, int i, unsigned *attempts)
{
	const struct recording *r = d->r;
	size_t low = r->flights.n > RECENT ? r->flights.n - RECENT : 0;
	*attempts = 0;
	for (size_t k = r->flights.n; k-- > low;) {
		if (d->fly.v[k].key != d->pk[i].key)
			continue;
		++*attempts;
		if (d->fly.v[k].ip_id == d->pk[i].ip_id && !passed(d, &r->flights.v[k], i))
			return (int)k;
	}
	return -1;
}

static bool is_reply(const struct red *d, const struct pkt *p)
{
	const struct rec_probe *b = &d->r->probe;
	switch (p->h.inner.proto) {
	case PROTO_TCP:
		return p->h.seq - b->isn >= ISN_WINDOW && !relay_is_forward(b, p);
	case PROTO_ICMP:
		return p->h.inner.dport >> 8 != ICMP_ECHO_REQUEST;
	default:
		return p->h.inner.dport != b->dport && !relay_is_forward(b, p);
	}
}

static const char *tcp_title(const struct pkt *p, bool reply)
{
	uint8_t f = p->h.tcp_flags;
	if (f & TCP_RST)
		return "RST";
	if (f & TCP_SYN)
		return f & TCP_ACK ? "SYN-ACK" : "SYN";
	if (f & TCP_FIN)
		return "FIN";
	if (p->payload)
		return reply ? "answer" : "request";
	return "ACK";
}

static const char *title(const struct red *d, const struct pkt *p, bool reply)
{
	bool dns = d->r->probe.dns_name != NULL;
	switch (p->h.inner.proto) {
	case PROTO_TCP:
		return tcp_title(p, reply);
	case PROTO_ICMP:
		if (p->quotes)
			return "ICMP error";
		return reply ? "echo reply" : "echo";
	default:
		if (reply)
			return "answer";
		return dns ? "query" : "request";
	}
}

int add_flight(struct red *d, const struct pkt *p, unsigned attempt)
{
	struct recording *r = d->r;
	bool reply = is_reply(d, p);
	*vec_push(r->arena, &r->flights) = (struct rec_flight){
		.reply = reply,
		.attempt = attempt,
		.title = title(d, p, reply),
		.hdr = p->h,
	};
	*vec_push(d->a, &d->fly) = (struct fly){
		.key = p->key,
		.ip_id = p->ip_id,
		.payload = p->payload,
		.error = p->quotes,
	};
	return (int)r->flights.n - 1;
}

/* Was this kind of ICMP error told already? */
static bool told_error(const struct red *d, size_t k)
{
	for (size_t i = 0; i < k; i++)
		if (d->fly.v[i].error && d->fly.v[i].steps &&
		    d->r->flights.v[i].hdr.inner.dport == d->r->flights.v[k].hdr.inner.dport)
			return true;
	return false;
}

/* Only the packets that open the connection, and those that end it badly, are told step by step:
 * the rest go the same way. */
void choose_flights(struct red *d)
{
	bool have[2][2] = {{false, false}, {false, false}};
	for (size_t k = 0; k < d->fly.n; k++) {
		const struct rec_flight *f = &d->r->flights.v[k];
		struct fly *y = &d->fly.v[k];
		if (f->attempt != 1)
			continue;
		bool answered = d->r->probe.outcome && !strcmp(d->r->probe.outcome, "answered");
		bool bad = y->error || (!answered && !strcmp(f->title, "RST"));
		bool *seen = &have[f->leg != 0][f->reply];
		y->steps = (bad || !*seen) && !(y->error && told_error(d, k));
		if (!bad)
			*seen = true;
	}
}

/* A bridge that does not know where a MAC address is sends a copy to every port. A copy ends at a
 * device that it is not for. */
static bool is_copy(const struct red *d, int i)
{
	const struct rec_sight *s = &d->r->sights.v[i];
	const struct rec_if *x = if_at(d->r, s->ns, s->ifindex);
	struct mac to = d->pk[i].h.dmac;
	return !s->tx && x && streq(x->kind, "veth") && !x->master && !mac_is_zero(to) &&
	       !mac_is_zero(x->mac) && !(to.b[0] & 1) && !same_mac(to, x->mac);
}

static bool has_arrived(const struct red *d, const struct rec_flight *f)
{
	vec_foreach (const int, i, &f->sights) {
		const struct rec_sight *s = &d->r->sights.v[*i];
		if (!s->tx && !d->pk[*i].h.encap && !is_copy(d, *i) &&
		    addr_is_local(ns_at(d->r, s->ns), d->pk[*i].h.inner.dst))
			return true;
	}
	return false;
}

/* Is this where a copy was sent to a device that it is not for? */
static bool leads_to_copy(const struct red *d, const struct rec_flight *f, int i)
{
	const struct rec_sight *s = &d->r->sights.v[i];
	const struct rec_if *x = s->tx ? if_at(d->r, s->ns, s->ifindex) : NULL;
	if (!x || x->peer_ns < 0)
		return false;
	vec_foreach (const int, k, &f->sights) {
		const struct rec_sight *o = &d->r->sights.v[*k];
		if (o->ns == x->peer_ns && o->ifindex == x->peer_ifindex && is_copy(d, *k))
			return true;
	}
	return false;
}

/* Of a packet that came to its end the copies are not its way. Of one that did not, they are all
 * there is. */
static void drop_copies(struct red *d, struct rec_flight *f)
{
	bool *copy = arena_new_array(d->a, bool, f->sights.n + 1);
	size_t n = 0;
	if (!has_arrived(d, f))
		return;
	for (size_t i = 0; i < f->sights.n; i++)
		copy[i] = is_copy(d, f->sights.v[i]) || leads_to_copy(d, f, f->sights.v[i]);
	for (size_t i = 0; i < f->sights.n; i++)
		if (!copy[i])
			f->sights.v[n++] = f->sights.v[i];
	f->sights.n = n;
}

void reduce_flights(struct red *d)
{
	struct recording *r = d->r;
	int *order = arena_new_array(d->a, int, r->sights.n + 1);
	size_t n = 0;
	d->pk = arena_new_array(d->a, struct pkt, r->sights.n + 1);
	for (size_t i = 0; i < r->sights.n; i++) {
		const struct rec_sight *s = &r->sights.v[i];
		pkt_read(s->data, s->caplen, s->hatype, &d->pk[i]);
		bool use = d->pk[i].ok && !d->pk[i].tunnel && !s->timing_run;
		if (use && s->ns >= 0 && (size_t)s->ns < r->ns.n)
			order[n++] = (int)i;
	}
	qsort_r(order, n, sizeof(*order), by_time, r);
	for (size_t i = 0; i < n; i++) {
		unsigned attempts;
		int k = find(d, order[i], &attempts);
		if (k < 0)
			k = add_flight(d, &d->pk[order[i]], attempts + 1);
		*vec_push(r->arena, &r->flights.v[k].sights) = order[i];
	}
	vec_foreach (struct rec_flight, f, &r->flights)
		drop_copies(d, f);
}
