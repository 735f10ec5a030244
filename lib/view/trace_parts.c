/* SPDX-License-Identifier: MIT */
/* trace_parts: places, reasons, times and verdicts in words. Packets are in trace_packet.c. */
#include "lib/view/trace_parts.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/cleanup.h"

/* ---- names ---- */

/* Length of a trailing "-xxxxx" of min to max lower-case letters and digits before len; 0. */
static size_t random_end(const char *s, size_t len, size_t min, size_t max)
{
	size_t n = 0;
	while (n < len &&
	       (islower((unsigned char)s[len - 1 - n]) || isdigit((unsigned char)s[len - 1 - n])))
		n++;
	return n >= min && n <= max && n + 1 < len && s[len - 1 - n] == '-' ? n + 1 : 0;
}

/* A Deployment's pod is called NAME-HASH-xxxxx. */
static size_t short_len(const struct rec_ns *ns)
{
	size_t len = strlen(ns->name);
	if (strcmp(ns->role, "pod") != 0)
		return len;
	size_t last = random_end(ns->name, len, 5, 5);
	size_t hash = last ? random_end(ns->name, len - last, 5, 10) : 0;
	return hash ? len - last - hash : len;
}

void trace_ns(const struct recording *r, int ns, struct strbuf *out)
{
	if (ns < 0 || (size_t)ns >= r->ns.n) {
		strbuf_addc(out, '?');
		return;
	}
	const struct rec_ns *n = &r->ns.v[ns];
	size_t len = short_len(n);
	for (size_t i = 0; i < r->ns.n; i++)
		if (i != (size_t)ns && short_len(&r->ns.v[i]) == len &&
		    !strncmp(r->ns.v[i].name, n->name, len))
			len = strlen(n->name);
	strbuf_add(out, n->name, len);
}

void trace_role(const struct recording *r, int ns, enum view_lang l, struct strbuf *out)
{
	if (ns < 0 || (size_t)ns >= r->ns.n) {
		strbuf_addc(out, '?');
		return;
	}
	const struct rec_ns *n = &r->ns.v[ns];
	_strbuf_ struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "role.%s%s", n->role, n->node ? "-on" : "");
	if (lang_template(l, strbuf_str(&key)))
		lang_say(out, l, strbuf_str(&key), n->name, n->node);
	else
		strbuf_adds(out, n->name);
}

const struct rec_if *trace_device(const struct recording *r, int ns, int ifindex)
{
	if (ns < 0 || (size_t)ns >= r->ns.n || ifindex <= 0)
		return NULL;
	vec_foreach (const struct rec_if, i, &r->ns.v[ns].ifs)
		if (i->ifindex == ifindex)
			return i;
	return NULL;
}

static const char *device_name(const struct recording *r, const struct rec_step *s)
{
	const struct rec_if *i = trace_device(r, s->ns, s->ifindex);
	return i ? i->name : NULL;
}

/* ---- places ---- */

static void upper(const char *s, struct strbuf *out)
{
	for (; s && *s; s++)
		strbuf_addc(out, (char)toupper((unsigned char)*s));
}

static const char *place_key(const struct rec_step *s, bool device)
{
	switch (s->kind) {
	case REC_DEV_TX:
		return "place.out";
	case REC_DEV_RX:
		return "place.in";
	case REC_BRIDGE:
		return "place.bridge";
	case REC_UNNAT:
	case REC_CT_STEP:
		return "place.conntrack";
	case REC_ROUTE:
		return "place.route";
	case REC_NEIGH:
		return "place.neigh";
	case REC_FDB:
		return "place.fdb";
	case REC_ENCAP:
	case REC_DECAP:
		return "place.tunnel";
	case REC_APP_SEND:
	case REC_APP_RECV:
		return "place.app";
	case REC_DELIVER:
	case REC_ICMP_ERROR:
		return "place.stack";
	default:
		return s->hook || s->table ? "place.hook" : device ? "place.in" : "place.stack";
	}
}

void trace_place(const struct recording *r, const struct rec_step *s, enum view_lang l,
		 struct strbuf *out)
{
	_strbuf_ struct strbuf hook = STRBUF_INIT;
	const char *dev = device_name(r, s), *key = place_key(s, dev != NULL);
	upper(s->hook, &hook);
	if (!strcmp(key, "place.hook") && s->table)
		lang_say(out, l, key, s->table, strbuf_str(&hook));
	else if (!strcmp(key, "place.hook"))
		lang_say(out, l, key, strbuf_str(&hook), "");
	else if ((s->kind == REC_NEIGH || s->kind == REC_FDB || s->kind == REC_BRIDGE) && !dev)
		lang_say(out, l, key, "?");
	else if (s->kind == REC_DROP || s->kind == REC_LOST)
		strbuf_adds(out, dev ? dev : "?");
	else
		lang_say(out, l, key, dev ? dev : "");
}

void trace_place_short(const struct recording *r, const struct rec_step *s, enum view_lang l,
		       struct strbuf *out)
{
	const char *dev = device_name(r, s);
	if (s->kind == REC_DEV_RX)
		lang_say(out, l, "short.in", dev ? dev : "?");
	else if (s->kind == REC_DEV_TX)
		lang_say(out, l, "short.out", dev ? dev : "?");
	else if (s->hook || s->table) {
		strbuf_addf(out, "%s%s", s->table ? s->table : "", s->table && s->hook ? " " : "");
		upper(s->hook, out);
	} else if (dev && s->kind != REC_ROUTE && s->kind != REC_APP_SEND &&
		   s->kind != REC_APP_RECV)
		strbuf_adds(out, dev);
	else
		trace_place(r, s, l, out);
}

static void device_detail(const struct recording *r, int ns, const struct rec_if *i,
			  enum view_lang l, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	const struct rec_if *peer = trace_device(r, i->peer_ns, i->peer_ifindex);
	if (i->master)
		lang_say(&text, l, "place.port", i->master);
	if (peer && !strcmp(i->kind, "veth")) {
		_strbuf_ struct strbuf name = STRBUF_INIT;
		trace_ns(r, i->peer_ns, &name);
		strbuf_addf(&name, "/%s", peer->name);
		strbuf_adds(&text, text.len ? "; " : "");
		lang_say(&text, l, "place.peer", strbuf_str(&name));
	}
	if (!strcmp(i->kind, "vxlan") && i->vni) {
		char vni[16], port[16];
		snprintf(vni, sizeof(vni), "%u", i->vni);
		snprintf(port, sizeof(port), "%u", i->vxlan_port);
		lang_say(&text, l, "place.vxlan", vni, port);
	}
	if (text.len)
		strbuf_addf(out, " (%s)", strbuf_str(&text));
}

void trace_where(const struct recording *r, const struct rec_step *s, enum view_lang l,
		 struct strbuf *out)
{
	trace_role(r, s->ns, l, out);
	lang_say(out, l, "ui.comma");
	trace_place(r, s, l, out);
	const struct rec_if *i = trace_device(r, s->ns, s->ifindex);
	if (i && (s->kind == REC_DEV_RX || s->kind == REC_DEV_TX || s->kind == REC_ENCAP ||
		  s->kind == REC_DECAP))
		device_detail(r, s->ns, i, l, out);
	else if (i && (s->hook || s->table))
		strbuf_addf(out, " (%s)", i->name);
	if (s->outer) {
		lang_say(out, l, "ui.comma");
		lang_say(out, l, "place.outer");
	}
}

void trace_title(const struct rec_step *s, enum view_lang l, struct strbuf *out)
{
	_strbuf_ struct strbuf key = STRBUF_INIT;
	strbuf_addf(&key, "kind.%s", rec_step_kind_str(s->kind));
	lang_say(out, l, strbuf_str(&key));
}

/* ---- reasons ---- */

/* "-A KUBE-SERVICES -d ...": the chain stands in the sentence already. */
static const char *rule_body(const char *rule)
{
	if (strncmp(rule, "-A ", 3) != 0)
		return rule;
	const char *s = strchr(rule + 3, ' ');
	return s ? s + 1 : rule;
}

static void sentence(const char *key, const char *zero, const rec_strs *args, enum view_lang l,
		     struct strbuf *out)
{
	const char *v[10] = {zero ? zero : ""};
	size_t n = 1;
	for (size_t i = 0; args && i < args->n && n < ARRAY_SIZE(v); i++)
		v[n++] = args->v[i];
	lang_args(out, l, key ? key : "", v, n);
}

void trace_reason(const struct rec_reason *why, enum view_lang l, struct strbuf *out)
{
	bool rule = !strcmp(why->key, "rule") && why->args.n >= 2 && why->args.v[1][0];
	if (!strcmp(why->key, "dev.seen") && why->args.n == 2) {
		bool out_of = !strcmp(why->args.v[1], "out");
		lang_args(out, l, why->key,
			  (const char *[]){why->text, why->args.v[0],
					   lang_template(l, out_of ? "word.out" : "word.in")},
			  3);
		return;
	}
	sentence(why->key, rule ? rule_body(why->text) : why->text, &why->args, l, out);
}

enum rec_how trace_how(const struct rec_step *s)
{
	vec_foreach (const struct rec_reason, w, &s->why)
		if (w->decides)
			return w->how;
	return s->why.n ? s->why.v[0].how : s->sight >= 0 ? REC_OBSERVED : REC_INFERRED;
}

void trace_gist(const struct rec_step *s, enum view_lang l, struct strbuf *out)
{
	bool nat = s->kind == REC_DNAT || s->kind == REC_SNAT || s->kind == REC_UNNAT ||
		   s->kind == REC_IPVS;
	bool both = s->has_before && s->has_after;
	if (nat && both && trace_changes(&s->before, &s->after, l, out))
		return;
	vec_foreach (const struct rec_reason, w, &s->why)
		if (w->decides) {
			trace_reason(w, l, out);
			return;
		}
	if (both && trace_changes(&s->before, &s->after, l, out))
		return;
	if (s->has_after || s->has_before)
		trace_packet(s->has_after ? &s->after : &s->before, s->outer, out);
	else if (s->why.n)
		trace_reason(&s->why.v[0], l, out);
}

void trace_next(const struct rec_step *s, enum view_lang l, struct strbuf *out)
{
	sentence(s->next_key, s->next, NULL, l, out);
}

void trace_note(const struct rec_step *s, enum view_lang l, struct strbuf *out)
{
	if (s->note_key)
		sentence(s->note_key, s->note, NULL, l, out);
}

void trace_try(const struct rec_step *s, struct strbuf *out)
{
	if (s->try_cmd && s->try_where)
		strbuf_addf(out, "labctl exec %s -- ", s->try_where);
	if (s->try_cmd)
		strbuf_adds(out, s->try_cmd);
}

/* ---- time ---- */

void trace_span(int64_t ns, struct strbuf *out)
{
	if (ns < 1000)
		strbuf_addf(out, "%" PRId64 " ns", ns);
	else if (ns < 100 * 1000)
		strbuf_addf(out, "%.3g us", (double)ns / 1e3);
	else if (ns < 1000 * 1000)
		strbuf_addf(out, "%" PRId64 " us", ns / 1000);
	else if (ns < 1000 * 1000 * 1000)
		strbuf_addf(out, "%.3g ms", (double)ns / 1e6);
	else
		strbuf_addf(out, "%.3g s", (double)ns / 1e9);
}

/* The sighting that the step's time counts from: its index, -1: none. */
static int seen_before(const struct recording *r, size_t i)
{
	for (size_t k = i; k-- > 0 && r->steps.v[k].flight == r->steps.v[i].flight;)
		if (r->steps.v[k].sight >= 0)
			return (int)k;
	return -1;
}

void trace_time(const struct recording *r, size_t i, enum view_lang l, struct strbuf *out)
{
	const struct rec_step *s = &r->steps.v[i];
	int before = seen_before(r, i);
	_strbuf_ struct strbuf span = STRBUF_INIT;
	char no[24];
	if (s->delta_ns >= 0 && before >= 0) {
		strbuf_addc(&span, '+');
		trace_span(s->delta_ns, &span);
		snprintf(no, sizeof(no), "%d", before + 1);
		lang_say(out, l, "ui.after-step", strbuf_str(&span), no);
	}
	if (s->median_ns < 0)
		return;
	strbuf_reset(&span);
	trace_span(s->median_ns, &span);
	strbuf_adds(out, out->len ? " (" : "(");
	lang_say(out, l, "ui.median", strbuf_str(&span));
	strbuf_addc(out, ')');
}

/* ---- the whole ---- */

void trace_flight(const struct rec_flight *f, enum view_lang l, struct strbuf *out)
{
	char n[16];
	strbuf_adds(out, f->title);
	lang_say(out, l, "ui.comma");
	lang_say(out, l, f->reply ? "ui.reply" : "ui.forward");
	if (f->leg) {
		lang_say(out, l, "ui.comma");
		lang_say(out, l, "ui.relayed");
	}
	if (f->attempt > 1) {
		snprintf(n, sizeof(n), "%u", f->attempt);
		lang_say(out, l, "ui.comma");
		lang_say(out, l, "ui.attempt", n);
	}
}

void trace_verdict(const struct recording *r, enum view_lang l, struct strbuf *out)
{
	const struct rec_verdict *v = &r->verdict;
	if (v->key && lang_template(l, v->key))
		sentence(v->key, v->rule, &v->args, l, out);
	else
		strbuf_adds(out, v->text && *v->text ? v->text : v->result ? v->result : "?");
}

bool trace_incomplete(const struct recording *r)
{
	return r->lost_frames || r->lost_messages || r->verdict.incomplete;
}

void trace_ends(const struct recording *r, struct strbuf *from, struct strbuf *to)
{
	const struct rec_probe *p = &r->probe;
	strbuf_adds(from, p->from ? p->from : "?");
	strbuf_adds(to, p->dns_name ? p->dns_name : p->to ? p->to : "?");
	if (p->src)
		strbuf_addf(from, " (%s)", IP4(p->src));
	_strbuf_ struct strbuf addr = STRBUF_INIT;
	strbuf_adds(&addr, IP4(p->dst));
	if (p->dport)
		strbuf_addf(&addr, ":%u", p->dport);
	if (p->dst && strcmp(strbuf_str(to), strbuf_str(&addr)) != 0)
		strbuf_addf(to, " (%s)", strbuf_str(&addr));
}

static bool occurs(const struct recording *r, ip4 ip)
{
	vec_foreach (const struct rec_step, s, &r->steps) {
		const struct rec_hdr *h = s->has_after ? &s->after : &s->before;
		if ((s->has_after || s->has_before) &&
		    (h->inner.src == ip || h->inner.dst == ip ||
		     (h->encap && (h->outer.src == ip || h->outer.dst == ip))))
			return true;
	}
	return r->probe.src == ip || r->probe.dst == ip;
}

void trace_names(const struct recording *r, const char *sep, struct strbuf *out)
{
	const char *lead = "";
	vec_foreach (const struct rec_name, n, &r->names) {
		if (!n->ip || !occurs(r, n->ip))
			continue;
		strbuf_addf(out, "%s%s %s", lead, IP4(n->ip), n->name);
		lead = sep;
	}
}
