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

/* Open the tracepoints, not running yet; NULL (and err) where that cannot be done. */
struct perf *perf_on(struct err *err);
/* Have them run, from now on and forgetting what was before. Every packet of the machine costs more
 * meanwhile (a connect() up to twice as long), so they are to run only while the probe moves. */
void perf_start(struct perf *p);
/* Have them run no more; what was seen is kept. NULL is allowed. */
void perf_stop(struct perf *p);
/* Stop, and add what belongs to r's sightings to r->perfs. */
void perf_take(struct perf *p, struct recording *r);
/* Close them. The descriptors are left to the end of the process, as each close waits some 25
 * ms for the kernel: for sessions, which serve one call. NULL is allowed. */
void perf_off(struct perf *p);

#endif
