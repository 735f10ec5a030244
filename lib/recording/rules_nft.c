/* SPDX-License-Identifier: MIT */
/*
 * rules_nft: why a rule of nft does not match a packet, and which element of a set or a map one
 * did. The kernel reports neither; both are worked out from what nft lists. What is not simple is
 * left alone.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/emit.h"
#include "lib/recording/lookup.h"

#define WORD_MAX 256

/* The next word into buf; false at the end. Longer words are cut. */
static bool next_word(const char **p, char buf[static WORD_MAX])
{
	const char *s = *p + strspn(*p, " ");
	size_t n = *s == '"' && strchr(s + 1, '"') ? (size_t)(strchr(s + 1, '"') - s) + 1
						   : strcspn(s, " ");
	if (!n)
		return false;
	*p = s + n;
	n = n < WORD_MAX ? n : WORD_MAX - 1;
	memcpy(buf, s, n);
	buf[n] = '\0';
	return true;
}

/* ---- elements --------------------------------------------------------------------------------
 */

static bool key_is(const char *key, const char *packet)
{
	struct cidr c;
	ip4 ip;
	if (!strcmp(key, packet))
		return true;
	return strchr(key, '/') && cidr_parse(key, &c) && ip4_parse(packet, &ip) && cidr_has(c, ip);
}

static const struct rec_elem *elem_of(const struct rec_ns *n, const char *table, const char *set,
				      const char *packet)
{
	for (size_t i = 0; n && i < n->elems.n; i++) {
		const struct rec_elem *e = &n->elems.v[i];
		if (streq(e->set, set) && streq(e->table, table) && key_is(e->key, packet))
			return e;
	}
	return NULL;
}

/* What the packet has for a selector of nft: "ip daddr" "meta l4proto" "th dport" ... NULL when
 * it is not one of the simple ones. */
static const char *field(const struct rule_ctx *c, const char *a, const char *b)
{
	const struct rec_tuple *t = &c->h->inner;
	bool ports = t->proto == PROTO_TCP || t->proto == PROTO_UDP;
	bool th = !strcmp(a, "th") || !strcmp(a, ip_proto_str(t->proto));
	if (!strcmp(a, "ip") && !strcmp(b, "daddr"))
		return arena_strdup(c->a, IP4(t->dst));
	if (!strcmp(a, "ip") && !strcmp(b, "saddr"))
		return arena_strdup(c->a, IP4(t->src));
	if (!strcmp(a, "meta") && !strcmp(b, "l4proto"))
		return ip_proto_str(t->proto);
	if (th && ports && !strcmp(b, "dport"))
		return arena_printf(c->a, "%u", t->dport);
	if (th && ports && !strcmp(b, "sport"))
		return arena_printf(c->a, "%u", t->sport);
	if (!strcmp(a, "ct") && !strcmp(b, "state"))
		return c->ctstate;
	return NULL;
}

/* A selector, maybe of several fields ("ip daddr . meta l4proto . th dport"), with the first word
 * read already: the packet's value, and *op is the word behind it. */
static const char *selector(const struct rule_ctx *c, const char *first, const char **p,
			    char op[static WORD_MAX])
{
	char a[WORD_MAX], b[WORD_MAX];
	const char *all = NULL;
	memcpy(a, first, strlen(first) + 1);
	for (;;) {
		if (!next_word(p, b))
			return NULL;
		const char *v = field(c, a, b);
		if (!v)
			return NULL;
		all = all ? arena_printf(c->a, "%s . %s", all, v) : v;
		const char *back = *p;
		if (!next_word(p, op)) {
			*op = '\0';
			return all;
		}
		if (strcmp(op, ".") != 0)
			return all;
		if (!next_word(p, a)) {
			*p = back;
			return NULL;
		}
	}
}

const struct rec_elem *nft_element(const struct rule_ctx *c, const struct rec_rule *x)
{
	char w[WORD_MAX], op[WORD_MAX], set[WORD_MAX];
	for (const char *p = x->text; next_word(&p, w);) {
		const char *q = p, *v = selector(c, w, &q, op);
		if (v && !strcmp(op, "vmap") && next_word(&q, set) && *set == '@')
			return elem_of(ns_at(c->r, c->ns), x->table, set + 1, v);
	}
	return NULL;
}

/* ---- why not ---------------------------------------------------------------------------------
 */

static const char *key_of(const char *a, const char *b)
{
	static const char *const keys[][2] = {
		{"saddr", "nomatch.src"},     {"daddr", "nomatch.dst"},
		{"l4proto", "nomatch.proto"}, {"dport", "nomatch.dport"},
		{"sport", "nomatch.sport"},   {"state", "nomatch.ctstate"}};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strcmp(b, keys[i][0]))
			return keys[i][1];
	return *a ? "nomatch.unknown" : NULL;
}

/* "new", "established,related", an address, a prefix, a port. */
static bool value_has(const char *list, const char *v)
{
	size_t n = strlen(v);
	if (key_is(list, v))
		return true;
	for (const char *p = list; p && *p; p = strchr(p, ',') ? strchr(p, ',') + 1 : NULL)
		if (!strncasecmp(p, v, n) && (p[n] == ',' || !p[n]))
			return true;
	return false;
}

struct nft_test {
	const char *key, *asked, *has;
};

/* A test that begins with the word w; *p is behind what was understood. */
static bool test_field(const struct rule_ctx *c, const struct rec_rule *x, const char *w,
		       const char **p, struct nft_test *ret)
{
	char op[WORD_MAX], v[WORD_MAX], second[WORD_MAX];
	const char *q = *p, *s = *p;
	if (!next_word(&s, second))
		return false;
	const char *has = selector(c, w, &q, op);
	if (!has || !*op)
		return false;
	bool vmap = !strcmp(op, "vmap"), not = !strcmp(op, "!=");
	memcpy(v, op, sizeof(v));
	if ((vmap || not ) && !next_word(&q, v))
		return false;
	if (*v == '{')
		return false;
	*p = q;
	bool is = *v == '@' ? elem_of(ns_at(c->r, c->ns), x->table, v + 1, has) != NULL
			    : value_has(v, has);
	if (is != not )
		return false;
	ret->key = *v == '@' ? "nomatch.element" : key_of(w, second);
	ret->asked = arena_printf(c->a, "%s%s", not ? "! " : "", *v == '@' ? v + 1 : v);
	ret->has = has;
	return true;
}

/* "meta mark & 0x4000 != 0x0 ..." (a test), not "meta mark set ..." */
static bool test_mark(const struct rule_ctx *c, const char *p, struct nft_test *ret)
{
	char w[WORD_MAX], mask[WORD_MAX], op[WORD_MAX], v[WORD_MAX];
	if (!next_word(&p, w) || strcmp(w, "mark") != 0 || !next_word(&p, w) || strcmp(w, "&"))
		return false;
	if (!next_word(&p, mask) || !next_word(&p, op) || !next_word(&p, v))
		return false;
	bool not = !strcmp(op, "!=");
	if (!not &&strcmp(op, "==") != 0)
		return false;
	uint32_t is = c->mark & (uint32_t)strtoul(mask, NULL, 0);
	if ((is == (uint32_t)strtoul(v, NULL, 0)) != not )
		return false;
	ret->key = "nomatch.mark";
	ret->asked = arena_printf(c->a, "%s%s/%s", not ? "! " : "", v, mask);
	ret->has = arena_printf(c->a, "0x%x", c->mark);
	return true;
}

/* "iifname eth0", "oifname != \"lo\"" */
static bool test_device(const struct rule_ctx *c, const char *w, const char *p,
			struct nft_test *ret)
{
	char v[WORD_MAX];
	bool in = !strcmp(w, "iifname"), not = false;
	const char *dev = in ? c->iif : c->oif;
	if ((!in && strcmp(w, "oifname") != 0) || !dev || !next_word(&p, v))
		return false;
	if (!strcmp(v, "!=")) {
		not = true;
		if (!next_word(&p, v))
			return false;
	}
	size_t n = strlen(v);
	char *name = v;
	if (n >= 2 && *v == '"') {
		v[n - 1] = '\0';
		name = v + 1;
	}
	if (*name == '{' || *name == '@' || strchr(name, '*') || !strcmp(name, dev) != not )
		return false;
	ret->key = in ? "nomatch.iif" : "nomatch.oif";
	ret->asked = arena_printf(c->a, "%s%s", not ? "! " : "", name);
	ret->has = dev;
	return true;
}

const char *nft_mismatch(const struct rule_ctx *c, const struct rec_rule *x, const char **asked,
			 const char **has)
{
	char w[WORD_MAX];
	for (const char *p = x->text; p && next_word(&p, w);) {
		struct nft_test t = {.key = NULL};
		bool mark = !strcmp(w, "meta") && test_mark(c, p, &t);
		if (mark || test_device(c, w, p, &t) || test_field(c, x, w, &p, &t)) {
			*asked = t.asked;
			*has = t.has;
			return t.key;
		}
	}
	return NULL;
}
