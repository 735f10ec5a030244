/* SPDX-License-Identifier: MIT */
/* See compare.h. */
#include "lib/recording/compare.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/lookup.h"
#include "lib/recording/reduce.h"

#define TCP_IP_BYTES 40u /* headers of IP and TCP without options: what an MSS leaves out */
#define CHAINS_MAX   32	 /* entered at once */

struct maker {
	struct arena *a;
	const struct recording *r;
	struct compare_col *c;
	bool raw; /* the rules of the snapshot are there */
};

static bool is_flight(const struct rec_flight *f, bool reply)
{
	return f->n_steps > 0 && f->reply == reply &&
	       strcmp(f->title ? f->title : "", "RST") != 0 &&
	       strcmp(f->title ? f->title : "", "ICMP error") != 0;
}

/* ---- how many rules were tried ---------------------------------------------------------------
 */

/* Chains that are being walked, and how far. */
struct walking {
	const char *table[CHAINS_MAX], *chain[CHAINS_MAX];
	unsigned at[CHAINS_MAX];
	int n;
};

static unsigned chain_length(const struct rec_ns *n, const char *table, const char *chain)
{
	unsigned len = 0;
	for (size_t i = 0; n && i < n->rules.n; i++)
		len += streq(n->rules.v[i].chain, chain) && streq(n->rules.v[i].table, table);
	return len;
}

static const char *arg(const struct rec_reason *y, size_t i)
{
	return i < y->args.n && y->args.v[i] ? y->args.v[i] : "";
}

/* How far its chain was walked before this reason; a rule above is walked from the top again. */
static unsigned *walked(struct walking *w, const struct rec_reason *y)
{
	for (int i = w->n; i-- > 0;)
		if (streq(w->chain[i], arg(y, 1)) && streq(w->table[i], arg(y, 0))) {
			w->n = i + 1;
			return &w->at[i];
		}
	if (w->n == CHAINS_MAX)
		w->n--;
	w->table[w->n] = arg(y, 0);
	w->chain[w->n] = arg(y, 1);
	w->at[w->n] = 0;
	return &w->at[w->n++];
}

static unsigned tried_in(const struct rec_step *s, const struct rec_ns *n)
{
	struct walking w = {.n = 0};
	unsigned all = 0;
	vec_foreach (const struct rec_reason, y, &s->why) {
		bool rule = streq(y->key, "rule");
		if (!rule && !streq(y->key, "no-more") && !streq(y->key, "policy"))
			continue;
		unsigned *at = walked(&w, y);
		unsigned num = rule ? (unsigned)strtoul(arg(y, 2), NULL, 10)
				    : chain_length(n, arg(y, 0), arg(y, 1));
		all += num > *at ? num - *at : rule ? num : 0;
		*at = num;
		if (!rule)
			w.n--; /* left: entered again it is walked from the top */
	}
	return all;
}

/* ---- one direction ---------------------------------------------------------------------------
 */

static const struct rec_reason *decider(const struct rec_step *s)
{
	vec_foreach (const struct rec_reason, y, &s->why)
		if (y->decides)
			return y;
	return NULL;
}

/* iptables' tables have fixed names; any other is one of nft's own. */
static const char *world(const struct rec_reason *y)
{
	return y && streq(y->key, "rule") ? streq(arg(y, 0), "nat") ? "iptables" : "nft"
					  : "conntrack";
}

static const char *rewrite_of(struct arena *a, const struct rec_step *s)
{
	const struct rec_reason *y = decider(s);
	switch (s->kind) {
	case REC_APP_SEND:
		return y && !strncmp(y->key, "relay.", 6) ? "relay" : NULL;
	case REC_DNAT:
		return arena_printf(a, "%s (%s)",
				    y && streq(arg(y, 3), "REDIRECT") ? "REDIRECT" : "DNAT",
				    world(y));
	case REC_SNAT:
		return arena_printf(a, "SNAT (%s)", world(y));
	case REC_UNNAT:
		return "conntrack";
	case REC_IPVS:
		return y && streq(y->key, "ipvs.schedule") ? arena_printf(a, "ip_vs %s", arg(y, 1))
							   : "ip_vs";
	default:
		return NULL;
	}
}

static void add_side(struct maker *m, struct compare_side *side, const struct rec_flight *f)
{
	for (int i = f->first_step; i < f->first_step + f->n_steps; i++) {
		const struct rec_step *s = &m->r->steps.v[i];
		const char *rewrite = rewrite_of(m->a, s);
		bool rules = false;
		side->devices += s->sight >= 0 || s->kind == REC_DEV_TX || s->kind == REC_DEV_RX
					 ? !ns_is(m->r, s->ns, "fabric")
					 : 0;
		side->routings += s->kind == REC_ROUTE || s->kind == REC_ENCAP;
		vec_foreach (const struct rec_reason, y, &s->why) {
			side->rules += streq(y->key, "rule");
			rules |= streq(y->key, "rule") || streq(y->key, "policy");
		}
		side->hooks += rules;
		if (m->raw && side->tried >= 0)
			side->tried += (int)tried_in(s, ns_at(m->r, s->ns));
		if (rewrite)
			*vec_push(m->a, &side->rewrites) = rewrite;
		side->ttl = s->has_after ? s->after.ttl : s->before.ttl;
	}
}

static void make_side(struct maker *m, bool reply, struct compare_side *side)
{
	side->tried = m->raw ? 0 : -1;
	vec_foreach (const struct rec_flight, f, &m->r->flights) {
		if (!is_flight(f, reply))
			continue;
		side->title = side->title ? side->title : f->title;
		add_side(m, side, f);
	}
}

/* ---- headers, devices ------------------------------------------------------------------------
 */

static void see_tunnel(struct maker *m, const struct rec_step *s)
{
	struct compare_col *c = m->c;
	const struct rec_hdr *h = &s->after;
	if (s->kind != REC_ENCAP || c->tunnel)
		return;
	bool vxlan = h->encap_proto == PROTO_UDP;
	const struct rec_if *i = if_at(m->r, s->ns, s->ifindex);
	c->tunnel = vxlan ? arena_printf(m->a, "VXLAN %u", h->vni) : "IPIP";
	c->overhead = vxlan ? 50 : 20; /* IP 20, UDP 8, VXLAN 8, Ethernet 14 */
	c->wire_bytes = h->ip_len + c->overhead;
	c->mtu_tunnel = is_tunnel(i) ? i->mtu : 0;
}

static void see_device(struct maker *m, const struct rec_step *s)
{
	const struct rec_if *i = if_at(m->r, s->ns, s->ifindex);
	if (!i || (s->kind != REC_DEV_TX && s->kind != REC_DEV_RX))
		return;
	if (s->ns == m->r->probe.from_ns && !m->c->mtu_pod) {
		m->c->mtu_pod = i->mtu;
		m->c->mss = i->mtu > TCP_IP_BYTES ? i->mtu - TCP_IP_BYTES : 0;
		m->c->ip_bytes = s->after.ip_len;
	}
	if (i->peer_ns >= 0 && ns_is(m->r, i->peer_ns, "fabric") && !m->c->mtu_wire)
		m->c->mtu_wire = i->mtu;
}

static void add_hop(struct maker *m, int ns, const char *what)
{
	*vec_push(m->a, &m->c->way) = (struct compare_hop){ns_name(m->r, ns), what};
}

/* "DNAT" of "DNAT (iptables)"; "ip_vs rr" as it is. */
static const char *first_word(struct arena *a, const char *s)
{
	const char *more = strstr(s, " (");
	return more ? arena_strndup(a, s, (size_t)(more - s)) : s;
}

static void see_hop(struct maker *m, const struct rec_step *s)
{
	const char *dev = s->ifindex ? if_name(m->r, s->ns, s->ifindex) : "?";
	if (ns_is(m->r, s->ns, "fabric"))
		return;
	switch (s->kind) {
	case REC_DEV_TX:
	case REC_DEV_RX:
	case REC_BRIDGE:
		add_hop(m, s->ns, dev);
		break;
	case REC_ENCAP:
		add_hop(m, s->ns, s->after.encap_proto == PROTO_UDP ? "+ VXLAN" : "+ IPIP");
		break;
	case REC_DECAP:
		add_hop(m, s->ns, s->before.encap_proto == PROTO_UDP ? "- VXLAN" : "- IPIP");
		add_hop(m, s->ns, dev);
		break;
	case REC_APP_SEND:
		if (rewrite_of(m->a, s))
			add_hop(m, s->ns, "relay");
		break;
	case REC_DNAT:
	case REC_SNAT:
	case REC_UNNAT:
	case REC_IPVS:
		add_hop(m, s->ns, first_word(m->a, rewrite_of(m->a, s)));
		break;
	case REC_DROP:
	case REC_LOST:
		add_hop(m, s->ns, s->kind == REC_DROP ? "dropped" : "lost");
		break;
	default:
		break;
	}
}

static const char *node_of(const struct recording *r, int ns)
{
	const struct rec_ns *n = ns_at(r, ns);
	return !n ? NULL : n->node ? n->node : n->name;
}

static void see_forward(struct maker *m)
{
	vec_foreach (const struct rec_step, s, &m->r->steps) {
		const struct rec_flight *f = &m->r->flights.v[s->flight];
		if (!is_flight(f, false))
			continue;
		see_device(m, s);
		see_tunnel(m, s);
		see_hop(m, s);
		if (s->kind != REC_DELIVER)
			continue;
		m->c->server = ns_name(m->r, s->ns);
		m->c->node = node_of(m->r, s->ns);
	}
	m->c->same_node = m->c->node && streq(m->c->node, node_of(m->r, m->r->probe.from_ns));
}

static unsigned entries(const struct recording *r)
{
	unsigned made = 0, told = 0;
	vec_foreach (const struct rec_ct, c, &r->cts)
		made += c->kind == REC_CT_NEW;
	vec_foreach (const struct rec_step, s, &r->steps)
		vec_foreach (const struct rec_reason, y, &s->why)
			told += streq(y->key, "ct.new");
	return r->cts.n ? made : told;
}

void compare_recording(struct arena *a, const struct recording *r, struct compare_col *ret)
{
	struct maker m = {.a = a, .r = r, .c = ret};
	const struct rec_verdict *v = &r->verdict;
	*ret = (struct compare_col){
		.lab = r->probe.lab,
		.engine = r->engine,
		.kernel = r->kernel,
		.from = r->probe.from,
		.to = r->probe.to,
		.relayed = r->probe.relayed,
		.result = v->cause ? arena_printf(a, "%s: %s", v->result, v->cause) : v->result,
		.entries = entries(r),
		.timing = r->timed ? r->timing : (struct rec_timing){0, -1, -1, -1, -1, -1, -1},
	};
	vec_foreach (const struct rec_ns, n, &r->ns)
		m.raw |= n->rules.n > 0;
	make_side(&m, false, &ret->there);
	make_side(&m, true, &ret->back);
	see_forward(&m);
	if (!ret->wire_bytes)
		ret->wire_bytes = ret->ip_bytes;
}
