/* SPDX-License-Identifier: MIT */
/*
 * reach_run: the packets of a reach list, really sent: each check is a probe (fire.h) from a socket
 * in its namespace, many at a time, all in this process. Not for deciding what has to come of them
 * (lib/plan/reach.h).
 */
#ifndef TRACE_REACH_RUN_H
#define TRACE_REACH_RUN_H

#include "labd/lab/store.h"
#include "lib/plan/reach.h"

struct reach_result {
	enum reach_got got;
	const char *text; /* what was answered instead, or went wrong; or NULL */
	double ms;
};

/* Called every second or so. */
struct reach_tell {
	void (*fn)(void *arg, size_t done, size_t total);
	void *arg;
};

/* results has one entry for each check, listeners one for each listener; both are filled. Only
 * single-threaded callers: it goes through network namespaces and comes back. Never fails as a
 * whole: what cannot be tried is GOT_NOTHING and says why. Texts are in the arena. */
void reach_run(const struct stored *lab, const struct reach_list *list, struct arena *a,
	       struct reach_result *results, struct reach_result *listeners,
	       const struct reach_tell *tell);

#endif
