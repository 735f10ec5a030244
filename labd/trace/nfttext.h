/* SPDX-License-Identifier: MIT */
/*
 * nfttext: what `nft -a list ruleset` prints, taken apart: rules with their handles, base chains,
 * elements of sets and maps. Pure. Not for the tables of iptables-nft (ruletext.h).
 */
#ifndef TRACE_NFTTEXT_H
#define TRACE_NFTTEXT_H

#include "lib/recording/recording.h"

/*
 * Add the tables of families ip and inet to ns. Rules are numbered from 1 per chain and have the
 * targets that iptables would name them by (DNAT, MASQUERADE, ACCEPT ..., or the chain of a jump);
 * their text is what nft prints, without the handle. Left out: our own table, and tables of family
 * ip that ns already has by iptables-nft. Lines that are not understood are skipped.
 */
void nfttext_ruleset(struct arena *a, const char *text, struct rec_ns *ns);

#endif
