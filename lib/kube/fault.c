/* SPDX-License-Identifier: MIT */
/* See fault.h. */
#include "lib/kube/fault.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/limits.h"

#define WORD_MAX 64 /* longer words are nobody's typing mistake */

/* Texts are copied; those that are NULL are "". */
static struct fault make(struct arena *a, int doc, enum fault_at at, const char *object,
			 const char *path, const char *hint, const char *text)
{
	return (struct fault){
		.doc = doc,
		.at = at,
		.path = arena_strdup(a, path ? path : ""),
		.object = arena_strdup(a, object ? object : ""),
		.text = text,
		.hint = arena_strdup(a, hint ? hint : ""),
	};
}

void fault_add(struct faults *f, int doc, enum fault_at at, const char *object, const char *path,
	       const char *hint, const char *fmt, ...)
{
	f->total++;
	if (f->list.n >= MAX_FAULTS)
		return;
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(f->arena, fmt, ap);
	va_end(ap);
	*vec_push(f->arena, &f->list) = make(f->arena, doc, at, object, path, hint, text);
}

void fault_note(struct faults *f, int doc, enum fault_at at, const char *object, const char *path,
		const char *hint, const char *fmt, ...)
{
	if (f->notes.n >= MAX_FAULTS)
		return;
	va_list ap;
	va_start(ap, fmt);
	const char *text = arena_vprintf(f->arena, fmt, ap);
	va_end(ap);
	*vec_push(f->arena, &f->notes) = make(f->arena, doc, at, object, path, hint, text);
}

void fault_first(struct faults *f, int doc, const char *path)
{
	if (f->list.n < f->total) /* it was one too many to be kept */
		return;
	struct fault *last = &f->list.v[f->list.n - 1];
	last->first_doc = doc;
	last->first_path = arena_strdup(f->arena, path);
}

static unsigned min3(unsigned a, unsigned b, unsigned c)
{
	unsigned m = a < b ? a : b;
	return m < c ? m : c;
}

/* Cost of writing b for a, in half edits. */
static unsigned swap_cost(char a, char b)
{
	if (a == b)
		return 0;
	return tolower((unsigned char)a) == tolower((unsigned char)b) ? 1 : 2;
}

/* Edit distance in half edits: insert, delete, replace and exchange of neighbours cost 2, a change
 * of case 1. Both words are at most WORD_MAX long. */
static unsigned distance(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned rows[3][WORD_MAX + 1];
	unsigned *before = rows[0], *prev = rows[1], *cur = rows[2];
	for (size_t j = 0; j <= bn; j++)
		prev[j] = (unsigned)j * 2;
	for (size_t i = 1; i <= an; i++) {
		cur[0] = (unsigned)i * 2;
		for (size_t j = 1; j <= bn; j++) {
			cur[j] = min3(prev[j] + 2, cur[j - 1] + 2,
				      prev[j - 1] + swap_cost(a[i - 1], b[j - 1]));
			bool crossed =
				i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
			if (crossed && before[j - 2] + 2 < cur[j])
				cur[j] = before[j - 2] + 2;
		}
		unsigned *t = before;
		before = prev;
		prev = cur;
		cur = t;
	}
	return prev[bn];
}

const char *nearest_word(const char *s, const char *const *words, unsigned n)
{
	size_t len = strlen(s);
	if (len == 0 || len > WORD_MAX)
		return NULL;
	/* A third of the length, but one edit at least; never every letter of the word. */
	unsigned limit = len < 3 ? 2 : (unsigned)len * 2 / 3;
	if (limit >= len * 2)
		limit = (unsigned)len * 2 - 1;
	const char *best = NULL;
	for (unsigned i = 0; i < n; i++) {
		size_t wlen = strlen(words[i]);
		size_t gap = wlen > len ? wlen - len : len - wlen;
		if (wlen > WORD_MAX || gap * 2 > limit)
			continue;
		unsigned d = distance(s, len, words[i], wlen);
		if (d > limit)
			continue;
		best = words[i];
		if (d == 0)
			break;
		limit = d - 1;
	}
	return best;
}
