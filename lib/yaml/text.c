/* SPDX-License-Identifier: MIT */
/* See text.h. */
#include "lib/yaml/text.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

size_t utf8_decode(const char *s, size_t len, uint32_t *ret_cp)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	unsigned char c = (unsigned char)s[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 && c < 0xf8 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	if (n == 0 || c >= 0xf8 || n > len)
		return 0;
	uint32_t cp = n == 1 ? c : c & (0x7fu >> n);
	for (size_t i = 1; i < n; i++) {
		unsigned char t = (unsigned char)s[i];
		if ((t & 0xc0) != 0x80)
			return 0;
		cp = cp << 6 | (t & 0x3f);
	}
	if (cp < smallest[n] || cp > 0x10ffff || (cp >= 0xd800 && cp <= 0xdfff))
		return 0;
	*ret_cp = cp;
	return n;
}

bool yaml_printable(uint32_t cp)
{
	if (cp < 0x20)
		return cp == '\t' || cp == '\n' || cp == '\r';
	if (cp >= 0x7f && cp < 0xa0)
		return cp == 0x85;
	return cp != 0xfffe && cp != 0xffff;
}

struct range {
	uint32_t from, to;
};

static bool in_ranges(uint32_t cp, const struct range *r, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (cp >= r[i].from && cp <= r[i].to)
			return true;
	}
	return false;
}

unsigned char_width(uint32_t cp)
{
	/* The ranges that matter in comments and names; UAX #11 has the whole list. */
	static const struct range none[] = {
		{0x300, 0x36f},	  {0x483, 0x489},   {0x591, 0x5bd},   {0x610, 0x61a},
		{0x64b, 0x65f},	  {0x200b, 0x200f}, {0x202a, 0x202e}, {0x2060, 0x2064},
		{0x20d0, 0x20ff}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff},
	};
	static const struct range wide[] = {
		{0x1100, 0x115f},   {0x231a, 0x231b},	{0x23e9, 0x23ec},   {0x2614, 0x2615},
		{0x26a1, 0x26a1},   {0x2705, 0x2705},	{0x274c, 0x274c},   {0x2753, 0x2757},
		{0x2e80, 0x303e},   {0x3041, 0xa4cf},	{0xa960, 0xa97f},   {0xac00, 0xd7a3},
		{0xf900, 0xfaff},   {0xfe30, 0xfe6f},	{0xff00, 0xff60},   {0xffe0, 0xffe6},
		{0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x20000, 0x3fffd},
	};
	if (cp < 0x300)
		return 1;
	if (in_ranges(cp, none, ARRAY_SIZE(none)))
		return 0;
	return in_ranges(cp, wide, ARRAY_SIZE(wide)) ? 2 : 1;
}

size_t text_check(const char *s, size_t len)
{
	size_t i = 0;
	while (i < len) {
		unsigned char c = (unsigned char)s[i];
		if (c >= 0x20 && c < 0x7f) {
			i++;
			continue;
		}
		uint32_t cp;
		size_t n = utf8_decode(s + i, len - i, &cp);
		if (n == 0 || !yaml_printable(cp))
			return i;
		i += n;
	}
	return len;
}

/* The value of "\uXXXX" at s, or 0. */
static uint32_t u_escape(const char *s, size_t len)
{
	if (len < 6 || s[0] != '\\' || s[1] != 'u')
		return 0;
	char hex[5] = {s[2], s[3], s[4], s[5], 0};
	for (int i = 0; i < 4; i++) {
		if (!isxdigit((unsigned char)hex[i]))
			return 0;
	}
	return (uint32_t)strtoul(hex, NULL, 16);
}

void text_join_surrogates(struct strbuf *text)
{
	char *s = text->s;
	size_t len = text->len, from = 0, to = 0;
	size_t first = len ? strspn(s, " \t\r\n") : 0;
	if (first >= len || (s[first] != '{' && s[first] != '['))
		return;
	while (from < len) {
		size_t n = s[from] == '\\' && from + 1 < len ? 2 : 1; /* "\\u" is no escape */
		uint32_t high = u_escape(s + from, len - from);
		uint32_t low = high ? u_escape(s + from + 6, len - from - 6) : 0;
		if (high >= 0xd800 && high < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
			char joined[16];
			uint32_t cp = 0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00);
			snprintf(joined, sizeof(joined), "\\U%08X", (unsigned)cp);
			memcpy(s + to, joined, 10);
			to += 10;
			from += 12;
			continue;
		}
		memmove(s + to, s + from, n);
		to += n;
		from += n;
	}
	text->len = to;
	s[to] = '\0';
}

struct cursor cursor_at_start(const char *s, size_t len)
{
	return (struct cursor){.s = s, .len = len};
}

/* Over one character; bytes that are not UTF-8 count as one each. */
static void step(struct cursor *c)
{
	uint32_t cp = (unsigned char)c->s[c->off];
	size_t n = cp < 0x80 ? 1 : utf8_decode(c->s + c->off, c->len - c->off, &cp);
	c->off += n ? n : 1;
	bool cr_of_crlf = cp == '\r' && c->off < c->len && c->s[c->off] == '\n';
	bool ends_line = (cp == '\n' || cp == '\r') && !cr_of_crlf;
	if (ends_line || (n > 1 && (cp == 0x85 || cp == 0x2028 || cp == 0x2029))) {
		c->mark_line++;
		c->mark_col = 0;
	} else {
		c->mark_col++;
	}
	if (ends_line) {
		c->line++;
		c->col = 0;
		c->line_start = c->off;
	} else {
		c->col++;
	}
}

void cursor_to_mark(struct cursor *c, uint32_t line, uint32_t col)
{
	while (c->off < c->len && c->mark_line < line)
		step(c);
	while (c->off < c->len && c->mark_line == line && c->mark_col < col &&
	       c->s[c->off] != '\n' && c->s[c->off] != '\r')
		step(c);
}

void cursor_to_offset(struct cursor *c, size_t off)
{
	while (c->off < c->len && c->off < off)
		step(c);
}
