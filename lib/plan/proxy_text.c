/* SPDX-License-Identifier: MIT */
/* proxy_text: iptables tables written chain by chain. See proxy_text.h. */
#include "lib/plan/proxy_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct xchain *add(struct xtable *t, bool builtin)
{
	struct xchain *c = arena_new_type(t->arena, struct xchain);
	c->builtin = builtin;
	*vec_push(t->arena, &t->chains) = c;
	return c;
}

struct xchain *xtable_chain(struct xtable *t, const char *prefix, const char *hash)
{
	struct xchain *c = add(t, false);
	snprintf(c->name, sizeof(c->name), "%s%s", prefix, hash);
	return c;
}

struct xchain *xtable_builtin(struct xtable *t, const char *name)
{
	vec_foreach (struct xchain *, c, &t->chains)
		if ((*c)->builtin && strcmp((*c)->name, name) == 0)
			return *c;
	struct xchain *c = add(t, true);
	snprintf(c->name, sizeof(c->name), "%s", name);
	return c;
}

static int by_name(const void *a, const void *b)
{
	const struct xchain *x = *(struct xchain *const *)a, *y = *(struct xchain *const *)b;
	return strcmp(x->name, y->name);
}

/* Move the built-in chains to the front, in the order they were made; returns how many. */
static size_t builtins_first(struct xtable *t)
{
	size_t n = 0;
	struct xchain **ours = arena_new_array(t->arena, struct xchain *, t->chains.n + 1);
	size_t m = 0;
	vec_foreach (struct xchain *, c, &t->chains) {
		if ((*c)->builtin)
			t->chains.v[n++] = *c;
		else
			ours[m++] = *c;
	}
	memcpy(t->chains.v + n, ours, m * sizeof(struct xchain *));
	return n;
}

void xtable_print(struct xtable *t, struct strbuf *out)
{
	if (t->chains.n > 0) {
		size_t n = builtins_first(t);
		qsort(t->chains.v + n, t->chains.n - n, sizeof(struct xchain *), by_name);
	}
	strbuf_addf(out, "*%s\n", t->name);
	vec_foreach (struct xchain *, c, &t->chains)
		if (!(*c)->builtin)
			strbuf_addf(out, ":%s - [0:0]\n", (*c)->name);
	vec_foreach (struct xchain *, c, &t->chains) {
		strbuf_add(out, (*c)->rules.s, (*c)->rules.len);
		strbuf_free(&(*c)->rules);
	}
	strbuf_adds(out, "COMMIT\n");
}

void xrule(struct xchain *c, const char *fmt, ...)
{
	strbuf_addf(&c->rules, "-A %s ", c->name);
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&c->rules, fmt, ap);
	va_end(ap);
	strbuf_addc(&c->rules, '\n');
}
