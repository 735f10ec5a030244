/* SPDX-License-Identifier: MIT */
/*
 * ident: which packet is it? A key that stays the same from end to end: of the innermost header
 * only what neither NAT nor tunnels nor routers change.
 */
#include <stdio.h>
#include <string.h>

#include "lib/recording/packet.h"
#include "lib/recording/reduce.h"

#define PAYLOAD_KEY                                                                                \
	12 /* bytes of payload in the key: what an nf_tables trace message still has               \
	    */

static uint64_t mix(uint64_t h, const void *p, size_t n)
{
	const uint8_t *b = p;
	for (size_t i = 0; i < n; i++)
		h = (h ^ b[i]) * 0x100000001b3ull; /* FNV-1a */
	return h;
}

static uint32_t be(const uint8_t *p, unsigned n)
{
	uint32_t v = 0;
	while (n--)
		v = v << 8 | *p++;
	return v;
}

/* The header quoted in an ICMP error: its addresses get translated back on the way, its id not.
 * Of it an nf_tables trace message has no more than its first 12 bytes. */
static uint64_t read_quoted(const uint8_t *q, uint32_t left, uint64_t h, struct pkt *ret)
{
	if (left < 10)
		return h;
	ret->quotes = true;
	ret->quoted.proto = q[9];
	uint32_t hlen = (q[0] & 15u) * 4;
	if (left >= 20) {
		ret->quoted.src = be(q + 12, 4);
		ret->quoted.dst = be(q + 16, 4);
	}
	if (left >= hlen + 4 && hlen >= 20) {
		ret->quoted.sport = (uint16_t)be(q + hlen, 2);
		ret->quoted.dport = (uint16_t)be(q + hlen + 2, 2);
	}
	return mix(mix(h, q + 4, 2), q + 9, 1);
}

static uint64_t icmp_key(const uint8_t *l4, uint32_t left, uint64_t h, struct pkt *ret)
{
	if (left < 8)
		return h;
	h = mix(h, l4, 2);
	if (l4[0] == ICMP_UNREACHABLE || l4[0] == ICMP_EXCEEDED)
		return read_quoted(l4 + 8, left - 8, h, ret);
	left -= 8;
	return mix(mix(h, l4 + 6, 2), l4 + 8, left < PAYLOAD_KEY ? left : PAYLOAD_KEY);
}

static uint64_t make_key(const uint8_t *data, uint32_t len, const struct packet_at *at,
			 struct pkt *ret)
{
	const struct rec_hdr *h = &ret->h;
	uint64_t k = mix(0xcbf29ce484222325ull, &h->inner.proto, 1);
	const uint8_t *l4 = data + at->l4;
	uint32_t left = at->l4 < len ? len - at->l4 : 0;
	uint32_t head = h->inner.proto == PROTO_TCP && left > 12 ? (uint32_t)(l4[12] >> 4) * 4 : 8;
	if (h->ip_len > at->ip_hlen + head)
		ret->payload = h->ip_len - at->ip_hlen - head;
	if (h->inner.proto == PROTO_ICMP)
		return icmp_key(l4, left, k, ret);
	k = mix(k, &h->ip_len, sizeof(h->ip_len));
	if (h->inner.proto == PROTO_TCP) {
		uint8_t flags = h->tcp_flags & 0x3f;
		k = mix(mix(k, &h->seq, 4), &h->ack, 4);
		return mix(k, &flags, 1);
	}
	uint32_t n = left > 8 ? left - 8 : 0;
	return mix(k, l4 + 8, n < PAYLOAD_KEY ? n : PAYLOAD_KEY);
}

void pkt_read(const uint8_t *data, uint32_t len, int hatype, struct pkt *ret)
{
	struct packet_at at;
	memset(ret, 0, sizeof(*ret));
	ret->ok = packet_parse_at(data, len, hatype, &ret->h, &at);
	if (!ret->ok)
		return;
	ret->tunnel = at.tunnel;
	ret->ip_id = at.ip_id;
	ret->outer_id = at.outer_id;
	ret->df = at.df;
	ret->inner_smac = at.inner_smac;
	ret->inner_dmac = at.inner_dmac;
	ret->key = make_key(data, len, &at, ret);
}

bool same_tuple(const struct rec_tuple *a, const struct rec_tuple *b)
{
	bool icmp = a->proto == PROTO_ICMP; /* dport is type and code there */
	return a->proto == b->proto && a->src == b->src && a->dst == b->dst &&
	       a->sport == b->sport && (icmp || a->dport == b->dport);
}

struct rec_tuple tuple_turned(const struct rec_tuple *t)
{
	if (t->proto == PROTO_ICMP)
		return (struct rec_tuple){t->dst, t->src, t->sport, t->dport, t->proto};
	return (struct rec_tuple){t->dst, t->src, t->dport, t->sport, t->proto};
}

const char *tuple_str(struct arena *a, const struct rec_tuple *t)
{
	if (t->proto == PROTO_TCP || t->proto == PROTO_UDP)
		return arena_printf(a, "%s:%u > %s:%u", IP4(t->src), t->sport, IP4(t->dst),
				    t->dport);
	return arena_printf(a, "%s > %s", IP4(t->src), IP4(t->dst));
}

const char *ip_proto_str(uint8_t proto)
{
	switch (proto) {
	case PROTO_TCP:
		return "tcp";
	case PROTO_UDP:
		return "udp";
	case PROTO_ICMP:
		return "icmp";
	case PROTO_IPIP:
		return "ipip";
	default:
		return "other";
	}
}
