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
	struct rule *next;
	const unsigned char *bytes;
	unsigned len;
	const char *jump;
	bool falls; /* no target: to the next one */
	int was;    /* its number in the table that is edited, or -1 */
};

struct chain {
	const char *name;
	int hook; /* -1: the user's */
	int policy;
	int was; /* the policy's number, as a rule's */
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
	xt_have_fn have; /* NULL: all tables are empty */
	struct table *tables, *last, *cur;
	struct xt_rule rule; /* room for the one at hand */
};

/* ---- chains -------------------------------------------------------------------------------------
 */

static struct chain *add_chain(struct arena *a, struct table *t, const char *name, int hook)
{
	struct chain *c = arena_new_type(a, struct chain);
	*c = (struct chain){
		.name = arena_strdup(a, name), .hook = hook, .policy = NF_ACCEPT, .was = -1};
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

/* Behind `at` others; at their end if there are fewer. */
static void insert(struct chain *c, struct rule *u, unsigned at)
{
	struct rule **to = &c->first;
	if (at >= c->n && c->last)
		to = &c->last->next;
	for (; at && at < c->n; at--)
		to = &(*to)->next;
	u->next = *to;
	*to = u;
	if (!u->next)
		c->last = u;
	c->n++;
	c->bytes += u->len;
}

static void append(struct chain *c, struct rule *u)
{
	insert(c, u, c->n);
}

/* ---- a table as the kernel has it -----------------------------------------------------------
 */

struct loading {
	struct arena *a;
	struct table *t;
	const struct xt_have *have;
	vec_of(struct chain *) user; /* as they lie */
	size_t begun;		     /* of them */
	struct chain *chain;	     /* that is read, up to `end` */
	unsigned end;
};

static const struct ipt_entry *entry_at(const struct loading *l, unsigned at)
{
	return (const void *)((const char *)l->have->entries->entrytable + at);
}

static const struct xt_standard_target *target_of(const struct ipt_entry *e)
{
	return (const void *)((const char *)e + e->target_offset);
}

static bool is_error(const struct ipt_entry *e)
{
	return strcmp(target_of(e)->target.u.user.name, XT_ERROR_TARGET) == 0;
}

/* The user's chain whose rules begin there. */
static struct chain *chain_at(const struct loading *l, int at)
{
	size_t lo = 0, hi = l->user.n;
	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		if ((int)l->user.v[mid]->at < at)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo < l->user.n && (int)l->user.v[lo]->at == at ? l->user.v[lo] : NULL;
}

/* First the chains, which the jumps name by their places. */
static void load_chains(struct loading *l)
{
	for (unsigned at = 0; at < l->have->info.size - ERROR_ENTRY;) {
		const struct ipt_entry *e = entry_at(l, at);
		at += e->next_offset;
		if (!is_error(e))
			continue;
		const struct xt_error_target *t = (const void *)target_of(e);
		struct chain *c = add_chain(l->a, l->t, t->errorname, -1);
		c->at = at;
		*vec_push(l->a, &l->user) = c;
	}
}

static void begin_chain(struct loading *l, const struct ipt_entry *e, unsigned at)
{
	const struct ipt_getinfo *info = &l->have->info;
	if (is_error(e)) {
		l->chain = l->begun < l->user.n ? l->user.v[l->begun++] : NULL;
		l->end =
			(l->begun < l->user.n ? l->user.v[l->begun]->at : info->size) - ERROR_ENTRY;
		return;
	}
	for (int h = 0; h < HOOKS; h++)
		if (l->t->builtin[h] && info->hook_entry[h] == at) {
			l->chain = l->t->builtin[h];
			l->end = info->underflow[h] + entry_at(l, info->underflow[h])->next_offset;
		}
}

/* False: it is not understood. */
static bool load_entry(struct loading *l, unsigned at, int number)
{
	const struct ipt_entry *e = entry_at(l, at);
	const struct xt_standard_target *s = target_of(e);
	bool standard = s->target.u.user.name[0] == '\0';
	int next = (int)(at + e->next_offset);
	begin_chain(l, e, at);
	if (is_error(e))
		return true;
	if (!l->chain || next > (int)l->end)
		return false;
	if (next == (int)l->end) {
		/* Of a policy the program does not keep what it had counted. */
		if (l->chain->hook >= 0)
			l->chain->policy = -s->verdict - 1;
		else
			l->chain->was = number;
		return standard;
	}
	struct rule *u = arena_new_type(l->a, struct rule);
	*u = (struct rule){.bytes = (const void *)e, .len = e->next_offset, .was = number};
	u->falls = standard && s->verdict == next;
	if (standard && s->verdict >= 0 && !u->falls) {
		const struct chain *to = chain_at(l, s->verdict);
		if (!to)
			return false;
		u->jump = to->name;
	}
	append(l->chain, u);
	return true;
}

static struct table *load_table(struct reader *r, int kind)
{
	struct xt_have have;
	if (!r->have(r->x.arg, kernel_tables[kind].name, &have))
		return NULL;
	struct loading l = {.a = r->x.a, .t = new_table(r->x.a, kind), .have = &have};
	int number = 0;
	load_chains(&l);
	for (unsigned at = 0; at < have.info.size; at += entry_at(&l, at)->next_offset)
		if (!load_entry(&l, at, number++))
			return NULL;
	return l.t;
}

/* ---- text: tables and chains ------------------------------------------------------------------
 */

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
	r->cur = r->have ? load_table(r, kind) : new_table(r->x.a, kind);
	if (!r->cur)
		return false;
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

/* "-A CHAIN RULE", "-I CHAIN [NUMBER] RULE" */
static bool rule_line(struct reader *r, const char *const *words, size_t n)
{
	struct chain *c = find_chain(r->cur, words[1]);
	unsigned long at = strcmp(words[0], "-I") == 0 ? 1 : 0;
	size_t skip = 2;
	if (at && strspn(words[2], "0123456789") == strlen(words[2])) {
		at = strtoul(words[2], NULL, 10);
		skip++;
	}
	if (!c || n <= skip || at > UINT_MAX ||
	    !xt_rule_encode(&r->x, words + skip, n - skip, &r->rule) || !possible(c, &r->rule))
		return false;
	struct rule *u = arena_new_type(r->x.a, struct rule);
	*u = (struct rule){.len = (unsigned)r->rule.len,
			   .falls = r->rule.falls,
			   .was = -1,
			   .jump = r->rule.jump ? arena_strdup(r->x.a, r->rule.jump) : NULL};
	void *bytes = arena_new_array(r->x.a, uint64_t, (r->rule.len + 7) / 8);
	u->bytes = memcpy(bytes, r->rule.bytes, r->rule.len);
	/* The program takes no number that is not there. */
	if (at > c->n + 1)
		return false;
	if (at)
		insert(c, u, (unsigned)at - 1);
	else
		append(c, u);
	return true;
}

/* "-X CHAIN": it is empty, and assemble() sees whether anything leads there. */
static bool delete_line(struct reader *r, const char *const *words, size_t n)
{
	struct chain *c = n == 2 ? find_chain(r->cur, words[1]) : NULL;
	if (!c || c->hook >= 0 || c->n)
		return false;
	HASH_DEL(r->cur->chains, c);
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
	if (n > 1 && strcmp(words[0], "-X") == 0)
		return delete_line(r, words, n);
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
static bool put_rules(const struct table *t, const struct chain *c, unsigned char *base, int **was)
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
		*(*was)++ = u->was;
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
	int *was = ret->was = arena_new_array(a, int, entries);
	strcpy(r->name, kernel_tables[t->kind].name);
	r->num_entries = entries;
	r->size = size;
	for (size_t i = 0; i < n; i++) {
		const struct chain *c = v[i];
		unsigned policy = c->at + c->bytes;
		if (c->hook < 0) {
			put_error(base + c->at - ERROR_ENTRY, c->name);
			*was++ = -1;
		}
		if (!put_rules(t, c, base, &was))
			return false;
		*was++ = c->was;
		put_policy(base + policy, c->hook < 0 ? XT_RETURN : -c->policy - 1);
		if (c->hook >= 0) {
			r->valid_hooks |= 1u << c->hook;
			r->hook_entry[c->hook] = c->at;
			r->underflow[c->hook] = policy;
		}
	}
	put_error(base + at, XT_ERROR_TARGET);
	*was = -1;
	ret->replace = r;
	return true;
}

bool xt_edit(struct arena *a, const char *const *texts, size_t n, xt_set_index_fn set_index,
	     xt_have_fn have, void *arg, struct xt_blobs *ret)
{
	struct reader *r = arena_new_type(a, struct reader);
	*r = (struct reader){.x = {.a = a, .set_index = set_index, .arg = arg}, .have = have};
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

bool xt_encode(struct arena *a, const char *const *texts, size_t n, xt_set_index_fn set_index,
	       void *arg, struct xt_blobs *ret)
{
	return xt_edit(a, texts, n, set_index, NULL, arg, ret);
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
