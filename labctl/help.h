/* SPDX-License-Identifier: MIT */
/* help: what the verb table looks like when printed for people. */
#ifndef LABCTL_HELP_H
#define LABCTL_HELP_H

#include <stdio.h>

#include "labctl/verbs.h"

/* All verbs, one line each. */
void help_all(FILE *out);
/* One verb: usage, flags, examples. */
void help_verb(const struct verb *v, FILE *out);

#endif
