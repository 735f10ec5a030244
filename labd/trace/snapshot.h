/* SPDX-License-Identifier: MIT */
/*
 * snapshot: the state of all namespaces of a lab at the time of a trace: devices, addresses,
 * routes, neighbours, settings, rules, and the names that go with addresses. What is expensive is
 * asked of nodes only, or where there is something to ask for.
 */
#ifndef TRACE_SNAPSHOT_H
#define TRACE_SNAPSHOT_H

#include "labd/lab/store.h"
#include "lib/recording/recording.h"

/*
 * Fill r->ns (one entry per lab->desired->ns, in that order) and r->names. netns are descriptors,
 * one per namespace; one that is -1 is named only. The rules come from iptables-*-save, run in all
 * nodes at once while the rest is read. The calling thread's network namespace is changed and
 * restored.
 */
int snapshot_take(const struct stored *lab, const char *backend, const int *netns,
		  struct recording *r, struct err *err);

#endif
