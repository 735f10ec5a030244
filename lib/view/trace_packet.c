/* SPDX-License-Identifier: MIT */
/* trace_packet: a packet's headers in words, and what changed between two of them. */
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#include "lib/view/trace_parts.h"

static void endpoint(ip4 ip, uint16_t port, bool ports, struct strbuf *out)
{
	strbuf_adds(out, IP4(ip));
	if (ports)
		strbuf_addf(out, ":%u", port);
}

static void tuple(const struct rec_tuple *t, struct strbuf *out)
{
	bool ports = t->proto == IPPROTO_TCP || t->proto == IPPROTO_UDP;
	endpoint(t->src, t->sport, ports, out);
	strbuf_adds(out, " -> ");
	endpoint(t->dst, t->dport, ports, out);
}

static void tcp_flags(uint8_t flags, struct strbuf *out)
{
	static const char *const names[] = {"FIN", "SYN", "RST", "PSH", "ACK", "URG"};
	static const int order[] = {1, 0, 2, 3, 4, 5}; /* SYN first, as people say it */
	const char *lead = " ";
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (!(flags & 1 << order[i]))
			continue;
		strbuf_addf(out, "%s%s", lead, names[order[i]]);
		lead = "-";
	}
}

static void icmp(const struct rec_tuple *t, struct strbuf *out)
{
	unsigned type = t->dport >> 8, code = t->dport & 0xff;
	if (type == ICMP_ECHO)
		strbuf_adds(out, "icmp echo request");
	else if (type == ICMP_ECHOREPLY)
		strbuf_adds(out, "icmp echo reply");
	else
		strbuf_addf(out, "icmp %u/%u", type, code);
}

void trace_packet(const struct rec_hdr *h, bool outer, struct strbuf *out)
{
	const struct rec_tuple *t = outer ? &h->outer : &h->inner;
	tuple(t, out);
	strbuf_adds(out, "  ");
	if (outer && h->encap_proto == IPPROTO_UDP)
		strbuf_addf(out, "udp, VXLAN id %u", h->vni);
	else if (outer)
		strbuf_addf(out, "protocol %u (IPIP)", h->encap_proto);
	else if (t->proto == IPPROTO_TCP) {
		strbuf_adds(out, "tcp");
		tcp_flags(h->tcp_flags, out);
	} else if (t->proto == IPPROTO_ICMP)
		icmp(t, out);
	else if (t->proto == IPPROTO_UDP)
		strbuf_adds(out, "udp");
	else
		strbuf_addf(out, "protocol %u", t->proto);
	if (outer ? h->outer_ttl : h->ttl)
		strbuf_addf(out, "  ttl %u", outer ? h->outer_ttl : h->ttl);
	if (h->mark && !outer)
		strbuf_addf(out, "  mark 0x%x", h->mark);
}

void trace_tunnel(const struct rec_hdr *h, struct strbuf *out)
{
	if (h->encap_proto == IPPROTO_UDP)
		strbuf_addf(out, "VXLAN %u, ", h->vni);
	else
		strbuf_adds(out, "IPIP, ");
	strbuf_addf(out, "%s -> %s", IP4(h->outer.src), IP4(h->outer.dst));
}

struct changes {
	enum view_lang lang;
	struct strbuf *out;
	size_t n;
};

static void changed(struct changes *c, const char *key, const char *a, const char *b)
{
	if (c->n++)
		lang_say(c->out, c->lang, "ui.comma");
	lang_say(c->out, c->lang, key);
	if (a)
		strbuf_addf(c->out, " (%s -> %s)", a, b);
}

static void changed_ip(struct changes *c, const char *key, ip4 a, ip4 b)
{
	if (a != b)
		changed(c, key, IP4(a), IP4(b));
}

static void changed_num(struct changes *c, const char *key, bool hex, unsigned a, unsigned b)
{
	char x[16], y[16];
	if (a == b)
		return;
	snprintf(x, sizeof(x), hex ? "0x%x" : "%u", a);
	snprintf(y, sizeof(y), hex ? "0x%x" : "%u", b);
	changed(c, key, x, y);
}

static void changed_mac(struct changes *c, const char *key, struct mac a, struct mac b)
{
	if (!mac_is_zero(a) && !mac_is_zero(b) && memcmp(&a, &b, sizeof(a)) != 0)
		changed(c, key, MAC(a), MAC(b));
}

static void outer_changes(struct changes *c, const struct rec_hdr *a, const struct rec_hdr *b)
{
	if (!a->encap && b->encap)
		changed(c, "field.packed", NULL, NULL);
	if (a->encap && !b->encap)
		changed(c, "field.unpacked", NULL, NULL);
	if (!a->encap || !b->encap)
		return;
	changed_ip(c, "field.osrc", a->outer.src, b->outer.src);
	changed_num(c, "field.osport", false, a->outer.sport, b->outer.sport);
	changed_ip(c, "field.odst", a->outer.dst, b->outer.dst);
	changed_num(c, "field.odport", false, a->outer.dport, b->outer.dport);
	if (a->outer_ttl && b->outer_ttl)
		changed_num(c, "field.ottl", false, a->outer_ttl, b->outer_ttl);
}

bool trace_changes(const struct rec_hdr *a, const struct rec_hdr *b, enum view_lang l,
		   struct strbuf *out)
{
	struct changes c = {.lang = l, .out = out};
	bool ports = a->inner.proto == IPPROTO_TCP || a->inner.proto == IPPROTO_UDP;
	changed_ip(&c, "field.src", a->inner.src, b->inner.src);
	if (ports)
		changed_num(&c, "field.sport", false, a->inner.sport, b->inner.sport);
	changed_ip(&c, "field.dst", a->inner.dst, b->inner.dst);
	if (ports)
		changed_num(&c, "field.dport", false, a->inner.dport, b->inner.dport);
	if (a->ttl && b->ttl)
		changed_num(&c, "field.ttl", false, a->ttl, b->ttl);
	changed_num(&c, "field.mark", true, a->mark, b->mark);
	outer_changes(&c, a, b);
	if (a->encap == b->encap) {
		changed_mac(&c, "field.smac", a->smac, b->smac);
		changed_mac(&c, "field.dmac", a->dmac, b->dmac);
	}
	return c.n > 0;
}
