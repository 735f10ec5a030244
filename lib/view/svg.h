/* SPDX-License-Identifier: MIT */
/*
 * svg: the way of a probe as a lane diagram: lanes are namespaces, time runs down, a mark per
 * step. Alone it is a file of its own (light and dark by itself), inside a page it takes the
 * page's colours and its steps can be chosen. Pure.
 */
#ifndef VIEW_SVG_H
#define VIEW_SVG_H

#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"
#include "lib/view/lang.h"

struct svg_opts {
	enum view_lang lang;
	bool alone;	  /* a file, not a part of a page */
	bool narrow;	  /* for a phone */
	const char *name; /* in a page: begins the ids of steps and of what the picture defines */
};

void svg_lanes(const struct recording *r, const struct svg_opts *o, struct strbuf *out);

/* Append text for the inside of XML or HTML elements and quoted attributes, whatever it holds. */
void xml_text(const char *s, struct strbuf *out);

#endif
