/* SPDX-License-Identifier: MIT */
/*
 * html: a recording as one self-contained page: the lane diagram, and each step's details. Works
 * from a file, without a network; without scripts it shows all steps below each other. Pure.
 */
#ifndef VIEW_HTML_H
#define VIEW_HTML_H

#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"
#include "lib/view/lang.h"

void html_page(const struct recording *r, enum view_lang l, struct strbuf *out);

/* Shared within this room: what the page looks like and how it behaves. */
extern const char html_style[];
extern const char html_script[];

#endif
