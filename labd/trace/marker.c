/* SPDX-License-Identifier: MIT */
/* See marker.h. */
#include "labd/trace/marker.h"

#include <netinet/in.h>
#include <string.h>

#include "lib/base/cleanup.h"

#define UDP_LEN	  8u
#define ICMP_LEN  8u
#define VXLAN_LEN (UDP_LEN + 8u + 14u) /* UDP, VXLAN and the inner Ethernet header */
#define IP_PROTO  9u		       /* offset of the protocol in an IP header */
#define DNS_NAME  12u		       /* offset of the name in a query */

struct marker marker_tcp(uint32_t isn)
{
	struct marker m = {.proto = IPPROTO_TCP, .n_alts = 2};
	for (unsigned i = 0; i < 2; i++) {
		m.alt[i].n = 1;
		m.alt[i].c[0] = (struct marker_bytes){
			.off = 4 + 4 * i, /* sequence number, acknowledgement */
			.len = 3,
			.b = {(uint8_t)(isn >> 24), (uint8_t)(isn >> 16), (uint8_t)(isn >> 8)}};
	}
	return m;
}

struct marker marker_cookie(uint8_t proto, const uint8_t cookie[static MARKER_COOKIE])
{
	struct marker m = {.proto = proto, .n_alts = 1};
	m.alt[0].n = 1;
	m.alt[0].c[0].off = UDP_LEN; /* ICMP echo's header is as long */
	m.alt[0].c[0].len = MARKER_COOKIE;
	memcpy(m.alt[0].c[0].b, cookie, MARKER_COOKIE);
	return m;
}

struct marker marker_dns(const uint8_t *query, unsigned len)
{
	struct marker m = {.proto = IPPROTO_UDP, .n_alts = 1};
	unsigned n = len - DNS_NAME;
	if (n > MARKER_COOKIE)
		n = MARKER_COOKIE;
	m.alt[0].n = 2;
	m.alt[0].c[0] = (struct marker_bytes){UDP_LEN, 2, {query[0], query[1]}};
	m.alt[0].c[1] = (struct marker_bytes){.off = UDP_LEN + DNS_NAME, .len = n};
	memcpy(m.alt[0].c[1].b, query + DNS_NAME, n);
	return m;
}

static struct marker_wrap *add(struct marker_wrap *ret, unsigned *n, uint8_t proto, unsigned l4)
{
	struct marker_wrap *w = &ret[(*n)++];
	*w = (struct marker_wrap){.proto = proto, .l4 = l4};
	return w;
}

static void check_proto(struct marker_wrap *w, unsigned off, uint8_t proto)
{
	w->check[w->n++] = (struct marker_bytes){off, 1, {proto}};
}

static void check_port(struct marker_wrap *w, unsigned off, uint16_t port)
{
	w->check[w->n++] = (struct marker_bytes){off, 2, {(uint8_t)(port >> 8), (uint8_t)port}};
}

/* Inside VXLAN; inside an ICMP error that came through VXLAN. */
static void add_vxlan(struct marker_wrap *ret, unsigned *n, uint8_t proto, uint16_t port)
{
	struct marker_wrap *w = add(ret, n, IPPROTO_UDP, VXLAN_LEN + MARKER_IP_LEN);
	check_port(w, 2, port);
	check_proto(w, VXLAN_LEN + IP_PROTO, proto);
	unsigned icmp = VXLAN_LEN + MARKER_IP_LEN;
	w = add(ret, n, IPPROTO_UDP, icmp + ICMP_LEN + MARKER_IP_LEN);
	check_port(w, 2, port);
	check_proto(w, VXLAN_LEN + IP_PROTO, IPPROTO_ICMP);
	check_proto(w, icmp + ICMP_LEN + IP_PROTO, proto);
}

unsigned marker_wraps(const struct marker *m, uint16_t vxlan_port,
		      struct marker_wrap ret[static MARKER_WRAPS])
{
	const unsigned quoted = ICMP_LEN + MARKER_IP_LEN;
	unsigned n = 0;
	add(ret, &n, m->proto, 0);
	struct marker_wrap *w = add(ret, &n, IPPROTO_ICMP, quoted);
	check_proto(w, ICMP_LEN + IP_PROTO, m->proto);
	w = add(ret, &n, IPPROTO_IPIP, MARKER_IP_LEN);
	check_proto(w, IP_PROTO, m->proto);
	w = add(ret, &n, IPPROTO_IPIP, MARKER_IP_LEN + quoted);
	check_proto(w, IP_PROTO, IPPROTO_ICMP);
	check_proto(w, MARKER_IP_LEN + ICMP_LEN + IP_PROTO, m->proto);
	/* an error that quotes the outer packet */
	w = add(ret, &n, IPPROTO_ICMP, quoted + MARKER_IP_LEN);
	check_proto(w, ICMP_LEN + IP_PROTO, IPPROTO_IPIP);
	check_proto(w, quoted + IP_PROTO, m->proto);
	w = add(ret, &n, IPPROTO_ICMP, quoted + VXLAN_LEN + MARKER_IP_LEN);
	check_proto(w, ICMP_LEN + IP_PROTO, IPPROTO_UDP);
	check_proto(w, quoted + VXLAN_LEN + IP_PROTO, m->proto);
	add_vxlan(ret, &n, m->proto, vxlan_port ? vxlan_port : 8472);
	if (vxlan_port != 4789)
		add_vxlan(ret, &n, m->proto, 4789);
	return n;
}

/* ---- socket filter ---------------------------------------------------------------------------
 */

struct prog {
	struct sock_filter *f;
	unsigned n;
	unsigned fail[32]; /* instructions that go to the next attempt when they do not match */
	unsigned n_fail;
};

static void emit(struct prog *p, uint16_t code, uint32_t k)
{
	p->f[p->n++] = (struct sock_filter){code, 0, 0, k};
}

static void match(struct prog *p, uint32_t k)
{
	p->fail[p->n_fail++] = p->n;
	emit(p, BPF_JMP | BPF_JEQ | BPF_K, k);
}

/* Here is where those that failed go on. */
static void attempt_done(struct prog *p)
{
	for (unsigned i = 0; i < p->n_fail; i++)
		p->f[p->fail[i]].jf = (uint8_t)(p->n - p->fail[i] - 1);
	p->n_fail = 0;
}

static void match_bytes(struct prog *p, unsigned base, const struct marker_bytes *c)
{
	for (unsigned i = 0; i < c->len;) {
		unsigned left = c->len - i, step = left >= 4 ? 4 : left >= 2 ? 2 : 1;
		uint32_t v = 0;
		for (unsigned k = 0; k < step; k++)
			v = v << 8 | c->b[i + k];
		emit(p,
		     (uint16_t)(BPF_LD | BPF_ABS |
				(step == 4   ? BPF_W
				 : step == 2 ? BPF_H
					     : BPF_B)),
		     (uint32_t)SKF_NET_OFF + base + c->off + i);
		match(p, v);
		i += step;
	}
}

unsigned marker_bpf(const struct marker *m, uint16_t vxlan_port,
		    struct sock_filter ret[static MARKER_BPF_MAX])
{
	struct marker_wrap wraps[MARKER_WRAPS];
	unsigned n = marker_wraps(m, vxlan_port, wraps);
	struct prog p = {.f = ret};
	emit(&p, BPF_LD | BPF_H | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL));
	emit(&p, BPF_JMP | BPF_JEQ | BPF_K, 0x0800);
	p.f[1].jt = 1;
	emit(&p, BPF_RET | BPF_K, 0);
	for (unsigned i = 0; i < n; i++) {
		const struct marker_wrap *w = &wraps[i];
		for (unsigned a = 0; a < m->n_alts; a++) {
			emit(&p, BPF_LD | BPF_B | BPF_ABS, (uint32_t)SKF_NET_OFF + IP_PROTO);
			match(&p, w->proto);
			for (unsigned c = 0; c < w->n; c++)
				match_bytes(&p, MARKER_IP_LEN, &w->check[c]);
			for (unsigned c = 0; c < m->alt[a].n; c++)
				match_bytes(&p, MARKER_IP_LEN + w->l4, &m->alt[a].c[c]);
			emit(&p, BPF_RET | BPF_K, 0xffffffff);
			attempt_done(&p);
		}
	}
	emit(&p, BPF_RET | BPF_K, 0);
	return p.n;
}

/* ---- u32 -------------------------------------------------------------------------------------
 */

/* Whole words only, so that no read goes past what must be there: the word that ends with the
 * bytes' last one, or the one that starts with the first. */
static void u32_bytes(struct strbuf *out, unsigned base, const struct marker_bytes *c)
{
	for (unsigned i = 0; i < c->len; i += 4) {
		unsigned len = c->len - i < 4 ? c->len - i : 4;
		unsigned at = base + c->off + i + len - 4;
		uint32_t v = 0, mask = len == 4 ? 0xffffffff : (1u << 8 * len) - 1;
		for (unsigned k = 0; k < len; k++)
			v = v << 8 | c->b[i + k];
		strbuf_addf(out, "&&%u&0x%x=0x%x", at, mask, v);
	}
}

void marker_u32(const struct marker *m, uint16_t vxlan_port, const char *prefix, const char *suffix,
		struct strbuf *out)
{
	struct marker_wrap wraps[MARKER_WRAPS];
	unsigned n = marker_wraps(m, vxlan_port, wraps);
	for (unsigned i = 0; i < n; i++) {
		const struct marker_wrap *w = &wraps[i];
		for (unsigned a = 0; a < m->n_alts; a++) {
			strbuf_addf(out, "%s6&0xff=0x%x", prefix, w->proto);
			for (unsigned c = 0; c < w->n; c++)
				u32_bytes(out, MARKER_IP_LEN, &w->check[c]);
			for (unsigned c = 0; c < m->alt[a].n; c++)
				u32_bytes(out, MARKER_IP_LEN + w->l4, &m->alt[a].c[c]);
			strbuf_addf(out, "%s\n", suffix);
		}
	}
}
