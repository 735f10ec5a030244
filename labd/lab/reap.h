/* SPDX-License-Identifier: MIT */
/*
 * reap: the end of a lab after `down` has answered. Its processes have been killed and its names
 * removed; its directory, now RUN/labs/.NAME.N, stands until the processes have ended and their
 * control group is removed, so that whoever comes after a crash can finish that. Nothing in it
 * concerns a new lab of the same name.
 */
#ifndef LAB_REAP_H
#define LAB_REAP_H

#include "labd/lab/journal.h"
#include "labd/lab/store.h"

/* Kill what the journal names and remove its pins; neither is waited for. Goes on after a failure,
 * so that as little as possible stays. */
int reap_begin(const struct journal *j, struct err *err);
/* Move the lab's directory out of sight: there is no lab of that name any more. */
int reap_hide(const struct engine *e, const char *name, struct err *err);
/* Wait for the end of all that is hidden and remove it; logs, never fails. What somebody else is
 * waiting for, is waited for too. */
void reap_all(const struct engine *e);

#endif
