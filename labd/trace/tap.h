/* SPDX-License-Identifier: MIT */
/*
 * tap: packet sockets that see the probe, and only the probe, at every device of a namespace, both
 * ways, each frame with a time of its own. Small rings, because only a ring reads the clock at each
 * sighting (without one, the only time is that of SO_TIMESTAMPNS, which switches time stamps on for
 * the whole machine and is shared by a bridge and its ports). A ring costs a grace period of the
 * kernel's RCU to open and to close; all are opened and closed at once by threads, so that the
 * whole costs one.
 */
#ifndef TRACE_TAP_H
#define TRACE_TAP_H

#include "labd/trace/marker.h"
#include "lib/recording/recording.h"

struct tap {
	int fd, ns;
	unsigned frames, at; /* slots of the ring; the next one */
	uint8_t *ring;
	unsigned seq;
};

struct taps {
	struct tap *v;
	size_t n;
};

/* Open one per namespace that netns[i] >= 0 names. Seen is what the filter of taps_mark() accepts,
 * nothing before. */
int taps_open(struct taps *t, const int *netns, size_t n, struct err *err);
/* Accept the packets of this marker from now on. */
int taps_mark(struct taps *t, const struct marker *m, uint16_t vxlan_port, struct err *err);
/* Move what was seen to `to`. Returns the number of frames. */
typedef vec_of(struct rec_sight) rec_sights;
int taps_read(struct taps *t, struct arena *a, rec_sights *to);
/* Frames lost since the last call. */
uint64_t taps_lost(struct taps *t);
void taps_close(struct taps *t);

#endif
