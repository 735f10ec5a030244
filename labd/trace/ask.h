/* SPDX-License-Identifier: MIT */
/*
 * ask: the kernel asked again, after the probe, for every decision that its sightings show: which
 * route, which neighbour, which forwarding entry. The answers are marked RE-ASKED: they are what it
 * would do now.
 */
#ifndef TRACE_ASK_H
#define TRACE_ASK_H

#include "lib/recording/recording.h"

/* Fill r->asks. netns: one descriptor per r->ns. What cannot be asked is left out. */
void ask_all(struct recording *r, const int *netns);

#endif
