/* SPDX-License-Identifier: MIT */
/* walkrules: the walk through chains as reasons: the rules passed, and why not those above. */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define DEPTH_MAX 16
#define ABOVE_MAX 6 /* rules above a hit that are told one by one */

struct chains {
	const char *name[DEPTH_MAX];
	unsigned last[DEPTH_MAX]; /* number of the last rule told in it */
	int depth;
};

const struct rec_rule *rule_of(const struct recording *r, const struct rec_match *m)
{
	const struct rec_ns *n = ns_at(r, m->ns);
	for (size_t i = 0; n && m->kind == REC_RULE && i < n->rules.n; i++) {
		const struct rec_rule *x = &n->rules.v[i];
		bool hit = m->handle ? x->handle == m->handle : m->num && x->num == m->num;
		if (hit && streq(x->chain, m->chain) && streq(x->table, m->table))
			return x;
	}
	return NULL;
}

static const char *policy_of(const struct recording *r, const struct rec_match *m)
{
	const struct rec_ns *n = ns_at(r, m->ns);
	for (size_t i = 0; n && i < n->chains.n; i++)
		if (streq(n->chains.v[i].chain, m->chain) && streq(n->chains.v[i].table, m->table))
			return n->chains.v[i].policy;
	if (m->verdict && !strcasecmp(m->verdict, "drop"))
		return "DROP";
	return NULL;
}

static bool target_is(const struct recording *r, const struct rec_match *m, const char *target)
{
	const struct rec_rule *x = rule_of(r, m);
	return x && streq(x->target, target);
}

bool visit_is(const struct recording *r, const struct visit *v, const char *type)
{
	const struct rec_ns *n = ns_at(r, v->ns);
	const struct rec_match *m = &r->matches.v[v->matches.v[0]];
	for (size_t i = 0; n && i < n->chains.n; i++)
		if (n->chains.v[i].type && streq(n->chains.v[i].chain, m->chain) &&
		    streq(n->chains.v[i].table, m->table))
			return !strcmp(n->chains.v[i].type, type);
	return streq(v->table, type);
}

bool match_rejects(const struct recording *r, const struct rec_match *m)
{
	return m->kind == REC_RULE && target_is(r, m, "REJECT");
}

bool match_drops(const struct recording *r, const struct rec_match *m)
{
	if (m->kind == REC_POLICY) {
		const char *p = policy_of(r, m);
		return p && !strcmp(p, "DROP");
	}
	if (m->kind != REC_RULE)
		return false;
	bool said = m->verdict && !strcmp(m->verdict, "drop");
	return said || target_is(r, m, "DROP") || match_rejects(r, m);
}

static bool is_terminal(const struct recording *r, const struct rec_match *m)
{
	static const char *const targets[] = {"ACCEPT", "DROP",	      "REJECT",	  "DNAT",
					      "SNAT",	"MASQUERADE", "REDIRECT", "NFQUEUE"};
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		if (m->kind == REC_RULE && target_is(r, m, targets[i]))
			return true;
	return m->kind == REC_RULE && m->verdict &&
	       (!strcmp(m->verdict, "accept") || !strcmp(m->verdict, "drop"));
}

int visit_decides(const struct recording *r, const struct visit *v)
{
	for (size_t i = v->matches.n; i-- > 0;) {
		const struct rec_match *m = &r->matches.v[v->matches.v[i]];
		if (is_terminal(r, m) || m->kind == REC_POLICY)
			return (int)i;
	}
	return -1;
}

/* Rules of the Service's chain that begin it with a mark: what the document leaves out. */
static bool is_svc_masq(const struct rec_rule *x)
{
	return x->chain && !strncmp(x->chain, "KUBE-SVC-", 9) && x->text &&
	       strstr(x->text, "! -s ") && streq(x->target, "KUBE-MARK-MASQ");
}

static void why_above_one(struct walk *w, const struct rule_ctx *c, const struct rec_rule *x,
			  int indent)
{
	const char *asked = "", *has = "";
	const char *key = x->family ? nft_mismatch(c, x, &asked, &has)
				    : rule_mismatch(c, x->text, &asked, &has);
	why(w, REC_INFERRED, key ? key : "nomatch.unknown", x->text, asked, has, num(w, x->num),
	    NULL)
		->indent = indent;
	if (is_svc_masq(x))
		why(w, REC_INFERRED, "note.svc-masq", x->text, NULL)->indent = indent;
}

/* The rules between the last one told of this chain and the one that matched. */
static void why_above(struct walk *w, const struct rule_ctx *c, const struct rec_match *m,
		      const struct rec_rule *hit, unsigned from, int indent)
{
	const struct rec_ns *n = ns_at(w->r, m->ns);
	unsigned told = 0, more = 0;
	for (size_t i = 0; n && i < n->rules.n; i++) {
		const struct rec_rule *x = &n->rules.v[i];
		if (!streq(x->chain, hit->chain) || !streq(x->table, hit->table) ||
		    x->num <= from || x->num >= hit->num)
			continue;
		if (told++ < ABOVE_MAX)
			why_above_one(w, c, x, indent);
		else
			more++;
	}
	if (more)
		why(w, REC_INFERRED, "more-above", "", num(w, more), NULL)->indent = indent;
}

/* How deep is this chain? A jump goes down, a chain already entered is gone back to. */
static int enter(struct chains *s, const char *chain)
{
	for (int i = s->depth; i-- > 0;)
		if (streq(s->name[i], chain)) {
			s->depth = i + 1;
			return i;
		}
	if (s->depth == DEPTH_MAX)
		return DEPTH_MAX - 1;
	s->name[s->depth] = chain;
	s->last[s->depth] = 0;
	return s->depth++;
}

/* The kernel says where a map sent the packet; which element that was is looked up. */
static void why_element(struct walk *w, const struct rule_ctx *c, const struct rec_rule *x,
			int indent)
{
	const struct rec_elem *e = x && x->family ? nft_element(c, x) : NULL;
	if (e && e->value)
		why(w, REC_INFERRED, "element",
		    arena_printf(w->r->arena, "%s : %s", e->key, e->value), e->set, NULL)
			->indent = indent;
}

static void why_rule(struct walk *w, const struct rec_match *m, int indent, bool decides)
{
	const struct rec_rule *x = rule_of(w->r, m);
	const char *text = x && x->text ? x->text
					: arena_printf(w->r->arena, "%s %s %s", m->table, m->chain,
						       m->verdict ? m->verdict : "");
	struct rec_reason *y =
		why(w, REC_OBSERVED, "rule", text, m->table, m->chain, num(w, x ? x->num : m->num),
		    x && x->target ? x->target : "", x && x->comment ? x->comment : "", NULL);
	y->indent = indent;
	y->decides = decides;
	if (x && is_svc_masq(x))
		why(w, REC_OBSERVED, "note.svc-masq", text, NULL)->indent = indent;
}

static struct rule_ctx ctx_of(struct walk *w, const struct visit *v)
{
	const struct rec_flight *f = &w->r->flights.v[w->flight];
	bool error = w->d->fly.v[w->flight].error;
	return (struct rule_ctx){
		.r = w->r,
		.a = w->r->arena,
		.ns = v->ns,
		.h = v->pkt.ok ? &v->pkt.h : &w->cur,
		.iif = v->iif ? if_name(w->r, v->ns, v->iif) : "",
		.oif = v->oif ? if_name(w->r, v->ns, v->oif) : "",
		.ctstate = v->outer   ? NULL
			   : error    ? "RELATED"
			   : f->reply ? "ESTABLISHED"
				      : "NEW",
		.mark = v->mark_in,
	};
}

/* nf_tables reports the end of a base chain too, before its policy: that is no way back. */
static bool ends_base(const struct recording *r, const struct visit *v, size_t i)
{
	const struct rec_match *m = &r->matches.v[v->matches.v[i]];
	const struct rec_match *o =
		i + 1 < v->matches.n ? &r->matches.v[v->matches.v[i + 1]] : NULL;
	return o && o->kind == REC_POLICY && streq(o->chain, m->chain) && streq(o->table, m->table);
}

/* Does the chain of message i lead to the message that decided? Only there the rules above count.
 */
static bool on_path(const struct recording *r, const struct visit *v, size_t i, int decider)
{
	const struct rec_match *m = &r->matches.v[v->matches.v[i]];
	for (int k = (int)i + 1; k <= decider; k++) {
		const struct rec_match *o = &r->matches.v[v->matches.v[k]];
		if (streq(o->chain, m->chain))
			return false; /* it came back */
	}
	return decider >= 0 && (int)i <= decider;
}

/* The mark when the rules above message i were tried: iptables reports a rule before its target
 * acts, nf_tables behind it. */
static uint32_t mark_before(const struct recording *r, const struct visit *v, size_t i)
{
	if (v->trace_id)
		return i ? r->matches.v[v->matches.v[i - 1]].mark : v->mark_in;
	return r->matches.v[v->matches.v[i]].mark;
}

void why_visit(struct walk *w, const struct visit *v, bool decisive)
{
	const struct recording *r = w->r;
	struct chains s = {.depth = 0};
	struct rule_ctx c = ctx_of(w, v);
	int decider = visit_decides(r, v);
	for (size_t i = 0; i < v->matches.n; i++) {
		const struct rec_match *m = &r->matches.v[v->matches.v[i]];
		int indent = enter(&s, m->chain);
		const struct rec_rule *x = rule_of(r, m);
		bool decides = decisive && (int)i == decider;
		c.mark = mark_before(r, v, i);
		if (m->kind == REC_POLICY) {
			const char *p = policy_of(r, m);
			why(w, REC_OBSERVED, "policy", "", m->table, m->chain, p ? p : "ACCEPT",
			    NULL)
				->decides = decides;
		} else if (m->kind == REC_RETURN && ends_base(r, v, i)) {
			continue;
		} else if (m->kind == REC_RETURN) {
			why(w, REC_OBSERVED, "no-more", "", m->table, m->chain, NULL)->indent =
				indent;
		} else {
			if (x && decisive &&
			    is_terminal(r,
					&r->matches.v[v->matches.v[decider < 0 ? 0 : decider]]) &&
			    on_path(r, v, i, decider))
				why_above(w, &c, m, x, s.last[indent], indent);
			why_rule(w, m, indent, decides);
			why_element(w, &c, x, indent);
			s.last[indent] = x ? x->num : s.last[indent];
		}
	}
}
