/* SPDX-License-Identifier: MIT */
/*
 * relay: connections that end at kube-proxy's relay (userspace mode) and go on as another one. A
 * flight's leg is 0 on the probe's own connection, 1 on the relay's. That both belong together is
 * known by the request: its bytes are the same in both. (A datagram has its marker in its bytes.)
 */
#include <string.h>

#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define RELAY_BYTES 65536u /* sequence numbers of the relay's connection */

bool relay_is_forward(const struct rec_probe *p, const struct pkt *k)
{
	const struct rec_tuple *t = &p->relay.tuple;
	if (!p->relayed)
		return false;
	if (k->h.inner.proto == PROTO_TCP)
		return k->h.seq - p->relay.isn < RELAY_BYTES;
	return k->h.inner.dport == t->dport && k->h.inner.sport == t->sport;
}

/* By the sequence numbers; a datagram by who is at the other end than the pod. */
static bool on_relays(const struct rec_probe *p, const struct rec_flight *f)
{
	const struct rec_tuple *t = &f->hdr.inner;
	if (t->proto == PROTO_TCP)
		return (f->reply ? f->hdr.ack : f->hdr.seq) - p->relay.isn < RELAY_BYTES;
	return (f->reply ? t->dst : t->src) != p->src;
}

/* The relay's datagram is no second attempt of the probe's, though it says the same. */
static unsigned attempt_of(const struct red *d, size_t k)
{
	const struct rec_flight *v = d->r->flights.v;
	unsigned n = 1;
	for (size_t i = 0; i < k; i++)
		n += d->fly.v[i].key == d->fly.v[k].key && v[i].leg == v[k].leg;
	return n;
}

void relay_legs(struct red *d)
{
	const struct rec_probe *p = &d->r->probe;
	for (size_t k = 0; p->relayed && k < d->fly.n; k++) {
		struct rec_flight *f = &d->r->flights.v[k];
		f->leg = on_relays(p, f);
		f->attempt = attempt_of(d, k);
	}
}

int relay_last(const struct red *d, int forward)
{
	for (size_t k = 0; k < d->fly.n; k++)
		if (d->fly.v[k].steps && d->r->flights.v[k].leg && !d->r->flights.v[k].reply)
			return (int)k;
	return forward;
}

static const char *end_text(struct walk *w, ip4 ip, uint16_t port)
{
	return arena_printf(w->r->arena, "%s:%u", IP4(ip), port);
}

static const char *cookie_text(struct walk *w)
{
	const struct rec_probe *p = &w->r->probe;
	return arena_strndup(w->r->arena, (const char *)p->cookie, sizeof(p->cookie));
}

bool relay_begin(struct walk *w, int ns)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	const struct rec_tuple *t = &w->cur.inner;
	bool tcp = t->proto == PROTO_TCP;
	if (!f->leg || f->reply || (tcp && strcmp(f->title, "SYN") != 0))
		return false;
	add_step(w, REC_APP_SEND, ns, 0)->has_before = false;
	why(w, REC_INFERRED, tcp ? "relay.dial" : "relay.send", "", ns_name(w->r, ns),
	    end_text(w, t->dst, t->dport), NULL)
		->decides = true;
	if (tcp)
		why(w, REC_OBSERVED, "relay.same", cookie_text(w), NULL);
	note(w, tcp ? "note.relay" : "note.relay-udp", ip_text(w, t->src));
	try_cmd(w, ns,
		arena_printf(w->r->arena, " %s",
			     re_quote(w->r->arena, end_text(w, t->dst, t->dport))),
		"cat /run/kube-proxy.conf");
	return true;
}

/* The probe's own connection, at the relay. */
static bool ends_here(const struct walk *w, int ns)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	return w->r->probe.relayed && !f->leg && !f->reply && ns == w->r->probe.relay.ns;
}

bool relay_end(struct walk *w, int ns, int ifindex)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	const struct rec_tuple *t = &w->cur.inner;
	if (f->leg && f->reply) {
		add_step(w, REC_APP_RECV, ns, ifindex);
		why(w, REC_INFERRED, "relay.answer", "", ns_name(w->r, ns), NULL)->decides = true;
		return true;
	}
	if (!ends_here(w, ns))
		return false;
	add_step(w, REC_DELIVER, ns, ifindex);
	why(w, REC_INFERRED, "relay.accept", "", ns_name(w->r, ns), num(w, t->dport), NULL)
		->decides = true;
	why_ct_confirm(w, ns, t);
	try_cmd(w, ns, arena_printf(w->r->arena, ":%u ", t->dport), "netstat -ltn");
	return true;
}
