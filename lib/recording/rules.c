/* SPDX-License-Identifier: MIT */
/*
 * rules: why a rule does not match a packet. The kernel reports only rules that do; of those above
 * them the simple matches can be worked out from the rule's text. What can not be is left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define WORD_MAX 256

/* The next word of a rule's text, quotes taken off; false at the end. */
static bool next_word(const char **p, char *buf)
{
	const char *s = *p + strspn(*p, " \t");
	size_t n = 0;
	bool quoted = *s == '"';
	if (!*s)
		return false;
	for (s += quoted; *s && (quoted ? *s != '"' : *s != ' '); s++) {
		if (*s == '\\' && s[1])
			s++;
		if (n < WORD_MAX - 1)
			buf[n++] = *s;
	}
	buf[n] = 0;
	*p = s + (quoted && *s == '"');
	return true;
}

bool rule_option(const char *rule, const char *option, char *buf, size_t size)
{
	char word[WORD_MAX];
	for (const char *p = rule; p && next_word(&p, word);) {
		if (strcmp(word, option))
			continue;
		if (!next_word(&p, word) || strlen(word) >= size)
			return false;
		memcpy(buf, word, strlen(word) + 1);
		return true;
	}
	return false;
}

static bool in_range(const char *s, unsigned port)
{
	char *end;
	unsigned long lo = strtoul(s, &end, 10), hi = lo;
	if (*end == ':')
		hi = strtoul(end + 1, NULL, 10);
	return port >= lo && port <= hi;
}

static bool in_ports(const char *list, unsigned port)
{
	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (in_range(p, port))
			return true;
	return false;
}

static bool in_words(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncmp(p, word, n) && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

static bool dev_like(const char *pattern, const char *dev)
{
	size_t n = strlen(pattern);
	if (n && pattern[n - 1] == '+')
		return !strncmp(pattern, dev, n - 1);
	return !strcmp(pattern, dev);
}

static bool in_cidr(const char *s, ip4 ip)
{
	struct cidr c;
	if (cidr_parse(s, &c))
		return cidr_has(c, ip);
	ip4 one;
	return ip4_parse(s, &one) && one == ip;
}

static bool proto_is(const char *s, uint8_t proto)
{
	return !strcmp(s, "all") || !strcmp(s, ip_proto_str(proto)) ||
	       (*s >= '0' && *s <= '9' && strtoul(s, NULL, 10) == proto) ||
	       (proto == PROTO_IPIP && !strcmp(s, "ipencap"));
}

static bool mark_is(const char *s, uint32_t mark)
{
	char *end;
	unsigned long v = strtoul(s, &end, 0), mask = UINT32_MAX;
	if (*end == '/')
		mask = strtoul(end + 1, NULL, 0);
	return (mark & mask) == v;
}

struct test {
	bool known; /* an option that can be worked out */
	bool match;
	const char *key, *has;
};

static struct test test_addr(const struct rule_ctx *c, const char *opt, const char *v)
{
	const struct rec_tuple *t = &c->h->inner;
	if (!strcmp(opt, "-s"))
		return (struct test){true, in_cidr(v, t->src), "nomatch.src",
				     arena_strdup(c->a, IP4(t->src))};
	if (!strcmp(opt, "-d"))
		return (struct test){true, in_cidr(v, t->dst), "nomatch.dst",
				     arena_strdup(c->a, IP4(t->dst))};
	if (!strcmp(opt, "--dst-type") && !strcmp(v, "LOCAL"))
		return (struct test){true, addr_is_local(ns_at(c->r, c->ns), t->dst),
				     "nomatch.local", arena_strdup(c->a, IP4(t->dst))};
	if (!strcmp(opt, "--src-type") && !strcmp(v, "LOCAL"))
		return (struct test){true, addr_is_local(ns_at(c->r, c->ns), t->src),
				     "nomatch.local", arena_strdup(c->a, IP4(t->src))};
	return (struct test){0};
}

static struct test test_port(const struct rule_ctx *c, const char *opt, const char *v)
{
	const struct rec_tuple *t = &c->h->inner;
	if (t->proto != PROTO_TCP && t->proto != PROTO_UDP)
		return (struct test){0};
	if (!strcmp(opt, "--dport") || !strcmp(opt, "--dports"))
		return (struct test){true, in_ports(v, t->dport), "nomatch.dport",
				     arena_printf(c->a, "%u", t->dport)};
	if (!strcmp(opt, "--sport") || !strcmp(opt, "--sports"))
		return (struct test){true, in_ports(v, t->sport), "nomatch.sport",
				     arena_printf(c->a, "%u", t->sport)};
	return (struct test){0};
}

static struct test test_option(const struct rule_ctx *c, const char *opt, const char *v)
{
	if (!strcmp(opt, "-p"))
		return (struct test){true, proto_is(v, c->h->inner.proto), "nomatch.proto",
				     ip_proto_str(c->h->inner.proto)};
	if (!strcmp(opt, "-i") && c->iif)
		return (struct test){true, dev_like(v, c->iif), "nomatch.iif", c->iif};
	if (!strcmp(opt, "-o") && c->oif)
		return (struct test){true, dev_like(v, c->oif), "nomatch.oif", c->oif};
	if (!strcmp(opt, "--mark"))
		return (struct test){true, mark_is(v, c->mark), "nomatch.mark",
				     arena_printf(c->a, "0x%x", c->mark)};
	if (!strcmp(opt, "--ctstate") && c->ctstate)
		return (struct test){true, in_words(v, c->ctstate), "nomatch.ctstate", c->ctstate};
	struct test t = test_addr(c, opt, v);
	return t.known ? t : test_port(c, opt, v);
}

const char *rule_mismatch(const struct rule_ctx *c, const char *rule, const char **asked,
			  const char **has)
{
	char opt[WORD_MAX], v[WORD_MAX];
	bool not = false;
	for (const char *p = rule; p && next_word(&p, opt);) {
		if (!strcmp(opt, "!")) {
			not = true;
			continue;
		}
		if (*opt != '-' || !strcmp(opt, "-j") || !strcmp(opt, "-g")) {
			if (*opt == '-')
				return NULL; /* the target: what follows are its own options */
			continue;
		}
		const char *q = p;
		if (!next_word(&q, v) || !strcmp(v, "!"))
			continue;
		struct test t = test_option(c, opt, v);
		if (t.known && t.match == not ) {
			*asked = arena_printf(c->a, "%s%s", not ? "! " : "", v);
			*has = t.has;
			return t.key;
		}
		if (!strcmp(opt, "--probability")) {
			*asked = arena_strdup(c->a, v);
			*has = "";
			return "nomatch.random"; /* last: all other matches agree */
		}
		not = false;
		p = q;
	}
	return NULL;
}
