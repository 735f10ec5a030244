/* SPDX-License-Identifier: MIT */
/* trace: what the verbs trace, flow and verify share, and stepping through on a terminal. */
#ifndef LABCTL_TRACE_H
#define LABCTL_TRACE_H

#include <jansson.h>

#include "labctl/client.h"
#include "labctl/verbs.h"
#include "lib/base/err.h"
#include "lib/recording/recording.h"
#include "lib/view/trace_text.h"

/* Columns of the terminal on standard output; 0: it is none. */
size_t trace_width(void);
/* Step through with keys until the user leaves. Standard input and output are a terminal, which is
 * as it was afterwards, also when a signal ends us. */
int trace_step(const struct recording *r, const struct trace_style *style, struct err *err);
/* The call `trace` with freeze (args' reference is stolen): where the packet stands goes to
 * standard error, keys or lines of standard input let it go on. *result is a new reference. */
int trace_freeze(enum engine_kind k, json_t *args, json_t **result, struct err *err);
/* A recording from a file; memory is the arena's. */
int trace_read(const char *path, struct arena *a, struct recording **ret, struct err *err);
/* The running lab that the command line means, as `ls` describes it; a new reference. */
int trace_find_lab(const struct opts *o, json_t **ret, struct err *err);

#endif
