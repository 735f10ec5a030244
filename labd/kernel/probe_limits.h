/* SPDX-License-Identifier: MIT */
/*
 * probe_limits: for how many pods a machine's limits are enough. Settings of the whole machine,
 * which labd changes for nobody: it tells them.
 */
#ifndef KERNEL_PROBE_LIMITS_H
#define KERNEL_PROBE_LIMITS_H

#include <jansson.h>
#include <stdint.h>

/* One limit, and what a pod takes of it. */
struct limit {
	const char *name, *unit;
	uint64_t value; /* 0: it cannot be seen from here */
	unsigned each;
	const char *hint; /* how to raise it */
};

/* The row of `labctl doctor`; not ok when it is not enough for LIMIT_PODS. A new reference. Pure.
 */
#define LIMIT_PODS 250 /* what the /24 of one node holds */
json_t *limit_row(const struct limit *l);

/* Append a row for each limit that can be seen. */
void probe_limits(json_t *rows);

#endif
