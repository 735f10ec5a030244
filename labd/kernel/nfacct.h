/* SPDX-License-Identifier: MIT */
/* nfacct: counters with a name (nfnetlink_acct), which iptables rules of kube-proxy 1.31+ match on.
 * `nfacct list` shows them. They go with the namespace. */
#ifndef KERNEL_NFACCT_H
#define KERNEL_NFACCT_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

/* Make ns->counters there, at zero; those that are there already stay as they are. */
int nfacct_make(int netns, const struct dns *ns, struct err *err);

#endif
