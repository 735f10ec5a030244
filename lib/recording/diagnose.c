/* SPDX-License-Identifier: MIT */
/*
 * diagnose: why was a packet not seen again? A rule base over where it was seen last (device,
 * direction, inside or outside of a tunnel), ICMP, questions asked again and the snapshot. Each
 * rule names a fault only when its own sign is there.
 */
#include <errno.h>
#include <string.h>

#include "lib/recording/lookup.h"
#include "lib/recording/verdict.h"

#define WORD 64

bool perf_of(const struct red *d, int flight, const struct rec_perf *p)
{
	const struct rec_flight *f = flight < 0 ? NULL : &d->r->flights.v[flight];
	return f && f->sights.n && streq(p->kind, "drop") &&
	       p->sight == f->sights.v[f->sights.n - 1];
}

/* The kernel's own word for a cause: why it freed the packet, and where. */
static bool perf_names(const struct rec_perf *p, const char *cause)
{
	static const struct {
		const char *cause, *reason, *function; /* NULL: any */
	} words[] = {
		{"no-route", "IP_INNOROUTES", NULL},
		{"no-route", "IP_OUTNOROUTES", NULL},
		{"fdb-missing", "NO_TX_TARGET", "vxlan"},
		{"neigh-missing", "NO_TX_TARGET", "vxlan"},
		{"neigh-missing", "NEIGH_FAILED", NULL},
		{"wrong-vtep-mac", "OTHERHOST", NULL},
		{"vni-mismatch", "VXLAN_VNI_NOT_FOUND", NULL},
		{"no-vxlan-device", "NO_SOCKET", "udp"},
		{"rp-filter", "IP_RPFILTER", NULL},
		{"ip-forward-off", "IP_INADDRERRORS", NULL},
		{"mtu", "PKT_TOO_BIG", NULL},
		{"mtu", NULL, "dev_forward_skb"},
		{"mtu", NULL, "br_dev_queue_push_xmit"},
	};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strcmp(cause, words[i].cause) &&
		    (!words[i].reason || streq(p->reason, words[i].reason)) &&
		    (!words[i].function || (!p->function && words[i].reason) ||
		     (p->function && strstr(p->function, words[i].function))))
			return true;
	return false;
}

/* A route that forbids is named by the look-up itself: "... -> 10.244.2.5: dev  error -22". */
static bool fib_names(const struct red *d, const struct end *e, const struct rec_perf *p,
		      const char *cause)
{
	int error = !strcmp(cause, "blackhole") ? EINVAL : !strcmp(cause, "prohibit") ? EACCES : 0;
	if (!error || !e->s || !streq(p->kind, "fib") || !p->text || p->t < e->s->t ||
	    p->t - e->s->t > SOON_NS)
		return false;
	const char *want = arena_printf(d->a, "-> %s: ", IP4(e->h.inner.dst));
	const char *end = arena_printf(d->a, " error -%d", error), *at = strstr(p->text, end);
	return strstr(p->text, want) && at && !at[strlen(end)];
}

static bool seen_by_kernel(const struct red *d, const struct end *e, const char *cause)
{
	vec_foreach (const struct rec_perf, p, &d->r->perfs)
		if ((perf_of(d, e->flight, p) && perf_names(p, cause)) || fib_names(d, e, p, cause))
			return true;
	return false;
}

bool lost_at(struct red *d, const struct end *e, const char *cause, const char *device,
	     const char *detail, enum rec_how how)
{
	/* A prohibit route answers by ICMP. */
	const char *result = strcmp(cause, "prohibit") ? "dropped" : "refused";
	if (how != REC_OBSERVED && seen_by_kernel(d, e, cause))
		how = REC_OBSERVED;
	say(d, result, cause, e->ns, device ? device : e->dev ? e->dev->name : NULL, detail, how);
	return true;
}

static const char *ip_of(struct red *d, ip4 ip)
{
	return arena_strdup(d->r->arena, IP4(ip));
}

static bool zero_mac_entry(const struct rec_ns *n, int ifindex)
{
	return fdb_at(n, ifindex, (struct mac){{0}}) != NULL;
}

/* ---- the tunnel ---- */

/* Last seen going into the VXLAN device: it did not know the machine. */
static bool at_tunnel(struct red *d, const struct end *e)
{
	if (!e->s->tx || !e->dev || !streq(e->dev->kind, "vxlan") || e->h.encap)
		return false;
	struct mac mac = e->h.dmac;
	const struct rec_ask *q = ask_mac(d->r, "fdb", e->ns, mac);
	bool known = fdb_at(e->n, e->dev->ifindex, mac) || zero_mac_entry(e->n, e->dev->ifindex);
	if (q ? q->error || !q->answer : !known)
		return lost_at(d, e, "fdb-missing", NULL, arena_strdup(d->r->arena, MAC(mac)),
			       q ? REC_REASKED : REC_INFERRED);
	return false;
}

/* Protocol 4 came in and no IPIP device takes it. */
static bool at_ipip_down(struct red *d, const struct end *e)
{
	const struct rec_if *down = NULL;
	for (size_t i = 0; i < e->n->ifs.n; i++) {
		const struct rec_if *x = &e->n->ifs.v[i];
		if (!streq(x->kind, "ipip"))
			continue;
		if (x->up)
			return false;
		down = x;
	}
	return down &&
	       lost_at(d, e, "link-down", down->name, ip_of(d, e->h.inner.dst), REC_INFERRED);
}

/* Last seen coming in with its outer headers on, at the machine they are for. */
static bool at_far_end(struct red *d, const struct end *e)
{
	if (e->s->tx || !e->h.encap || !addr_is_local(e->n, e->h.outer.dst))
		return false;
	if (e->h.encap_proto != PROTO_UDP)
		return at_ipip_down(d, e);
	const struct rec_if *other = NULL;
	for (size_t i = 0; i < e->n->ifs.n; i++) {
		const struct rec_if *x = &e->n->ifs.v[i];
		if (!streq(x->kind, "vxlan") || x->vxlan_port != e->h.outer.dport || !x->up)
			continue;
		if (x->vni == e->h.vni)
			return false; /* somebody takes it: not here then */
		other = x;
	}
	if (other)
		return lost_at(d, e, "vni-mismatch", other->name,
			       arena_printf(d->r->arena, "%u", e->h.vni), REC_INFERRED);
	return lost_at(d, e, "no-vxlan-device", NULL,
		       arena_printf(d->r->arena, "%u", e->h.outer.dport), REC_INFERRED);
}

/* Came out of the tunnel with another device's MAC on it. */
static bool at_wrong_mac(struct red *d, const struct end *e)
{
	if (e->s->tx || !e->dev || e->h.encap || !streq(e->dev->kind, "vxlan"))
		return false;
	if (mac_is_zero(e->h.dmac) || same_mac(e->h.dmac, e->dev->mac) || e->h.dmac.b[0] & 1)
		return false;
	return lost_at(d, e, "wrong-vtep-mac", NULL, arena_strdup(d->r->arena, MAC(e->h.dmac)),
		       REC_INFERRED);
}

/* ---- links ---- */

/* The way to the pod that has the address: either end of its cable is down. */
static bool cable_down(struct red *d, ip4 dst, int *ns, const struct rec_if **dev)
{
	int pod = ns_of_addr(d->r, dst);
	const struct rec_if *i = pod < 0 ? NULL : if_with_addr(&d->r->ns.v[pod], dst);
	if (!i || is_tunnel(i))
		return false;
	const struct rec_if *far =
		i->peer_ns >= 0 ? if_at(d->r, i->peer_ns, i->peer_ifindex) : NULL;
	if (far && !far->up) {
		*ns = i->peer_ns;
		*dev = far;
		return true;
	}
	*ns = pod;
	*dev = i;
	return !i->up;
}

static bool at_dead_link(struct red *d, const struct end *e)
{
	int ns;
	const struct rec_if *dev;
	bool inner = cable_down(d, e->h.inner.dst, &ns, &dev);
	if (!inner && !(e->h.encap && cable_down(d, e->h.outer.dst, &ns, &dev)))
		return false;
	struct end there = *e;
	there.ns = ns;
	return lost_at(d, &there, "link-down", dev->name,
		       ip_of(d, inner ? e->h.inner.dst : e->h.outer.dst), REC_INFERRED);
}

/* ---- routing ---- */

static bool by_errno(struct red *d, const struct end *e, int error)
{
	static const struct {
		int error;
		const char *cause;
	} names[] = {{ENETUNREACH, "no-route"},
		     {EINVAL, "blackhole"},
		     {EACCES, "prohibit"},
		     {EXDEV, "rp-filter"}};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (error == -names[i].error) {
			bool rp = names[i].error == EXDEV;
			return lost_at(d, e, names[i].cause, NULL,
				       ip_of(d, rp ? e->h.inner.src : e->h.inner.dst), REC_REASKED);
		}
	return false;
}

static bool by_table(struct red *d, const struct end *e)
{
	const char *line = route_line(e->n, e->h.inner.dst), *ip = ip_of(d, e->h.inner.dst);
	if (line_starts(line, "blackhole"))
		return lost_at(d, e, "blackhole", NULL, ip, REC_INFERRED);
	if (line_starts(line, "prohibit"))
		return lost_at(d, e, "prohibit", NULL, ip, REC_INFERRED);
	if (line_starts(line, "unreachable") || (!line && e->n->routes.n))
		return lost_at(d, e, "no-route", NULL, ip, REC_INFERRED);
	return false;
}

/* Strict reverse path: the way back to the source must lead out of where it came in. */
static bool by_rp_filter(struct red *d, const struct end *e)
{
	char dev[WORD];
	const struct rec_if *in = e->dev;
	if (in && in->master && if_named(e->n, in->master))
		in = if_named(e->n, in->master);
	if (!in || in->rp_filter != 1)
		return false;
	const char *line = route_line(e->n, e->h.inner.src);
	bool back = line && line_word(line, "dev", dev, sizeof(dev));
	if (back ? !strcmp(dev, in->name ? in->name : "") : !e->n->routes.n)
		return false;
	return lost_at(d, e, "rp-filter", in->name, ip_of(d, e->h.inner.src), REC_INFERRED);
}

static bool forwards(const struct end *e)
{
	const char *v = sysctl_value(e->n, "ip_forward");
	if (v && !strcmp(v, "0"))
		return false;
	return !e->dev || e->dev->forwarding != 0 || (e->dev->master != NULL);
}

static bool neigh_bad(struct red *d, const struct end *e, const char *dev, ip4 hop)
{
	const struct rec_if *out = if_named(e->n, dev);
	if (!out || streq(out->kind, "ipip") || streq(out->kind, "lo"))
		return false;
	const struct rec_ask *q = ask_ip(d->r, "neigh", e->ns, hop);
	const struct rec_neigh *x = neigh_at(e->n, out->ifindex, hop);
	bool failed = (q && q->answer &&
		       (strstr(q->answer, "FAILED") || strstr(q->answer, "INCOMPLETE"))) ||
		      (x && (streq(x->state, "FAILED") || streq(x->state, "INCOMPLETE")));
	/* Elsewhere an entry is made when it is needed: that the snapshot had none means nothing.
	 */
	bool none = q ? q->error || !q->answer : !x && streq(out->kind, "vxlan");
	return failed || none;
}

static bool by_neigh(struct red *d, const struct end *e)
{
	char dev[WORD];
	ip4 dst = e->h.inner.dst, hop = next_hop(d->r, e->ns, dst);
	const struct rec_ask *q = ask_ip(d->r, "route", e->ns, dst);
	const char *line = q && q->answer && !q->error ? q->answer : route_line(e->n, dst);
	if (!line || !line_word(line, "dev", dev, sizeof(dev)) || !neigh_bad(d, e, dev, hop))
		return false;
	bool asked = ask_ip(d->r, "neigh", e->ns, hop) != NULL;
	return lost_at(d, e, "neigh-missing", arena_strdup(d->r->arena, dev), ip_of(d, hop),
		       asked ? REC_REASKED : REC_INFERRED);
}

/* Last seen coming into a machine that should have passed it on. */
static bool at_router(struct red *d, const struct end *e)
{
	bool begins = !e->s || (e->s->tx && ns_is(d->r, e->ns, "pod"));
	if (e->h.encap || begins || e->s->tx || addr_is_local(e->n, e->h.inner.dst))
		return false;
	*vec_push(d->a, &d->lost_asks) = e->h.inner.dst;
	if (!forwards(e))
		return lost_at(d, e, "ip-forward-off", NULL, "net.ipv4.ip_forward = 0",
			       REC_INFERRED);
	if (by_rp_filter(d, e))
		return true;
	const struct rec_ask *q = ask_ip(d->r, "route", e->ns, e->h.inner.dst);
	if (q && q->error && by_errno(d, e, q->error))
		return true;
	return by_table(d, e) || by_neigh(d, e);
}

/* Never at a device: the sender itself had no way, or does not know its neighbour. */
static bool at_sender(struct red *d, const struct end *e)
{
	if (e->s || !e->n)
		return false;
	switch (d->r->probe.error < 0 ? -d->r->probe.error : d->r->probe.error) {
	case ENETUNREACH:
		return lost_at(d, e, "no-route", NULL, ip_of(d, e->h.inner.dst), REC_OBSERVED);
	case EINVAL:
		return lost_at(d, e, "blackhole", NULL, ip_of(d, e->h.inner.dst), REC_OBSERVED);
	case EACCES:
		return lost_at(d, e, "prohibit", NULL, ip_of(d, e->h.inner.dst), REC_OBSERVED);
	case EMSGSIZE:
		return diagnose_mtu(d, e);
	default:
		return by_table(d, e) || by_neigh(d, e);
	}
}

/* ---- what was said about it ---- */

static bool by_icmp(struct red *d, const struct end *e)
{
	for (size_t k = 0; k < d->fly.n; k++) {
		const struct rec_flight *f = &d->r->flights.v[k];
		if (!d->fly.v[k].error || !f->sights.n)
			continue;
		struct end at = *e;
		at.ns = d->r->sights.v[f->sights.v[0]].ns;
		const char *ip = ip_of(d, e->h.inner.dst);
		if (f->hdr.inner.dport == (ICMP_UNREACHABLE << 8 | 13))
			return lost_at(d, &at, "prohibit", NULL, ip, REC_OBSERVED);
		if (f->hdr.inner.dport == ICMP_UNREACHABLE << 8 && at.ns == e->ns)
			return lost_at(d, &at, "no-route", NULL, ip, REC_OBSERVED);
	}
	return false;
}

bool diagnose(struct red *d, const struct end *e)
{
	if (!e->n)
		return false;
	if (!e->s)
		return at_sender(d, e);
	return at_dead_link(d, e) || at_wrong_mac(d, e) || diagnose_mtu(d, e) || at_far_end(d, e) ||
	       at_tunnel(d, e) || at_router(d, e) || by_icmp(d, e);
}
