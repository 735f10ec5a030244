/* SPDX-License-Identifier: MIT */
/* trace_text: a recording as text: a head, one block per step, the verdict; or a line per step.
 * Pure. */
#ifndef VIEW_TRACE_TEXT_H
#define VIEW_TRACE_TEXT_H

#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"
#include "lib/view/lang.h"

struct trace_style {
	enum view_lang lang;
	size_t width; /* columns of the terminal; 0: lines are not broken */
	bool colour;
	bool bytes;	 /* show each step's frame, byte by byte */
	bool inner_only; /* of a tunnel packet's outer headers, show that they are there */
};

/* What was asked, the packets, names of addresses, the verdict. */
void trace_text_head(const struct recording *r, const struct trace_style *st, struct strbuf *out);
/* Step i with the strip above it; i < r->steps.n. */
void trace_text_step(const struct recording *r, size_t i, const struct trace_style *st,
		     struct strbuf *out);
/* The verdict, what was lost, what the kernel could not give. */
void trace_text_end(const struct recording *r, const struct trace_style *st, struct strbuf *out);
/* Everything; the name's own query, if there was one, first. */
void trace_text(const struct recording *r, const struct trace_style *st, struct strbuf *out);
/* One line per step. */
void trace_text_list(const struct recording *r, const struct trace_style *st, struct strbuf *out);

#endif
