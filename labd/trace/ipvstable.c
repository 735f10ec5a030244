/* SPDX-License-Identifier: MIT */
/* See ipvstable.h. */
#include "labd/trace/ipvstable.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/strbuf.h"

#define SERVERS_MAX 64 /* of one virtual server that are told */

static uint8_t proto_of(const char *s)
{
	return strcmp(s, "TCP") == 0 ? IPPROTO_TCP : strcmp(s, "UDP") == 0 ? IPPROTO_UDP : 0;
}

/* Is there a frame of the probe that opens it? Later ones have the same addresses. */
static bool is_seen(const struct recording *r, int ns, const struct rec_tuple *t)
{
	vec_foreach (const struct rec_sight, s, &r->sights) {
		struct rec_hdr h;
		if (s->ns == ns && packet_parse(s->data, s->caplen, s->hatype, &h) &&
		    h.inner.proto == t->proto && h.inner.src == t->src && h.inner.dst == t->dst &&
		    h.inner.sport == t->sport && h.inner.dport == t->dport)
			return true;
	}
	return false;
}

/* A node's own program: the translation happens before any device sees the packet. */
static bool is_probe(const struct recording *r, int ns, const struct rec_tuple *t)
{
	const struct rec_probe *p = &r->probe;
	return p->from_ns == ns && p->dst == t->dst && p->dport == t->dport && p->sport == t->sport;
}

/* "TCP 0AF40202 D28B 0A6BFE2C 0050 0AF40205 0050 TIME_WAIT       118" */
static void conn(struct recording *r, int ns, const char *line)
{
	char proto[8], state[24];
	unsigned src, sport, dst, dport, to, tport;
	if (sscanf(line, "%7s %8X %4X %8X %4X %8X %4X %23s", proto, &src, &sport, &dst, &dport, &to,
		   &tport, state) != 8 ||
	    !proto_of(proto))
		return;
	struct rec_ipvs c = {.ns = ns, .dst = to, .dport = (uint16_t)tport};
	c.client = (struct rec_tuple){.src = src,
				      .dst = dst,
				      .sport = (uint16_t)sport,
				      .dport = (uint16_t)dport,
				      .proto = proto_of(proto)};
	if (!is_seen(r, ns, &c.client) && !is_probe(r, ns, &c.client))
		return;
	c.state = arena_strdup(r->arena, state);
	*vec_push(r->arena, &r->ipvs) = c;
}

/* ---- virtual servers -------------------------------------------------------------------------
 */

struct server {
	unsigned ip, port, weight;
	char forward[16];
};

struct service {
	uint8_t proto;
	unsigned ip, port;
	char scheduler[32];
	struct server v[SERVERS_MAX];
	size_t n;
};

/* As ipvsadm sorts them. */
static int by_address(const void *pa, const void *pb)
{
	const struct server *a = pa, *b = pb;
	if (a->ip != b->ip)
		return a->ip < b->ip ? -1 : 1;
	return a->port < b->port ? -1 : a->port > b->port;
}

static void take_service(struct recording *r, int ns, struct service *s)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	qsort(s->v, s->n, sizeof(*s->v), by_address);
	for (size_t i = 0; i < s->n; i++)
		strbuf_addf(&b, "%s%s:%u weight %u", i ? ", " : "", IP4(s->v[i].ip), s->v[i].port,
			    s->v[i].weight);
	vec_foreach (struct rec_ipvs, c, &r->ipvs) {
		if (c->ns != ns || c->scheduler || c->client.proto != s->proto ||
		    c->client.dst != s->ip || c->client.dport != s->port)
			continue;
		c->scheduler = arena_strdup(r->arena, s->scheduler);
		c->servers = arena_strdup(r->arena, strbuf_str(&b));
		for (size_t i = 0; i < s->n; i++)
			if (s->v[i].ip == c->dst && s->v[i].port == c->dport)
				c->forward = arena_strdup(r->arena, s->v[i].forward);
	}
}

/* "TCP  0A6BFE2C:0050 rr", then "  -> 0AF40205:0050      Masq    1      0          1" */
static void service_line(struct recording *r, int ns, struct service *s, const char *line)
{
	char proto[8];
	struct service next = {.n = 0};
	struct server x;
	if (sscanf(line, " -> %8X:%4X %15s %u", &x.ip, &x.port, x.forward, &x.weight) == 4) {
		if (s->proto && s->n < SERVERS_MAX)
			s->v[s->n++] = x;
		return;
	}
	take_service(r, ns, s);
	if (sscanf(line, "%7s %8X:%4X %31s", proto, &next.ip, &next.port, next.scheduler) == 4)
		next.proto = proto_of(proto);
	*s = next;
}

static const char *next_line(struct arena *a, const char **text)
{
	size_t n = strcspn(*text, "\n");
	const char *line = arena_strndup(a, *text, n);
	*text += n + ((*text)[n] == '\n');
	return line;
}

void ipvstable_parse(struct recording *r, int ns, const char *conns, const char *services)
{
	_arena_ struct arena *a = arena_new();
	struct service s = {.n = 0};
	size_t before = r->ipvs.n;
	while (*conns)
		conn(r, ns, next_line(a, &conns));
	while (*services && r->ipvs.n > before)
		service_line(r, ns, &s, next_line(a, &services));
	take_service(r, ns, &s);
}

void ipvstable_read(struct recording *r, int ns)
{
	_strbuf_ struct strbuf conns = STRBUF_INIT, services = STRBUF_INIT;
	if (file_read("/proc/thread-self/net/ip_vs_conn", MAX_TOTAL_BYTES, &conns, NULL) < 0 ||
	    file_read("/proc/thread-self/net/ip_vs", MAX_TOTAL_BYTES, &services, NULL) < 0)
		return;
	ipvstable_parse(r, ns, strbuf_str(&conns), strbuf_str(&services));
}
