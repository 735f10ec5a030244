/* SPDX-License-Identifier: MIT */
/* lookup: questions to the snapshot. */
#include "lib/recording/lookup.h"

#include <stdio.h>
#include <string.h>

bool streq(const char *a, const char *b)
{
	return a && b && !strcmp(a, b);
}

bool same_mac(struct mac a, struct mac b)
{
	return !memcmp(a.b, b.b, sizeof(a.b));
}

const struct rec_ns *ns_at(const struct recording *r, int ns)
{
	return ns >= 0 && (size_t)ns < r->ns.n ? &r->ns.v[ns] : NULL;
}

const char *ns_name(const struct recording *r, int ns)
{
	const struct rec_ns *n = ns_at(r, ns);
	return n && n->name ? n->name : "?";
}

bool ns_is(const struct recording *r, int ns, const char *role)
{
	const struct rec_ns *n = ns_at(r, ns);
	return n && streq(n->role, role);
}

const struct rec_if *if_at(const struct recording *r, int ns, int ifindex)
{
	const struct rec_ns *n = ns_at(r, ns);
	for (size_t i = 0; n && i < n->ifs.n; i++)
		if (n->ifs.v[i].ifindex == ifindex)
			return &n->ifs.v[i];
	return NULL;
}

const struct rec_if *if_named(const struct rec_ns *n, const char *name)
{
	for (size_t i = 0; n && i < n->ifs.n; i++)
		if (streq(n->ifs.v[i].name, name))
			return &n->ifs.v[i];
	return NULL;
}

const char *if_name(const struct recording *r, int ns, int ifindex)
{
	const struct rec_if *i = if_at(r, ns, ifindex);
	if (i && i->name)
		return i->name;
	return arena_printf(r->arena, "if%d", ifindex);
}

bool if_is(const struct recording *r, int ns, int ifindex, const char *kind)
{
	const struct rec_if *i = if_at(r, ns, ifindex);
	return i && streq(i->kind, kind);
}

const struct rec_if *if_master(const struct recording *r, int ns, int ifindex)
{
	const struct rec_if *i = if_at(r, ns, ifindex);
	return i && i->master ? if_named(ns_at(r, ns), i->master) : NULL;
}

bool is_tunnel(const struct rec_if *i)
{
	return i && (streq(i->kind, "vxlan") || streq(i->kind, "ipip"));
}

const struct rec_if *if_with_addr(const struct rec_ns *n, ip4 ip)
{
	for (size_t i = 0; n && i < n->addrs.n; i++) {
		if (n->addrs.v[i].addr.addr != ip)
			continue;
		for (size_t k = 0; k < n->ifs.n; k++)
			if (n->ifs.v[k].ifindex == n->addrs.v[i].ifindex)
				return &n->ifs.v[k];
	}
	return NULL;
}

bool addr_is_local(const struct rec_ns *n, ip4 ip)
{
	for (size_t i = 0; n && i < n->addrs.n; i++)
		if (n->addrs.v[i].addr.addr == ip)
			return true;
	return ip >> 24 == 127;
}

int ns_of_addr(const struct recording *r, ip4 ip)
{
	for (size_t i = 0; i < r->ns.n; i++)
		if (!streq(r->ns.v[i].role, "fabric") && ip >> 24 != 127 &&
		    addr_is_local(&r->ns.v[i], ip))
			return (int)i;
	return -1;
}

/* Sysctl keys come with dots or slashes, with or without "net.". */
const char *sysctl_value(const struct rec_ns *n, const char *key_end)
{
	size_t want = strlen(key_end);
	for (size_t i = 0; n && i < n->sysctls.n; i++) {
		const char *k = n->sysctls.v[i].key;
		size_t len = k ? strlen(k) : 0;
		if (len >= want && !strcmp(k + len - want, key_end))
			return n->sysctls.v[i].value;
	}
	return NULL;
}

int bridge_nf(const struct rec_ns *n)
{
	const char *v = sysctl_value(n, "bridge-nf-call-iptables");
	return v ? *v == '1' : -1;
}

/* The prefix that a route line is for: the first word that is an address, behind a type such as
 * "blackhole" or "local". */
static bool line_prefix(const char *line, struct cidr *ret)
{
	char word[CIDR_STRLEN + 8];
	for (int skip = 0; skip < 2; skip++) {
		line += strspn(line, " \t");
		size_t n = strcspn(line, " \t\n");
		if (!n || n >= sizeof(word))
			return false;
		memcpy(word, line, n);
		word[n] = 0;
		if (!strcmp(word, "default")) {
			*ret = (struct cidr){0, 0};
			return true;
		}
		if (cidr_parse(word, ret))
			return true;
		ret->len = 32;
		if (ip4_parse(word, &ret->addr))
			return true;
		line += n;
	}
	return false;
}

const char *route_line(const struct rec_ns *n, ip4 dst)
{
	const char *best = NULL;
	int len = -1;
	for (size_t i = 0; n && i < n->routes.n; i++) {
		const char *line = n->routes.v[i];
		struct cidr c;
		if (!line || strstr(line, " table ") || !line_prefix(line, &c))
			continue;
		if ((int)c.len > len && cidr_has(c, dst)) {
			len = c.len;
			best = line;
		}
	}
	return best;
}

bool line_word(const char *line, const char *word, char *buf, size_t size)
{
	size_t len = strlen(word);
	for (const char *p = line; p && *p;) {
		p += strspn(p, " \t\n");
		size_t n = strcspn(p, " \t\n");
		if (n == len && !strncmp(p, word, n)) {
			p += n;
			p += strspn(p, " \t");
			n = strcspn(p, " \t\n");
			if (!n || n >= size)
				return false;
			memcpy(buf, p, n);
			buf[n] = 0;
			return true;
		}
		p += n;
	}
	return false;
}

bool line_starts(const char *line, const char *word)
{
	size_t n = strlen(word);
	return line && !strncmp(line, word, n) && (line[n] == ' ' || !line[n]);
}

const struct rec_ask *ask_ip(const struct recording *r, const char *what, int ns, ip4 ip)
{
	vec_foreach (const struct rec_ask, q, &r->asks)
		if (q->ns == ns && q->ip == ip && streq(q->what, what))
			return q;
	return NULL;
}

const struct rec_ask *ask_mac(const struct recording *r, const char *what, int ns, struct mac mac)
{
	vec_foreach (const struct rec_ask, q, &r->asks)
		if (q->ns == ns && same_mac(q->mac, mac) && streq(q->what, what))
			return q;
	return NULL;
}

const struct rec_neigh *neigh_at(const struct rec_ns *n, int ifindex, ip4 ip)
{
	for (size_t i = 0; n && i < n->neighs.n; i++)
		if (n->neighs.v[i].ip == ip && n->neighs.v[i].ifindex == ifindex)
			return &n->neighs.v[i];
	return NULL;
}

const struct rec_fdb *fdb_at(const struct rec_ns *n, int ifindex, struct mac mac)
{
	for (size_t i = 0; n && i < n->fdbs.n; i++)
		if (n->fdbs.v[i].ifindex == ifindex && same_mac(n->fdbs.v[i].mac, mac))
			return &n->fdbs.v[i];
	return NULL;
}
