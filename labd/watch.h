/* SPDX-License-Identifier: MIT */
/*
 * watch: labd's eye on the labs that run. Every node has a pipe on which it and its pods tell that
 * there is something to look at (labd/init/proto.h); the main process waits on all of them, one
 * descriptor a node, and forks a child that looks and does what follows (labd/lab/tend.h). Nothing
 * is ever polled. A pod that talks without end makes a child every REST_MS at most.
 */
#ifndef LABD_WATCH_H
#define LABD_WATCH_H

#include <stdbool.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

#include "labd/server.h"

struct watch;

/* *children is counted up for each child that is made. NULL when there is no memory, which all else
 * takes as "watches nothing". */
struct watch *watch_new(const struct server *s, sd_event *ev, unsigned *children);
void watch_free(struct watch *w);

/* By the journals: new nodes are waited for, others forgotten. To be called at the start, and when
 * children of ours have ended: whatever changes a lab is one. */
void watch_sync(struct watch *w);
/* A child has ended with that wait status. */
void watch_ended(struct watch *w, pid_t pid, int status);

#endif
