/* SPDX-License-Identifier: MIT */
/*
 * relayed: kube-proxy's userspace mode, where the probe's connection ends at a relay that opens one
 * of its own to a pod. That one has sequence numbers that nobody chose. What goes through unchanged
 * are the bytes: the probe's request carries a cookie, and the connection whose request has the
 * same bytes is the one. To have its opening packets too, all of that sort (to and from the pods'
 * port) are recorded, and what turns out to be somebody else's is thrown away again.
 */
#ifndef TRACE_RELAYED_H
#define TRACE_RELAYED_H

#include "labd/lab/store.h"
#include "labd/trace/fire.h"

/* Is the probe for a Service of a lab in userspace mode? Then f->relayed; a TCP request gets a
 * cookie, and m accepts the second connection's opening packets and its request. Before the marker
 * is armed. */
void relayed_prepare(const struct stored *lab, const struct target *to, struct fire *f,
		     struct marker *m);

/* Find the second connection (or datagram: it has the marker itself) in what was recorded, when
 * f->relayed: r->probe.relay and .relayed. Frames and rule messages of TCP that belong neither to
 * it nor to the probe are taken out. */
void relayed_pick(const struct fire *f, struct recording *r);

#endif
