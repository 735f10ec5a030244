/* SPDX-License-Identifier: MIT */
/*
 * expect: what a flow of a lab file claims (`expect:`), held against a recording of it. Pure.
 *
 *   chain NAME       a rule of that chain was passed on the way there, or its end reached (by the
 *                    packet itself, not by a tunnel's outer one); several such lines must be met in
 *                    their order
 *   device [NS/]NAME the packet was seen at that device, or packed or unpacked by it, on its way
 *                    there; several such lines must be met in their order
 *   route NS TEXT    on its way there it was routed in that namespace by a route that begins so
 *   neigh NS TEXT    its next hop's neighbour entry there begins so
 *   fdb NS TEXT      the forwarding entry that was used there begins so
 *   mtu NS/NAME N    that device has this MTU
 *   dnat IP[:PORT]   a step translated the destination to it (ip_vs too)
 *   snat IP[:PORT]   a step translated the source to it
 *   client IP        what it came with as source address to where it ended
 *   outer IP>IP      a tunnel's outer header had these addresses on the way there
 *   inner IP>IP      and the packet inside these
 *   outer-port N     destination port of the outer header (8472, 4789)
 *   vni N            it was VXLAN with that id
 *   protocol N       the outer header was of that protocol (4: IPIP, 17: VXLAN)
 *   result WORD      how it ended: delivered refused dropped lost unreachable
 *
 * NS is a node, host or pod; the beginning of its name is enough for the words that need one.
 * Without a `result` line a flow must be delivered.
 */
#ifndef RECORDING_EXPECT_H
#define RECORDING_EXPECT_H

#include "lib/recording/recording.h"

struct expected {
	const char *line;
	bool met;
	const char *why; /* of one that is not met: what was seen instead; else NULL */
};
typedef vec_of(struct expected) expecteds;

/* One entry for each line, in order, and one for the delivery when no line names a result. Needs
 * only steps and names of devices: a recording in its short form will do. Memory is the arena's.
 * True when all are met. */
bool expect_lines(struct arena *a, const struct recording *r, const rec_strs *lines,
		  expecteds *ret);

#endif
