/* SPDX-License-Identifier: MIT */
/* See nft_diff.h. */
#include "lib/plan/nft_diff.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/strbuf.h"

#define ELEMENTS "\t\telements = {"

/* One set, map or chain. */
struct block {
	const char *head; /* "chain services" */
	const char *body; /* its lines, elements one a line and sorted behind the others */
};
typedef vec_of(struct block) blocks;

struct parser {
	struct arena *arena;
	blocks *ret;
	const char *head; /* NULL: between blocks */
	struct strbuf body;
	strs elems;
	bool in_elems;
};

static int by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static int by_head(const void *a, const void *b)
{
	return strcmp(((const struct block *)a)->head, ((const struct block *)b)->head);
}

static void end_block(struct parser *p)
{
	/* The kernel fills it as packets come. */
	if (strstr(strbuf_str(&p->body), "flags dynamic"))
		p->elems.n = 0;
	if (p->elems.n > 0)
		qsort(p->elems.v, p->elems.n, sizeof(*p->elems.v), by_text);
	vec_foreach (const char *, e, &p->elems)
		strbuf_addf(&p->body, "%s\n", *e);
	*vec_push(p->arena, p->ret) =
		(struct block){p->head, arena_strdup(p->arena, strbuf_str(&p->body))};
	strbuf_reset(&p->body);
	p->elems = (strs){0};
	p->head = NULL;
}

/* "a, b," or the end "c }". Verdict maps have no braces or commas inside an element. */
static void add_elems(struct parser *p, const char *s)
{
	while (*s) {
		s += strspn(s, " \t,");
		if (*s == '}') {
			p->in_elems = false;
			return;
		}
		size_t n = strcspn(s, ",}");
		size_t len = n;
		while (len && (s[len - 1] == ' ' || s[len - 1] == '\t'))
			len--;
		if (len)
			*vec_push(p->arena, &p->elems) = arena_strndup(p->arena, s, len);
		s += n;
	}
}

static void line(struct parser *p, const char *s)
{
	if (p->in_elems) {
		add_elems(p, s);
	} else if (!p->head) {
		size_t n = strlen(s);
		if (s[0] == '\t' && s[1] != '\t' && n > 3 && strcmp(s + n - 2, " {") == 0)
			p->head = arena_strndup(p->arena, s + 1, n - 3);
	} else if (strcmp(s, "\t}") == 0) {
		end_block(p);
	} else if (strncmp(s, ELEMENTS, strlen(ELEMENTS)) == 0) {
		p->in_elems = true;
		add_elems(p, s + strlen(ELEMENTS));
	} else {
		strbuf_addf(&p->body, "%s\n", s);
	}
}

static void parse(struct arena *a, const char *text, blocks *ret)
{
	struct parser p = {.arena = a, .ret = ret};
	char *copy = arena_strdup(a, text), *save = NULL;
	for (char *s = strtok_r(copy, "\n", &save); s; s = strtok_r(NULL, "\n", &save))
		line(&p, s);
	strbuf_free(&p.body);
	if (ret->n > 0)
		qsort(ret->v, ret->n, sizeof(*ret->v), by_head);
}

static const struct block *find(const blocks *b, const struct block *key)
{
	return b->n ? bsearch(key, b->v, b->n, sizeof(*b->v), by_head) : NULL;
}

#define LINES_MAX 16 /* told of one block */

/* Is this line, up to its end, one of the text's? */
static bool has_line(const char *text, const char *line, size_t n)
{
	for (const char *s = text; *s; s += strcspn(s, "\n"), s += *s == '\n')
		if (strcspn(s, "\n") == n && strncmp(s, line, n) == 0)
			return true;
	return false;
}

/* The lines that one block's text has and the other's lacks; returns how many. */
static size_t tell_lines(struct arena *a, const struct block *b, const char *other,
			 const char *what, strs *words)
{
	size_t n = 0;
	for (const char *s = b->body; *s; s += strcspn(s, "\n"), s += *s == '\n') {
		size_t len = strcspn(s, "\n"), skip = strspn(s, "\t ");
		if (has_line(other, s, len) || ++n > LINES_MAX)
			continue;
		*vec_push(a, words) =
			arena_printf(a, "%s: %s: %.*s", b->head, what, (int)(len - skip), s + skip);
	}
	if (n > LINES_MAX)
		*vec_push(a, words) =
			arena_printf(a, "%s: %s: %zu more", b->head, what, n - LINES_MAX);
	return n;
}

static void tell_block(struct arena *a, const struct block *h, const struct block *w, strs *words)
{
	size_t n = tell_lines(a, w, h->body, "missing", words);
	n += tell_lines(a, h, w->body, "added by hand", words);
	if (!n)
		*vec_push(a, words) = arena_printf(a, "%s: in another order", w->head);
}

void nft_diff(struct arena *a, const char *have, const char *want, strs *words)
{
	blocks is = {0}, should = {0};
	parse(a, have, &is);
	parse(a, want, &should);
	vec_foreach (const struct block, w, &should) {
		const struct block *h = find(&is, w);
		if (!h)
			*vec_push(a, words) = arena_printf(a, "%s is missing", w->head);
		else if (strcmp(h->body, w->body) != 0)
			tell_block(a, h, w, words);
	}
	vec_foreach (const struct block, h, &is)
		if (!find(&should, h))
			*vec_push(a, words) = arena_printf(a, "%s was added by hand", h->head);
}
