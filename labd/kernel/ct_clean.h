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

/* One UDP port of a Service: packets to any of vips (or to any address, on the node port) may go
 * only to these endpoints. */
struct ct_service {
	vec_of(struct ct_peer) vips; /* ip 0: any address (a node port) */
	vec_of(struct ct_peer) endpoints;
};

/* Delete the entries whose original destination is one of a service's and whose answers come from
 * none of its endpoints. Returns how many, or a negative errno. */
int ct_clean_udp(int netns, const struct ct_service *v, size_t n, struct err *err);

#endif
