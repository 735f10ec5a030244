/* SPDX-License-Identifier: MIT */
/* proxy_nft_text: an nftables table being written. See proxy_nft_text.h. */
#include "lib/plan/proxy_nft_text.h"

#include <stdlib.h>
#include <string.h>

void nft_elem_add(struct arena *a, struct nft_set *s, const char *key, const char *rest)
{
	size_t order = s->elems.n;
	*vec_push(a, &s->elems) = (struct nft_elem){key, rest, order};
}

static int by_key(const void *a, const void *b)
{
	const struct nft_elem *x = a, *y = b;
	int r = strcmp(x->key, y->key);
	return r ? r : (x->order > y->order) - (x->order < y->order);
}

static void print_elems(struct nft_set *s, struct strbuf *out)
{
	qsort(s->elems.v, s->elems.n, sizeof(*s->elems.v), by_key);
	strbuf_adds(out, "\t\telements = {\n");
	for (size_t i = 0; i < s->elems.n; i++) {
		const struct nft_elem *e = &s->elems.v[i];
		if (i == 0 || strcmp(e->key, e[-1].key) != 0)
			strbuf_addf(out, "\t\t\t%s%s,\n", e->key, e->rest);
	}
	strbuf_adds(out, "\t\t}\n");
}

void nft_set_print(struct nft_set *s, const char *keyword, struct strbuf *out)
{
	strbuf_addf(out, "\t%s %s {\n\t\ttype %s\n\t\tcomment \"%s\"\n", keyword, s->name, s->type,
		    s->comment);
	if (s->elems.n > 0)
		print_elems(s, out);
	strbuf_adds(out, "\t}\n\n");
}

void nft_chain_begin(struct strbuf *out, const char *prefix, const char *base)
{
	strbuf_addf(out, "\tchain %s%s {\n", prefix, base);
}

void nft_chain_end(struct strbuf *out)
{
	strbuf_adds(out, "\t}\n\n");
}

void nft_rule(struct strbuf *out, const char *fmt, ...)
{
	va_list ap;
	strbuf_adds(out, "\t\t");
	va_start(ap, fmt);
	strbuf_vaddf(out, fmt, ap);
	va_end(ap);
	strbuf_addc(out, '\n');
}

void nft_chain(struct strbuf *out, const char *name, ...)
{
	va_list ap;
	nft_chain_begin(out, name, "");
	va_start(ap, name);
	for (const char *line = va_arg(ap, const char *); line; line = va_arg(ap, const char *))
		nft_rule(out, "%s", line);
	va_end(ap);
	nft_chain_end(out);
}

const char *nft_duration(struct arena *a, unsigned seconds)
{
	static const struct {
		unsigned seconds;
		char unit;
	} units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
	const char *text = "";
	if (!seconds)
		return "0s";
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (seconds >= units[i].seconds)
			text = arena_printf(a, "%s%u%c", text, seconds / units[i].seconds,
					    units[i].unit);
		seconds %= units[i].seconds;
	}
	return text;
}
