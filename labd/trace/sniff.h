/* SPDX-License-Identifier: MIT */
/*
 * sniff: all packets of a namespace, or of one device of it, as they come: one packet socket with a
 * ring (TPACKET_V3), so that a burst is not lost while it is being sent on. Not for following one
 * packet (tap.h).
 */
#ifndef TRACE_SNIFF_H
#define TRACE_SNIFF_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/err.h"

#define SNIFF_FILTER_MAX 2048 /* instructions; the kernel takes 4,096 in all */

/* What is let through: classic BPF programs that begin at an Ethernet header and at an IP header.
 * n 0: everything. */
struct sniff_filter {
	const struct sock_filter *ethernet, *ip;
	size_t n_ethernet, n_ip;
};
/* Both as one program, which looks at the device's type first; returns its length. `to` has room
 * for n_ethernet + n_ip + 4. Pure. */
size_t sniff_join(const struct sniff_filter *f, struct sock_filter *to);

struct sniff {
	int fd;
	uint8_t *ring;
	unsigned block;
};

struct sniffed {
	uint64_t t; /* nanoseconds since 1970 */
	int ifindex;
	uint16_t hatype; /* ARPHRD_* */
	bool outbound;
	uint32_t len, caplen; /* on the wire, and what is there of it */
	const void *data;     /* valid while the callback runs */
};

/* Start. dev NULL: all devices, also those that come later. -ENODEV with ERR_NOT_FOUND, and the
 * devices that are there, when there is none of that name. */
int sniff_open(struct sniff *s, int netns, const char *dev, const struct sniff_filter *f,
	       struct err *err);
/* Hand on what is complete by now; does not wait (poll s->fd for that). The callback stops it by
 * returning non-zero, which is returned. */
typedef int sniff_fn(void *arg, const struct sniffed *p);
int sniff_read(struct sniff *s, sniff_fn *fn, void *arg);
/* How long a packet may lie in the ring before sniff_read() gives it, in milliseconds. */
#define SNIFF_DELAY_MS 20
/* Packets that found no room since the last call. */
unsigned sniff_lost(struct sniff *s);
/* A device of the namespace by its index: its name into name (IFNAMSIZ) and its MAC; false when it
 * is gone. */
bool sniff_device(const struct sniff *s, int ifindex, char *name, struct mac *mac);
void sniff_close(struct sniff *s);

#endif
