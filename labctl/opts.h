/* SPDX-License-Identifier: MIT */
/* opts: a command line against the verb table: flags (before or after the verb, in any order with
 * the operands, -it and -ojson and --flag=value), operands, and the command after "--". */
#ifndef LABCTL_OPTS_H
#define LABCTL_OPTS_H

#include "labctl/verbs.h"
#include "lib/base/strbuf.h"

/* Parse argv (without the program's name; NULL-terminated). On success o->verb is set, or NULL when
 * only help was asked for. The caller frees o->args. Errors are of class usage. */
int opts_parse(char *const *argv, struct opts *o, struct err *err);

/* A flag of a verb by its long name or letter (0 when by name); NULL. */
const struct flag *opts_flag(const struct verb *v, const char *name, size_t len, char letter);
/* Is `word` one of the words of "a|b|c"? */
bool opts_one_of(const char *choices, const char *word);

/* "labctl up [flags] LAB|FILE|DIR..." */
void opts_usage(const struct verb *v, struct strbuf *out);

#endif
