/* SPDX-License-Identifier: MIT */
/*
 * rec_lab: recordings made by hand for the tests of lib/recording: frames, rule trace messages and
 * a snapshot as labd/trace would have collected them. Fixtures only; no assertions here.
 */
#ifndef TEST_REC_LAB_H
#define TEST_REC_LAB_H

#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/recording/recording.h"

#define ISN	   0x11110000u
#define SERVER_ISN 0x77770000u

struct rec_lab {
	struct recording *r;
	struct arena *a;
	uint64_t t;
	unsigned seq;
	uint16_t id;
};

struct frame {
	ip4 src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint8_t flags, ttl, proto; /* proto 0: TCP */
	const char *smac, *dmac;
	uint16_t id;
	uint16_t data; /* TCP: so many bytes follow, which are not captured */
	bool df;
	/* outer: 17 VXLAN, 4 IPIP, 0 none */
	uint8_t tunnel;
	ip4 osrc, odst;
	uint16_t osport, oid;
	unsigned vni;
	uint8_t ottl;
	const char *ismac, *idmac;
};

static inline ip4 A(const char *s)
{
	ip4 ip = 0;
	ip4_parse(s, &ip);
	return ip;
}

static inline int lab_ns(struct rec_lab *l, const char *name, const char *where, const char *role)
{
	*vec_push(l->a, &l->r->ns) =
		(struct rec_ns){.name = name, .where = where, .role = role, .backend = "legacy"};
	return (int)l->r->ns.n - 1;
}

static inline struct rec_if *lab_if(struct rec_lab *l, int ns, int ifindex, const char *name,
				    const char *kind, const char *mac, const char *addr)
{
	struct rec_ns *n = &l->r->ns.v[ns];
	struct rec_if *i = vec_push(l->a, &n->ifs);
	*i = (struct rec_if){.ifindex = ifindex,
			     .name = name,
			     .kind = kind,
			     .mtu = 1450,
			     .up = true,
			     .peer_ns = -1,
			     .rp_filter = 0,
			     .forwarding = 1};
	if (mac)
		mac_parse(mac, &i->mac);
	if (addr) {
		struct rec_addr *x = vec_push(l->a, &n->addrs);
		x->ifindex = ifindex;
		cidr_parse(addr, &x->addr);
	}
	return i;
}

static inline void lab_veth(struct rec_lab *l, int ns, int ifindex, int peer, int peer_ifindex)
{
	for (int k = 0; k < 2; k++) {
		struct rec_ns *n = &l->r->ns.v[k ? peer : ns];
		vec_foreach (struct rec_if, i, &n->ifs)
			if (i->ifindex == (k ? peer_ifindex : ifindex)) {
				i->peer_ns = k ? ns : peer;
				i->peer_ifindex = k ? ifindex : peer_ifindex;
			}
	}
}

static inline void lab_route(struct rec_lab *l, int ns, const char *line)
{
	*vec_push(l->a, &l->r->ns.v[ns].routes) = line;
}

static inline void lab_rule(struct rec_lab *l, int ns, const char *table, const char *text)
{
	struct rec_ns *n = &l->r->ns.v[ns];
	char chain[64], target[64] = "";
	sscanf(text, "-A %63s", chain);
	const char *j = strstr(text, " -j ");
	if (j)
		sscanf(j, " -j %63s", target);
	unsigned num = 1;
	vec_foreach (const struct rec_rule, x, &n->rules)
		num += !strcmp(x->chain, chain) && !strcmp(x->table, table);
	*vec_push(l->a, &n->rules) = (struct rec_rule){
		.table = table,
		.chain = arena_strdup(l->a, chain),
		.num = num,
		.text = text,
		.target = *target ? arena_strdup(l->a, target) : NULL,
	};
}

static inline void lab_chain(struct rec_lab *l, int ns, const char *table, const char *chain,
			     const char *hook, const char *policy)
{
	*vec_push(l->a, &l->r->ns.v[ns].chains) =
		(struct rec_chain){.table = table, .chain = chain, .hook = hook, .policy = policy};
}

static inline void put(uint8_t *p, uint32_t v, int n)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

static inline size_t put_eth(uint8_t *p, const char *smac, const char *dmac)
{
	struct mac m;
	if (mac_parse(dmac ? dmac : "02:00:00:00:00:02", &m))
		memcpy(p, m.b, 6);
	if (mac_parse(smac ? smac : "02:00:00:00:00:01", &m))
		memcpy(p + 6, m.b, 6);
	put(p + 12, 0x0800, 2);
	return 14;
}

static inline size_t put_ip(uint8_t *p, ip4 src, ip4 dst, uint8_t proto, uint8_t ttl, uint16_t id,
			    size_t len)
{
	p[0] = 0x45;
	put(p + 2, (uint32_t)len, 2);
	put(p + 4, id, 2);
	p[8] = ttl;
	p[9] = proto;
	put(p + 12, src, 4);
	put(p + 16, dst, 4);
	return 20;
}

static inline size_t put_inner(uint8_t *p, const struct frame *f)
{
	bool udp = f->proto == 17, icmp = f->proto == 1;
	size_t len = 20 + (udp || icmp ? 8 + 16 : 20);
	size_t n = put_ip(p, f->src, f->dst, f->proto ? f->proto : 6, f->ttl, f->id, len + f->data);
	p[6] = f->df ? 0x40 : 0;
	if (icmp) {
		p[n] = (uint8_t)(f->dport >> 8);
		p[n + 1] = (uint8_t)f->dport;
		put(p + n + 4, f->sport, 2);
		put(p + n + 6, f->seq, 2);
		memcpy(p + n + 8, "0123456789abcdef", 16);
		return len;
	}
	put(p + n, f->sport, 2);
	put(p + n + 2, f->dport, 2);
	if (udp) {
		put(p + n + 4, 24, 2);
		memcpy(p + n + 8, f->flags ? "answer of 16 byt" : "0123456789abcdef", 16);
		return len;
	}
	put(p + n + 4, f->seq, 4);
	put(p + n + 8, f->ack, 4);
	p[n + 12] = 0x50;
	p[n + 13] = f->flags;
	return len;
}

/* From the network header. */
static inline size_t put_net(uint8_t *p, const struct frame *f)
{
	size_t n = 0;
	if (f->tunnel == 17) {
		n = put_ip(p, f->osrc, f->odst, 17, f->ottl, f->oid, 20 + 8 + 8 + 14 + 40);
		put(p + n, f->osport, 2);
		put(p + n + 2, 8472, 2);
		put(p + n + 4, 8 + 8 + 14 + 40, 2);
		n += 8;
		p[n] = 0x08;
		put(p + n + 4, f->vni << 8, 4);
		n += 8;
		n += put_eth(p + n, f->ismac, f->idmac);
	} else if (f->tunnel == 4) {
		n = put_ip(p, f->osrc, f->odst, 4, f->ottl, f->oid, 60);
	}
	return n + put_inner(p + n, f);
}

static inline void lab_see(struct rec_lab *l, int ns, int ifindex, bool tx, const struct frame *f)
{
	uint8_t *p = arena_alloc(l->a, 256);
	const struct rec_ns *x = &l->r->ns.v[ns];
	bool bare = false;
	for (size_t i = 0; i < x->ifs.n; i++)
		bare = bare ||
		       (x->ifs.v[i].ifindex == ifindex && !strcmp(x->ifs.v[i].kind, "ipip"));
	size_t n = bare ? 0 : put_eth(p, f->smac, f->dmac);
	n += put_net(p + n, f);
	l->t += 10000;
	*vec_push(l->a, &l->r->sights) = (struct rec_sight){
		.t = l->t,
		.ns = ns,
		.ifindex = ifindex,
		.tx = tx,
		.seq = ++l->seq,
		.hatype = bare ? 768 : 1,
		.csum_pending = true,
		.data = p,
		.len = (uint32_t)n + f->data,
		.caplen = (uint32_t)n,
	};
}

struct at {
	int hook, iif, oif, physin, physout;
	uint32_t mark;
};

/* A legacy TRACE message; num 0 with kind REC_POLICY. */
static inline void lab_match(struct rec_lab *l, int ns, const char *table, const char *chain,
			     enum rec_match_kind kind, unsigned num, struct at at,
			     const struct frame *f)
{
	uint8_t *p = arena_alloc(l->a, 256);
	size_t n = put_net(p, f);
	*vec_push(l->a, &l->r->matches) = (struct rec_match){
		.ns = ns,
		.seq = ++l->seq,
		.table = table,
		.chain = chain,
		.kind = kind,
		.num = num,
		.hook = at.hook,
		.iif = at.iif,
		.oif = at.oif,
		.physin = at.physin,
		.physout = at.physout,
		.mark = at.mark,
		.data = p,
		.caplen = (uint32_t)(n > 128 ? 128 : n),
	};
}

static inline void lab_ct(struct rec_lab *l, int ns, struct rec_tuple orig, struct rec_tuple reply)
{
	*vec_push(l->a, &l->r->cts) = (struct rec_ct){.kind = REC_CT_NEW,
						      .ns = ns,
						      .seq = ++l->seq,
						      .orig = orig,
						      .reply = reply,
						      .id = l->seq,
						      .state = "SYN_SENT"};
}

static inline void lab_ask(struct rec_lab *l, int ns, const char *what, const char *ip,
			   const char *answer, int error)
{
	struct rec_ask *q = vec_push(l->a, &l->r->asks);
	*q = (struct rec_ask){.what = what, .ns = ns, .answer = answer, .error = error};
	if (!mac_parse(ip, &q->mac))
		q->ip = A(ip);
}

static inline struct rec_lab lab_new(struct arena *a)
{
	struct rec_lab l = {.r = recording_new(a), .a = a, .t = 1700000000000000000ull};
	struct recording *r = l.r;
	r->tool = "test";
	r->kernel = "6.1";
	r->engine = "host";
	r->created = "2025-01-31T12:00:00Z";
	r->probe = (struct rec_probe){
		.lab = "flannel-vxlan",
		.from = "busybox3",
		.to = "nginx-deployment:80",
		.from_ns = 0,
		.proto = "tcp",
		.src = A("10.244.1.2"),
		.dst = A("10.107.254.44"),
		.sport = 38770,
		.dport = 80,
		.isn = ISN,
		.t_start = 1700000000000000000ull,
		.t_end = 1700000000100000000ull,
		.outcome = "answered",
		.answer = "nginx-deployment",
	};
	return l;
}

#endif
