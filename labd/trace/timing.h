/* SPDX-License-Identifier: MIT */
/*
 * timing: how long each part of the way takes without the rule trace: the same probe several times
 * with packet sockets only, and the median time of each sighting. Pure; the runs are the caller's.
 */
#ifndef TRACE_TIMING_H
#define TRACE_TIMING_H

#include "labd/trace/tap.h"

struct timing_run {
	rec_sights sights; /* in order of time */
	uint32_t isn;	   /* TCP */
};

/* For each sighting of the evidence run that all runs saw, add one to r->sights with timing_run
 * set: the bytes are the evidence run's, the time is that of the evidence run's first sighting plus
 * the median over the runs of the time since their first. */
void timing_medians(struct recording *r, const struct timing_run *runs, size_t n);

/* r->timing from whole runs: how long the opening packet, the answer to it, and the server's first
 * bytes took. Runs that saw no answer are not counted. */
void timing_totals(struct recording *r, const struct timing_run *runs, size_t n);

#endif
