/* SPDX-License-Identifier: MIT */
/*
 * reach_policy: what NetworkPolicies say of a packet, read from the objects as the API documents
 * them. Not how Felix writes it down (felix_policy.h): this is what its rules are held against.
 * Pure. Private to reach*.c.
 */
#ifndef PLAN_REACH_POLICY_H
#define PLAN_REACH_POLICY_H

#include "lib/plan/felix.h"

/* One end of a packet: a pod with an interface of its own, or just an address. */
struct reach_end {
	const struct cpod *pod; /* or NULL */
	ip4 ip;
	int node; /* of a node itself and of hostNetwork pods; else -1 */
};

struct reach_packet {
	struct reach_end src, dst;
	struct reach_end seen; /* who it is from for dst, behind masquerading; ip 0: src */
	bool icmp;
	enum proto proto;
	uint16_t port; /* of dst, behind all translation */
};

/* All policies, where something enforces them (Calico), else none; and, as they come up, those that
 * limit each pod. */
struct reach_policies {
	felix_policies all;
	const struct felix_endpoint **limits; /* by pod; NULL: not asked for yet */
};
void reach_policies(struct arena *a, const struct cluster *c, struct reach_policies *ret);
/* NULL: it may pass. Else why not, in words. */
const char *reach_denied(struct arena *a, const struct cluster *c, struct reach_policies *all,
			 const struct reach_packet *p);

#endif
