/* SPDX-License-Identifier: MIT */
/* term: see the header. */
#include "lib/view/term.h"

#include <stdint.h>
#include <string.h>

#include "lib/view/table.h"

/* The character at s: its length in bytes (0: not UTF-8), its code in *cp. */
static size_t utf8(const char *s, uint32_t *cp)
{
	const unsigned char *p = (const unsigned char *)s;
	size_t n = p[0] < 0x80 ? 1 : p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : p[0] >= 0xc2 ? 2 : 0;
	static const uint32_t mask[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	*cp = p[0] & mask[n];
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	return *cp < least[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000) ? 0 : n;
}

/* Characters that turn the direction of what follows could make a line read as another. */
static bool harmless(uint32_t cp)
{
	return cp >= 0x20 && (cp < 0x7f || cp >= 0xa0) && !(cp >= 0x200e && cp <= 0x200f) &&
	       !(cp >= 0x2028 && cp <= 0x202e) && !(cp >= 0x2066 && cp <= 0x2069);
}

static void add_safe(const char *text, bool lines, struct strbuf *out)
{
	while (*text) {
		uint32_t cp;
		size_t n = utf8(text, &cp);
		bool space = cp == '\t' || cp == '\n';
		if (n && (harmless(cp) || (lines && space)))
			strbuf_add(out, text, n);
		else
			strbuf_addc(out, space ? ' ' : '?');
		text += n ? n : 1;
	}
}

void term_safe(const char *text, struct strbuf *out)
{
	add_safe(text, false, out);
}

void term_safe_lines(const char *text, struct strbuf *out)
{
	add_safe(text, true, out);
}

void term_pad(struct strbuf *out, size_t n)
{
	while (n--)
		strbuf_addc(out, ' ');
}

/* Wide characters may be parted anywhere, but not before closing punctuation. */
static bool breakable(uint32_t cp)
{
	return cp >= 0x2e80 && cp != 0x3001 && cp != 0x3002 && cp != 0xff09 && cp != 0xff0c &&
	       cp != 0xff1a && cp != 0xff1b;
}

/* Bytes of the unit at s that is not parted: a word, or a wide character and what clings to it. */
static size_t unit(const char *s)
{
	uint32_t cp;
	size_t n = utf8(s, &cp);
	bool wide = breakable(cp);
	while (s[n] && s[n] != ' ') {
		size_t k = utf8(s + n, &cp);
		if (breakable(cp) || (wide && cp < 0x2e80))
			break;
		n += k;
	}
	return n;
}

size_t term_wrap(const char *text, size_t width, size_t at, size_t indent, struct strbuf *out)
{
	struct strbuf safe = STRBUF_INIT;
	term_safe(text, &safe);
	bool fresh = at <= indent; /* nothing stands on this line yet */
	for (const char *s = strbuf_str(&safe); *s;) {
		size_t blanks = strspn(s, " ");
		if (!s[blanks])
			break;
		size_t len = unit(s + blanks), w = view_width(s + blanks, len);
		if (width && !fresh && at + blanks + w > width) {
			strbuf_addc(out, '\n');
			term_pad(out, indent);
			at = indent;
		} else {
			term_pad(out, blanks);
			at += blanks;
		}
		strbuf_add(out, s + blanks, len);
		at += w;
		fresh = false;
		s += blanks + len;
	}
	strbuf_free(&safe);
	return at;
}
