/* SPDX-License-Identifier: MIT */
/*
 * ruletext: what `iptables-save` and the TRACE target print, taken apart. Pure.
 */
#ifndef TRACE_RULETEXT_H
#define TRACE_RULETEXT_H

#include "lib/recording/recording.h"

/* Add the rules and the base chains of an iptables-save text to ns. Rules are numbered from 1 per
 * chain; handles are 0. Lines that are no rules are skipped. */
void ruletext_save(struct arena *a, const char *text, struct rec_ns *ns);

/* Take "TRACE: nat:KUBE-SERVICES:rule:3 " apart into table, chain, kind and num of m. A chain's
 * name may hold anything but a colon at the ends. False: not such a text. */
bool ruletext_trace(struct arena *a, const char *prefix, struct rec_match *m);

#endif
