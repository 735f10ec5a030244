/* SPDX-License-Identifier: MIT */
/* exec: programs in a place of a lab (WHERE of the command line), for the verbs that need one. */
#ifndef LABCTL_EXEC_H
#define LABCTL_EXEC_H

#include "labctl/client.h"

struct exec_where {
	enum engine_kind engine;
	const char *lab, *where, *ns; /* ns NULL: default */
};

/* The place that the first operand names, and the engine that has it; texts are borrowed. */
int exec_find(const struct opts *o, struct exec_where *ret, struct err *err);
/* What the call "where" says of it (docs/PROTOCOL.md); a new reference. */
int exec_place(const struct exec_where *wh, json_t **ret, struct err *err);
/* Run it on our own standard streams: its exit code, or a negative error. Steals argv and env. */
int exec_in(const struct exec_where *wh, json_t *argv, json_t *env, bool in, bool tty,
	    struct err *err);

#endif
