/* SPDX-License-Identifier: MIT */
/* See relayed.h. */
#include "labd/trace/relayed.h"

#include <netinet/in.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/cleanup.h"

#define SYN	    0x02
#define SYN_ACK	    0x12
#define TCP_FLAGS   13	   /* offset of the flags in a TCP header */
#define TCP_LEN	    32	   /* a header with the time stamps that Linux puts into each packet */
#define RELAY_BYTES 65536u /* sequence numbers of the second connection that are looked at */

/* ---- before ----------------------------------------------------------------------------------
 */

static const struct csvcport *port_of(const struct cluster *c, const struct target *to)
{
	vec_foreach (const struct csvc, s, &c->services)
		vec_foreach (const struct csvcport, p, &s->ports) {
			bool own = s->cluster_ip == to->ip && p->port->port == to->port;
			if (p->eps.n && (own || (p->node_port && p->node_port == to->port)))
				return p;
		}
	return NULL;
}

/* A packet of that kind to the port, or (at 0) from it. */
static void accept_kind(struct marker *m, unsigned at, uint16_t port, uint8_t flags)
{
	unsigned i = m->n_alts++;
	m->alt[i].n = 2;
	m->alt[i].c[0] = (struct marker_bytes){at, 2, {(uint8_t)(port >> 8), (uint8_t)port}};
	m->alt[i].c[1] = (struct marker_bytes){TCP_FLAGS, 1, {flags}};
}

void relayed_prepare(const struct stored *lab, const struct target *to, struct fire *f,
		     struct marker *m)
{
	static const char digits[] = "0123456789abcdef";
	const struct csvcport *p = port_of(lab->cluster, to);
	uint8_t random[MARKER_COOKIE];
	if (lab->cluster->proxy.mode != PROXY_USERSPACE || !p || m->proto == IPPROTO_ICMP)
		return;
	f->relayed = true;
	if (m->proto == IPPROTO_UDP)
		return; /* what marks it goes through the relay */
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return;
	for (size_t i = 0; i < sizeof(random); i++)
		f->p->cookie[i] = (uint8_t)digits[random[i] & 15];
	accept_kind(m, 2, p->eps.v[0].port, SYN);
	accept_kind(m, 0, p->eps.v[0].port, SYN_ACK);
	unsigned i = m->n_alts++; /* looks deepest: last */
	m->alt[i].n = 1;
	m->alt[i].c[0] =
		(struct marker_bytes){.off = TCP_LEN + FIRE_COOKIE_AT, .len = MARKER_COOKIE};
	memcpy(m->alt[i].c[0].b, f->p->cookie, MARKER_COOKIE);
}

/* ---- afterwards ------------------------------------------------------------------------------
 */

static bool has_cookie(const struct recording *r, const struct rec_sight *s)
{
	return memmem(s->data, s->caplen, r->probe.cookie, MARKER_COOKIE) != NULL;
}

/* The request as the relay sent it on: the first frame with the cookie that is not ours. */
static const struct rec_sight *second_request(const struct recording *r, struct rec_hdr *h)
{
	vec_foreach (const struct rec_sight, s, &r->sights)
		if (packet_parse(s->data, s->caplen, s->hatype, h) && h->inner.proto == 6 &&
		    h->seq - r->probe.isn >= MARKER_WINDOW && has_cookie(r, s))
			return s;
	return NULL;
}

static bool is_ours(const struct recording *r, const struct rec_hdr *h)
{
	const struct rec_probe *p = &r->probe;
	if (h->inner.proto != 6)
		return true; /* an ICMP error quotes what it is about */
	if (h->seq - p->isn < MARKER_WINDOW || h->ack - p->isn < MARKER_WINDOW)
		return true;
	return p->relayed &&
	       (h->seq - p->relay.isn < RELAY_BYTES || h->ack - p->relay.isn < RELAY_BYTES);
}

static void drop_sights(struct recording *r)
{
	size_t n = 0;
	for (size_t i = 0; i < r->sights.n; i++) {
		const struct rec_sight *s = &r->sights.v[i];
		struct rec_hdr h;
		if (!packet_parse(s->data, s->caplen, s->hatype, &h) || is_ours(r, &h))
			r->sights.v[n++] = *s;
	}
	r->sights.n = n;
}

/* A message without headers goes with the one before it in its namespace. */
static void drop_matches(struct recording *r)
{
	size_t n = 0;
	bool *keep = arena_new_array(r->arena, bool, r->ns.n + 1);
	for (size_t i = 0; i < r->ns.n; i++)
		keep[i] = true;
	for (size_t i = 0; i < r->matches.n; i++) {
		const struct rec_match *m = &r->matches.v[i];
		struct rec_hdr h;
		if (m->data && packet_parse_ip(m->data, m->caplen, &h))
			keep[m->ns] = is_ours(r, &h);
		if (keep[m->ns])
			r->matches.v[n++] = *m;
	}
	r->matches.n = n;
}

/* The relay's own datagram: the first from somebody else. */
static const struct rec_sight *second_datagram(const struct recording *r, struct rec_hdr *h)
{
	vec_foreach (const struct rec_sight, s, &r->sights)
		if (packet_parse(s->data, s->caplen, s->hatype, h) && h->inner.proto == 17 &&
		    s->tx && h->inner.src != r->probe.src && h->inner.dst != r->probe.src)
			return s;
	return NULL;
}

void relayed_pick(const struct fire *f, struct recording *r)
{
	struct rec_hdr h;
	bool tcp = strcmp(r->probe.proto, "tcp") == 0;
	if (!f->relayed)
		return;
	const struct rec_sight *s = tcp ? second_request(r, &h) : second_datagram(r, &h);
	if (s) {
		r->probe.relayed = true;
		r->probe.relay = (struct rec_relay){s->ns, tcp ? h.seq - 1 : 0, h.inner};
	}
	if (!tcp)
		return;
	drop_sights(r);
	drop_matches(r);
}
