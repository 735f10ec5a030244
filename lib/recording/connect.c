/* SPDX-License-Identifier: MIT */
/* connect: what conntrack has to do with it. */
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define SEEN_REPLY 0x2 /* IPS_SEEN_REPLY, IPS_ASSURED of linux/netfilter/nf_conntrack_common.h */
#define ASSURED	   0x4

static void add_tuple(struct strbuf *b, const struct rec_tuple *t)
{
	strbuf_addf(b, " src=%s dst=%s", IP4(t->src), IP4(t->dst));
	if (t->proto == PROTO_ICMP)
		strbuf_addf(b, " id=%u", t->sport);
	else if (t->proto == PROTO_TCP || t->proto == PROTO_UDP)
		strbuf_addf(b, " sport=%u dport=%u", t->sport, t->dport);
}

const char *ct_text(struct arena *a, const struct rec_ct *c)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	if (c->orig.proto == PROTO_TCP || c->orig.proto == PROTO_UDP || c->orig.proto == PROTO_ICMP)
		strbuf_adds(&b, ip_proto_str(c->orig.proto));
	else
		strbuf_addf(&b, "unknown %u", c->orig.proto);
	if (c->state)
		strbuf_addf(&b, " %s", c->state);
	add_tuple(&b, &c->orig);
	if (!(c->status & SEEN_REPLY))
		strbuf_adds(&b, " [UNREPLIED]");
	add_tuple(&b, &c->reply);
	if (c->status & ASSURED)
		strbuf_adds(&b, " [ASSURED]");
	return arena_strdup(a, strbuf_str(&b));
}

/* Between PREROUTING and POSTROUTING: the destination translated, the source not yet. */
static struct rec_tuple halfway(const struct rec_ct *c)
{
	struct rec_tuple h = c->orig;
	h.dst = c->reply.src;
	if (h.proto != PROTO_ICMP)
		h.dport = c->reply.sport;
	return h;
}

/* Either direction's tuple, before, within or after its translation. */
static bool concerns(const struct rec_ct *c, const struct rec_tuple *t)
{
	struct rec_tuple half = halfway(c), h = tuple_turned(&half);
	struct rec_tuple o = tuple_turned(&c->orig), y = tuple_turned(&c->reply);
	return same_tuple(&c->orig, t) || same_tuple(&c->reply, t) || same_tuple(&o, t) ||
	       same_tuple(&y, t) || same_tuple(&half, t) || same_tuple(&h, t);
}

static int find(struct walk *w, int ns, const struct rec_tuple *t, enum rec_ct_kind kind)
{
	for (size_t i = 0; i < w->r->cts.n; i++) {
		const struct rec_ct *c = &w->r->cts.v[i];
		if (c->ns == ns && c->kind == kind && concerns(c, t))
			return (int)i;
	}
	return -1;
}

const struct rec_ct *ct_entry(const struct recording *r, int ns, const struct rec_tuple *t)
{
	/* The destination may be the original source already. */
	vec_foreach (const struct rec_ct, c, &r->cts)
		if (c->ns == ns && c->kind != REC_CT_DESTROY && c->reply.src == t->src &&
		    c->reply.sport == t->sport && c->reply.proto == t->proto &&
		    (c->orig.src == t->dst || c->reply.dst == t->dst))
			return c;
	return NULL;
}

bool ct_has(struct walk *w, int ns, const struct rec_tuple *t)
{
	return find(w, ns, t, REC_CT_NEW) >= 0;
}

/* What conntrack knew when the packet came in. */
void why_ct_entry(struct walk *w, int ns, const struct rec_tuple *t)
{
	int was = find(w, ns, t, REC_CT_BEFORE), made = find(w, ns, t, REC_CT_NEW);
	int after = find(w, ns, t, REC_CT_AFTER);
	const struct rec_ct *v = w->r->cts.v;
	if (was >= 0)
		why(w, REC_REASKED, "ct.before", ct_text(w->r->arena, &v[was]), NULL);
	else if (made >= 0 && !w->d->ct_told[made] && !w->r->flights.v[w->flight].reply)
		why(w, REC_OBSERVED, "ct.none", "", NULL);
	else if (made >= 0)
		why(w, REC_OBSERVED, "ct.found", ct_text(w->r->arena, &v[made]), NULL);
	else if (after >= 0)
		why(w, REC_REASKED, "ct.after", ct_text(w->r->arena, &v[after]), NULL);
}

/* The entry becomes visible here; false when it was before. */
bool why_ct_confirm(struct walk *w, int ns, const struct rec_tuple *t)
{
	int made = find(w, ns, t, REC_CT_NEW);
	if (made < 0 || w->d->ct_told[made])
		return false;
	w->d->ct_told[made] = true;
	why(w, REC_OBSERVED, "ct.new", ct_text(w->r->arena, &w->r->cts.v[made]), NULL);
	return true;
}
