/* SPDX-License-Identifier: MIT */
/*
 * probe_try: single questions to the kernel, asked in the calling thread's network namespace (which
 * should be a scratch one). Each answers whether the kernel has the thing; none leaves anything
 * behind that its namespace does not take along. Each may make the kernel load a module: see
 * probe_mod.h for when to ask.
 */
#ifndef KERNEL_PROBE_TRY_H
#define KERNEL_PROBE_TRY_H

#include <stdbool.h>

/* A kind of link, asked for with parameters that its own check refuses: no device is made (one
 * bridge takes 17 ms to go away). */
bool try_link_kind(const char *kind);
/* A queueing discipline, put on lo. */
bool try_qdisc(const char *kind, const void *options, unsigned len);

/* Legacy iptables: its table. */
bool try_legacy_table(const char *table);
enum xt_what { XT_MATCH, XT_TARGET };
/* An extension of xtables, asked of legacy iptables or of nftables' compatibility layer. */
bool try_xt(enum xt_what what, const char *name, int revision);

/* A nat chain of nftables, in a transaction that is not committed. */
bool try_nft_nat(void);

bool try_ipset(void); /* the subsystem and hash:net */
bool try_nfacct(void);
bool try_ctnetlink(void);
bool try_nflog(void);
bool try_nfqueue(void);

#endif
