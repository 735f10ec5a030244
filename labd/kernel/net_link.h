/* SPDX-License-Identifier: MIT */
/*
 * net_link: the rtnetlink messages that make and set one device. Used by net.c, which knows the
 * order over namespaces; nothing here sends but where an interface index is needed first.
 */
#ifndef KERNEL_NET_LINK_H
#define KERNEL_NET_LINK_H

#include "labd/kernel/nlbatch.h"
#include "labd/kernel/sysctl.h"
#include "lib/plan/desired.h"

/* Does this entry make a device (else it describes one that exists or that its peer makes)? */
bool link_creates(const struct dlink *l);

/*
 * Make it, with its master and (the self end of a veth) already up. For a veth, `peer` is the other
 * end's entry and peer_netns where it is put; it is born down, as the kernel refuses an up peer
 * with ENOTCONN. *exists becomes true when the name is taken: then use link_set(full).
 */
void link_create(struct nlbatch *b, const struct dlink *l, const struct dlink *peer, int peer_netns,
		 bool *exists);

/* Set up, master and IPv4 settings of a device that exists; with `full` also address, MTU, queue
 * length and the kind's own parameters, which the kernel refuses to change where it cannot. With
 * `gone` a missing device is no failure: *gone becomes true. */
void link_set(struct nlbatch *b, const struct dlink *l, bool full, bool *gone);
/* The IPv4 settings and hairpin of a device just created. */
void link_tune(struct nlbatch *b, const struct dlink *l);
/* What needs its index or a sysctl: after the others have been sent. */
int link_late(struct nlbatch *b, struct sysctl *s, const struct dlink *l, struct err *err);

/* Nothing but up. */
void link_raise(struct nlbatch *b, const struct dlink *l);

#endif
