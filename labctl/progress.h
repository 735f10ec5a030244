/* SPDX-License-Identifier: MIT */
/* progress: what is shown while an engine works: on a terminal a live line per node and one for the
 * whole, elsewhere a plain line for each node that is done, and for the whole if it takes long. */
#ifndef LABCTL_PROGRESS_H
#define LABCTL_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>

struct progress;

/* `done` is the word for a node that is finished: "up", "gone". */
struct progress *progress_new(const char *done);
/* A progress message (docs/PROTOCOL.md); arg is the struct progress. */
void progress_take(const json_t *message, void *arg);
/* The step of the whole that is at hand: `done` of `total` things, `part` (0 to 1) of all steps.
 * After a moment this is shown with a rate and an estimate: the last line on a terminal, elsewhere
 * a line on stderr now and then. */
void progress_step(struct progress *p, const char *name, long long done, long long total,
		   double part);
/* The end; on a terminal the lines of nodes stay. */
void progress_free(struct progress *p);

/* May standard output have colours? A terminal that is not dumb, and no NO_COLOR. */
bool use_colour(void);

#endif
