/* SPDX-License-Identifier: MIT */
/* watch: get -w: rows of a table as their objects change. */
#ifndef LABCTL_WATCH_H
#define LABCTL_WATCH_H

#include "labctl/objects.h"

/* Print the row of each object that is new, differs from before, or has gone (as it was), until a
 * signal ends the program or the lab goes. items is what has been printed already; its reference is
 * stolen. Returns only with an error. */
int watch_objects(const struct source *s, const struct asked *a, const char *selector,
		  const struct view_list *v, json_t *items, struct err *err);

#endif
