/* SPDX-License-Identifier: MIT */
/* net: routing, neighbours, forwarding databases and tunnels as steps. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define IPIP_BYTES  20u
#define VXLAN_BYTES 50u /* IP 20, UDP 8, VXLAN 8, Ethernet 14 */
#define WORD	    64

static const char *errno_text(int error)
{
	switch (error < 0 ? -error : error) {
	case ENETUNREACH:
		return "Network is unreachable";
	case EINVAL:
		return "Invalid argument (a blackhole route)";
	case EACCES:
		return "Permission denied (a prohibit route)";
	case EHOSTUNREACH:
		return "No route to host";
	case EXDEV:
		return "Invalid cross-device link (rp_filter)";
	default:
		return "error";
	}
}

ip4 next_hop(const struct recording *r, int ns, ip4 dst)
{
	char word[WORD];
	ip4 via;
	const struct rec_ask *q = ask_ip(r, "route", ns, dst);
	if (q && q->via)
		return q->via;
	const char *line = q && q->answer ? q->answer : route_line(ns_at(r, ns), dst);
	return line_word(line, "via", word, sizeof(word)) && ip4_parse(word, &via) ? via : dst;
}

static bool names_ip(const char *text, const char *ip)
{
	size_t n = strlen(ip);
	for (const char *p = text; p && (p = strstr(p, ip)); p += n) {
		bool begins = p == text || !strchr("0123456789.", p[-1]);
		if (begins && (!p[n] || !strchr("0123456789.", p[n])))
			return true;
	}
	return false;
}

/* Looked up while the packet was there, where the kernel let us see it. */
static void why_fib(struct walk *w, ip4 dst)
{
	const char *text = ip_text(w, dst);
	uint64_t t = last_seen(w);
	vec_foreach (const struct rec_perf, p, &w->r->perfs)
		if (t && p->t >= t && p->t - t < SOON_NS && streq(p->kind, "fib") &&
		    names_ip(p->text, text)) {
			why(w, REC_OBSERVED, "route.fib", p->text, text, NULL);
			return;
		}
}

void why_route(struct walk *w, int ns, ip4 dst)
{
	const struct rec_ask *q = ask_ip(w->r, "route", ns, dst);
	const char *line = route_line(ns_at(w->r, ns), dst);
	const char *ip = ip_text(w, dst);
	if (ns_is(w->r, ns, "node"))
		why_fib(w, dst);
	if (q && q->error)
		why(w, REC_REASKED, "route.none",
		    q->answer && *q->answer ? q->answer : errno_text(q->error), ip, NULL)
			->decides = true;
	else if (q && q->answer)
		why(w, REC_REASKED, "route.asked", q->answer, ip, NULL)->decides = true;
	else if (addr_is_local(ns_at(w->r, ns), dst))
		why(w, REC_INFERRED, "route.local", "", ip, NULL)->decides = true;
	else if (line)
		why(w, REC_INFERRED, "route.table", line, ip, NULL)->decides = true;
}

static void try_route(struct walk *w, int ns, ip4 dst)
{
	char dev[WORD];
	const struct rec_ask *q = ask_ip(w->r, "route", ns, dst);
	const char *line = q && q->answer ? q->answer : route_line(ns_at(w->r, ns), dst);
	if (!line || !line_word(line, "dev", dev, sizeof(dev)))
		return;
	const char *expect = arena_printf(w->r->arena, "dev %s", re_quote(w->r->arena, dev));
	try_cmd(w, ns, expect, "ip route get %s", IP4(dst));
}

/* The device that the route names; 0 when there is none. */
static int route_device(const struct recording *r, int ns, ip4 dst)
{
	char dev[WORD];
	const struct rec_ask *q = ask_ip(r, "route", ns, dst);
	const char *line = q && q->answer ? q->answer : route_line(ns_at(r, ns), dst);
	const struct rec_if *i = line && line_word(line, "dev", dev, sizeof(dev))
					 ? if_named(ns_at(r, ns), dev)
					 : NULL;
	return i ? i->ifindex : 0;
}

void step_route(struct walk *w, const struct gap_in *g, uint8_t ttl)
{
	ip4 dst = w->cur.inner.dst;
	struct rec_step *s = add_step(w, REC_ROUTE, g->ns,
				      g->n ? g->n->ifindex : route_device(w->r, g->ns, dst));
	ttl = ttl ? ttl : g->nh ? g->nh->ttl : 0;
	if (ttl && ttl < w->cur.ttl) {
		w->cur.ttl = ttl;
		s->after.ttl = ttl;
	}
	why_route(w, g->ns, dst);
	s = last_step(w);
	if (s->before.ttl != s->after.ttl)
		why(w, REC_OBSERVED, "route.ttl", "", num(w, s->before.ttl), num(w, s->after.ttl),
		    NULL);
	try_route(w, g->ns, dst);
}

void step_route_outer(struct walk *w, const struct gap_in *g)
{
	struct rec_step *s = add_step(w, REC_ROUTE, g->ns, g->n->ifindex);
	s->outer = true;
	w->cur.outer_ttl = s->after.outer_ttl = g->nh->outer_ttl;
	why_route(w, g->ns, w->cur.outer.dst);
	why(w, REC_OBSERVED, "route.ttl", "", num(w, g->ph->outer_ttl), num(w, g->nh->outer_ttl),
	    NULL);
	try_route(w, g->ns, w->cur.outer.dst);
}

void why_neigh(struct walk *w, int ns, const struct rec_if *dev, ip4 hop)
{
	const struct rec_ask *q = ask_ip(w->r, "neigh", ns, hop);
	const struct rec_neigh *e = dev ? neigh_at(ns_at(w->r, ns), dev->ifindex, hop) : NULL;
	const char *ip = ip_text(w, hop);
	if (q && q->error)
		why(w, REC_REASKED, "neigh.none", q->answer, ip, NULL);
	else if (q && q->answer)
		why(w, REC_REASKED, "neigh.asked", q->answer, ip, NULL)->decides = true;
	else if (e)
		why(w, REC_INFERRED, "neigh.table",
		    arena_printf(w->r->arena, "%s %s", MAC(e->mac), e->state ? e->state : ""), ip,
		    NULL)
			->decides = true;
}

/* Who gets the frame at the device it goes out of. */
void step_neigh(struct walk *w, const struct gap_in *g)
{
	const struct rec_if *dev = g->n ? if_at(w->r, g->ns, g->n->ifindex) : NULL;
	if (!dev || !g->nh || mac_is_zero(g->nh->dmac) || streq(dev->kind, "lo"))
		return;
	ip4 hop = next_hop(w->r, g->ns, w->cur.inner.dst);
	struct rec_step *s = add_step(w, REC_NEIGH, g->ns, dev->ifindex);
	s->after.smac = g->nh->smac;
	s->after.dmac = g->nh->dmac;
	w->cur.smac = g->nh->smac;
	w->cur.dmac = g->nh->dmac;
	why_neigh(w, g->ns, dev, hop);
	const char *mac = mac_text(w, g->nh->dmac);
	why(w, REC_OBSERVED, "neigh.seen", mac, NULL);
	if (hop == 0xa9fe0101) /* 169.254.1.1 */
		note(w, "note.proxy-arp", if_name(w->r, dev->peer_ns, dev->peer_ifindex));
	try_cmd(w, g->ns,
		arena_printf(w->r->arena, "%s.* lladdr %s", re_quote(w->r->arena, ip_text(w, hop)),
			     mac),
		"ip neigh show dev %s", dev->name);
}

static void step_fdb(struct walk *w, const struct gap_in *g, const struct rec_if *dev)
{
	struct mac mac = g->ph->dmac;
	const char *m = mac_text(w, mac);
	const struct rec_ask *q = ask_mac(w->r, "fdb", g->ns, mac);
	const struct rec_fdb *e = fdb_at(ns_at(w->r, g->ns), dev->ifindex, mac);
	add_step(w, REC_FDB, g->ns, dev->ifindex);
	if (q && q->answer && !q->error)
		why(w, REC_REASKED, "fdb.asked", q->answer, dev->name, NULL)->decides = true;
	else if (e)
		why(w, REC_INFERRED, "fdb.table",
		    arena_printf(w->r->arena, "%s dst %s", m, IP4(e->dst)), dev->name, NULL)
			->decides = true;
	try_cmd(w, g->ns,
		arena_printf(w->r->arena, "%s .*dst %s", m,
			     re_quote(w->r->arena, ip_text(w, g->nh->outer.dst))),
		"bridge fdb show dev %s", dev->name);
}

static const char *layers(struct arena *a, const struct rec_hdr *h)
{
	const char *in = tuple_str(a, &h->inner);
	if (h->encap_proto == PROTO_UDP)
		return arena_printf(a, "[eth][ip %s>%s][udp %u>%u][vxlan %u][eth][%s]",
				    IP4(h->outer.src), IP4(h->outer.dst), h->outer.sport,
				    h->outer.dport, h->vni, in);
	return arena_printf(a, "[eth][ip %s>%s proto 4][%s]", IP4(h->outer.src), IP4(h->outer.dst),
			    in);
}

static void why_encap(struct walk *w, const struct gap_in *g)
{
	const struct rec_hdr *h = g->nh;
	bool vxlan = h->encap_proto == PROTO_UDP;
	unsigned add = vxlan ? VXLAN_BYTES : IPIP_BYTES;
	const struct rec_if *below = if_at(w->r, g->ns, g->n->ifindex);
	const char *src = ip_text(w, h->outer.src), *dst = ip_text(w, h->outer.dst);
	if (vxlan)
		why(w, REC_OBSERVED, "encap.vxlan", "", src, dst, num(w, h->outer.sport),
		    num(w, h->outer.dport), num(w, h->vni), NULL)
			->decides = true;
	else
		why(w, REC_OBSERVED, "encap.ipip", "", src, dst, NULL)->decides = true;
	why(w, REC_OBSERVED, "encap.layers", layers(w->r->arena, h), NULL);
	why(w, REC_OBSERVED, vxlan ? "encap.sizes-vxlan" : "encap.sizes-ipip", "",
	    num(w, h->ip_len), num(w, add), num(w, h->ip_len + add),
	    below ? num(w, below->mtu) : "?", NULL);
	why(w, REC_OBSERVED, vxlan ? "encap.ttl-own" : "encap.ttl-copied", "", num(w, h->outer_ttl),
	    num(w, h->ttl), NULL);
	why_route(w, g->ns, h->outer.dst);
	if (vxlan)
		note(w, "note.vxlan-sport", num(w, h->outer.sport));
}

/* Into the tunnel. The device is the one seen last, or, unseen, any of the kind. */
void step_tunnel(struct walk *w, const struct gap_in *g)
{
	bool vxlan = g->nh->encap_proto == PROTO_UDP;
	const struct rec_if *dev = g->p ? if_at(w->r, g->ns, g->p->ifindex) : NULL;
	if (!is_tunnel(dev))
		dev = NULL;
	if (dev && vxlan)
		step_fdb(w, g, dev);
	struct rec_step *s = add_step(w, REC_ENCAP, g->ns, dev ? dev->ifindex : g->n->ifindex);
	uint32_t mark = w->cur.mark; /* stays with the buffer, in one namespace */
	w->cur = *g->nh;
	w->cur.mark = mark;
	s->after = w->cur;
	s->outer = true;
	why_encap(w, g);
	if (dev && vxlan)
		try_cmd(w, g->ns,
			arena_printf(w->r->arena, "vxlan id %u .*dstport %u", dev->vni,
				     g->nh->outer.dport),
			"ip -d link show dev %s", dev->name);
	else if (dev)
		try_cmd(w, g->ns, "ipip", "ip -d link show dev %s", dev->name);
}

void why_decap(struct walk *w, int ns, const struct rec_hdr *outer, const struct rec_if *dev)
{
	if (outer->encap_proto == PROTO_UDP)
		why(w, REC_OBSERVED, "decap.vxlan", "", num(w, outer->outer.dport), dev->name,
		    num(w, outer->vni), NULL)
			->decides = true;
	else
		why(w, REC_OBSERVED, "decap.ipip", "", "4", dev->name, NULL)->decides = true;
	why_route(w, ns, outer->outer.dst);
	if (streq(dev->kind, "vxlan"))
		try_cmd(w, ns, arena_printf(w->r->arena, "vxlan id %u ", dev->vni),
			"ip -d link show dev %s", dev->name);
	else
		try_cmd(w, ns, "ipip", "ip -d link show dev %s", dev->name);
}
