/* SPDX-License-Identifier: MIT */
/* hooks: netfilter's hooks as steps, with the translations that happen in them. */
#include <stdlib.h>
#include <string.h>

#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define WORD 128

/* Visits at one hook, one table after the other. */
struct group {
	enum hook hook;
	vec_of(const struct visit *) v;
};
typedef vec_of(struct group) groups;

static void collect(struct walk *w, const struct gap_in *g, bool outer, bool merge, groups *ret)
{
	uint32_t mark = w->cur.mark;
	vec_foreach (struct visit, v, &w->d->visits) {
		if (v->flight != w->flight || v->ns != g->ns || v->pos != g->pos ||
		    v->outer != outer)
			continue;
		/* Legacy TRACE reports before the rule's target acts, nf_tables behind it. */
		v->mark_in = v->trace_id ? mark : v->mark_in;
		mark = v->mark;
		struct group *last = ret->n ? &ret->v[ret->n - 1] : NULL;
		if (!last || (last->hook != v->hook && !merge)) {
			last = vec_push(w->d->a, ret);
			*last = (struct group){.hook = v->hook};
		}
		*vec_push(w->d->a, &last->v) = v;
	}
}

static const struct rec_tuple *entry(const struct group *g)
{
	vec_foreach (const struct visit *, v, &g->v)
		if ((*v)->pkt.ok)
			return &(*v)->pkt.h.inner;
	return NULL;
}

static const struct rec_rule *nat_rule(const struct recording *r, const struct group *g)
{
	vec_foreach (const struct visit *, v, &g->v) {
		int i = visit_decides(r, *v);
		const struct rec_rule *x =
			i < 0 ? NULL : rule_of(r, &r->matches.v[(*v)->matches.v[i]]);
		if (x && visit_is(r, *v, "nat") &&
		    (streq(x->target, "DNAT") || streq(x->target, "SNAT") ||
		     streq(x->target, "MASQUERADE") || streq(x->target, "REDIRECT")))
			return x;
	}
	return NULL;
}

/* How much a visit says about its hook: one that drops or translates most, then the table that the
 * hook is there for. */
static int weight(const struct recording *r, const struct visit *v)
{
	int i = visit_decides(r, v);
	const struct rec_match *m = i < 0 ? NULL : &r->matches.v[v->matches.v[i]];
	const struct rec_rule *x = m ? rule_of(r, m) : NULL;
	bool nat = visit_is(r, v, "nat"), filter = visit_is(r, v, "filter");
	if (m && match_drops(r, m))
		return 5;
	if (x && nat)
		return 4;
	if (filter && (v->hook == HOOK_FORWARD || v->hook == HOOK_INPUT))
		return 3;
	return nat ? 2 : filter || x;
}

/* A chain without rules of its own in a table that nobody looks at. */
static bool is_empty(const struct recording *r, const struct visit *v)
{
	return v->matches.n == 1 && r->matches.v[v->matches.v[0]].kind == REC_POLICY;
}

/* Of two that weigh the same (iptables and nft both translate) the one with rules. */
static const struct visit *main_visit(const struct recording *r, const struct group *g)
{
	const struct visit *best = NULL;
	int top = -1;
	vec_foreach (const struct visit *, v, &g->v) {
		int k = weight(r, *v) * 2 + !is_empty(r, *v);
		if (k > top)
			best = *v;
		top = k > top ? k : top;
	}
	return best;
}

/* Where a DNAT rule says it goes, when nothing was seen of it afterwards. */
void dnat_to(const struct rec_rule *x, struct rec_tuple *t)
{
	char word[WORD];
	if (!rule_option(x->text, "--to-destination", word, sizeof(word)))
		return;
	char *port = strchr(word, ':');
	if (port)
		*port++ = 0;
	ip4 ip;
	if (!ip4_parse(word, &ip))
		return;
	t->dst = ip;
	if (port)
		t->dport = (uint16_t)strtoul(port, NULL, 10);
}

/* nft's own tables. The policy is printed in lower case. */
static bool try_nft(struct walk *w, const struct visit *v, const struct rec_match *m,
		    const struct rec_rule *x)
{
	const struct rec_ns *n = ns_at(w->r, v->ns);
	const char *family = x ? x->family : NULL;
	for (size_t i = 0; n && !family && i < n->chains.n; i++)
		if (streq(n->chains.v[i].chain, m->chain) && streq(n->chains.v[i].table, m->table))
			family = n->chains.v[i].family;
	if (family)
		try_cmd(w, v->ns, x ? re_quote(w->r->arena, x->text) : " policy ",
			"nft list chain %s %s %s", family, m->table, m->chain);
	return family != NULL;
}

static void try_rule(struct walk *w, const struct visit *v)
{
	const struct recording *r = w->r;
	int i = visit_decides(r, v);
	if (i < 0 || ns_is(r, v->ns, "pod"))
		return;
	const struct rec_match *m = &r->matches.v[v->matches.v[i]];
	const struct rec_rule *x = rule_of(r, m);
	if (try_nft(w, v, m, x))
		return;
	if (x && x->text)
		try_cmd(w, v->ns, re_quote(r->arena, x->text), "iptables -t %s -S %s", m->table,
			m->chain);
	else if (m->kind == REC_POLICY)
		try_cmd(w, v->ns, arena_printf(r->arena, "^-P %s ", m->chain),
			"iptables -t %s -S %s", m->table, m->chain);
}

/* Only chains without rules, in tables that nothing is put into: not worth a step. */
static bool nothing_there(const struct recording *r, const struct group *g)
{
	vec_foreach (const struct visit *, v, &g->v)
		if (!is_empty(r, *v) || visit_is(r, *v, "nat") || visit_is(r, *v, "filter") ||
		    match_drops(r, &r->matches.v[(*v)->matches.v[0]]))
			return false;
	return true;
}

static void why_group(struct walk *w, const struct group *g)
{
	const struct visit *about = main_visit(w->r, g);
	vec_foreach (const struct visit *, v, &g->v)
		if (*v == about || !is_empty(w->r, *v))
			why_visit(w, *v, *v == about);
	if (about)
		try_rule(w, about);
}

/* With br_netfilter the hook runs at the port, before the bridge hands it up; without, after. */
static void note_bridge(struct walk *w, const struct gap_in *g, const struct group *h)
{
	const struct rec_if *m = g->p ? if_master(w->r, g->ns, g->p->ifindex) : NULL;
	const struct rec_if *self = g->p ? if_at(w->r, g->ns, g->p->ifindex) : NULL;
	if (h->hook != HOOK_PREROUTING || !g->p || g->p->tx)
		return;
	if (m)
		note(w, "note.bridge-nf", m->name);
	else if (self && streq(self->kind, "bridge") && bridge_nf(ns_at(w->r, g->ns)) == 0)
		note(w, "note.bridge-nf-off", self->name);
}

/* Why the source had to change: so that the answer comes back here. */
static void note_snat(struct walk *w, const struct rec_rule *x)
{
	const struct rec_step *s = last_step(w);
	const struct rec_ns *n = ns_at(w->r, s->ns);
	const struct rec_if *dev = if_with_addr(n, w->came.inner.dst);
	if (!x || !streq(x->target, "MASQUERADE"))
		return;
	if (s->before.inner.src == s->before.inner.dst)
		note(w, "note.hairpin", ip_text(w, s->after.inner.src));
	else if (addr_is_local(n, w->came.inner.dst) && !(dev && streq(dev->name, "kube-ipvs0")))
		note(w, "note.nodeport-snat", ip_text(w, s->after.inner.src));
}

/* The TTL on entry: routing, which comes before FORWARD, has taken one from it. */
static uint8_t entry_ttl(const struct group *g, uint8_t was)
{
	vec_foreach (const struct visit *, v, &g->v)
		if ((*v)->pkt.ok)
			return (*v)->pkt.h.ttl;
	return was;
}

/* POSTROUTING knows only where it goes out, the hooks before it where it came in. */
static int hook_device(const struct gap_in *g, enum hook h, const struct visit *about)
{
	if (h == HOOK_POSTROUTING && about->oif)
		return about->oif;
	return g->p ? g->p->ifindex : about->oif;
}

static void set_marks(struct walk *w, const struct group *h)
{
	struct rec_step *s = last_step(w);
	s->before.mark = h->v.v[0]->mark_in;
	w->cur.mark = s->after.mark = h->v.v[h->v.n - 1]->mark;
}

/* The kind of step that a hook's visits make, and the packet after it. */
static void step_group(struct walk *w, const struct gap_in *g, const struct group *h,
		       const struct rec_tuple *to)
{
	const struct rec_rule *x = nat_rule(w->r, h);
	const struct visit *about = main_visit(w->r, h);
	const struct rec_tuple *from = entry(h);
	if (from)
		w->cur.inner = *from;
	w->cur.ttl = entry_ttl(h, w->cur.ttl);
	struct rec_step *s = add_step(w, REC_HOOK, g->ns, hook_device(g, h->hook, about));
	s->hook = hook_str(h->hook);
	s->table = about->table;
	set_marks(w, h);
	if (x && streq(x->target, "DNAT") && !to)
		dnat_to(x, &w->cur.inner);
	else if (x && to)
		w->cur.inner = *to;
	if (w->cur.inner.dst != s->before.inner.dst || w->cur.inner.dport != s->before.inner.dport)
		s->kind = REC_DNAT;
	else if (!same_tuple(&w->cur.inner, &s->before.inner))
		s->kind = REC_SNAT;
	s->after.inner = w->cur.inner;
	bool snat = s->kind == REC_SNAT;
	why_group(w, h);
	note_bridge(w, g, h);
	if (snat)
		note_snat(w, x);
}

/* No rule trace at all from a node that has rules: the kernel gave none. */
static bool is_silent(const struct walk *w, int ns)
{
	vec_foreach (const struct visit, v, &w->d->visits)
		if (v->ns == ns)
			return false;
	return w->r->ns.v[ns].rules.n > 0;
}

/* Says who changed the addresses: for the first packet a rule that was not traced, else conntrack
 * by itself. */
static void why_translated(struct walk *w, bool dst, bool untraced, const char *to, const char *was)
{
	bool reply = w->r->flights.v[w->flight].reply;
	static const char *const keys[2][2] = {{"ct.again-src", "ct.again-dst"},
					       {"ct.undo-src", "ct.undo-dst"}};
	if (untraced)
		why(w, REC_OBSERVED, "no-rules", "", "nat", dst ? "PREROUTING" : "POSTROUTING",
		    NULL);
	else
		why(w, REC_OBSERVED, keys[reply][dst], "", to, was, NULL)->decides = true;
}

/* Addresses changed without a rule of this packet's own: conntrack did it, as the first packet of
 * the connection was told. */
static void step_conntrack(struct walk *w, const struct gap_in *g, const struct rec_tuple *to,
			   bool dst)
{
	bool reply = w->r->flights.v[w->flight].reply;
	bool untraced = !reply && is_silent(w, g->ns);
	enum rec_step_kind kind = !untraced ? REC_UNNAT : dst ? REC_DNAT : REC_SNAT;
	struct rec_step *s = add_step(w, kind, g->ns, g->p ? g->p->ifindex : 0);
	const struct rec_tuple was = w->cur.inner;
	if (dst) {
		w->cur.inner.dst = to->dst;
		w->cur.inner.dport = to->dport;
	} else {
		w->cur.inner.src = to->src;
		w->cur.inner.sport = to->sport;
	}
	s->after.inner = w->cur.inner;
	s->hook = hook_str(dst ? HOOK_PREROUTING : HOOK_POSTROUTING);
	s->table = "nat";
	why_translated(w, dst, untraced, ip_text(w, dst ? to->dst : to->src),
		       ip_text(w, dst ? was.dst : was.src));
	why_ct_entry(w, g->ns, &was);
	const struct rec_if *m = g->p ? if_master(w->r, g->ns, g->p->ifindex) : NULL;
	if (reply && m && g->n && g->n->tx)
		note(w, "note.reply-bridged", m->name);
	else if (reply)
		note(w, "note.reply-no-nat", NULL);
	if (!ns_is(w->r, g->ns, "pod") && was.proto == PROTO_TCP)
		try_cmd(w, g->ns,
			arena_printf(w->r->arena, "src=%s ",
				     re_quote(w->r->arena, ip_text(w, dst ? was.src : was.dst))),
			"conntrack -L -p tcp");
}

static bool is_other_dst(const struct walk *w, const struct rec_tuple *to)
{
	return to && (w->cur.inner.dst != to->dst ||
		      (w->cur.inner.dport != to->dport && to->proto != PROTO_ICMP));
}

static void sync_dst(struct walk *w, const struct gap_in *g, const struct rec_tuple *to)
{
	const struct rec_ipvs *c = ipvs_forward(w->r, g->ns, &w->cur.inner);
	if (!is_other_dst(w, to))
		return;
	if (c && c->dst == to->dst)
		step_ipvs(w, g->ns, g->p ? HOOK_INPUT : HOOK_OUTPUT, c);
	else
		step_conntrack(w, g, to, true);
}

static void sync_src(struct walk *w, const struct gap_in *g, const struct rec_tuple *to)
{
	const struct rec_ipvs *c = ipvs_reply(w->r, g->ns, &w->cur.inner);
	if (!to || (w->cur.inner.src == to->src && w->cur.inner.sport == to->sport))
		return;
	if (c && c->client.dst == to->src)
		step_ipvs_undo(w, g->ns, c);
	else
		step_conntrack(w, g, to, false);
}

/* ip_vs has the packet after this hook, and sends it on with another destination. */
static bool is_ipvs(const struct walk *w, const struct gap_in *g, const struct group *h)
{
	const struct rec_tuple *t = entry(h) ? entry(h) : &w->cur.inner;
	bool last = h->hook == HOOK_INPUT || (h->hook == HOOK_OUTPUT && !g->p);
	return last && g->n && ipvs_forward(w->r, g->ns, t);
}

static void why_group_ct(struct walk *w, const struct gap_in *g, const struct group *h)
{
	switch (h->hook) {
	case HOOK_PREROUTING:
	case HOOK_OUTPUT:
		why_ct_entry(w, g->ns, &last_step(w)->before.inner);
		break;
	case HOOK_POSTROUTING:
		if (why_ct_confirm(w, g->ns, &last_step(w)->before.inner))
			note(w, "note.ct-late", NULL);
		break;
	case HOOK_INPUT:
		why_ct_confirm(w, g->ns, &last_step(w)->before.inner);
		break;
	default:
		break;
	}
}

static bool before_route(enum hook h)
{
	return h == HOOK_PREROUTING || h == HOOK_OUTPUT;
}

/* The packet is for an address of this node: a step of its own only where ip_vs has it go on. */
static void step_local_route(struct walk *w, const struct gap_in *g)
{
	add_step(w, REC_ROUTE, g->ns, 0);
	why_route(w, g->ns, w->cur.inner.dst);
	try_cmd(w, g->ns,
		arena_printf(w->r->arena, "local %s ",
			     re_quote(w->r->arena, ip_text(w, w->cur.inner.dst))),
		"ip route show table local");
}

void hooks_inner(struct walk *w, const struct gap_in *g)
{
	groups gs = {0};
	bool decided = false; /* where to: told behind PREROUTING */
	bool routed = g->routed, ipvs = false;
	const struct rec_tuple *end = g->nh ? &g->nh->inner : NULL;
	collect(w, g, false, false, &gs);
	for (size_t i = 0; i < gs.n; i++) {
		const struct group *h = &gs.v[i];
		const struct rec_tuple *to = i + 1 < gs.n ? entry(&gs.v[i + 1]) : end;
		bool by_ipvs = is_ipvs(w, g, h);
		if (!before_route(h->hook) || ipvs)
			sync_dst(w, g, entry(h) ? entry(h) : end);
		if (by_ipvs && h->hook == HOOK_INPUT) {
			step_local_route(w, g);
		} else if (!decided && (!before_route(h->hook) || ipvs)) {
			if (routed)
				step_route(w, g, entry_ttl(h, 0));
			else
				step_bridged(w, g);
			decided = true;
		}
		ipvs |= by_ipvs;
		decided &= !by_ipvs; /* it routes the packet again */
		routed |= by_ipvs;
		if (nothing_there(w->r, h))
			continue;
		step_group(w, g, h, to ? to : end);
		if (!ipvs || h->hook == HOOK_POSTROUTING || (by_ipvs && h->hook == HOOK_OUTPUT))
			why_group_ct(w, g, h); /* else it travels on unconfirmed */
		if (last_step(w)->kind == REC_DNAT && h->hook == HOOK_OUTPUT && g->n)
			step_route(w, g, 0); /* what was looked up before is void */
	}
	sync_dst(w, g, end);
	if (!decided && routed && g->n) {
		step_route(w, g, 0);
		if (ns_is(w->r, g->ns, "node") && is_silent(w, g->ns))
			why(w, REC_OBSERVED, "no-rules", "", "filter", "FORWARD", NULL);
	}
	if (!decided && !routed)
		step_bridged(w, g);
	sync_src(w, g, end);
	if (!gs.n && g->n && ct_has(w, g->ns, &w->cur.inner) && g->n->tx && g->routed) {
		add_step(w, REC_CT_STEP, g->ns, 0);
		why_ct_confirm(w, g->ns, &w->cur.inner);
		if (!last_step(w)->why.n)
			w->r->steps.n--; /* it was told before */
	}
}

/* The outer packet's hooks, all in one step: they are the machine's, not the Service's. */
void hooks_outer(struct walk *w, const struct gap_in *g)
{
	groups gs = {0};
	collect(w, g, true, true, &gs);
	for (size_t i = 0; i < gs.n; i++) {
		const struct group *h = &gs.v[i];
		enum hook last = h->v.v[h->v.n - 1]->hook;
		const struct visit *about = main_visit(w->r, h);
		struct rec_step *s = add_step(w, REC_HOOK, g->ns, g->p ? g->p->ifindex : 0);
		s->outer = true;
		s->table = about->table;
		set_marks(w, h);
		s->hook = last == h->hook ? hook_str(last)
					  : arena_printf(w->r->arena, "%s, %s", hook_str(h->hook),
							 hook_str(last));
		why_group(w, h);
		why_ct_confirm(w, g->ns, &w->cur.outer);
		note(w, "note.outer-packet", NULL);
	}
}
