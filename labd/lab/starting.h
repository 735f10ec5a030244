/* SPDX-License-Identifier: MIT */
/*
 * starting: programs of many namespaces that start at the same time. A namespace's own first
 * process does the work, so one that needs no network is told as soon as it stands, and starts
 * while labd goes on with others. What was told is always waited for.
 */
#ifndef LAB_STARTING_H
#define LAB_STARTING_H

#include "labd/kernel/proc.h"

#define STARTING_MAX 32 /* namespaces told and not yet heard of */

struct starting {
	struct proc_starting told[STARTING_MAX]; /* a ring */
	unsigned first, n;
};

/* A pod of nothing but sleepers and servers, which wait for what comes from any address: its
 * programs can be started before it has a network. */
bool starting_early(const struct dns *ns);
/* Have the programs of namespace i of d started; with too many under way the oldest is waited for
 * first. d must stay until it is waited for. */
int starting_tell(struct starting *s, const struct desired *d, int i, struct nsproc *p,
		  struct err *err);
/* Wait for all. r is what came of the steps before, and is given back if negative. */
int starting_hear(struct starting *s, int r, struct err *err);

#endif
