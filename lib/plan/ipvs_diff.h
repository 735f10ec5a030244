/* SPDX-License-Identifier: MIT */
/*
 * ipvs_diff: from the virtual services that are to those that should be, as commands: what
 * kube-proxy's syncService, syncEndpoint and cleanup do. Both sides are in the form of `ipvsadm
 * --save -n`. Pure.
 */
#ifndef PLAN_IPVS_DIFF_H
#define PLAN_IPVS_DIFF_H

#include <stdbool.h>

#include "lib/base/strbuf.h"
#include "lib/kube/objects.h"

struct ipvs_diff {
	/* Does that destination ("10.244.1.5:80" of service "-t 10.96.0.1:80") have connections?
	 * Then a TCP one is not deleted but gets weight 0 (graceful termination). NULL: none has.
	 */
	bool (*busy)(void *arg, const char *service, const char *dest);
	void *arg;
	const strs *exclude; /* excludeCIDRs: services there that are not wanted stay; or NULL */
	strs words;	     /* result: each difference in words */
	unsigned draining;   /* result: destinations that wait for their connections to end */
};

/* Append what `ipvsadm --restore` must be given; nothing when they are the same. A destination that
 * is only waiting for its connections to end is no difference in words. */
void ipvs_diff(struct arena *a, struct ipvs_diff *d, const char *have, const char *want,
	       struct strbuf *out);

/* Only that part of it: destinations with weight 0 that are not wanted and have no connection any
 * more go (kube-proxy looks every minute, rsCheckDeleteInterval). */
void ipvs_drained(struct arena *a, struct ipvs_diff *d, const char *have, const char *want,
		  struct strbuf *out);

#endif
