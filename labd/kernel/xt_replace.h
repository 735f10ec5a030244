/* SPDX-License-Identifier: MIT */
/*
 * xt_replace: writing legacy iptables tables without the program, where that is the same: rules
 * that xt_blob.h knows, into tables that nobody has written to yet, or as a change of what is
 * there.
 */
#ifndef KERNEL_XT_REPLACE_H
#define KERNEL_XT_REPLACE_H

#include "lib/plan/desired.h"

/*
 * Load all of ns->rules into the calling thread's network namespace, holding `lock` (the file that
 * XTABLES_LOCKFILE would name) meanwhile. True: done. False: nothing has been changed, and
 * iptables-restore must do it, or say why it can't be done.
 */
bool xt_replace(const struct dns *ns, const char *lock);

/* Apply ns->rules to what is there, as iptables-restore --noflush does; entries that stay keep
 * their counters. Else as xt_replace(). */
bool xt_change(const struct dns *ns, const char *lock);

/* Do the legacy tables of the calling thread's network namespace hold ns->rules and nothing else,
 * to the byte? False also when that can't be told. */
bool xt_unchanged(const struct dns *ns);

#endif
