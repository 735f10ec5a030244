/* SPDX-License-Identifier: MIT */
/* ends: the first and the last step of a flight. Shared within this room. */
#ifndef RECORDING_ENDS_H
#define RECORDING_ENDS_H

#include "lib/recording/emit.h"

/* Where the flight begins: at its first device, or, seen at none, at its first rule. */
int first_ns(const struct walk *w);
void step_begin(struct walk *w);
/* Delivered, or, where the verdict says so of this flight, dropped or lost. */
void step_end(struct walk *w);

#endif
