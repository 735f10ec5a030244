/* SPDX-License-Identifier: MIT */
/* flights: which sightings are of one packet, in their order, and what that packet is. */
#include <stdlib.h>
#include <string.h>

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
		.error = p->quotes,
	};
	return (int)r->flights.n - 1;
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
		y->steps = bad || !*seen;
		if (!bad)
			*seen = true;
	}
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
}
