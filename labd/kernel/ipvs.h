/* SPDX-License-Identifier: MIT */
/*
 * ipvs: the virtual services of a namespace, in the words of ipvsadm, which is the reference and
 * the notation (ipvs_nl.h carries it out). Not for kube-ipvs0 and the ipsets (net.h, xt.h), and not
 * for telling what differs (lib/plan, ipvs_diff.h).
 */
#ifndef KERNEL_IPVS_H
#define KERNEL_IPVS_H

#include "lib/base/err.h"
#include "lib/base/strbuf.h"
#include "lib/plan/desired.h"

/* Make ns->ipvs (`ipvsadm --restore`) in a namespace without any, and set ns->ipvs_timeouts.
 * Without text nothing is done. */
int ipvs_load(int netns, const struct dns *ns, struct err *err);
/* What `ipvsadm --save -n` prints there, appended. */
int ipvs_save(int netns, struct strbuf *out, struct err *err);
/* Bring the namespace from what it has to ns->ipvs; destinations of TCP that still have connections
 * stay with weight 0 and are counted (draining grows): ipvs_drain() or a later call deletes them.
 * exclude as in struct ipvs_diff. */
int ipvs_change(int netns, const struct dns *ns, const strs *exclude, unsigned *draining,
		struct err *err);
/* Delete the destinations with weight 0 whose connections have ended. */
int ipvs_drain(int netns, const struct dns *ns, unsigned *draining, struct err *err);

#endif
