/* SPDX-License-Identifier: MIT */
/* ends: who sent it, and who got it or why nobody did. */
#include "lib/recording/ends.h"

#include <string.h>

#include "lib/recording/lookup.h"
#include "lib/recording/verdict.h"

static const char *icmp_text(uint16_t type_code)
{
	static const struct {
		uint16_t tc;
		const char *text;
	} names[] = {
		{0x300, "network unreachable (3/0)"},
		{0x301, "host unreachable (3/1)"},
		{0x303, "port unreachable (3/3)"},
		{0x304, "fragmentation needed (3/4)"},
		{0x309, "network administratively prohibited (3/9)"},
		{0x30a, "host administratively prohibited (3/10)"},
		{0x30d, "communication administratively prohibited (3/13)"},
		{0xb00, "TTL exceeded (11/0)"},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].tc == type_code)
			return names[i].text;
	return "an ICMP error";
}

int first_ns(const struct walk *w)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	if (f->sights.n)
		return w->r->sights.v[f->sights.v[0]].ns;
	vec_foreach (const struct visit, v, &w->d->visits)
		if (v->flight == w->flight)
			return v->ns;
	return w->r->probe.from_ns;
}

static void why_source(struct walk *w, int ns)
{
	ip4 dst = w->cur.inner.dst;
	if (addr_is_local(ns_at(w->r, ns), w->cur.inner.src))
		why(w, REC_INFERRED, "app.src", "", ip_text(w, w->cur.inner.src), NULL);
	why_route(w, ns, dst);
	const char *line = route_line(ns_at(w->r, ns), dst);
	ip4 hop = next_hop(w->r, ns, dst);
	if (line && hop != dst)
		try_cmd(w, ns,
			arena_printf(w->r->arena, "via %s", re_quote(w->r->arena, ip_text(w, hop))),
			"ip route");
	else if (line)
		try_cmd(w, ns, "dev", "ip route");
}

static void begin_forward(struct walk *w, int ns)
{
	const struct rec_tuple *t = &w->cur.inner;
	add_step(w, REC_APP_SEND, ns, 0)->has_before = false;
	unsigned payload = w->d->fly.v[w->flight].payload;
	if (t->proto == PROTO_ICMP)
		why(w, REC_OBSERVED, "app.ping", "", ip_text(w, t->dst), NULL);
	else if (t->proto == PROTO_TCP && payload)
		why(w, REC_OBSERVED, "app.data", "",
		    arena_printf(w->r->arena, "%s:%u", IP4(t->dst), t->dport), num(w, payload),
		    NULL);
	else
		why(w, REC_OBSERVED, t->proto == PROTO_TCP ? "app.connect" : "app.send", "",
		    arena_printf(w->r->arena, "%s:%u", IP4(t->dst), t->dport), NULL);
	why_source(w, ns);
}

void step_begin(struct walk *w)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	int ns = first_ns(w);
	bool error = w->d->fly.v[w->flight].error;
	if (relay_begin(w, ns)) {
		why_source(w, ns);
		for (size_t i = 1; i < last_step(w)->why.n; i++)
			last_step(w)->why.v[i].decides = false; /* the relay does */
		return;
	}
	if (!f->reply && !error && strcmp(f->title, "RST")) {
		begin_forward(w, ns);
		return;
	}
	add_step(w, error ? REC_ICMP_ERROR : REC_APP_SEND, ns, 0)->has_before = false;
	if (error)
		why(w, REC_OBSERVED, "icmp.sent", icmp_text(f->hdr.inner.dport), ns_name(w->r, ns),
		    NULL);
	else if (f->reply && !strcmp(f->title, "RST"))
		why(w, REC_OBSERVED, "rst.sent", "", ns_name(w->r, ns), num(w, w->cur.inner.sport),
		    NULL);
	else
		why(w, REC_OBSERVED, "app.reply", "", f->title, ns_name(w->r, ns), NULL);
	why_source(w, ns);
}

static void try_socket(struct walk *w, int ns)
{
	const struct rec_tuple *t = &w->cur.inner;
	if (t->proto == PROTO_TCP)
		try_cmd(w, ns, arena_printf(w->r->arena, ":%u ", t->dport), "netstat -ltn");
	else if (t->proto == PROTO_UDP)
		try_cmd(w, ns, arena_printf(w->r->arena, ":%u ", t->dport), "netstat -lun");
	else
		try_cmd(w, ns, re_quote(w->r->arena, ip_text(w, t->dst)), "ip addr");
}

/* A program of a node: conntrack puts the Service's address back on the way up to the socket,
 * behind the last device. */
static void step_undone(struct walk *w, int ns)
{
	const struct rec_ct *c = ct_entry(w->r, ns, &w->cur.inner);
	if (!c || c->orig.dst == w->cur.inner.src || w->d->fly.v[w->flight].error ||
	    c->orig.src != w->cur.inner.dst)
		return;
	ip4 was = w->cur.inner.src;
	struct rec_step *s = add_step(w, REC_UNNAT, ns, 0);
	w->cur.inner.src = c->orig.dst;
	if (c->orig.proto != PROTO_ICMP)
		w->cur.inner.sport = c->orig.dport;
	s->after.inner = w->cur.inner;
	s->hook = "INPUT";
	s->table = "nat";
	why(w, REC_INFERRED, "ct.undo-src", "", ip_text(w, c->orig.dst), ip_text(w, was), NULL)
		->decides = true;
	why(w, REC_REASKED, "ct.found", ct_text(w->r->arena, c), NULL);
	note(w, "note.reply-no-nat", NULL);
}

static void step_received(struct walk *w, int ns, int ifindex)
{
	step_undone(w, ns);
	const struct rec_probe *b = &w->r->probe;
	bool failed = w->d->fly.v[w->flight].error || b->error;
	add_step(w, REC_APP_RECV, ns, ifindex);
	why(w, REC_OBSERVED, failed ? "app.error" : "app.answer", b->answer, NULL);
}

static void step_delivered(struct walk *w, int ns, int ifindex)
{
	bool refused = streq(w->r->verdict.cause, "port-closed");
	const struct rec_ipvs *c = ipvs_forward(w->r, ns, &w->cur.inner);
	if (c) /* the real server is this node itself */
		step_ipvs(w, ns, HOOK_INPUT, c);
	add_step(w, REC_DELIVER, ns, ifindex);
	const struct rec_tuple *t = &w->cur.inner;
	why(w, REC_OBSERVED, "app.listens", "", ip_text(w, t->dst), ns_name(w->r, ns),
	    num(w, t->proto == PROTO_ICMP ? 0 : t->dport), NULL)
		->decides = true;
	why_ct_confirm(w, ns, t);
	if (!refused)
		try_socket(w, ns);
}

static void why_perf(struct walk *w)
{
	vec_foreach (const struct rec_perf, p, &w->r->perfs)
		if (perf_of(w->d, w->flight, p))
			why(w, REC_OBSERVED, "perf.drop",
			    arena_printf(w->r->arena, "%s at %s", p->reason ? p->reason : "?",
					 p->function ? p->function : "?"),
			    NULL);
}

/* What in the snapshot says so. */
static void why_cause(struct walk *w, const struct rec_if *i)
{
	const struct rec_verdict *v = &w->r->verdict;
	const char *detail = v->args.n > 2 ? v->args.v[2] : "", *name = v->device ? v->device : "?";
	if (streq(v->cause, "fdb-missing"))
		why(w, v->how, "fdb.none", detail, name, NULL);
	else if (streq(v->cause, "ip-forward-off"))
		why(w, v->how, "sysctl", detail, NULL);
	else if (streq(v->cause, "wrong-vtep-mac") && i)
		why(w, v->how, "compare", "", name, mac_text(w, i->mac), detail, NULL);
	else if (streq(v->cause, "vni-mismatch") && i)
		why(w, v->how, "compare", "", arena_printf(w->r->arena, "%s vxlan id", name),
		    num(w, i->vni), detail, NULL);
	else if (streq(v->cause, "mtu"))
		why_mtu(w, i);
}

static void why_last_seen(struct walk *w)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	if (!f->sights.n)
		return;
	const struct rec_sight *s = &w->r->sights.v[f->sights.v[f->sights.n - 1]];
	why(w, REC_OBSERVED, "drop.device", "", if_name(w->r, s->ns, s->ifindex),
	    ns_name(w->r, s->ns), NULL);
}

static void step_failed(struct walk *w)
{
	const struct rec_verdict *v = &w->r->verdict;
	bool unknown = !v->cause || !strcmp(v->cause, "unknown");
	const struct rec_if *i = if_named(ns_at(w->r, v->ns), v->device);
	add_step(w, unknown ? REC_LOST : REC_DROP, v->ns, i ? i->ifindex : 0)->has_after = false;
	struct rec_reason *y = why(w, v->how, v->key, v->rule ? v->rule : "", NULL);
	y->decides = !unknown;
	for (size_t k = 0; k < v->args.n; k++)
		*vec_push(w->r->arena, &y->args) = v->args.v[k];
	why_last_seen(w);
	if (unknown)
		why(w, REC_OBSERVED, "drop.unknown", "", NULL);
	why_cause(w, i);
	why_perf(w);
	for (size_t k = 0; k < w->d->lost_asks.n; k++)
		why_route(w, v->ns, w->d->lost_asks.v[k]);
}

void step_end(struct walk *w)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	if (w->d->lost == w->flight) {
		step_failed(w);
		return;
	}
	if (!w->d->fly.v[w->flight].arrived || !f->sights.n)
		return;
	const struct rec_sight *s = &w->r->sights.v[f->sights.v[f->sights.n - 1]];
	if (relay_end(w, s->ns, s->ifindex))
		return;
	if (f->reply && s->ns == w->r->probe.from_ns)
		step_received(w, s->ns, s->ifindex);
	else
		step_delivered(w, s->ns, s->ifindex);
}
