/* SPDX-License-Identifier: MIT */
/*
 * net: rtnetlink and sysctls of one lab's namespaces: carrying out a desired state and reading one
 * back. Every change is built by libmnl and sent in batches, one sendmsg per namespace and phase
 * where the kernel allows; a refusal names the object and keeps the kernel's ext-ack text.
 *
 * Measured facts the implementation rests on (docs/ARCHITECTURE.md "What costs what"): a veth's
 * peer is created in place (IFLA_NET_NS_FD inside VETH_INFO_PEER), never moved; both ends get one
 * queue; nothing is deleted one by one; per-device IPv4 settings ride in IFLA_AF_SPEC.
 */
#ifndef KERNEL_NET_H
#define KERNEL_NET_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

/* A lab's namespaces while it is being changed: one netns descriptor per desired.ns entry (-1 for
 * one that does not exist yet), owned by the caller. */
struct net_ctx {
	const struct desired *d;
	const int *netns;
};

/*
 * Phases, each over the namespaces whose index is in [from, to). Idempotent where the kernel is:
 * what exists already with the same attributes is success. The calling thread's network namespace
 * is changed and restored.
 */
int net_sysctls(const struct net_ctx *x, int from, int to, bool early, struct err *err);
int net_links(const struct net_ctx *x, int from, int to, struct err *err);
/* Addresses, routes, neighbours, FDB entries. */
int net_layer3(const struct net_ctx *x, int from, int to, struct err *err);

/* Read a namespace back into the same form as desired (links, addrs, routes, neighs, fdbs), for
 * diff and tests. Allocates from a. */
int net_observe(struct arena *a, int netns, struct dns *ret, struct err *err);

/* The interface index of a name in a namespace; negative errno. */
int net_ifindex(int netns, const char *name, struct err *err);

#endif
