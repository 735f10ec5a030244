/* SPDX-License-Identifier: MIT */
/*
 * carry: carrying a difference out on a running lab: namespaces that are to be made (anew), those
 * that change, those that go. For a change of the objects the difference is that of two desired
 * states; for mending, that between kernel and desired state.
 *
 * Order: new pods come up before any rule leads to them, rules change before old pods go, as a
 * rolling update has it. Every step may be done again after a crash.
 */
#ifndef LAB_CARRY_H
#define LAB_CARRY_H

#include "labd/kernel/ct_clean.h"
#include "labd/lab/delta.h"
#include "labd/lab/site.h"

struct carry {
	struct arena *arena;
	struct site *site;
	struct journal journal;	       /* from before */
	bool *fresh;		       /* by desired.ns: to be made (anew) */
	struct delta *delta;	       /* by desired.ns; of those that are not fresh */
	vec_of(struct ct_stale) stale; /* to go from nodes' connection tracking, after the rules */
	struct carry_begun *begun;     /* carry_programs.h */
};

/* Read the journal; nothing is to be done yet. site has its slots. */
int carry_init(struct carry *c, struct arena *a, struct site *s, struct err *err);
/* A namespace is alive as the journal has it (or has no process by nature). */
bool carry_alive(const struct carry *c, int i);
/* Make fresh what depends on something fresh: the pods of a node. */
void carry_spread(struct carry *c);
/* Take away what is left of those to be made anew, and their devices' far ends in others, which
 * then lack them and what was on them. The journal must say that the lab is changing. */
int carry_clear(struct carry *c, struct err *err);
/* Do it. */
int carry_out(struct carry *c, struct err *err);
/* Take away what the journal names and the desired state does not have, then write the journal
 * anew, in state up. */
int carry_finish(struct carry *c, struct err *err);

#endif
