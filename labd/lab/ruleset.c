/* SPDX-License-Identifier: MIT */
/* See ruleset.h. */
#include "labd/lab/ruleset.h"

#include <stdlib.h>
#include <string.h>

#include <uthash.h>

struct rchain {
	const char *name;
	bool builtin;
	strs rules; /* what stands behind "-A NAME " */
	UT_hash_handle hh;
};

struct rtable {
	const char *name;
	struct rchain *chains; /* by name; in the order in which they came */
};

/* uthash's own memory is the arena's of whoever adds. */
#undef uthash_malloc
#undef uthash_free
#define uthash_malloc(size)    arena_alloc(arena, size)
#define uthash_free(ptr, size) ((void)(ptr))

/* ---- reading --------------------------------------------------------------------------------- */

static bool is_builtin(const char *name)
{
	static const char *const names[] = {"INPUT", "OUTPUT", "FORWARD", "PREROUTING",
					    "POSTROUTING"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i], name) == 0)
			return true;
	return false;
}

static struct rtable *find_table(const struct ruleset *s, const char *name)
{
	vec_foreach (struct rtable *, t, &s->tables)
		if (strcmp((*t)->name, name) == 0)
			return *t;
	return NULL;
}

static struct rchain *find_chain(const struct rtable *t, const char *name)
{
	struct rchain *c = NULL;
	if (t)
		HASH_FIND_STR(t->chains, name, c);
	return c;
}

static struct rchain *need_chain(struct arena *arena, struct rtable *t, const char *name)
{
	struct rchain *c = find_chain(t, name);
	if (c)
		return c;
	c = arena_new_type(arena, struct rchain);
	c->name = name;
	c->builtin = is_builtin(name);
	HASH_ADD_KEYPTR(hh, t->chains, c->name, strlen(c->name), c);
	return c;
}

/* Rules usually come chain by chain: remember where the last one went. */
struct reader {
	struct ruleset *s;
	struct rtable *t;
	struct rchain *last;
};

static void insert_at(struct arena *a, strs *list, size_t at, const char *rule)
{
	(void)vec_push(a, list);
	if (at >= list->n)
		at = list->n - 1;
	memmove(&list->v[at + 1], &list->v[at], (list->n - 1 - at) * sizeof(*list->v));
	list->v[at] = rule;
}

/* "-A CHAIN RULE" or "-I CHAIN [N] RULE" */
static void read_rule(struct reader *r, char *line)
{
	char *name = line + 3, *rule = strchr(name, ' ');
	if (rule)
		*rule++ = '\0';
	else
		rule = name + strlen(name);
	if (!r->last || strcmp(r->last->name, name) != 0)
		r->last = need_chain(r->s->arena, r->t, name);
	if (line[1] == 'A') {
		*vec_push(r->s->arena, &r->last->rules) = rule;
		return;
	}
	char *end;
	unsigned long at = strtoul(rule, &end, 10);
	if (end != rule)
		rule = end + strspn(end, " ");
	insert_at(r->s->arena, &r->last->rules, at ? at - 1 : 0, rule);
}

static void read_line(struct reader *r, char *line)
{
	struct arena *a = r->s->arena;
	if (line[0] == '*') {
		r->last = NULL;
		r->t = find_table(r->s, line + 1);
		if (!r->t) {
			r->t = arena_new_type(a, struct rtable);
			r->t->name = line + 1;
			*vec_push(a, &r->s->tables) = r->t;
		}
	} else if (line[0] == ':' && r->t) {
		line[strcspn(line, " ")] = '\0';
		r->last = need_chain(r->s->arena, r->t, line + 1);
		if (!r->last->builtin)
			r->last->rules.n = 0;
	} else if (line[0] == '-' && (line[1] == 'A' || line[1] == 'I') && line[2] == ' ' && r->t) {
		read_rule(r, line);
	}
}

void ruleset_add(struct ruleset *s, const char *text)
{
	struct reader r = {.s = s};
	char *line = arena_strdup(s->arena, text);
	while (*line) {
		char *end = strchrnul(line, '\n'), *next = *end ? end + 1 : end;
		*end = '\0';
		read_line(&r, line);
		line = next;
	}
}

void ruleset_of(struct ruleset *s, const struct dns *ns)
{
	vec_foreach (const struct drules, r, &ns->rules)
		ruleset_add(s, r->text);
}

/* ---- comparing ------------------------------------------------------------------------------- */

struct differ {
	enum ruleset_how how;
	struct arena *arena;
	struct strbuf decls, rules, ends; /* of the table in hand */
	const char *table;
	struct ruleset_words *words;
};

static const strs no_rules;

static bool same_rules(const strs *a, const strs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The elements of a that are not in b, as multisets, in a's order. */
static strs minus(struct arena *arena, const strs *a, const strs *b)
{
	strs out = {0};
	const char **v = arena_new_array(arena, const char *, b->n + 1);
	bool *used = arena_new_array(arena, bool, b->n + 1);
	for (size_t i = 0; i < b->n; i++)
		v[i] = b->v[i];
	if (b->n)
		qsort(v, b->n, sizeof(*v), by_text);
	for (size_t i = 0; i < a->n; i++) {
		size_t lo = 0, hi = b->n;
		while (lo < hi) {
			size_t mid = (lo + hi) / 2;
			if (strcmp(v[mid], a->v[i]) < 0)
				lo = mid + 1;
			else
				hi = mid;
		}
		while (lo < b->n && used[lo] && strcmp(v[lo], a->v[i]) == 0)
			lo++;
		if (lo < b->n && strcmp(v[lo], a->v[i]) == 0)
			used[lo] = true;
		else
			*vec_push(arena, &out) = a->v[i];
	}
	return out;
}

/* Chains whose names say that a component of the lab makes and removes them. */
static bool lab_chain(const char *name)
{
	return strncmp(name, "KUBE-", 5) == 0 || strncmp(name, "cali-", 5) == 0 ||
	       strncmp(name, "FLANNEL-", 8) == 0;
}

static void say(struct differ *d, const struct rchain *c, const strs *missing, const strs *extra)
{
	if (!d->words)
		return;
	strs *too_many =
		d->how == RULESET_KERNEL && c->builtin ? &d->words->foreign : &d->words->own;
	for (size_t i = 0; i < missing->n; i++)
		*vec_push(d->arena, &d->words->own) = arena_printf(
			d->arena, "%s rule is missing: -A %s %s", d->table, c->name, missing->v[i]);
	for (size_t i = 0; i < extra->n; i++)
		*vec_push(d->arena, too_many) =
			arena_printf(d->arena, "%s rule added by hand: -A %s %s", d->table, c->name,
				     extra->v[i]);
	if (!missing->n && !extra->n)
		*vec_push(d->arena, &d->words->own) = arena_printf(
			d->arena, "%s chain %s has its rules in another order", d->table, c->name);
}

/* A chain of the lab's own is written again as a whole. */
static void rewrite(struct differ *d, const struct rchain *c)
{
	strbuf_addf(&d->decls, ":%s - [0:0]\n", c->name);
	for (size_t i = 0; i < c->rules.n; i++)
		strbuf_addf(&d->rules, "-A %s %s\n", c->name, c->rules.v[i]);
}

/* A built-in chain is others' too: rules are put in and taken out one by one, each new one behind
 * the wanted one that stands before it. */
static void edit(struct differ *d, const struct rchain *c, const strs *have, const strs *missing,
		 const strs *extra)
{
	strs now = {0}, lacks = *missing;
	size_t k = 0, at = 0;
	for (size_t i = 0; i < have->n; i++)
		*vec_push(d->arena, &now) = have->v[i];
	for (size_t i = 0; d->how == RULESET_OWN && i < extra->n; i++) {
		strbuf_addf(&d->rules, "-D %s %s\n", c->name, extra->v[i]);
		for (size_t j = 0; j < now.n; j++)
			if (strcmp(now.v[j], extra->v[i]) == 0) {
				memmove(&now.v[j], &now.v[j + 1], (--now.n - j) * sizeof(*now.v));
				break;
			}
	}
	for (size_t i = 0; i < c->rules.n; i++) {
		if (k < lacks.n && strcmp(c->rules.v[i], lacks.v[k]) == 0) {
			strbuf_addf(&d->rules, "-I %s %zu %s\n", c->name, at + 1, lacks.v[k]);
			insert_at(d->arena, &now, at++, lacks.v[k++]);
			continue;
		}
		for (size_t j = at; j < now.n; j++)
			if (strcmp(now.v[j], c->rules.v[i]) == 0) {
				at = j + 1;
				break;
			}
	}
}

static void wanted_chain(struct differ *d, const struct rchain *c, const struct rchain *have)
{
	const strs *rules = have ? &have->rules : &no_rules;
	if (have && same_rules(rules, &c->rules))
		return;
	if (!have && c->builtin && !c->rules.n)
		return;
	strs missing = minus(d->arena, &c->rules, rules), extra = minus(d->arena, rules, &c->rules);
	if (!have && !c->builtin && d->words)
		*vec_push(d->arena, &d->words->own) =
			arena_printf(d->arena, "%s chain %s is missing", d->table, c->name);
	else
		say(d, c, &missing, &extra);
	if (c->builtin)
		edit(d, c, rules, &missing, &extra);
	else
		rewrite(d, c);
}

static void unwanted_chain(struct differ *d, const struct rchain *c)
{
	if (c->builtin) {
		strs none = {0};
		struct rchain empty = {.name = c->name, .builtin = true};
		if (!c->rules.n)
			return;
		say(d, c, &none, &c->rules);
		edit(d, &empty, &c->rules, &none, &c->rules);
		return;
	}
	bool leave = d->how == RULESET_KERNEL && !lab_chain(c->name);
	if (d->words)
		*vec_push(d->arena, leave ? &d->words->foreign : &d->words->own) =
			arena_printf(d->arena, "%s chain %s was added by hand", d->table, c->name);
	if (leave)
		return;
	strbuf_addf(&d->decls, ":%s - [0:0]\n", c->name);
	strbuf_addf(&d->ends, "-X %s\n", c->name);
}

static void diff_table(struct differ *d, const struct rtable *have, const struct rtable *want,
		       struct strbuf *out)
{
	d->table = want ? want->name : have->name;
	strbuf_reset(&d->decls);
	strbuf_reset(&d->rules);
	strbuf_reset(&d->ends);
	if (want)
		for (const struct rchain *c = want->chains; c; c = c->hh.next)
			wanted_chain(d, c, find_chain(have, c->name));
	if (have)
		for (const struct rchain *c = have->chains; c; c = c->hh.next)
			if (!find_chain(want, c->name))
				unwanted_chain(d, c);
	if (d->decls.len + d->rules.len + d->ends.len)
		strbuf_addf(out, "*%s\n%s%s%sCOMMIT\n", d->table, strbuf_str(&d->decls),
			    strbuf_str(&d->rules), strbuf_str(&d->ends));
}

void ruleset_diff(const struct ruleset *have, const struct ruleset *want, enum ruleset_how how,
		  struct strbuf *out, struct ruleset_words *words)
{
	struct differ d = {.how = how, .arena = want->arena, .words = words};
	vec_foreach (struct rtable *, t, &want->tables)
		diff_table(&d, find_table(have, (*t)->name), *t, out);
	vec_foreach (struct rtable *, t, &have->tables)
		if (!find_table(want, (*t)->name))
			diff_table(&d, *t, NULL, out);
	strbuf_free(&d.decls);
	strbuf_free(&d.rules);
	strbuf_free(&d.ends);
}
