/* SPDX-License-Identifier: MIT */
/*
 * carry_programs: the part of carry.h that starts, restarts and ends programs, and waits until pods
 * answer on the ports that Services lead to. What stays and only reads a new configuration (DNS) is
 * told first and waited for last: that takes as long as all the rest together.
 */
#ifndef LAB_CARRY_PROGRAMS_H
#define LAB_CARRY_PROGRAMS_H

#include "labd/lab/carry.h"

/* In namespaces that stay: write files, tell programs. carry_programs_end() must follow. */
int carry_programs_begin(struct carry *c, struct err *err);
/* Start those of fresh namespaces and wait until they listen. */
int carry_programs(struct carry *c, struct err *err);
/* Wait for what was begun; r is what came of the steps between and is given back if negative. */
int carry_programs_end(struct carry *c, int r, struct err *err);

#endif
