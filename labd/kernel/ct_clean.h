/* SPDX-License-Identifier: MIT */
/*
 * ct_clean: removing connection-tracking entries of UDP that lead to where a Service does not lead
 * any more, as kube-proxy does after a sync (dataplane A.11). TCP entries are never touched.
 */
#ifndef KERNEL_CT_CLEAN_H
#define KERNEL_CT_CLEAN_H

#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/arena.h"
#include "lib/base/err.h"

struct ct_peer {
	ip4 ip;
	uint16_t port;
};

typedef vec_of(struct ct_peer) ct_peers;

/* Entries to be deleted: those whose original destination is dst:dport (0: any), if `from` is set
 * only with answers from that address, and never with answers from one of `keep`, whose ports may
 * be 0: any. */
struct ct_stale {
	ip4 dst, from;
	uint16_t dport;
	ct_peers keep;
};

/* Delete what any of v names. Returns how many entries, or a negative errno. */
int ct_clean_udp(int netns, const struct ct_stale *v, size_t n, struct err *err);

#endif
