/* SPDX-License-Identifier: MIT */
/* See table.h. */
#include "lib/view/table.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/cleanup.h"
#include "lib/view/term.h"

struct range {
	uint32_t from, to;
};

/* Unicode 15, the ranges that matter to names and help texts in Chinese, Japanese, Korean. */
static const struct range wide[] = {
	{0x1100, 0x115f},   {0x2e80, 0x303e},	{0x3041, 0x33ff}, {0x3400, 0x4dbf},
	{0x4e00, 0x9fff},   {0xa000, 0xa4cf},	{0xac00, 0xd7a3}, {0xf900, 0xfaff},
	{0xfe30, 0xfe6f},   {0xff00, 0xff60},	{0xffe0, 0xffe6}, {0x1f300, 0x1f64f},
	{0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
};
static const struct range zero[] = {
	{0x0300, 0x036f}, {0x200b, 0x200f}, {0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
};

static bool in_ranges(uint32_t c, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (c >= r[i].from && c <= r[i].to)
			return true;
	}
	return false;
}

/* Decode one character of at most len bytes; a bad byte is taken as one character of its own. */
static size_t decode(const char *s, size_t len, uint32_t *ret)
{
	unsigned char c = (unsigned char)s[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
	*ret = c;
	if (n == 1 || n > len)
		return 1;
	uint32_t v = c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		if (((unsigned char)s[i] & 0xc0) != 0x80)
			return 1;
		v = v << 6 | ((unsigned char)s[i] & 0x3f);
	}
	*ret = v;
	return n;
}

size_t view_width(const char *s, size_t len)
{
	size_t w = 0;
	for (size_t i = 0; i < len;) {
		uint32_t c;
		if ((unsigned char)s[i] < 0x80) {
			w++;
			i++;
			continue;
		}
		i += decode(s + i, len - i, &c);
		if (in_ranges(c, zero, ARRAY_SIZE(zero)))
			continue;
		w += in_ranges(c, wide, ARRAY_SIZE(wide)) ? 2 : 1;
	}
	return w;
}

struct cell {
	const char *s;
	size_t len, width;
};

struct line {
	vec_of(struct cell) cells; /* the last is not ended by a tab */
	vec_of(size_t) widths;	   /* of the columns, for all but the last cell */
};

typedef vec_of(struct line) lines;

static void split(struct arena *a, const char *text, lines *ret)
{
	while (*text) {
		size_t len = strcspn(text, "\n");
		struct line *l = vec_push(a, ret);
		*l = (struct line){0};
		const char *end = text + len;
		for (const char *p = text;;) {
			const char *tab = memchr(p, '\t', (size_t)(end - p));
			size_t n = (size_t)((tab ? tab : end) - p);
			*vec_push(a, &l->cells) = (struct cell){p, n, view_width(p, n)};
			*vec_push(a, &l->widths) = 0;
			if (!tab)
				break;
			p = tab + 1;
		}
		text = *end ? end + 1 : end;
	}
}

static bool has_column(const struct line *l, size_t col)
{
	return col + 1 < l->cells.n;
}

/* Set the width of every run of lines that have this column. */
static void measure(lines *ls, size_t col, size_t min_width, size_t padding)
{
	for (size_t i = 0; i < ls->n;) {
		size_t end = i, w = 0;
		for (; end < ls->n && has_column(&ls->v[end], col); end++) {
			if (ls->v[end].cells.v[col].width > w)
				w = ls->v[end].cells.v[col].width;
		}
		w = w + padding < min_width ? min_width : w + padding;
		for (size_t k = i; k < end; k++)
			ls->v[k].widths.v[col] = w;
		i = end == i ? i + 1 : end;
	}
}

static void print_line(const struct line *l, struct strbuf *out)
{
	for (size_t c = 0; c < l->cells.n; c++) {
		const struct cell *cell = &l->cells.v[c];
		size_t pad = cell->width < l->widths.v[c] ? l->widths.v[c] - cell->width : 0;
		strbuf_add(out, cell->s, cell->len);
		memset(strbuf_reserve(out, pad), ' ', pad);
		out->len += pad;
	}
	strbuf_addc(out, '\n');
}

void view_tabs(const char *text, size_t min_width, size_t padding, struct strbuf *out)
{
	_arena_ struct arena *a = arena_new();
	_strbuf_ struct strbuf safe = STRBUF_INIT;
	lines ls = {0};
	term_safe_lines(text, &safe);
	split(a, strbuf_str(&safe), &ls);
	size_t columns = 0;
	vec_foreach (struct line, l, &ls) {
		if (l->cells.n > columns)
			columns = l->cells.n;
	}
	for (size_t c = 0; c + 1 < columns; c++)
		measure(&ls, c, min_width, padding);
	vec_foreach (struct line, l, &ls)
		print_line(l, out);
}

void view_tabs_get(const char *text, struct strbuf *out)
{
	view_tabs(text, 6, 3, out);
}

void view_tabs_describe(const char *text, struct strbuf *out)
{
	view_tabs(text, 0, 2, out);
}
