/* SPDX-License-Identifier: MIT */
/* verdict: how it ended: delivered, refused, dropped, or lost, and by what. Never a guess. */
#include "lib/recording/verdict.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/recording/keys.h"
#include "lib/recording/lookup.h"

#define X(key, text) {key, text},
static const struct {
	const char *key, *text;
} sentences[] = {REC_KEYS_VERDICT(X){NULL, NULL}};
#undef X

/* The English sentence of the key with its arguments: {0} the rule. */
static const char *sentence(const struct recording *r)
{
	const struct rec_verdict *v = &r->verdict;
	const char *t = v->key;
	for (size_t i = 0; sentences[i].key; i++)
		if (streq(sentences[i].key, v->key))
			t = sentences[i].text;
	_strbuf_ struct strbuf b = STRBUF_INIT;
	for (; t && *t; t++) {
		bool arg = t[0] == '{' && t[1] >= '0' && t[1] <= '9' && t[2] == '}';
		size_t i = arg ? (size_t)(t[1] - '0') : 0;
		if (!arg)
			strbuf_addc(&b, *t);
		else if (!i)
			strbuf_adds(&b, v->rule ? v->rule : "");
		else
			strbuf_adds(&b, i <= v->args.n ? v->args.v[i - 1] : "");
		t += arg ? 2 : 0;
	}
	return arena_strdup(r->arena, strbuf_str(&b));
}

void say(struct red *d, const char *result, const char *cause, int ns, const char *device,
	 const char *detail, enum rec_how how)
{
	struct rec_verdict *v = &d->r->verdict;
	struct arena *a = d->r->arena;
	bool incomplete = v->incomplete;
	const char *rule = v->rule;
	*v = (struct rec_verdict){
		.result = result,
		.cause = cause,
		.ns = ns,
		.device = device,
		.rule = rule,
		.how = how,
		.incomplete = incomplete,
		.key = arena_printf(a, "verdict.%s", cause ? cause : "delivered"),
	};
	*vec_push(a, &v->args) = ns_name(d->r, ns);
	*vec_push(a, &v->args) = device ? device : "";
	*vec_push(a, &v->args) = detail ? detail : "";
	v->text = sentence(d->r);
}

/* Another sentence with the same arguments. */
static void set_key(struct red *d, const char *key)
{
	d->r->verdict.key = key;
	d->r->verdict.text = sentence(d->r);
}

static int first_flight(const struct red *d, bool reply, bool error)
{
	for (size_t k = 0; k < d->fly.n; k++)
		if (d->fly.v[k].steps && d->r->flights.v[k].reply == reply &&
		    d->fly.v[k].error == error)
			return (int)k;
	return -1;
}

static int rst_flight(const struct red *d)
{
	for (size_t k = 0; k < d->fly.n; k++)
		if (d->r->flights.v[k].reply && streq(d->r->flights.v[k].title, "RST"))
			return (int)k;
	return -1;
}

/* ---- ends ---- */

static const struct visit *last_visit(const struct red *d, int flight,
				      const struct rec_match **drop)
{
	vec_foreach (const struct visit, v, &d->visits) {
		int i = v->flight == flight ? visit_decides(d->r, v) : -1;
		const struct rec_match *m = i < 0 ? NULL : &d->r->matches.v[v->matches.v[i]];
		if (m && match_drops(d->r, m)) {
			*drop = m;
			return v;
		}
	}
	return NULL;
}

const struct rec_match *dropped_by(const struct red *d, int flight)
{
	const struct rec_match *m;
	return last_visit(d, flight, &m) ? m : NULL;
}

/* A DNAT rule may have been the last thing that happened: the packet is for there then. */
static void after_rules(const struct red *d, int flight, struct end *e)
{
	int last = (int)d->r->flights.v[flight].sights.n - 1;
	vec_foreach (const struct visit, v, &d->visits) {
		if (v->flight != flight || v->ns != e->ns || v->outer || v->pos < last)
			continue;
		if (v->pkt.ok)
			e->h.inner = v->pkt.h.inner;
		int i = visit_decides(d->r, v);
		const struct rec_rule *x =
			i < 0 ? NULL : rule_of(d->r, &d->r->matches.v[v->matches.v[i]]);
		if (x && streq(x->target, "DNAT"))
			dnat_to(x, &e->h.inner);
	}
}

static struct end end_of(const struct red *d, int flight)
{
	const struct rec_flight *f = &d->r->flights.v[flight];
	struct end e = {.flight = flight, .ns = d->r->probe.from_ns, .h = f->hdr};
	if (f->sights.n) {
		int i = f->sights.v[f->sights.n - 1];
		e.s = &d->r->sights.v[i];
		e.ns = e.s->ns;
		e.h = d->pk[i].h;
		e.dev = if_at(d->r, e.ns, e.s->ifindex);
	}
	e.n = ns_at(d->r, e.ns);
	after_rules(d, flight, &e);
	return e;
}

static void set_arrived(struct red *d)
{
	for (size_t k = 0; k < d->fly.n; k++) {
		const struct rec_match *drop;
		struct end e = end_of(d, (int)k);
		bool here = e.s && !e.s->tx && !e.h.encap && addr_is_local(e.n, e.h.inner.dst);
		/* A frame for another's MAC is thrown away, whoever's the address. */
		bool mine = here && (!e.dev || e.dev->master || mac_is_zero(e.h.dmac) ||
				     mac_is_zero(e.dev->mac) || same_mac(e.dev->mac, e.h.dmac) ||
				     !streq(e.dev->kind, "vxlan"));
		d->fly.v[k].arrived = mine && !last_visit(d, (int)k, &drop);
	}
}

/* ---- rules ---- */

const char *rule_text(const struct recording *r, const struct rec_match *m)
{
	const struct rec_rule *x = rule_of(r, m);
	if (x && x->family) /* nft's rules do not name their chain */
		return arena_printf(r->arena, "%s %s %s: %s", x->family, x->table, x->chain,
				    x->text);
	if (x)
		return x->text;
	if (m->kind == REC_POLICY)
		return arena_printf(r->arena, "-P %s DROP", m->chain);
	return arena_printf(r->arena, "%s %s rule %u", m->table, m->chain, m->num);
}

/* nft: the packet was found in a map of those (kube-proxy: no-endpoint-services, -nodeports). */
static bool in_no_endpoints(const struct recording *r, const struct visit *v)
{
	vec_foreach (const int, i, &v->matches) {
		const struct rec_rule *x = rule_of(r, &r->matches.v[*i]);
		const char *to = r->matches.v[*i].verdict;
		if (x && x->family && strstr(x->text, "vmap @no-endpoint-") && to &&
		    (strstr(to, "goto ") || !strcmp(to, "drop")))
			return true;
	}
	return false;
}

static bool no_endpoints(const struct rec_rule *x)
{
	return x && ((x->comment && strstr(x->comment, "no endpoints")) ||
		     (x->text && strstr(x->text, "no endpoints")));
}

static bool by_rule(struct red *d, int flight)
{
	const struct rec_match *m;
	const struct visit *v = flight < 0 ? NULL : last_visit(d, flight, &m);
	if (!v)
		return false;
	const struct recording *r = d->r;
	struct end e = end_of(d, flight);
	const char *dev = v->iif   ? if_name(r, v->ns, v->iif)
			  : v->oif ? if_name(r, v->ns, v->oif)
				   : NULL;
	if (e.s && e.ns == v->ns)
		dev = if_name(r, e.ns, e.s->ifindex);
	d->r->verdict.rule = rule_text(r, m);
	d->lost = flight;
	if (match_rejects(r, m)) {
		bool none = no_endpoints(rule_of(r, m)) || in_no_endpoints(r, v);
		say(d, "refused", none ? "no-endpoints" : "rule-reject", v->ns, dev, NULL,
		    REC_OBSERVED);
		return true;
	}
	const char *detail = NULL, *policy = policy_drop(r, v, m, &detail);
	const char *cause = policy				? policy
			    : ns_is(r, v->ns, "pod")		? "pod-rule"
			    : v->outer && v->hook == HOOK_INPUT ? "input-drop"
								: "rule-drop";
	say(d, "dropped", cause, v->ns, dev, detail, REC_OBSERVED);
	return true;
}

/* ---- the verdict ---- */

/* The kernel's own word for it; NULL: none was heard. */
static const char *freed_by(const struct red *d, int flight)
{
	vec_foreach (const struct rec_perf, p, &d->r->perfs)
		if (perf_of(d, flight, p) && p->reason && p->function)
			return arena_printf(d->r->arena, "%s at %s", p->reason, p->function);
	return NULL;
}

/* REDIRECT means the address of the device a packet came in by: with none, the kernel drops it. */
static bool redirected_nowhere(struct red *d, const struct end *e)
{
	const struct rec_rule *rule = NULL;
	int iif = 0;
	int last = (int)d->r->flights.v[e->flight].sights.n - 1;
	vec_foreach (const struct visit, v, &d->visits) {
		if (v->flight != e->flight || v->ns != e->ns || v->outer || v->pos < last)
			continue;
		int i = visit_decides(d->r, v);
		rule = i < 0 ? NULL : rule_of(d->r, &d->r->matches.v[v->matches.v[i]]);
		iif = v->iif;
	}
	if (!rule || !streq(rule->target, "REDIRECT") || !iif)
		return false;
	vec_foreach (const struct rec_addr, a, &e->n->addrs)
		if (a->ifindex == iif)
			return false;
	d->r->verdict.rule = rule->text;
	say(d, "dropped", "rule-drop", e->ns, if_name(d->r, e->ns, iif), NULL,
	    freed_by(d, e->flight) ? REC_OBSERVED : REC_INFERRED);
	set_key(d, "verdict.redirect-nowhere");
	return true;
}

static void lost(struct red *d, int flight)
{
	struct end e = end_of(d, flight);
	d->lost = flight;
	if (redirected_nowhere(d, &e) || diagnose(d, &e))
		return;
	d->lost_asks.n = 0;
	const char *freed = freed_by(d, flight);
	say(d, freed ? "dropped" : "lost", "unknown", e.ns, e.dev ? e.dev->name : NULL, freed,
	    REC_OBSERVED);
	if (freed)
		set_key(d, "verdict.freed");
}

static bool is_answered(const struct red *d)
{
	return streq(d->r->probe.outcome, "answered");
}

static const char *target_text(const struct red *d, const struct end *e)
{
	if (e->h.inner.proto == PROTO_ICMP)
		return arena_strdup(d->r->arena, IP4(e->h.inner.dst));
	return arena_printf(d->r->arena, "%u", e->h.inner.dport);
}

static void delivered(struct red *d, int forward)
{
	struct end e = end_of(d, forward);
	say(d, "delivered", NULL, e.ns, e.dev ? e.dev->name : NULL, d->r->probe.answer,
	    REC_OBSERVED);
}

/* RST, or ICMP port unreachable from where it was delivered. */
static bool refused(struct red *d, int forward)
{
	int error = first_flight(d, true, true);
	struct end e = end_of(d, forward);
	bool icmp = error >= 0 &&
		    d->r->flights.v[error].hdr.inner.dport == (ICMP_UNREACHABLE << 8 | 3) &&
		    d->r->flights.v[error].sights.n &&
		    d->r->sights.v[d->r->flights.v[error].sights.v[0]].ns == e.ns;
	if (!d->fly.v[forward].arrived || (rst_flight(d) < 0 && !icmp))
		return false;
	say(d, "refused", "port-closed", e.ns, e.dev ? e.dev->name : NULL, target_text(d, &e),
	    REC_OBSERVED);
	return true;
}

/* It came back, but from an address that was not asked: conntrack had no hand in it. */
static bool untranslated(struct red *d, int reply)
{
	struct end e = end_of(d, reply);
	if (!e.s || e.ns != d->r->probe.from_ns || e.h.inner.src == d->r->probe.dst)
		return false;
	const struct rec_ct *c = ct_entry(d->r, e.ns, &e.h.inner);
	if (c && c->orig.dst == d->r->probe.dst)
		return false; /* translated behind the last device */
	d->lost = reply;
	say(d, "lost", "reply-untranslated", e.ns, e.dev ? e.dev->name : NULL,
	    arena_strdup(d->r->arena, IP4(e.h.inner.src)), REC_OBSERVED);
	return true;
}

/* Its first byte came, in this packet or in another one: sent again, cut up, put together. */
static bool came(const struct red *d, size_t k)
{
	const struct rec_flight *f = &d->r->flights.v[k];
	for (size_t i = 0; i < d->fly.n; i++) {
		const struct rec_flight *o = &d->r->flights.v[i];
		uint32_t behind = f->hdr.seq - o->hdr.seq;
		if (d->fly.v[i].arrived && o->reply == f->reply && o->leg == f->leg &&
		    behind < d->fly.v[i].payload)
			return true;
	}
	return false;
}

/* The first data that was sent and never came; -1: none, or frames are missing that may have
 * shown it. */
static int lost_data(const struct red *d)
{
	if (d->r->lost_frames || !streq(d->r->probe.proto, "tcp"))
		return -1;
	for (size_t k = 0; k < d->fly.n; k++)
		if (d->fly.v[k].payload && !d->fly.v[k].error && !came(d, k))
			return (int)k;
	return -1;
}

/* The handshake went well, then something without data did not arrive. */
static int later_loss(const struct red *d)
{
	for (size_t k = d->fly.n; k-- > 0;)
		if (!d->fly.v[k].arrived && !d->fly.v[k].steps)
			return (int)k;
	return -1;
}

static void silent(struct red *d, int forward)
{
	struct end e = end_of(d, forward);
	say(d, "lost", "unknown", e.ns, e.dev ? e.dev->name : NULL, NULL, REC_OBSERVED);
	set_key(d, "verdict.delivered-silent");
}

static void judge(struct red *d)
{
	int forward = first_flight(d, false, false), reply = first_flight(d, true, false);
	if (forward < 0) {
		struct end e = {.flight = -1, .ns = d->r->probe.from_ns};
		e.n = ns_at(d->r, e.ns);
		e.h.inner.dst = d->r->probe.dst;
		if (!diagnose(d, &e))
			say(d, "lost", "unknown", e.ns, NULL, NULL, REC_OBSERVED);
		return;
	}
	int data = lost_data(d);
	if (data >= 0) {
		d->fly.v[data].steps = true;
		place_visits(d);
		if (!by_rule(d, data))
			lost(d, data);
		return;
	}
	if (is_answered(d)) {
		delivered(d, relay_last(d, forward));
		return;
	}
	if (by_rule(d, forward) || refused(d, forward))
		return;
	if (!d->fly.v[forward].arrived) {
		lost(d, forward);
		return;
	}
	if (reply < 0) {
		silent(d, forward);
		return;
	}
	if (by_rule(d, reply))
		return;
	if (!d->fly.v[reply].arrived) {
		lost(d, reply);
		return;
	}
	int later = later_loss(d);
	if (untranslated(d, reply))
		return;
	if (later < 0) {
		silent(d, forward);
		return;
	}
	d->fly.v[later].steps = true;
	lost(d, later);
}

void reduce_verdict(struct red *d)
{
	struct recording *r = d->r;
	d->lost = -1;
	r->verdict = (struct rec_verdict){
		.ns = -1,
		.incomplete = r->lost_frames || r->lost_messages,
	};
	set_arrived(d);
	judge(d);
}
