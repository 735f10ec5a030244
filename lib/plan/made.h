/* SPDX-License-Identifier: MIT */
/*
 * made: what an object became in the kernel: by which devices, addresses, chains, sets and names
 * its part of a namespace's state is recognised. Pure; `describe` picks by it what to show of what
 * the kernel has (labd/lab/kernel_state.h), drift included.
 */
#ifndef PLAN_MADE_H
#define PLAN_MADE_H

#include "lib/plan/desired.h"

/* In one namespace. All lists may be empty; words are looked for as whole words. */
struct made_in {
	int ns;	      /* index into desired.ns */
	bool all;     /* the namespace is the object: a node, a pod's own, a host */
	strs devices; /* its links here */
	strs words;  /* addresses, names of sets: rules, routes and entries that hold one are its */
	strs ids;    /* comments of rules begin so: "default/web:http" */
	strs chains; /* these are its whole: with all their rules */
	strs sets;   /* ipsets that are its */
	strs nft;    /* parts of nftables names: "-default/web/tcp/http" */
	strs flows;  /* conntrack: "dst=10.96.0.80 " followed by "dport=80 ", as "10.96.0.80 80" */
};

struct made {
	vec_of(struct made_in) in;
	strs notes; /* what else there is to say: the blocks of a node, whom a policy limits */
};

/* kind: plural, in lower case, as get has it. False: there is no such object, or nothing is ever
 * made of its kind. Memory is the arena's. */
bool made_of(struct arena *a, const struct desired *d, const char *kind, const char *ns,
	     const char *name, struct made *ret);

#endif
