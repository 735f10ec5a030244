/* SPDX-License-Identifier: MIT */
/*
 * observe: a namespace of a running lab compared with what it should be: what net_observe() reads,
 * and sysctls, ipsets, rules, programs besides.
 */
#ifndef LAB_OBSERVE_H
#define LAB_OBSERVE_H

#include "labd/lab/delta.h"
#include "labd/lab/site.h"

/* Namespace i must be at hand. The delta's arena is a; its add.rules is what iptables-restore needs
 * to mend the rules. */
int observe_ns(struct arena *a, struct site *s, int i, struct delta *ret, struct err *err);

#endif
