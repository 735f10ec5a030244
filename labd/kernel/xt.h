/* SPDX-License-Identifier: MIT */
/*
 * xt: iptables rules and ipsets of a namespace. Legacy rules go straight to the kernel where that
 * is known to be the same (xt_replace.h); all else goes through the programs (iptables-*-restore,
 * ipset restore), which are the reference. Each namespace has its own lock file, so that restores
 * of several nodes do not wait for each other.
 */
#ifndef KERNEL_XT_H
#define KERNEL_XT_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

/* Load all of ns->rules in order (each `iptables-restore --noflush`; texts that can share a call
 * do). backend is IPT_LEGACY or IPT_NFT. */
int xt_rules(int netns, const struct dns *ns, enum ipt_backend backend, const char *lockdir,
	     struct err *err);
/* The same for several namespaces at once, at most `jobs` programs at a time. */
int xt_rules_all(const struct desired *d, const int *netns, enum ipt_backend backend,
		 const char *lockdir, int jobs, struct err *err);
/* Create and fill ns->ipsets. */
int xt_ipsets(int netns, const struct dns *ns, struct err *err);

#endif
