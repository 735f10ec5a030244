/* SPDX-License-Identifier: MIT */
/*
 * nft: nftables text of a namespace, through the program nft, which is the reference. Not for
 * iptables on nftables (xt.h).
 */
#ifndef KERNEL_NFT_H
#define KERNEL_NFT_H

#include "lib/base/err.h"
#include "lib/base/strbuf.h"
#include "lib/plan/desired.h"

/* Load ns->nft (`nft -f`): one transaction, all of it or nothing. Without text nothing is done. The
 * text makes its tables anew, so it may be loaded again. */
int nft_load(int netns, const struct dns *ns, struct err *err);
/* What `nft -s list table ip kube-proxy` prints there, appended; nothing when there is no such
 * table. */
int nft_save(int netns, struct strbuf *out, struct err *err);

#endif
