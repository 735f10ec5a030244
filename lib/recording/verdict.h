/* SPDX-License-Identifier: MIT */
/* verdict: what the parts of the verdict share. Shared within this room. */
#ifndef RECORDING_VERDICT_H
#define RECORDING_VERDICT_H

#include "lib/recording/emit.h"

/* Where a flight was seen last. */
struct end {
	int flight;
	const struct rec_sight *s; /* NULL: never at any device */
	const struct rec_if *dev;
	const struct rec_ns *n;
	int ns;
	struct rec_hdr h; /* with translations by rules that were met behind it */
};

/* diagnose.c: set the verdict's cause from the snapshot, the asked questions and ICMP; false when
 * nothing explains the end: then "unknown" is all that may be said. */
bool diagnose(struct red *d, const struct end *e);
/* The verdict: cause and key, and the arguments from {1} on: namespace, device, detail. */
void say(struct red *d, const char *result, const char *cause, int ns, const char *device,
	 const char *detail, enum rec_how how);

#endif
