/* SPDX-License-Identifier: MIT */
/*
 * tracer: one trace from beginning to end: the places are resolved, the state of the lab is read,
 * sockets and rule trace are armed in every namespace, the probe goes out, everything is disarmed,
 * the kernel is asked again why. What comes out is the raw part of a recording; recording_reduce()
 * makes steps of it.
 */
#ifndef TRACE_TRACER_H
#define TRACE_TRACER_H

#include "labd/lab/store.h"
#include "labd/trace/freeze.h"
#include "lib/recording/recording.h"

#define TRACE_TIMING_MAX 100
#define TRACE_WAIT_MAX	 10000 /* ms */

struct trace_opts {
	const char *tool;      /* what makes the recording: "labd 0.1.0" */
	const char *from, *to; /* as on the command line */
	const char *ns;	       /* Kubernetes namespace of short names */
	bool dns;	       /* record the query for TO's name first, where TO has one */
	unsigned timing;       /* repeats with packet sockets only; 0 none */
	unsigned wait_ms;      /* at most, for the first answer; 0: the usual */
	unsigned size;	       /* of the probe's biggest packet, as IP counts it; 0: as it comes */
	void (*progress)(void *arg, const char *text); /* or NULL */
	void (*note)(void *arg, const char *text);     /* what the user should know; or NULL */
	void *arg;
	const struct freezer *freeze; /* hold the first packet at each hook; NULL: do not. No
				       * timing, and no delta_ns, is made then */
};

/* Single-threaded callers only: it enters network namespaces and comes back. The recording lives in
 * the arena a. Whatever happens, nothing stays armed. */
int trace_run(const struct engine *e, const struct stored *lab, const struct trace_opts *o,
	      struct arena *a, struct recording **ret, struct err *err);

#endif
