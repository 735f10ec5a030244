/* SPDX-License-Identifier: MIT */
/* trace_sample: a recording made by hand, for the tests of the views: a pod's SYN to a ClusterIP,
 * DNAT, VXLAN to another node, the server's pod; the SYN-ACK back. Addresses as in flannel-vxlan.
 */
#ifndef TESTS_TRACE_SAMPLE_H
#define TESTS_TRACE_SAMPLE_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/recording.h"

enum { POD1, NODE1, FABRIC, NODE2, POD2 };
#define SEP "KUBE-SEP-DBQJAEEGMK54M5LU"
#define SVC "KUBE-SVC-UOXPL5GMPXS4446O"

struct sample {
	struct arena *a;
	struct recording *r;
	int flight;
	struct rec_hdr h; /* the packet as it is now */
	uint64_t t;
};

static inline ip4 sample_ip(const char *s)
{
	ip4 ip = 0;
	ip4_parse(s, &ip);
	return ip;
}

static inline struct rec_if *sample_if(struct sample *s, int ns, int ifindex, const char *name,
				       const char *kind)
{
	struct rec_if *i = vec_push(s->a, &s->r->ns.v[ns].ifs);
	*i = (struct rec_if){.ifindex = ifindex,
			     .name = name,
			     .kind = kind,
			     .mac = {{2, 0, 0, 0, (uint8_t)ns, (uint8_t)ifindex}},
			     .mtu = 1450,
			     .up = true,
			     .peer_ns = -1};
	return i;
}

static inline void sample_veth(struct sample *s, int ns, int ifindex, const char *name,
			       const char *master, int peer_ns, int peer_if)
{
	struct rec_if *i = sample_if(s, ns, ifindex, name, "veth");
	i->master = master;
	i->peer_ns = peer_ns;
	i->peer_ifindex = peer_if;
}

static inline void sample_places(struct sample *s)
{
	static const struct rec_ns ns[] = {
		[POD1] = {.name = "busybox3-c997b9cc4-tlvrq",
			  .where = "busybox3-c997b9cc4-tlvrq",
			  .role = "pod",
			  .node = "node01"},
		[NODE1] = {.name = "node01",
			   .where = "node/node01",
			   .role = "node",
			   .backend = "nft"},
		[FABRIC] = {.name = "fabric", .role = "fabric"},
		[NODE2] = {.name = "node02",
			   .where = "node/node02",
			   .role = "node",
			   .backend = "nft"},
		[POD2] = {.name = "nginx-deployment-66b6c48dd5-8w7hz",
			  .where = "nginx-deployment-66b6c48dd5-8w7hz",
			  .role = "pod",
			  .node = "node02"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(ns); i++)
		*vec_push(s->a, &s->r->ns) = ns[i];
	sample_veth(s, POD1, 2, "eth0", NULL, NODE1, 7);
	sample_if(s, NODE1, 2, "ens192", "veth");
	struct rec_if *f = sample_if(s, NODE1, 3, "flannel.1", "vxlan");
	f->vni = 1;
	f->vxlan_port = 8472;
	sample_if(s, NODE1, 4, "cni0", "bridge");
	sample_veth(s, NODE1, 7, "veth42779e36", "cni0", POD1, 2);
	sample_if(s, FABRIC, 11, "p-n1", "veth");
	sample_if(s, FABRIC, 12, "p-n2", "veth");
	sample_if(s, NODE2, 2, "ens192", "veth");
	f = sample_if(s, NODE2, 3, "flannel.1", "vxlan");
	f->vni = 1;
	f->vxlan_port = 8472;
	sample_if(s, NODE2, 4, "cni0", "bridge");
	sample_veth(s, NODE2, 8, "veth70cee1b2", "cni0", POD2, 2);
	sample_veth(s, POD2, 2, "eth0", NULL, NODE2, 8);
}

static inline void sample_names(struct sample *s)
{
	static const char *const names[][3] = {
		{"10.244.1.2", "pod default/busybox3-c997b9cc4-tlvrq", "pod"},
		{"10.244.2.5", "pod default/nginx-deployment-66b6c48dd5-8w7hz", "pod"},
		{"10.107.254.44", "service default/nginx-deployment", "service"},
		{"100.100.137.201", "node node01", "node"},
		{"100.100.137.202", "node node02", "node"},
		{"10.1.1.1", "host elsewhere", "host"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		*vec_push(s->a, &s->r->names) =
			(struct rec_name){sample_ip(names[i][0]), names[i][1], names[i][2]};
}

/* ---- frames ---- */

static inline size_t sample_put_ip(uint8_t *p, const struct rec_tuple *t, uint8_t ttl, size_t len)
{
	uint32_t src = htonl(t->src), dst = htonl(t->dst);
	p[0] = 0x45;
	p[2] = (uint8_t)(len >> 8);
	p[3] = (uint8_t)len;
	p[8] = ttl;
	p[9] = t->proto;
	memcpy(p + 12, &src, 4);
	memcpy(p + 16, &dst, 4);
	return 20;
}

static inline size_t sample_put_eth(uint8_t *p)
{
	memcpy(p, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0", 14);
	return 14;
}

static inline size_t sample_frame(const struct rec_hdr *h, uint8_t *p)
{
	size_t n = sample_put_eth(p);
	if (h->encap) {
		n += sample_put_ip(p + n, &h->outer, h->outer_ttl, 20 + 8 + 8 + 14 + 40);
		uint16_t ports[2] = {htons(h->outer.sport), htons(h->outer.dport)};
		memcpy(p + n, ports, 4);
		p[n + 5] = 8 + 8 + 14 + 40;
		p[n + 8] = 8;
		p[n + 14] = (uint8_t)h->vni;
		n += 16;
		n += sample_put_eth(p + n);
	}
	n += sample_put_ip(p + n, &h->inner, h->ttl, 40);
	uint16_t ports[2] = {htons(h->inner.sport), htons(h->inner.dport)};
	uint32_t seq[2] = {htonl(h->seq), htonl(h->ack)};
	memcpy(p + n, ports, 4);
	memcpy(p + n + 4, seq, 8);
	p[n + 12] = 0x50;
	p[n + 13] = h->tcp_flags;
	return n + 20;
}

static inline int sample_sight(struct sample *s, int ns, int ifindex, bool tx)
{
	uint8_t *p = arena_alloc(s->a, 256);
	uint32_t len = (uint32_t)sample_frame(&s->h, p);
	*vec_push(s->a, &s->r->sights) = (struct rec_sight){.t = s->t,
							    .ns = ns,
							    .ifindex = ifindex,
							    .tx = tx,
							    .seq = (unsigned)s->r->sights.n,
							    .hatype = 1,
							    .csum_pending = true,
							    .data = p,
							    .len = len,
							    .caplen = len};
	int i = (int)s->r->sights.n - 1;
	*vec_push(s->a, &s->r->flights.v[s->flight].sights) = i;
	return i;
}

/* ---- steps ---- */

static inline struct rec_step *sample_step(struct sample *s, enum rec_step_kind kind, int ns,
					   int ifindex)
{
	struct rec_step *st = vec_push(s->a, &s->r->steps);
	s->t += 21500;
	*st = (struct rec_step){.kind = kind,
				.flight = s->flight,
				.ns = ns,
				.ifindex = ifindex,
				.before = s->h,
				.after = s->h,
				.has_before = true,
				.has_after = true,
				.t = s->t,
				.delta_ns = 21500,
				.median_ns = 9800,
				.sight = -1};
	s->r->flights.v[s->flight].n_steps++;
	if (kind == REC_DEV_RX || kind == REC_DEV_TX)
		st->sight = sample_sight(s, ns, ifindex, kind == REC_DEV_TX);
	return st;
}

static inline struct rec_reason *sample_why(struct sample *s, struct rec_step *st, enum rec_how how,
					    const char *key, const char *text)
{
	struct rec_reason *w = vec_push(s->a, &st->why);
	*w = (struct rec_reason){.how = how, .key = key, .text = text};
	return w;
}

/* args: parted by '|'. */
static inline void sample_args(struct sample *s, rec_strs *v, const char *args)
{
	char *copy = arena_strdup(s->a, args), *word;
	while ((word = strsep(&copy, "|")))
		*vec_push(s->a, v) = word;
}

static inline void sample_rule(struct sample *s, struct rec_step *st, int indent, const char *args,
			       const char *text, bool decides)
{
	struct rec_reason *w = sample_why(s, st, REC_OBSERVED, "rule", text);
	sample_args(s, &w->args, args);
	w->indent = indent;
	w->decides = decides;
}

static inline struct rec_step *sample_next(struct rec_step *st, const char *key, const char *next)
{
	st->next_key = key;
	st->next = next;
	return st;
}

static inline void sample_dev(struct sample *s, enum rec_step_kind kind, int ns, int ifindex,
			      const char *next_key, const char *next)
{
	struct rec_step *st = sample_next(sample_step(s, kind, ns, ifindex), next_key, next);
	struct rec_reason *w = sample_why(s, st, REC_OBSERVED, "dev.seen", "ip tcp");
	sample_args(s, &w->args,
		    arena_printf(s->a, "if%d|%s", ifindex, kind == REC_DEV_TX ? "out" : "in"));
	w->decides = true;
}

static inline void sample_dnat(struct sample *s)
{
	struct rec_step *st = sample_step(s, REC_DNAT, NODE1, 7);
	s->h.inner.dst = sample_ip("10.244.2.5");
	st->after = s->h;
	st->table = "nat";
	st->hook = "prerouting";
	sample_rule(s, st, 0, "nat|PREROUTING|1|KUBE-SERVICES|",
		    "-A PREROUTING -m comment --comment \"kubernetes service portals\" -j "
		    "KUBE-SERVICES",
		    false);
	sample_rule(s, st, 1, "nat|KUBE-SERVICES|3|" SVC "|default/nginx-deployment cluster IP",
		    "-A KUBE-SERVICES -d 10.107.254.44/32 -p tcp -m tcp --dport 80 -j " SVC, false);
	struct rec_reason *w = sample_why(s, st, REC_INFERRED, "nomatch.src",
					  "-A " SVC " ! -s 10.244.0.0/16 -j KUBE-MARK-MASQ");
	sample_args(s, &w->args, "not 10.244.0.0/16|10.244.1.2|1");
	w->indent = 2;
	sample_rule(s, st, 2, "nat|" SVC "|2|" SEP "|", "-A " SVC " -j " SEP, false);
	sample_rule(s, st, 3, "nat|" SEP "|2|DNAT|",
		    "-A " SEP " -p tcp -m tcp -j DNAT --to-destination 10.244.2.5:80", true);
	sample_why(s, st, REC_OBSERVED, "ct.none", "");
	st->note_key = "note.bridge-nf";
	st->note = "cni0";
	st->try_where = "node/node01";
	st->try_cmd = "iptables -t nat -S " SEP;
	st->try_expect = "DNAT";
	sample_next(st, "next.route-new", "10.244.2.5");
}

static inline void sample_look(struct sample *s, enum rec_step_kind kind, int ns, int ifindex,
			       const char *key, const char *args, const char *text)
{
	struct rec_step *st = sample_step(s, kind, ns, ifindex);
	struct rec_reason *w = sample_why(s, st, REC_REASKED, key, text);
	sample_args(s, &w->args, args);
	w->decides = true;
	if (kind == REC_ROUTE) {
		s->h.ttl--;
		st->after = s->h;
		st->try_where = s->r->ns.v[ns].where;
		st->try_cmd = "ip route get 10.244.2.5";
	}
	sample_next(st, "next.device", "flannel.1");
}

static inline void sample_encap(struct sample *s)
{
	struct rec_step *st = sample_step(s, REC_ENCAP, NODE1, 3);
	s->h.encap = true;
	s->h.encap_proto = IPPROTO_UDP;
	s->h.outer = (struct rec_tuple){sample_ip("100.100.137.201"), sample_ip("100.100.137.202"),
					57882, 8472, IPPROTO_UDP};
	s->h.vni = 1;
	s->h.outer_ttl = 64;
	st->after = s->h;
	struct rec_reason *w = sample_why(s, st, REC_OBSERVED, "encap.vxlan", "");
	sample_args(s, &w->args, "100.100.137.201|100.100.137.202|57882|8472|1");
	w->decides = true;
	w = sample_why(s, st, REC_INFERRED, "encap.sizes-vxlan", "");
	sample_args(s, &w->args, "40|50|90|1500");
	sample_next(st, "next.device", "ens192");
}

static inline void sample_decap(struct sample *s, int ns)
{
	struct rec_step *st = sample_step(s, REC_DECAP, ns, 3);
	s->h.encap = false;
	st->after = s->h;
	struct rec_reason *w = sample_why(s, st, REC_OBSERVED, "decap.vxlan", "");
	sample_args(s, &w->args, "8472|flannel.1|1");
	sample_next(st, "next.route", "10.244.2.5");
}

static inline void sample_forward(struct sample *s)
{
	struct rec_step *st = sample_step(s, REC_APP_SEND, POD1, 0);
	struct rec_reason *w = sample_why(s, st, REC_OBSERVED, "app.connect", "");
	sample_args(s, &w->args, "10.107.254.44:80");
	sample_next(st, "next.device", "eth0");
	sample_dev(s, REC_DEV_TX, POD1, 2, "next.cross", "node01/veth42779e36");
	sample_dev(s, REC_DEV_RX, NODE1, 7, "next.hook", "PREROUTING");
	sample_dnat(s);
	sample_dev(s, REC_DEV_RX, NODE1, 4, "next.route", "10.244.2.5");
	sample_look(s, REC_ROUTE, NODE1, 0, "route.asked", "10.244.2.5",
		    "10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink");
	st = sample_step(s, REC_HOOK, NODE1, 0);
	st->table = "filter";
	st->hook = "forward";
	sample_rule(s, st, 0, "filter|FORWARD|1|KUBE-FORWARD|", "-A FORWARD -j KUBE-FORWARD",
		    false);
	sample_rule(s, st, 0, "filter|FORWARD|4|ACCEPT|", "-A FORWARD -s 10.244.0.0/16 -j ACCEPT",
		    true);
	sample_look(s, REC_NEIGH, NODE1, 3, "neigh.asked", "10.244.2.0",
		    "10.244.2.0 lladdr 0a:00:00:00:00:02 PERMANENT");
	sample_look(s, REC_FDB, NODE1, 3, "fdb.asked", "flannel.1",
		    "0a:00:00:00:00:02 dst 100.100.137.202 self permanent");
	sample_dev(s, REC_DEV_TX, NODE1, 3, "next.encap", "flannel.1");
	sample_encap(s);
	sample_dev(s, REC_DEV_TX, NODE1, 2, "next.underlay", "node02");
	sample_dev(s, REC_DEV_RX, FABRIC, 11, "next.device", "p-n2");
	sample_dev(s, REC_DEV_TX, FABRIC, 12, "next.cross", "node02/ens192");
	sample_dev(s, REC_DEV_RX, NODE2, 2, "next.decap", "flannel.1");
	sample_decap(s, NODE2);
	sample_dev(s, REC_DEV_RX, NODE2, 3, "next.route", "10.244.2.5");
	sample_look(s, REC_ROUTE, NODE2, 0, "route.asked", "10.244.2.5",
		    "10.244.2.0/24 dev cni0 proto kernel scope link src 10.244.2.1");
	sample_dev(s, REC_DEV_TX, NODE2, 4, "next.bridge", "cni0");
	sample_dev(s, REC_DEV_TX, NODE2, 8, "next.cross", "nginx-deployment/eth0");
	sample_dev(s, REC_DEV_RX, POD2, 2, "next.deliver", "nginx-deployment");
	st = sample_step(s, REC_DELIVER, POD2, 2);
	w = sample_why(s, st, REC_INFERRED, "app.listens", "");
	sample_args(s, &w->args, "10.244.2.5|nginx-deployment|80");
	sample_next(st, "next.reply", "SYN-ACK");
}

static inline void sample_reply(struct sample *s)
{
	struct rec_tuple t = s->h.inner;
	s->flight = 1;
	s->h.inner = (struct rec_tuple){t.dst, t.src, t.dport, t.sport, t.proto};
	s->h.tcp_flags = 0x12;
	s->h.ttl = 64;
	s->h.ack = s->h.seq + 1;
	s->h.seq = 77;
	s->r->flights.v[1].first_step = (int)s->r->steps.n;
	sample_dev(s, REC_DEV_TX, POD2, 2, "next.cross", "node02/veth70cee1b2");
	sample_dev(s, REC_DEV_RX, NODE2, 8, "next.bridge", "cni0");
	sample_dev(s, REC_DEV_RX, NODE1, 3, "next.undo", NULL);
	struct rec_step *st = sample_step(s, REC_UNNAT, NODE1, 3);
	s->h.inner.src = sample_ip("10.107.254.44");
	st->after = s->h;
	struct rec_reason *w = sample_why(s, st, REC_OBSERVED, "ct.undo-src", "");
	sample_args(s, &w->args, "10.107.254.44|10.244.2.5");
	st->note_key = "note.reply-no-nat";
	sample_next(st, "next.device", "cni0");
	sample_dev(s, REC_DEV_RX, POD1, 2, "next.program", NULL);
	st = sample_step(s, REC_APP_RECV, POD1, 0);
	sample_why(s, st, REC_OBSERVED, "app.answer", "HTTP/1.1 200 OK");
	st->delta_ns = st->median_ns = -1;
	sample_next(st, "next.end", NULL);
}

static inline struct recording *trace_sample(struct arena *a)
{
	struct sample s = {.a = a, .r = recording_new(a), .t = 1700000000000000000u};
	struct recording *r = s.r;
	r->tool = "labd 0";
	r->kernel = "6.18.44";
	r->engine = "host";
	r->created = "2025-01-31T12:00:00Z";
	sample_places(&s);
	sample_names(&s);
	s.h = (struct rec_hdr){.inner = {sample_ip("10.244.1.2"), sample_ip("10.107.254.44"), 38770,
					 80, IPPROTO_TCP},
			       .ttl = 64,
			       .ip_len = 40,
			       .seq = 0x10000000,
			       .tcp_flags = 2};
	r->probe = (struct rec_probe){.lab = "flannel-vxlan",
				      .from = "busybox3",
				      .to = "nginx-deployment:80",
				      .from_ns = POD1,
				      .proto = "tcp",
				      .src = s.h.inner.src,
				      .dst = s.h.inner.dst,
				      .sport = 38770,
				      .dport = 80,
				      .isn = s.h.seq,
				      .outcome = "answered",
				      .answer = "HTTP/1.1 200 OK"};
	*vec_push(a, &r->flights) = (struct rec_flight){.title = "SYN", .attempt = 1, .hdr = s.h};
	*vec_push(a, &r->flights) =
		(struct rec_flight){.title = "SYN-ACK", .attempt = 1, .reply = true, .hdr = s.h};
	sample_forward(&s);
	sample_reply(&s);
	r->verdict = (struct rec_verdict){.result = "delivered",
					  .ns = POD2,
					  .text = "delivered: nginx-deployment answered "
						  "HTTP/1.1 200 OK",
					  .key = "verdict.delivered"};
	sample_args(&s, &r->verdict.args, "nginx-deployment||HTTP/1.1 200 OK");
	return r;
}

#endif
