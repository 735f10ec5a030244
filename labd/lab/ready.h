/* SPDX-License-Identifier: MIT */
/*
 * ready: waiting until pods answer on the ports that Services lead to, so that the first request
 * after `up` or a change is not refused by a program that is still starting. Not a health check: a
 * pod that never listens is used anyway, after a moment.
 */
#ifndef LAB_READY_H
#define LAB_READY_H

#include "lib/plan/desired.h"

struct ready_port {
	pid_t pid; /* a process in the pod's network namespace */
	enum proto proto;
	ip4 ip;
	uint16_t port;
};
typedef vec_of(struct ready_port) ready_ports;

/* Add the ports of Services that lead to the pod of namespace i, whose first process is pid; with
 * only_bound those that something listens on now. Not a pod: nothing is added. */
void ready_add(struct arena *a, const struct desired *d, int i, pid_t pid, bool only_bound,
	       ready_ports *list);
/* Wait until all are listened on, at most half a second. */
void ready_wait(const ready_ports *list);

#endif
