/* SPDX-License-Identifier: MIT */
/*
 * table: aligned text. view_tabs() lines up text whose cells end in tabs, by the rule that
 * kubectl's output follows: a column is a run of neighbouring lines that have such a cell there,
 * and is as wide as its widest cell plus padding. Tables (`get`) and `describe` both are made with
 * it.
 */
#ifndef VIEW_TABLE_H
#define VIEW_TABLE_H

#include <stddef.h>

#include "lib/base/strbuf.h"

/* Columns a UTF-8 text takes on a terminal: East Asian wide characters count two, combining marks
 * none; a byte that is not UTF-8 counts one. */
size_t view_width(const char *s, size_t len);

/* Append text, made safe for a terminal (term.h), to out with its tabs replaced by spaces. A column
 * has at least min_width columns, padding included. */
void view_tabs(const char *text, size_t min_width, size_t padding, struct strbuf *out);

/* As kubectl get (at least 6 wide, 3 between) and as kubectl describe (2 between) do. */
void view_tabs_get(const char *text, struct strbuf *out);
void view_tabs_describe(const char *text, struct strbuf *out);

#endif
