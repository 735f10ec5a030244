/* SPDX-License-Identifier: MIT */
/*
 * xt_save: the rules and ipsets of a namespace as the kernel has them, and as it would print those
 * of a desired state: loaded into an empty namespace and read back, so that two texts compare line
 * by line whatever the programs make of them.
 */
#ifndef KERNEL_XT_SAVE_H
#define KERNEL_XT_SAVE_H

#include "lib/base/err.h"
#include "lib/base/strbuf.h"
#include "lib/plan/desired.h"

/* `iptables-save` there, appended to out. */
int xt_save(int netns, enum ipt_backend backend, struct strbuf *out, struct err *err);
/* What xt_save() would print where only ns->rules (and ns->ipsets) are. */
int xt_expected(const struct dns *ns, enum ipt_backend backend, const char *lockdir,
		struct strbuf *out, struct err *err);
/* Has the namespace exactly these rules? Then the two texts above are the same; false also when
 * only they can tell. */
bool xt_has(int netns, const struct dns *ns, enum ipt_backend backend);
/* `ipset save` there, appended to out. */
int xt_ipset_save(int netns, struct strbuf *out, struct err *err);
/* Destroy a set that no rule uses. A missing one is success. */
int xt_ipset_destroy(int netns, const char *name, struct err *err);

#endif
