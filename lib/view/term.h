/* SPDX-License-Identifier: MIT */
/*
 * term: text for terminals: wrapped to their width, and safe to show whatever it holds (rules,
 * answers of servers: no control character of theirs reaches the terminal). Pure.
 */
#ifndef VIEW_TERM_H
#define VIEW_TERM_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/strbuf.h"

/* Append text with control characters, and bytes that are not UTF-8, as "?"; tabs and newlines
 * become blanks. */
void term_safe(const char *text, struct strbuf *out);
/* The same, tabs and newlines as they are. */
void term_safe_lines(const char *text, struct strbuf *out);

/*
 * Append text, made safe, broken between words so that no line passes `width` columns (0: any) if
 * its words are short enough. It starts in column `at`; further lines are indented by `indent`.
 * Returns the column behind it.
 */
size_t term_wrap(const char *text, size_t width, size_t at, size_t indent, struct strbuf *out);

/* Append blanks. */
void term_pad(struct strbuf *out, size_t n);

#endif
