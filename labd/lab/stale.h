/* SPDX-License-Identifier: MIT */
/*
 * stale: which entries of connection tracking kube-proxy deletes when Services or endpoints change,
 * by its version (dataplane A.11). Only UDP, which has no connection that would end: an entry lives
 * on as long as its client sends, and leads where it led first. Pure.
 */
#ifndef LAB_STALE_H
#define LAB_STALE_H

#include "labd/lab/carry.h"

/* Fill c->stale. */
void stale_build(struct arena *a, const struct cluster *old, const struct cluster *new,
		 struct carry *c);

#endif
