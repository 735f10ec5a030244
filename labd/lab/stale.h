/* SPDX-License-Identifier: MIT */
/* stale: which UDP Services changed so that kube-proxy would clean connection tracking (dataplane
 * A.11). Pure. */
#ifndef LAB_STALE_H
#define LAB_STALE_H

#include "labd/lab/carry.h"

/* Fill c->ct and c->n_ct. */
void stale_build(struct arena *a, const struct cluster *old, const struct cluster *new,
		 struct carry *c);

#endif
