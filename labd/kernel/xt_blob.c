/* SPDX-License-Identifier: MIT */
/*
 * xt_blob: chains and their rules, and how they lie in a table. See xt_blob.h.
 *
 * A table is one run of entries (net/ipv4/netfilter/ip_tables.c, libiptc): the built-in chains in
 * the order of their hooks, each its rules and the policy; then the user's chains sorted by name,
 * each an ERROR entry with the name, its rules and a RETURN; an ERROR entry ends it. A jump is the
 * distance of the chain's first rule from the table's beginning.
 */
#include "labd/kernel/xt_blob.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "labd/kernel/xt_rule.h"

#define HOOKS	  NF_INET_NUMHOOKS
#define NAME_MAX_ 28 /* of a chain: XT_FUNCTION_MAXNAMELEN less the NUL, as iptables allows */

static const struct {
	const char *name;
	const char *chain[HOOKS]; /* by hook number; NULL: not in this table */
} kernel_tables[XT_TABLES] = {
	{"raw", {[NF_INET_PRE_ROUTING] = "PREROUTING", [NF_INET_LOCAL_OUT] = "OUTPUT"}},
	{"mangle", {"PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"}},
	{"nat",
	 {[NF_INET_PRE_ROUTING] = "PREROUTING",
	  [NF_INET_LOCAL_IN] = "INPUT",
	  [NF_INET_LOCAL_OUT] = "OUTPUT",
	  [NF_INET_POST_ROUTING] = "POSTROUTING"}},
	{"filter",
	 {[NF_INET_LOCAL_IN] = "INPUT",
	  [NF_INET_FORWARD] = "FORWARD",
	  [NF_INET_LOCAL_OUT] = "OUTPUT"}},
};

/* An entry without matches: its target follows at once. (A struct of both is a GNU extension, for
 * an entry ends with an array.) */
#define ERROR_ENTRY  ((unsigned)(sizeof(struct ipt_entry) + sizeof(struct xt_error_target)))
#define POLICY_ENTRY ((unsigned)(sizeof(struct ipt_entry) + sizeof(struct xt_standard_target)))

struct rule {
	struct rule *next, *prev;
	const unsigned char *bytes;
	unsigned len;
	const char *jump;
	bool falls; /* no target: to the next one */
};

struct chain {
	const char *name;
	int hook; /* -1: the user's */
	int policy;
	struct rule *first, *last;
	unsigned n, bytes; /* of the rules */
	unsigned at;	   /* of the first rule in the table */
	UT_hash_handle hh;
};

struct table {
	int kind;
	struct chain *chains; /* a hash */
	struct chain *builtin[HOOKS];
	struct table *next;
};

struct reader {
	struct xt_encoder x;
	struct table *tables, *last, *cur;
	struct xt_rule rule; /* room for the one at hand */
};

/* ---- chains -------------------------------------------------------------------------------------
 */

static struct chain *add_chain(struct arena *a, struct table *t, const char *name, int hook)
{
	struct chain *c = arena_new_type(a, struct chain);
	*c = (struct chain){.name = arena_strdup(a, name), .hook = hook, .policy = NF_ACCEPT};
	HASH_ADD_KEYPTR(hh, t->chains, c->name, strlen(c->name), c);
	if (hook >= 0)
		t->builtin[hook] = c;
	return c;
}

static struct chain *find_chain(const struct table *t, const char *name)
{
	struct chain *c;
	HASH_FIND_STR(t->chains, name, c);
	return c;
}

static struct table *new_table(struct arena *a, int kind)
{
	struct table *t = arena_new_type(a, struct table);
	*t = (struct table){.kind = kind};
	for (int h = 0; h < HOOKS; h++)
		if (kernel_tables[kind].chain[h])
			add_chain(a, t, kernel_tables[kind].chain[h], h);
	return t;
}

static int table_kind(const char *name)
{
	for (int i = 0; i < XT_TABLES; i++)
		if (strcmp(kernel_tables[i].name, name) == 0)
			return i;
	return -1;
}

static bool select_table(struct reader *r, const char *name)
{
	int kind = table_kind(name);
	if (kind < 0 || r->cur)
		return false;
	for (struct table *t = r->tables; t; t = t->next)
		if (t->kind == kind)
			r->cur = t;
	if (r->cur)
		return true;
	r->cur = new_table(r->x.a, kind);
	*(r->last ? &r->last->next : &r->tables) = r->cur;
	r->last = r->cur;
	return true;
}

/* ":CHAIN POLICY [0:0]": a built-in chain's policy; the user's chain made, or emptied. */
static bool chain_line(struct reader *r, char *line)
{
	char *save, *name = strtok_r(line + 1, " ", &save), *policy = strtok_r(NULL, " ", &save);
	char *counters = strtok_r(NULL, " ", &save);
	if (!r->cur || !name || !policy || strlen(name) > NAME_MAX_ ||
	    (counters && strcmp(counters, "[0:0]") != 0))
		return false;
	struct chain *c = find_chain(r->cur, name);
	if (c && c->hook >= 0) {
		c->policy = strcmp(policy, "DROP") == 0 ? NF_DROP : NF_ACCEPT;
		return strcmp(policy, "DROP") == 0 || strcmp(policy, "ACCEPT") == 0 ||
		       strcmp(policy, "-") == 0;
	}
	if (strcmp(policy, "-") != 0)
		return false;
	if (!c) {
		add_chain(r->x.a, r->cur, name, -1);
		return true;
	}
	c->first = c->last = NULL;
	c->n = c->bytes = 0;
	return true;
}

/* The program refuses what can never be: a way out before routing, a way in after it. */
static bool possible(const struct chain *c, const struct xt_rule *u)
{
	const struct ipt_ip *ip = &((const struct ipt_entry *)u->bytes)->ip;
	bool before = c->hook == NF_INET_PRE_ROUTING || c->hook == NF_INET_LOCAL_IN;
	bool after = c->hook == NF_INET_POST_ROUTING || c->hook == NF_INET_LOCAL_OUT;
	return !(before && ip->outiface[0]) && !(after && ip->iniface[0]);
}

static bool rule_line(struct reader *r, const char *const *words, size_t n)
{
	bool first = strcmp(words[0], "-I") == 0;
	struct chain *c = n > 1 ? find_chain(r->cur, words[1]) : NULL;
	if (!c || !xt_rule_encode(&r->x, words + 2, n - 2, &r->rule) || !possible(c, &r->rule))
		return false;
	struct rule *u = arena_new_type(r->x.a, struct rule);
	*u = (struct rule){.len = (unsigned)r->rule.len,
			   .falls = r->rule.falls,
			   .jump = r->rule.jump ? arena_strdup(r->x.a, r->rule.jump) : NULL};
	void *bytes = arena_new_array(r->x.a, uint64_t, (r->rule.len + 7) / 8);
	u->bytes = memcpy(bytes, r->rule.bytes, r->rule.len);
	if (!c->first) {
		c->first = c->last = u;
	} else if (first) {
		u->next = c->first;
		c->first = u;
	} else {
		c->last->next = u;
		c->last = u;
	}
	c->n++;
	c->bytes += u->len;
	return true;
}

/* ---- text ---------------------------------------------------------------------------------------
 */

/* Split in place; quotes and backslashes as iptables-restore reads them. 0: too many, or a quote
 * that does not end. */
static size_t split(char *line, const char **words)
{
	size_t n = 0;
	char *p = line;
	for (;;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (!*p)
			return n;
		if (n == XT_WORDS)
			return 0;
		bool quoted = false;
		char *to = p;
		words[n++] = p;
		for (; *p && (quoted || (*p != ' ' && *p != '\t')); p++) {
			if (*p == '"')
				quoted = !quoted;
			else if (*p == '\\' && quoted && p[1])
				*to++ = *++p;
			else
				*to++ = *p;
		}
		if (quoted)
			return 0;
		if (*p)
			p++;
		*to = '\0';
	}
}

static bool line(struct reader *r, char *text)
{
	const char *words[XT_WORDS];
	if (!text[0] || text[0] == '#')
		return true;
	if (text[0] == '*')
		return select_table(r, text + 1);
	if (strcmp(text, "COMMIT") == 0) {
		r->cur = NULL;
		return true;
	}
	if (!r->cur)
		return false;
	if (text[0] == ':')
		return chain_line(r, text);
	size_t n = split(text, words);
	return n > 2 && (strcmp(words[0], "-A") == 0 || strcmp(words[0], "-I") == 0) &&
	       rule_line(r, words, n);
}

static bool read_text(struct reader *r, const char *text)
{
	_arena_ struct arena *scratch = arena_new();
	char *buf = arena_strdup(scratch, text);
	for (char *p = buf, *end; *p; p = end) {
		size_t n = strcspn(p, "\n");
		end = p + n + (p[n] == '\n');
		while (n && (p[n - 1] == ' ' || p[n - 1] == '\r'))
			n--;
		p[n] = '\0';
		if (!line(r, p))
			return false;
	}
	return !r->cur; /* without COMMIT nothing would have happened */
}

/* ---- the table's bytes --------------------------------------------------------------------------
 */

static int by_name(const void *a, const void *b)
{
	return strcmp((*(struct chain *const *)a)->name, (*(struct chain *const *)b)->name);
}

/* All chains in their order: built-in ones by hook, then by name. */
static size_t in_order(struct arena *a, const struct table *t, struct chain ***ret)
{
	size_t n = 0, builtin;
	struct chain **v = arena_new_array(a, struct chain *, HASH_COUNT(t->chains) + 1), *c, *next;
	for (int h = 0; h < HOOKS; h++)
		if (t->builtin[h])
			v[n++] = t->builtin[h];
	builtin = n;
	HASH_ITER (hh, t->chains, c, next)
		if (c->hook < 0)
			v[n++] = c;
	qsort(v + builtin, n - builtin, sizeof(struct chain *), by_name);
	*ret = v;
	return n;
}

/* The head of such an entry; returns where its target is. */
static void *put_entry(unsigned char *at, unsigned size)
{
	struct ipt_entry *e = (struct ipt_entry *)at;
	e->target_offset = sizeof(*e);
	e->next_offset = (uint16_t)size;
	return at + sizeof(*e);
}

static void put_error(unsigned char *at, const char *name)
{
	struct xt_error_target *t = put_entry(at, ERROR_ENTRY);
	t->target.u.user.target_size = sizeof(*t);
	strcpy(t->target.u.user.name, XT_ERROR_TARGET);
	strcpy(t->errorname, name);
}

static void put_policy(unsigned char *at, int verdict)
{
	struct xt_standard_target *t = put_entry(at, POLICY_ENTRY);
	t->target.u.user.target_size = sizeof(*t);
	t->verdict = verdict;
}

/* The rules of a chain, their jumps filled in. False: one leads to a chain that is not there. */
static bool put_rules(const struct table *t, const struct chain *c, unsigned char *base)
{
	unsigned at = c->at;
	for (const struct rule *u = c->first; u; u = u->next) {
		const struct ipt_entry *e = memcpy(base + at, u->bytes, u->len);
		struct xt_standard_target *s =
			(struct xt_standard_target *)(base + at + e->target_offset);
		const struct chain *to = u->jump ? find_chain(t, u->jump) : NULL;
		if (u->jump && (!to || to->hook >= 0))
			return false;
		at += u->len;
		if (to)
			s->verdict = (int)to->at;
		else if (u->falls)
			s->verdict = (int)at;
	}
	return true;
}

static bool assemble(struct arena *a, const struct table *t, struct xt_blob *ret)
{
	struct chain **v;
	size_t n = in_order(a, t, &v);
	unsigned at = 0, entries = 1;
	for (size_t i = 0; i < n; i++) {
		v[i]->at = at + (v[i]->hook < 0 ? ERROR_ENTRY : 0);
		at = v[i]->at + v[i]->bytes + POLICY_ENTRY;
		entries += v[i]->n + (v[i]->hook < 0 ? 2 : 1);
	}
	unsigned size = at + ERROR_ENTRY;
	ret->size = sizeof(struct ipt_replace) + size;
	struct ipt_replace *r = (void *)arena_new_array(a, uint64_t, (ret->size + 7) / 8);
	unsigned char *base = (unsigned char *)r->entries;
	strcpy(r->name, kernel_tables[t->kind].name);
	r->num_entries = entries;
	r->size = size;
	for (size_t i = 0; i < n; i++) {
		const struct chain *c = v[i];
		unsigned policy = c->at + c->bytes;
		if (c->hook < 0)
			put_error(base + c->at - ERROR_ENTRY, c->name);
		if (!put_rules(t, c, base))
			return false;
		put_policy(base + policy, c->hook < 0 ? XT_RETURN : -c->policy - 1);
		if (c->hook >= 0) {
			r->valid_hooks |= 1u << c->hook;
			r->hook_entry[c->hook] = c->at;
			r->underflow[c->hook] = policy;
		}
	}
	put_error(base + at, XT_ERROR_TARGET);
	ret->replace = r;
	return true;
}

bool xt_encode(struct arena *a, const char *const *texts, size_t n, xt_set_index_fn set_index,
	       void *arg, struct xt_blobs *ret)
{
	struct reader *r = arena_new_type(a, struct reader);
	*r = (struct reader){.x = {.a = a, .set_index = set_index, .arg = arg}};
	bool ok = true;
	ret->n = 0;
	for (size_t i = 0; ok && i < n; i++)
		ok = read_text(r, texts[i]);
	for (struct table *t = r->tables; ok && t; t = t->next)
		ok = assemble(a, t, &ret->v[ret->n++]);
	for (struct table *t = r->tables; t; t = t->next)
		HASH_CLEAR(hh, t->chains);
	return ok;
}

bool xt_encode_empty(struct arena *a, const char *table, struct xt_blob *ret)
{
	int kind = table_kind(table);
	if (kind < 0)
		return false;
	struct table *t = new_table(a, kind);
	bool ok = assemble(a, t, ret);
	HASH_CLEAR(hh, t->chains);
	return ok;
}
