/* SPDX-License-Identifier: MIT */
/* See ask.h. */
#include "labd/trace/ask.h"

#include <errno.h>
#include <string.h>

#include "labd/kernel/nlbatch.h"
#include "labd/trace/ipvstable.h"
#include "labd/trace/rtdump.h"

#define ASKS_MAX 2000

struct asker {
	struct recording *r;
	int ns;		   /* the one being asked, which the thread is in */
	struct rec_ns now; /* its devices, with the neighbours and forwarding entries of now */
	struct {
		int ifindex; /* where the last packet came in by, as IP sees it; 0 none */
		struct rec_tuple t;
	} in;
};

static const struct rec_if *if_at(const struct rec_ns *ns, int ifindex)
{
	vec_foreach (const struct rec_if, i, &ns->ifs)
		if (i->ifindex == ifindex)
			return i;
	return NULL;
}

static const struct rec_if *if_named(const struct rec_ns *ns, const char *name)
{
	vec_foreach (const struct rec_if, i, &ns->ifs)
		if (name && strcmp(i->name, name) == 0)
			return i;
	return NULL;
}

static bool asked(const struct asker *x, const char *question)
{
	vec_foreach (const struct rec_ask, q, &x->r->asks)
		if (q->ns == x->ns && strcmp(q->question, question) == 0)
			return true;
	return x->r->asks.n >= ASKS_MAX;
}

static struct rec_ask *add(struct asker *x, const char *what, const char *question)
{
	struct rec_ask *q = vec_push(x->r->arena, &x->r->asks);
	*q = (struct rec_ask){.what = what, .ns = x->ns, .question = question};
	return q;
}

/* ---- forwarding entries and neighbours -------------------------------------------------------
 */

static void ask_fdb(struct asker *x, const struct rec_if *dev, struct mac mac)
{
	struct arena *a = x->r->arena;
	bool vxlan = strcmp(dev->kind, "vxlan") == 0;
	const char *question = arena_printf(a, "bridge fdb get %s %s %s%s", MAC(mac),
					    vxlan ? "dev" : "br", dev->name, vxlan ? " self" : "");
	if (asked(x, question))
		return;
	struct rec_ask *q = add(x, "fdb", question);
	q->mac = mac;
	q->error = -ENOENT;
	vec_foreach (const struct rec_fdb, f, &x->now.fdbs) {
		if (f->ifindex != dev->ifindex || memcmp(f->mac.b, mac.b, sizeof(mac.b)) != 0)
			continue;
		const struct rec_if *port = if_at(&x->now, f->port);
		q->error = 0;
		q->dst = f->dst;
		q->dev = port ? port->name : dev->name;
		q->answer = port ? arena_printf(a, "%s dev %s master %s", MAC(mac), port->name,
						dev->name)
				 : arena_printf(a, "%s dev %s dst %s self%s", MAC(mac), dev->name,
						IP4(f->dst), f->permanent ? " permanent" : "");
	}
}

static void ask_neigh(struct asker *x, const struct rec_if *dev, ip4 ip)
{
	struct arena *a = x->r->arena;
	const char *question = arena_printf(a, "ip neigh get %s dev %s", IP4(ip), dev->name);
	if (asked(x, question))
		return;
	struct rec_ask *q = add(x, "neigh", question);
	q->ip = ip;
	q->dev = dev->name;
	q->error = -ENOENT;
	struct mac mac = {{0}};
	vec_foreach (const struct rec_neigh, n, &x->now.neighs) {
		if (n->ifindex != dev->ifindex || n->ip != ip)
			continue;
		bool known = !mac_is_zero(n->mac) && strcmp(n->state, "FAILED") != 0;
		mac = known ? n->mac : mac;
		q->mac = mac;
		q->error = known ? 0 : -EHOSTUNREACH;
		q->answer = known ? arena_printf(a, "%s dev %s lladdr %s %s", IP4(ip), dev->name,
						 MAC(n->mac), n->state)
				  : arena_printf(a, "%s dev %s %s", IP4(ip), dev->name, n->state);
	}
	/* q is not used from here on: the list may move */
	if (!mac_is_zero(mac) &&
	    (strcmp(dev->kind, "vxlan") == 0 || strcmp(dev->kind, "bridge") == 0))
		ask_fdb(x, dev, mac);
}

/* ---- routes ------------------------------------------------------------------------------------
 */

static const char *route_question(const struct asker *x, const struct rt_question *q)
{
	struct arena *a = x->r->arena;
	const char *iif = q->iif ? rtdump_ifname(&x->now, q->iif) : NULL;
	return arena_printf(a, "ip route get%s %s from %s%s%s%s", q->fibmatch ? " fibmatch" : "",
			    IP4(q->dst), IP4(q->src), iif ? " iif " : "", iif ? iif : "",
			    q->mark ? arena_printf(a, " mark 0x%x", q->mark) : "");
}

static struct rt_answer ask_one_route(struct asker *x, const struct rt_question *rq, int *error)
{
	struct rt_answer ans = {0};
	const char *question = route_question(x, rq);
	*error = -EALREADY;
	if (asked(x, question))
		return ans;
	*error = rtdump_route(x->r->arena, &x->now, rq, &ans);
	struct rec_ask *q = add(x, "route", question);
	q->ip = rq->dst;
	q->error = *error;
	q->answer = ans.text;
	q->via = ans.via;
	q->dev = ans.oif ? rtdump_ifname(&x->now, ans.oif) : NULL;
	return ans;
}

static void ask_route(struct asker *x, ip4 dst, ip4 src, int iif, uint32_t mark)
{
	int error;
	struct rt_question q = {.dst = dst, .src = src, .iif = iif, .mark = mark, .fibmatch = true};
	ask_one_route(x, &q, &error);
	q.fibmatch = false;
	struct rt_answer ans = ask_one_route(x, &q, &error);
	const struct rec_if *dev = if_at(&x->now, ans.oif);
	if (error || ans.local || !dev || strcmp(dev->kind, "lo") == 0 ||
	    strcmp(dev->kind, "ipip") == 0)
		return;
	ask_neigh(x, dev, ans.via ? ans.via : dst);
}

static bool has_addr(const struct rec_ns *ns, ip4 ip)
{
	vec_foreach (const struct rec_addr, a, &ns->addrs)
		if (a->addr.addr == ip)
			return true;
	return false;
}

/* The mark a forwarded packet has when it is routed: set in PREROUTING or OUTPUT. */
static uint32_t mark_of(const struct asker *x, const struct rec_tuple *t)
{
	uint32_t mark = 0;
	vec_foreach (const struct rec_match, m, &x->r->matches) {
		struct rec_hdr h;
		if (m->ns == x->ns && m->mark && m->oif == 0 &&
		    packet_parse_ip(m->data, m->caplen, &h) && h.inner.sport == t->sport &&
		    h.inner.dport == t->dport)
			mark = m->mark;
	}
	return mark;
}

/* "-j DNAT --to-destination 10.244.2.5:80" */
static ip4 dnat_target(const struct rec_ns *ns, const struct rec_match *m)
{
	static const char option[] = "--to-destination ";
	if (m->kind != REC_RULE || strcmp(m->table, "nat") != 0)
		return 0;
	vec_foreach (const struct rec_rule, r, &ns->rules) {
		if (m->handle ? r->handle != m->handle : r->num != m->num)
			continue;
		if (strcmp(r->chain, m->chain) != 0 || strcmp(r->table, m->table) != 0)
			continue;
		const char *to = strstr(r->text, option);
		char ip[IP4_STRLEN] = "";
		ip4 v;
		if (to)
			snprintf(ip, sizeof(ip), "%.*s",
				 (int)strcspn(to + sizeof(option) - 1, ": -"),
				 to + sizeof(option) - 1);
		return to && ip4_parse(ip, &v) ? v : 0;
	}
	return 0;
}

static bool route_asked(const struct asker *x, ip4 dst)
{
	vec_foreach (const struct rec_ask, q, &x->r->asks)
		if (q->ns == x->ns && q->ip == dst && strcmp(q->what, "route") == 0)
			return true;
	return false;
}

/* What goes out under another destination than it came in with was translated before it was
 * routed: by conntrack alone (an answer), or where no rule was traced. */
static void ask_forwarded(struct asker *x, const struct rec_tuple *t)
{
	if (x->in.ifindex && x->in.t.proto == t->proto && x->in.t.dst != t->dst &&
	    !route_asked(x, t->dst))
		ask_route(x, t->dst, x->in.t.src, x->in.ifindex, 0);
}

/* What a program of this namespace asked for, before OUTPUT translated it: a program looks up the
 * route to that first. */
static void ask_output(struct asker *x)
{
	for (size_t i = 0; i < x->r->matches.n; i++) {
		const struct rec_match *m = &x->r->matches.v[i];
		struct rec_hdr h;
		if (m->ns == x->ns && m->data && strcmp(m->chain, "OUTPUT") == 0 &&
		    packet_parse_ip(m->data, m->caplen, &h) && !h.encap &&
		    !route_asked(x, h.inner.dst))
			ask_route(x, h.inner.dst, h.inner.src, 0, 0);
	}
}

/* As a packet that came in by dev, or goes out by itself. */
static void ask_packet(struct asker *x, const struct rec_if *dev, bool tx,
		       const struct rec_tuple *t, bool inner)
{
	bool own = tx && has_addr(&x->now, t->src);
	if (tx && !own) {
		if (inner)
			ask_forwarded(x, t);
		return; /* else asked where it came in */
	}
	if (!tx && inner) {
		x->in.ifindex = dev->ifindex;
		x->in.t = *t;
	}
	int iif = own ? 0 : dev->ifindex;
	uint32_t mark = inner ? mark_of(x, t) : 0;
	ask_route(x, t->dst, t->src, iif, mark);
	if (!inner)
		return;
	for (size_t i = 0; i < x->r->matches.n; i++) {
		const struct rec_match *m = &x->r->matches.v[i];
		ip4 to = m->ns == x->ns ? dnat_target(&x->now, m) : 0;
		if (to && (m->oif != 0) == own)
			ask_route(x, to, t->src, iif, mark);
	}
}

static void ask_sight(struct asker *x, const struct rec_sight *s)
{
	const struct rec_if *dev = if_at(&x->now, s->ifindex);
	struct rec_hdr h;
	if (!dev || !packet_parse(s->data, s->caplen, s->hatype, &h))
		return;
	const struct rec_if *master = if_named(&x->now, dev->master);
	if (master) { /* a bridge's port: where to, by MAC */
		if (!s->tx && memcmp(h.dmac.b, master->mac.b, sizeof(h.dmac.b)) != 0 &&
		    !(h.dmac.b[0] & 1))
			ask_fdb(x, master, h.dmac);
		if (!s->tx && !h.encap) {
			x->in.ifindex = master->ifindex;
			x->in.t = h.inner;
		} else if (!h.encap) {
			ask_forwarded(x, &h.inner);
		}
		return;
	}
	ask_packet(x, dev, s->tx, h.encap ? &h.outer : &h.inner, !h.encap);
}

static void ask_ns(struct asker *x, struct arena *a)
{
	x->now = x->r->ns.v[x->ns];
	memset(&x->now.neighs, 0, sizeof(x->now.neighs));
	memset(&x->now.fdbs, 0, sizeof(x->now.fdbs));
	if (rtdump_neighs(a, &x->now, NULL) < 0)
		return;
	vec_foreach (const struct rec_sight, s, &x->r->sights)
		if (s->ns == x->ns && !s->timing_run)
			ask_sight(x, s);
	vec_foreach (const struct rec_ipvs, c, &x->r->ipvs)
		if (c->ns == x->ns) /* as ip_vs itself looks up the real server */
			ask_route(x, c->dst, 0, 0, 0);
	ask_output(x);
}

void ask_all(struct recording *r, const int *netns)
{
	_nlns_ struct nlns home = NLNS_INIT;
	for (int i = 0; i < (int)r->ns.n; i++) {
		struct asker x = {.r = r, .ns = i};
		bool seen = false;
		vec_foreach (const struct rec_sight, s, &r->sights)
			seen = seen || s->ns == i;
		if (!seen || nlns_enter(&home, netns[i], NULL) < 0)
			continue;
		ipvstable_read(r, i);
		ask_ns(&x, r->arena);
	}
}
