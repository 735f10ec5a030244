/* SPDX-License-Identifier: MIT */
/*
 * text: UTF-8 and places in it. A cursor walks a text and keeps two counts at once: lines and
 * columns as libyaml's marks count them (which also ends lines at NEL, LS and PS), and as editors
 * do. Not for YAML syntax.
 */
#ifndef YAML_TEXT_H
#define YAML_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/strbuf.h"

/* Decode one character of s (len > 0 bytes). Returns its length; 0 when it is not UTF-8. */
size_t utf8_decode(const char *s, size_t len, uint32_t *ret_cp);
/* May the character stand in a YAML stream (YAML 1.2, 5.1: c-printable)? */
bool yaml_printable(uint32_t cp);
/* Columns a terminal uses for the character: 0 (combining), 1, or 2 (East Asian wide, emoji). */
unsigned char_width(uint32_t cp);

/* Offset of the first byte that is not UTF-8 or not allowed in YAML; len when all is well. */
size_t text_check(const char *s, size_t len);

/*
 * JSON writes a character beyond U+FFFF as two escapes ("\ud83d\ude00"), which libyaml refuses.
 * In a text that looks like JSON (its first character is { or [) turn each such pair into the
 * \U escape that YAML has for it.
 */
void text_join_surrogates(struct strbuf *text);

struct cursor {
	const char *s;
	size_t len, off;
	uint32_t mark_line, mark_col; /* as libyaml counts, from 0 */
	uint32_t line, col;	      /* as editors count, from 0; columns are characters */
	size_t line_start;	      /* offset of the editor's line */
};

/* At the beginning of s. */
struct cursor cursor_at_start(const char *s, size_t len);
/* Forward to a libyaml mark; stops at the end of the text, or of the line when it is shorter. */
void cursor_to_mark(struct cursor *c, uint32_t line, uint32_t col);
/* Forward to the character that holds the byte at off, or the end. */
void cursor_to_offset(struct cursor *c, size_t off);

#endif
