/* SPDX-License-Identifier: MIT */
/*
 * delta: the difference between what a namespace has and what it should have, both in the form of
 * the desired state: in words for the user, and as what is to be added and removed. `have` is
 * either the desired state before a change or what was read back from the kernel. Pure; rules are
 * compared in ruleset.h.
 */
#ifndef LAB_DELTA_H
#define LAB_DELTA_H

#include "lib/plan/desired.h"

enum delta_how {
	DELTA_PLAN,  /* have is an older desired state: what is not wanted any more goes */
	DELTA_KERNEL /* have was read back: what is not wanted may be somebody else's and stays */
};

struct delta_line {
	const char *text; /* "route 10.244.2.0/24 via 10.244.2.0 dev flannel.1 is missing" */
	bool foreign;	  /* somebody else's: is not mended */
};

struct delta {
	struct arena *arena;
	struct dns
		add; /* addrs, routes, neighs, fdbs, sysctls, ipsets, files, rules to carry out */
	struct dns del; /* links, addrs, routes, neighs, fdbs, ipsets to remove */
	vec_of(const struct dproc *) start; /* programs to (re)start */
	strs stop;			    /* names of programs to end */
	bool stray;  /* DELTA_KERNEL: a veth is there that is not wanted; perhaps it is going */
	bool remake; /* DELTA_PLAN: a pod that can only be made anew */
	vec_of(struct delta_line) lines;
};

/* Everything but rules, ipsets' members in the kernel included when have has them. */
void delta_build(struct arena *a, const struct dns *have, const struct dns *want,
		 enum delta_how how, struct delta *ret);
/* Is there anything to carry out? */
bool delta_empty(const struct delta *d);
void delta_say(struct delta *d, bool foreign, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
