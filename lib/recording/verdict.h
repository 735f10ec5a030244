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
/* Set a cause: dropped, or refused where that answers by ICMP. Returns true. A cause that the
 * kernel named itself when it freed this very packet is OBSERVED. */
bool lost_at(struct red *d, const struct end *e, const char *cause, const char *device,
	     const char *detail, enum rec_how how);
/* Does the tracepoint's drop belong to the end of this flight? */
bool perf_of(const struct red *d, int flight, const struct rec_perf *p);
/* mtu.c: was it too big for the device behind the place where it was seen last? */
bool diagnose_mtu(struct red *d, const struct end *e);
/* Sizes, and what became of the ICMP error, as reasons of the last step. */
void why_mtu(struct walk *w, const struct rec_if *dev);
/* verdict.c: the message of the flight's rule trace that dropped it, or NULL. */
const char *rule_text(const struct recording *r, const struct rec_match *m);
const struct rec_match *dropped_by(const struct red *d, int flight);
/* The verdict: cause and key, and the arguments from {1} on: namespace, device, detail. */
void say(struct red *d, const char *result, const char *cause, int ns, const char *device,
	 const char *detail, enum rec_how how);

/* policy.c: the cause ("policy-egress", "policy-ingress") when this message is Felix's drop because
 * no NetworkPolicy allowed the packet, and the pod with the policies that were tried; else NULL. */
const char *policy_drop(const struct recording *r, const struct visit *v,
			const struct rec_match *drop, const char **detail);

#endif
