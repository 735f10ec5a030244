/* SPDX-License-Identifier: MIT */
/*
 * nft_diff: an nftables table that is against the one that should be, both as `nft -s list table`
 * or our own plan prints them: sets, maps and chains in any order, elements in any order, those of
 * dynamic sets not at all. Pure.
 */
#ifndef PLAN_NFT_DIFF_H
#define PLAN_NFT_DIFF_H

#include "lib/kube/objects.h"

/* Append to words what differs: "chain services differs", "map service-ips is missing", "set x was
 * added by hand". */
void nft_diff(struct arena *a, const char *have, const char *want, strs *words);

#endif
