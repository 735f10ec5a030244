/* SPDX-License-Identifier: MIT */
/*
 * drain: endpoints of ipvs mode that are gone but still have connections. A change sets their
 * weight to 0; kube-proxy looks every minute whether the connections have ended and deletes them
 * then. That some wait is a mark in the lab's directory, so that a new labd goes on.
 */
#ifndef LAB_DRAIN_H
#define LAB_DRAIN_H

#include "labd/lab/store.h"

/* Destinations of this lab wait. */
void drain_note(const char *dir);
/* Does any lab have some? */
bool drain_pending(const struct engine *e);
/* Look at all of them once; a lab that is being changed right now is passed over. Logs, never
 * fails. */
void drain_all(const struct engine *e);

#endif
