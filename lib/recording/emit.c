/* SPDX-License-Identifier: MIT */
/* emit: adding steps, reasons, notes and TRY lines. */
#include "lib/recording/emit.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/recording/lookup.h"

struct rec_step *add_step(struct walk *w, enum rec_step_kind kind, int ns, int ifindex)
{
	struct rec_step *s = vec_push(w->r->arena, &w->r->steps);
	*s = (struct rec_step){
		.kind = kind,
		.flight = w->flight,
		.ns = ns,
		.ifindex = ifindex,
		.before = w->cur,
		.after = w->cur,
		.has_before = true,
		.has_after = true,
		.delta_ns = -1,
		.median_ns = -1,
		.sight = -1,
	};
	return s;
}

struct rec_step *last_step(struct walk *w)
{
	return &w->r->steps.v[w->r->steps.n - 1];
}

uint64_t last_seen(const struct walk *w)
{
	for (size_t i = w->r->steps.n; i-- > 0 && w->r->steps.v[i].flight == w->flight;)
		if (w->r->steps.v[i].t)
			return w->r->steps.v[i].t;
	return 0;
}

struct rec_reason *why(struct walk *w, enum rec_how how, const char *key, const char *text, ...)
{
	struct rec_reason *y = vec_push(w->r->arena, &last_step(w)->why);
	*y = (struct rec_reason){.how = how, .key = key, .text = text ? text : ""};
	va_list ap;
	va_start(ap, text);
	for (const char *s; (s = va_arg(ap, const char *));)
		*vec_push(w->r->arena, &y->args) = s;
	va_end(ap);
	return y;
}

void note(struct walk *w, const char *key, const char *text)
{
	struct rec_step *s = last_step(w);
	if (!s->note_key) {
		s->note_key = key;
		s->note = text;
	} else if (strcmp(s->note_key, key)) {
		why(w, REC_OBSERVED, key, text, NULL);
	}
}

void try_cmd(struct walk *w, int ns, const char *expect, const char *cmd, ...)
{
	const struct rec_ns *n = ns_at(w->r, ns);
	struct rec_step *s = last_step(w);
	if (!n || !n->where || s->try_cmd)
		return;
	va_list ap;
	va_start(ap, cmd);
	s->try_where = n->where;
	s->try_cmd = arena_vprintf(w->r->arena, cmd, ap);
	s->try_expect = expect;
	va_end(ap);
}

const char *re_quote(struct arena *a, const char *s)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	for (; s && *s; s++) {
		if (strchr(".[]{}()*+?^$|\\", *s))
			strbuf_addc(&b, '\\');
		strbuf_addc(&b, *s);
	}
	return arena_strdup(a, strbuf_str(&b));
}

const char *num(struct walk *w, unsigned n)
{
	return arena_printf(w->r->arena, "%u", n);
}

const char *ip_text(struct walk *w, ip4 ip)
{
	return arena_strdup(w->r->arena, IP4(ip));
}

const char *mac_text(struct walk *w, struct mac m)
{
	return arena_strdup(w->r->arena, MAC(m));
}

static void add_flags(struct strbuf *b, uint8_t f)
{
	static const struct {
		uint8_t bit;
		char c;
	} names[] = {{TCP_SYN, 'S'}, {TCP_FIN, 'F'}, {TCP_RST, 'R'}, {0x08, 'P'}, {TCP_ACK, '.'}};
	strbuf_addc(b, ' ');
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (f & names[i].bit)
			strbuf_addc(b, names[i].c);
}

static void add_icmp(struct strbuf *b, uint16_t type_code)
{
	switch (type_code >> 8) {
	case ICMP_ECHO_REQUEST:
		strbuf_adds(b, " echo request");
		break;
	case ICMP_ECHO_REPLY:
		strbuf_adds(b, " echo reply");
		break;
	default:
		strbuf_addf(b, " ICMP %u/%u", type_code >> 8, type_code & 0xff);
	}
}

const char *hdr_text(struct arena *a, const struct rec_hdr *h)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	if (h->encap && h->encap_proto == PROTO_UDP)
		strbuf_addf(&b, "[%s, VXLAN %u, ttl %u] ", tuple_str(a, &h->outer), h->vni,
			    h->outer_ttl);
	else if (h->encap)
		strbuf_addf(&b, "[%s, protocol %u, ttl %u] ", tuple_str(a, &h->outer),
			    h->encap_proto, h->outer_ttl);
	strbuf_adds(&b, tuple_str(a, &h->inner));
	if (h->inner.proto == PROTO_TCP)
		add_flags(&b, h->tcp_flags);
	else if (h->inner.proto == PROTO_ICMP)
		add_icmp(&b, h->inner.dport);
	strbuf_addf(&b, " ttl %u", h->ttl);
	return arena_strdup(a, strbuf_str(&b));
}
