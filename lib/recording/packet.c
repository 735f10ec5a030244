/* SPDX-License-Identifier: MIT */
/*
 * packet: headers of one frame, down to the innermost TCP, UDP or ICMP. Only what a step shows;
 * hostile bytes are expected (a capture holds whatever was on the wire), so every read is bounded.
 */
#include "lib/recording/packet.h"

#include <string.h>

#define ETH_LEN	     14
#define ETH_P_IP4    0x0800
#define ETH_P_VLAN   0x8100
#define HATYPE_ETHER 1
#define HATYPE_LOOP  772
#define PROTO_ICMP   1
#define PROTO_IPIP   4
#define PROTO_TCP_NO 6
#define PROTO_UDP_NO 17
#define VXLAN_LEN    8
#define VXLAN_FLAG   0x08

struct cursor {
	const uint8_t *p;
	uint32_t left;
	const uint8_t *start;
	struct packet_at *at;
};

static const uint8_t *take(struct cursor *c, uint32_t n)
{
	if (c->left < n)
		return NULL;
	const uint8_t *p = c->p;
	c->p += n;
	c->left -= n;
	return p;
}

static uint16_t get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* An IPv4 header, its options skipped. */
static bool ip_header(struct cursor *c, struct rec_tuple *t, uint8_t *ttl, uint16_t *len)
{
	const uint8_t *h = take(c, 20);
	if (!h || h[0] >> 4 != 4 || (h[0] & 15) < 5)
		return false;
	if (!take(c, (h[0] & 15u) * 4 - 20))
		return false;
	*ttl = h[8];
	*len = get16(h + 2);
	*t = (struct rec_tuple){.src = get32(h + 12), .dst = get32(h + 16), .proto = h[9]};
	c->at->ip_id = get16(h + 4);
	c->at->df = h[6] & 0x40;
	c->at->ip_hlen = (h[0] & 15u) * 4;
	c->at->l4 = (uint32_t)(c->p - c->start);
	return (get16(h + 6) & 0x1fff) == 0; /* a later fragment has no ports */
}

static bool transport(struct cursor *c, struct rec_hdr *ret)
{
	struct rec_tuple *t = &ret->inner;
	const uint8_t *h;
	switch (t->proto) {
	case PROTO_TCP_NO:
		if (!(h = take(c, 14)))
			return false;
		t->sport = get16(h);
		t->dport = get16(h + 2);
		ret->seq = get32(h + 4);
		ret->ack = get32(h + 8);
		ret->tcp_flags = h[13];
		return true;
	case PROTO_UDP_NO:
		if (!(h = take(c, 8)))
			return false;
		t->sport = get16(h);
		t->dport = get16(h + 2);
		return true;
	case PROTO_ICMP:
		if (!(h = take(c, 8)))
			return false;
		t->sport = get16(h + 4);
		t->dport = get16(h);
		return true;
	default:
		return true;
	}
}

static bool ethernet(struct cursor *c, struct mac *src, struct mac *dst)
{
	const uint8_t *h = take(c, ETH_LEN);
	if (!h)
		return false;
	if (src)
		memcpy(src->b, h + 6, 6);
	if (dst)
		memcpy(dst->b, h, 6);
	uint16_t type = get16(h + 12);
	if (type == ETH_P_VLAN) {
		const uint8_t *v = take(c, 4);
		type = v ? get16(v + 2) : 0;
	}
	return type == ETH_P_IP4;
}

/* The headers so far were an outer packet's: keep them there and go on with what is inside. */
static bool unwrap(struct cursor *c, struct rec_hdr *ret, uint8_t outer_ttl)
{
	c->at->outer_id = c->at->ip_id;
	ret->encap = true;
	ret->encap_proto = ret->inner.proto;
	ret->outer = ret->inner;
	ret->outer_ttl = outer_ttl;
	return ip_header(c, &ret->inner, &ret->ttl, &ret->ip_len) && transport(c, ret);
}

static bool is_vxlan(const struct rec_tuple *t)
{
	return t->proto == PROTO_UDP_NO && (t->dport == 8472 || t->dport == 4789);
}

/* ARP or IPv6 inside, or cut short before the inside: the outer packet is all there is to show. */
static bool outer_only(struct packet_at *at, const struct packet_at *outer, struct rec_hdr *ret,
		       const struct rec_hdr *plain)
{
	*at = *outer;
	at->tunnel = true;
	*ret = *plain;
	return true;
}

static bool parse_ip(struct cursor c, struct rec_hdr *ret)
{
	if (!ip_header(&c, &ret->inner, &ret->ttl, &ret->ip_len))
		return false;
	uint8_t ttl = ret->ttl;
	bool ipip = ret->inner.proto == PROTO_IPIP;
	if (!ipip && !transport(&c, ret))
		return false;
	struct rec_hdr plain = *ret;
	struct packet_at outer = *c.at;
	if (ipip)
		return unwrap(&c, ret, ttl) || outer_only(c.at, &outer, ret, &plain);
	if (!is_vxlan(&ret->inner))
		return true;
	const uint8_t *vx = take(&c, VXLAN_LEN);
	if (vx && (vx[0] & VXLAN_FLAG)) {
		ret->vni = get32(vx + 4) >> 8;
		if (ethernet(&c, &c.at->inner_smac, &c.at->inner_dmac) && unwrap(&c, ret, ttl))
			return true;
	}
	return outer_only(c.at, &outer, ret, &plain);
}

bool packet_parse_at(const uint8_t *data, uint32_t len, int hatype, struct rec_hdr *ret,
		     struct packet_at *at)
{
	struct cursor c = {data, len, data, at};
	memset(ret, 0, sizeof(*ret));
	memset(at, 0, sizeof(*at));
	if (!data)
		return false;
	if ((hatype == HATYPE_ETHER || hatype == HATYPE_LOOP) &&
	    !ethernet(&c, &ret->smac, &ret->dmac))
		return false;
	return parse_ip(c, ret);
}

bool packet_parse_ip(const uint8_t *data, uint32_t len, struct rec_hdr *ret)
{
	struct packet_at at;
	return packet_parse_at(data, len, PACKET_BARE_IP, ret, &at);
}

bool packet_parse(const uint8_t *data, uint32_t len, uint16_t hatype, struct rec_hdr *ret)
{
	struct packet_at at;
	return packet_parse_at(data, len, hatype, ret, &at);
}
