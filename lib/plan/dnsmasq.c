/* SPDX-License-Identifier: MIT */
/* dnsmasq: see dnsmasq.h. */
#include "lib/plan/dnsmasq.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <uthash.h>

#define ZONE "svc." DNS_DOMAIN
/* NAPTR, which nobody asks for: the name exists (NOERROR) and has nothing else. */
#define EXISTS ",0,0,,,\n"

/* Fit to stand in a line of the configuration: what a DNS name may have, nothing else. */
static bool plain(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("._-", *p))
			return false;
	return *name != '\0';
}

struct seen {
	const char *line;
	UT_hash_handle hh;
};

/* Write a line once. */
static void line_once(const struct cluster *c, struct seen **seen, struct strbuf *out,
		      const char *line)
{
	struct seen *s;

	HASH_FIND_STR(*seen, line, s);
	if (s)
		return;
	s = arena_new_type(c->arena, struct seen);
	s->line = line;
	HASH_ADD_KEYPTR(hh, *seen, s->line, strlen(s->line), s);
	strbuf_adds(out, line);
}

/* HOST of an endpoint under its headless Service: its hostname, else the address with dashes. */
static const char *endpoint_host(const struct cluster *c, const struct cdnsaddr *d)
{
	if (d->hostname && plain(d->hostname))
		return d->hostname;
	return arena_printf(c->arena, "%u-%u-%u-%u", d->ip >> 24, d->ip >> 16 & 255,
			    d->ip >> 8 & 255, d->ip & 255);
}

static void cluster_ip(const struct csvc *s, const char *fqdn, struct strbuf *out)
{
	size_t n = s->ports.n;

	strbuf_addf(out, "host-record=%s,%s\n", fqdn, IP4(s->cluster_ip));
	vec_foreach (struct csvcport, p, &s->ports) {
		strbuf_addf(out, "srv-host=%s,%s,%u,0,%zu\n", fqdn, fqdn, p->port->port, 100 / n);
		if (p->port->name && *p->port->name && plain(p->port->name))
			strbuf_addf(out, "srv-host=_%s._%s.%s,%s,%u,0,100\n", p->port->name,
				    proto_str(p->port->proto), fqdn, fqdn, p->port->port);
	}
}

/* Addresses that have this port: what the weight of 100 is shared by. */
static size_t sharers(const struct csvc *s, const struct cdnsaddr *d)
{
	size_t n = 0;

	vec_foreach (struct cdnsaddr, e, &s->dns)
		n += strcmp(e->port_name, d->port_name) == 0 && e->proto == d->proto;
	return n;
}

static void headless_srv(const struct cluster *c, const struct csvc *s, const char *fqdn,
			 struct seen **seen, struct strbuf *out)
{
	size_t weight = 0, all = s->dns.n;
	const char *last = NULL;

	vec_foreach (struct cdnsaddr, d, &s->dns) {
		const char *host = endpoint_host(c, d);

		if (!d->port)
			continue;
		line_once(c, seen, out,
			  arena_printf(c->arena, "srv-host=%s,%s.%s,%u,0,%zu\n", fqdn, host, fqdn,
				       d->port, all > 100 ? 1 : 100 / all));
		if (!*d->port_name || !plain(d->port_name))
			continue;
		if (!last || strcmp(last, d->port_name) != 0) {
			size_t n = sharers(s, d);
			weight = n > 100 ? 1 : 100 / n;
			last = d->port_name;
		}
		line_once(c, seen, out,
			  arena_printf(c->arena, "srv-host=_%s._%s.%s,%s.%s,%u,0,%zu\n",
				       d->port_name, proto_str(d->proto), fqdn, host, fqdn, d->port,
				       weight));
	}
}

/* An endpoint's own name stands first: dnsmasq takes the first name of an address for PTR. */
static void headless(const struct cluster *c, const struct csvc *s, const char *fqdn,
		     struct seen **seen, struct strbuf *out)
{
	vec_foreach (struct cdnsaddr, d, &s->dns)
		line_once(c, seen, out,
			  arena_printf(c->arena, "host-record=%s.%s,%s\n", endpoint_host(c, d),
				       fqdn, IP4(d->ip)));
	vec_foreach (struct cdnsaddr, d, &s->dns)
		line_once(c, seen, out,
			  arena_printf(c->arena, "host-record=%s,%s\n", fqdn, IP4(d->ip)));
	headless_srv(c, s, fqdn, seen, out);
}

/* Is that the Service's full name, with or without a dot at its end? */
static bool is_fqdn(const struct csvc *s, const char *name)
{
	size_t n = strlen(s->name), ns = strlen(s->ns);

	if (strncasecmp(name, s->name, n) != 0 || name[n] != '.' ||
	    strncasecmp(name + n + 1, s->ns, ns) != 0)
		return false;
	name += n + 1 + ns;
	return strcasecmp(name, "." ZONE) == 0 || strcasecmp(name, "." ZONE ".") == 0;
}

static const struct csvc *service_of_fqdn(const struct cluster *c, const char *name)
{
	vec_foreach (struct csvc, s, &c->services)
		if (is_fqdn(s, name))
			return s;
	return NULL;
}

/* ExternalNames that name each other in a ring: dnsmasq would refuse to start. */
static bool in_ring(const struct cluster *c, const struct csvc *s)
{
	const struct csvc *at = s;

	for (int i = 0; at && i < 16; i++) {
		if (at->obj->type != SVC_EXTERNAL_NAME || !at->obj->external_name)
			return false;
		at = service_of_fqdn(c, at->obj->external_name);
		if (at == s)
			return true;
	}
	return at != NULL;
}

static void external(const struct cluster *c, const struct csvc *s, const char *fqdn,
		     struct strbuf *out)
{
	const char *to = s->obj->external_name;
	size_t len = to ? strlen(to) : 0;

	if (len && to[len - 1] == '.')
		len--;
	if (!len || !plain(to) || in_ring(c, s))
		return;
	strbuf_addf(out, "cname=%s,%.*s\n", fqdn, (int)len, to);
}

static void service(const struct cluster *c, const struct csvc *s, struct seen **seen,
		    struct strbuf *out)
{
	const char *fqdn = arena_printf(c->arena, "%s.%s." ZONE, s->name, s->ns);

	if (!plain(s->name) || !plain(s->ns))
		return;
	if (s->obj->type == SVC_EXTERNAL_NAME)
		external(c, s, fqdn, out);
	else if (s->obj->headless)
		headless(c, s, fqdn, seen, out);
	else if (s->cluster_ip)
		cluster_ip(s, fqdn, out);
	else
		strbuf_addf(out, "naptr-record=%s" EXISTS, fqdn); /* IPv6 only */
}

/* Names that exist although no record lies at them or below: a namespace without Services. */
static void names(const struct cluster *c, struct seen **seen, struct strbuf *out)
{
	strbuf_adds(out, "naptr-record=" ZONE EXISTS "naptr-record=pod." DNS_DOMAIN EXISTS);
	vec_foreach (struct namespace_obj, n, &c->objects->namespaces)
		if (plain(n->meta.name))
			line_once(c, seen, out,
				  arena_printf(c->arena, "naptr-record=%s." ZONE EXISTS,
					       n->meta.name));
}

static void pods(const struct cluster *c, struct seen **seen, struct strbuf *out)
{
	vec_foreach (struct cpod, p, &c->pods)
		if (p->ip && plain(p->ns))
			line_once(c, seen, out,
				  arena_printf(c->arena,
					       "address=/%u-%u-%u-%u.%s.pod." DNS_DOMAIN "/%s\n",
					       p->ip >> 24, p->ip >> 16 & 255, p->ip >> 8 & 255,
					       p->ip & 255, p->ns, IP4(p->ip)));
}

void dnsmasq_conf(const struct cluster *c, unsigned ttl, struct strbuf *out)
{
	struct seen *seen = NULL;

	strbuf_adds(out, "# The cluster's DNS: " DNS_DOMAIN " from its Services, nothing else.\n"
			 "no-resolv\nno-hosts\nno-poll\ncache-size=0\nbogus-priv\n"
			 "user=root\ngroup=root\npid-file=\nlog-facility=-\n"
			 "local=/" DNS_DOMAIN "/\n");
	strbuf_addf(out, "local-ttl=%u\n", ttl);
	strbuf_adds(out, "txt-record=dns-version." DNS_DOMAIN ",1.1.0\n");
	names(c, &seen, out);
	vec_foreach (struct csvc, s, &c->services)
		service(c, s, &seen, out);
	pods(c, &seen, out);
	HASH_CLEAR(hh, seen);
}
