/* SPDX-License-Identifier: MIT */
/* verify: what the verb verify checks, shared by its parts: flows (verify.c), pairs
 * (verify_pairs.c), output (verify_report.c). */
#ifndef LABCTL_VERIFY_H
#define LABCTL_VERIFY_H

#include "labctl/client.h"
#include "lib/recording/expect.h"

struct check {
	const char *kind; /* "flow" "pod" "service" "dns" "nodeport" */
	const char *from, *to;
	const char *name; /* of a flow */
	bool ok;
	const char *detail; /* what was found; "" when there is nothing to say */
	double seconds;	    /* of a flow; 0 else */
	expecteds expect;   /* of a flow */
};

struct verify {
	enum engine_kind engine;
	const char *lab; /* or NULL */
	struct arena *a;
	vec_of(struct check) checks;
	const char *note; /* what was left out and why, or NULL */
};

/* Every pod to every pod (ping), to every Service (TCP), to DNS; every outside host to every node
 * port of every node. Where NetworkPolicies say who may what, nothing is tried: v->note says so. */
int verify_pairs(struct verify *v, struct err *err);

void verify_table(const struct verify *v);
/* A new reference. */
json_t *verify_json(const struct verify *v);
int verify_junit(const struct verify *v, const char *path, struct err *err);

/* How many failed. */
size_t verify_failed(const struct verify *v);

#endif
