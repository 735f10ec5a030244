/* SPDX-License-Identifier: MIT */
/*
 * perf: what the kernel's tracepoints say, read through perf events: the route lookups that really
 * happened, and where and why a packet was dropped. Only enrichment: without tracefs or the rights
 * a trace has less to tell. The tracepoints are the whole machine's, so only what belongs to the
 * sightings (same device, same time, same buffer) is kept.
 */
#ifndef TRACE_PERF_H
#define TRACE_PERF_H

#include "lib/recording/recording.h"

struct perf;

/* Switch the tracepoints on; NULL (and err) where that cannot be done. */
struct perf *perf_on(struct err *err);
/* Forget what was seen so far. */
void perf_reset(struct perf *p);
/* Add what belongs to r's sightings to r->perfs. */
void perf_take(struct perf *p, struct recording *r);
/* Switch them off. The descriptors are left to the end of the process, as each close waits some 25
 * ms for the kernel: for sessions, which serve one call. NULL is allowed. */
void perf_off(struct perf *p);

#endif
