/* SPDX-License-Identifier: MIT */
/* progress: what `up` and `down` show while an engine works: on a terminal a live line per node,
 * elsewhere a plain line for each node that is done. */
#ifndef LABCTL_PROGRESS_H
#define LABCTL_PROGRESS_H

#include <jansson.h>
#include <stdbool.h>

struct progress;

/* `done` is the word for a node that is finished: "up", "gone". */
struct progress *progress_new(const char *done);
/* A progress message (docs/PROTOCOL.md); arg is the struct progress. */
void progress_take(const json_t *message, void *arg);
/* The end; on a terminal the lines stay. */
void progress_free(struct progress *p);

/* May standard output have colours? A terminal that is not dumb, and no NO_COLOR. */
bool use_colour(void);

#endif
