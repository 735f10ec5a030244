/* SPDX-License-Identifier: MIT */
/* See target.h. */
#include "labd/trace/target.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "labd/lab/where.h"
#include "lib/base/strbuf.h"

#define DOMAIN ".svc.cluster.local"

struct parsed {
	const char *kind; /* before a slash: "node", "pod", "svc" ...; or NULL */
	char *name;
	const char *proto; /* "tcp" "udp" "icmp", or NULL */
	unsigned port;	   /* 0: none */
};

static int bad(const char *text, struct err *err)
{
	err_setc(err, EINVAL, ERR_USAGE, "\"%.100s\" is nothing that can be traced to", text);
	return err_hint(err, "SERVICE:PORT, a DNS name, IP:PORT, node/NAME:NODEPORT, any of them "
			     "with /udp; or a pod or an address with /icmp");
}

/* Cut "/udp", "/icmp" or " icmp" off the end. */
static void cut_proto(struct parsed *p)
{
	static const char *const protos[] = {"tcp", "udp", "icmp"};
	char *last = strpbrk(p->name, "/ ");
	for (char *next = last; next; next = strpbrk(next + 1, "/ "))
		last = next;
	for (size_t i = 0; last && i < 3; i++) {
		if (strcmp(last + 1, protos[i]) != 0)
			continue;
		p->proto = protos[i];
		*last = '\0';
		return;
	}
}

static int parse(struct arena *a, const char *text, struct parsed *p, struct err *err)
{
	*p = (struct parsed){.name = arena_strdup(a, text)};
	cut_proto(p);
	char *slash = strchr(p->name, '/');
	if (slash) {
		*slash = '\0';
		p->kind = p->name;
		p->name = slash + 1;
	}
	char *colon = strchr(p->name, ':');
	if (colon) {
		char *end;
		*colon = '\0';
		unsigned long v = strtoul(colon + 1, &end, 10);
		if (colon[1] < '0' || colon[1] > '9' || *end || v == 0 || v > 65535)
			return bad(text, err);
		p->port = (unsigned)v;
	}
	return *p->name ? 0 : bad(text, err);
}

static uint8_t proto_of(const struct parsed *p)
{
	if (!p->proto || strcmp(p->proto, "tcp") == 0)
		return IPPROTO_TCP;
	return strcmp(p->proto, "udp") == 0 ? IPPROTO_UDP : IPPROTO_ICMP;
}

static int need_port(const struct parsed *p, const char *text, struct target *ret, struct err *err)
{
	ret->proto = proto_of(p);
	ret->port = ret->proto == IPPROTO_ICMP ? 0 : (uint16_t)p->port;
	if (ret->port || ret->proto == IPPROTO_ICMP)
		return 0;
	err_setc(err, EINVAL, ERR_USAGE, "\"%.100s\" has no port", text);
	return err_hint(err, "%.100s:80, or %.100s/icmp for ping", text, text);
}

static int service_port(const struct csvc *s, const struct parsed *p, struct target *ret,
			struct err *err)
{
	ret->proto = proto_of(p);
	ret->port = (uint16_t)p->port;
	if (ret->proto == IPPROTO_ICMP || (p->port && p->proto))
		return 0;
	const struct service_port *only = NULL;
	bool tcp = false, udp = false;
	vec_foreach (const struct csvcport, sp, &s->ports) {
		only = sp->port;
		tcp = tcp || (sp->port->port == p->port && sp->port->proto == PROTO_TCP);
		udp = udp || (sp->port->port == p->port && sp->port->proto == PROTO_UDP);
	}
	if (p->port) {
		ret->proto = udp && !tcp ? IPPROTO_UDP : ret->proto;
		return 0;
	}
	if (s->ports.n == 1) {
		ret->port = only->port;
		ret->proto = !p->proto && only->proto == PROTO_UDP ? IPPROTO_UDP : ret->proto;
		return 0;
	}
	_strbuf_ struct strbuf b = STRBUF_INIT;
	vec_foreach (const struct csvcport, sp, &s->ports)
		strbuf_addf(&b, " %u/%s", sp->port->port, proto_str(sp->port->proto));
	err_setc(err, EINVAL, ERR_USAGE, "service %s/%s has %zu ports: say which", s->ns, s->name,
		 s->ports.n);
	return err_hint(err, "its ports:%s", strbuf_str(&b));
}

/* "web", "web.shop", "web.shop.svc", "web.shop.svc.cluster.local". */
static const struct csvc *find_service(const struct desired *d, const char *name, const char *ns)
{
	vec_foreach (const struct csvc, s, &d->cluster->services) {
		size_t n = strlen(s->name), k = strlen(s->ns);
		if (strncmp(name, s->name, n) != 0)
			continue;
		const char *rest = name + n;
		if (!*rest && strcmp(s->ns, ns) == 0)
			return s;
		if (*rest != '.' || strncmp(rest + 1, s->ns, k) != 0)
			continue;
		rest += 1 + k;
		if (!*rest || strcmp(rest, ".svc") == 0 || strcmp(rest, DOMAIN) == 0)
			return s;
	}
	return NULL;
}

static int to_service(const struct desired *d, const struct csvc *s, const struct parsed *p,
		      struct target *ret, struct err *err)
{
	ret->ip = s->cluster_ip;
	ret->dns_name = arena_printf(d->arena, "%s.%s" DOMAIN, s->name, s->ns);
	ret->host = p->name;
	return service_port(s, p, ret, err);
}

static ip4 place_ip(const struct desired *d, const struct where *w)
{
	const struct cluster *c = d->cluster;
	const struct dns *ns = &d->ns.v[w->dns];
	if (ns->kind == DNS_POD)
		return c->pods.v[ns->pod].ip;
	if (ns->kind == DNS_NODE)
		return c->nodes.v[ns->node].ip;
	vec_foreach (const struct chost, h, &c->hosts)
		if (strcmp(h->name, ns->name) == 0)
			return h->ip;
	return 0;
}

static int to_place(const struct desired *d, const struct parsed *p, const char *text,
		    const char *ns, struct target *ret, struct err *err)
{
	struct where w;
	const char *place = p->kind ? arena_printf(d->arena, "%s/%s", p->kind, p->name) : p->name;
	int r = where_resolve(d, place, ns, &w, err);
	if (r < 0)
		return r;
	ret->ip = place_ip(d, &w);
	ret->host = w.name;
	return need_port(p, text, ret, err);
}

int target_resolve(const struct desired *d, const char *text, const char *ns, struct target *ret,
		   struct err *err)
{
	struct parsed p;
	*ret = (struct target){0};
	int r = parse(d->arena, text, &p, err);
	if (r < 0)
		return r;
	bool svc = p.kind && (strcmp(p.kind, "svc") == 0 || strcmp(p.kind, "service") == 0 ||
			      strcmp(p.kind, "services") == 0);
	if (p.kind && !svc)
		return to_place(d, &p, text, ns, ret, err);
	if (ip4_parse(p.name, &ret->ip)) {
		ret->host = p.name;
		return need_port(&p, text, ret, err);
	}
	size_t n = strlen(p.name);
	if (p.name[n - 1] == '.')
		p.name[n - 1] = '\0';
	const struct csvc *s = find_service(d, p.name, ns);
	if (s)
		return to_service(d, s, &p, ret, err);
	if (svc)
		return err_setc(err, ENOENT, ERR_NOT_FOUND, "no service \"%.100s\"", p.name);
	if (!strchr(p.name, '.')) {
		r = to_place(d, &p, text, ns, ret, err);
		if (r == -ENOENT)
			err_setc(err, ENOENT, ERR_NOT_FOUND, "no service or pod \"%.100s\"",
				 p.name);
		return r;
	}
	ret->dns_name = ret->host = p.name;
	return need_port(&p, text, ret, err);
}

static uint8_t ip_proto(enum proto p)
{
	return p == PROTO_TCP ? IPPROTO_TCP : p == PROTO_UDP ? IPPROTO_UDP : IPPROTO_SCTP;
}

static const char *no_service_port(const struct desired *d, const struct csvc *s,
				   const struct target *t)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	vec_foreach (const struct csvcport, sp, &s->ports) {
		if (sp->port->port == t->port && ip_proto(sp->port->proto) == t->proto)
			return NULL;
		strbuf_addf(&b, "%s%u/%s", b.len ? ", " : "", sp->port->port,
			    proto_str(sp->port->proto));
	}
	return arena_printf(
		d->arena, "service %s/%s has no port %u/%s, only %s: no rule takes such a packet",
		s->ns, s->name, t->port, t->proto == IPPROTO_UDP ? "udp" : "tcp", strbuf_str(&b));
}

static const char *no_node_port(const struct desired *d, const struct target *t)
{
	vec_foreach (const struct csvc, s, &d->cluster->services)
		vec_foreach (const struct csvcport, sp, &s->ports)
			if (sp->node_port == t->port && ip_proto(sp->port->proto) == t->proto)
				return NULL;
	return arena_printf(d->arena, "no service has the node port %u/%s", t->port,
			    t->proto == IPPROTO_UDP ? "udp" : "tcp");
}

const char *target_note(const struct desired *d, const struct target *t)
{
	if (t->proto == IPPROTO_ICMP || !t->ip)
		return NULL;
	vec_foreach (const struct csvc, s, &d->cluster->services)
		if (s->cluster_ip == t->ip)
			return no_service_port(d, s, t);
	vec_foreach (const struct cnode, n, &d->cluster->nodes)
		if (n->ip == t->ip && t->port >= NODE_PORT_MIN && t->port <= NODE_PORT_MAX)
			return no_node_port(d, t);
	return NULL;
}
