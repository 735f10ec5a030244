/* SPDX-License-Identifier: MIT */
/*
 * trace_walk: stepping through a recording with keys: what is on the screen, and what a key does.
 * Pure: whoever has the terminal reads keys and shows the screen (labctl/trace_step.c).
 */
#ifndef VIEW_TRACE_WALK_H
#define VIEW_TRACE_WALK_H

#include "lib/base/strbuf.h"
#include "lib/view/trace_text.h"

/* Keys that are no character. */
enum walk_key { WALK_UP = 256, WALK_DOWN, WALK_LEFT, WALK_RIGHT, WALK_HOME, WALK_END };

struct trace_walk {
	const struct recording *r; /* with its dns, whose steps come first */
	size_t at;		   /* step, counted over both */
	size_t scroll;		   /* lines of the step above the screen */
	struct trace_style style;  /* width as the terminal has it now */
	size_t height;		   /* lines of the terminal */
};

/* At the first step; r must outlive the walk. */
void trace_walk_init(struct trace_walk *w, const struct recording *r,
		     const struct trace_style *style);
/* A character or an enum walk_key. False: leave. */
bool trace_walk_key(struct trace_walk *w, int key);
/* The whole screen: at most `height` lines, parted by newlines, the last without one. */
void trace_walk_screen(struct trace_walk *w, struct strbuf *out);

#endif
