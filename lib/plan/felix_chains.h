/* SPDX-License-Identifier: MIT */
/* felix_chains: Felix's chains as data, before they are hashed and printed. Private to felix*.c. */
#ifndef PLAN_FELIX_CHAINS_H
#define PLAN_FELIX_CHAINS_H

#include "lib/plan/felix.h"

struct felix_chain {
	const char *name;
	vec_of(const char *) rules; /* as Felix writes them: comments, match, action */
};

struct felix_table {
	const char *name;
	vec_of(struct felix_chain) chains;
	/* Felix's rules in built-in chains: one jump at position 1 each, or at the end. */
	vec_of(struct felix_chain) inserts, appends;
};

void felix_raw(struct arena *a, const struct felix_config *cfg, struct felix_table *t);
void felix_mangle(struct arena *a, const struct felix_config *cfg, struct felix_table *t);
void felix_nat(struct arena *a, const struct felix_config *cfg, struct felix_table *t);
void felix_filter(struct arena *a, const struct felix_config *cfg, struct felix_table *t);
/* Dispatch by interface, chains of endpoints and of their profiles (felix_endpoints.c). */
void felix_workloads(struct arena *a, const struct felix_config *cfg, struct felix_table *t);

/* A new, empty chain. */
struct felix_chain *felix_chain(struct arena *a, struct felix_table *t, const char *name);
/* Append a rule: an optional comment (characters Felix does not allow become "_"), then the match
 * and action as printf's format gives them ("" for none). */
void felix_rule(struct arena *a, struct felix_chain *c, const char *comment, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Felix's mark bits (mask 0xffff0000, from the lowest): how it clears, sets and tests them. */
#define MARK_ACCEPT   "0x10000/0x10000"
#define MARK_PASS     "0x20000/0x20000"
#define MARK_WORKLOAD "0x40000/0x40000" /* scratch bit 0: came in by a cali device */
#define IS_ACCEPT     "-m mark --mark " MARK_ACCEPT
#define CLEAR_ALL     "--jump MARK --set-mark 0/0xf0000"
#define SET_ACCEPT    "--jump MARK --set-mark " MARK_ACCEPT
#define ESTABLISHED   "-m conntrack --ctstate RELATED,ESTABLISHED"
/* With IPVS the rest of the bits says by which endpoint a packet came in; 0x100000: by none. */
#define MARK_ENDPOINT "0xfff00000"
#define MARK_NO_CALI  "0x100000/" MARK_ENDPOINT
#define HEP_ACCEPTED  "Host endpoint policy accepted packet."

#endif
