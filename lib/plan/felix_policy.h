/* SPDX-License-Identifier: MIT */
/*
 * felix_policy: a NetworkPolicy as Felix renders it: the rules of its chain for one direction, the
 * ipsets they look into, and the groups that policies of one selector form from 3.28 on. Facts:
 * dataplane notes F.8. Private to felix*.c and calico*.c.
 */
#ifndef PLAN_FELIX_POLICY_H
#define PLAN_FELIX_POLICY_H

#include "lib/plan/felix_chains.h"

/* The policy's chain of one direction, without the prefix's table: cali-pi-... or cali-po-... */
const char *felix_policy_chain(struct arena *a, const struct felix_policy *p, bool ingress);
/* Its rules into c. */
void felix_policy_rules(struct arena *a, enum felix_version version, const struct felix_policy *p,
			bool ingress, struct felix_chain *c);
/* Add the ipsets that those rules look into, once each. */
void felix_policy_sets(struct arena *a, const struct felix_policy *p, bool ingress,
		       felix_sets *sets);

/* How many of the n policies from the first on share its selector and thus form a group. */
size_t felix_group_len(const felix_policies *policies, size_t first);
/* Name of a group's own chain: cali-gi-... or cali-go-... */
const char *felix_group_chain(struct arena *a, const felix_policies *policies, size_t first,
			      size_t n, bool ingress);
/* The rules of that chain. */
void felix_group_rules(struct arena *a, const felix_policies *policies, size_t first, size_t n,
		       bool ingress, struct felix_chain *c);

#endif
