/* SPDX-License-Identifier: MIT */
/* gather: run small scripts in many places of a lab at once and collect what they print. Not for
 * programs that read or that a user watches (exec.c). */
#ifndef LABCTL_GATHER_H
#define LABCTL_GATHER_H

#include "labctl/client.h"
#include "lib/base/strbuf.h"

struct gather {
	const char *where, *ns; /* as exec has them; ns NULL: default */
	const char *script;	/* of sh */
	struct strbuf out; /* its standard output, limited to GATHER_OUT_MAX; freed by the caller */
	int exit;	   /* its exit code; -1: it could not be run, *err says why */
	struct err err;
};

#define GATHER_OUT_MAX (1u << 20)

/* Run all, a few at a time; each failure is its job's own. timeout_s is for all of them together;
 * what has not ended then has exit -1. */
void gather(enum engine_kind k, const char *lab, struct gather *jobs, size_t n, int timeout_s);

#endif
