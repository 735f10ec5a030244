/* SPDX-License-Identifier: MIT */
/* verify: what the verb verify checks, shared by its parts: flows (verify.c), pairs
 * (verify_pairs.c), output (verify_report.c). */
#ifndef LABCTL_VERIFY_H
#define LABCTL_VERIFY_H

#include "labctl/client.h"
#include "lib/recording/expect.h"

struct check {
	const char *kind; /* "flow" "pod" "service" "dns" "nodeport" "health" */
	const char *from, *to;
	const char *name;	/* of a flow */
	const char *how, *want; /* of a pair: "tcp", "open" ... (docs/PROTOCOL.md, reach) */
	bool ok;
	const char *detail; /* what was found; "" when there is nothing to say */
	double seconds;
	expecteds expect; /* of a flow */
};

struct verify {
	enum engine_kind engine;
	const char *lab; /* or NULL */
	struct arena *a;
	vec_of(struct check) checks;
	const char *note; /* what was left out and why, or NULL */
	double seconds;	  /* all of it */
};

/* Every pod to every pod, to every Service port, to the DNS; every outside host to every node port
 * of every node. */
int verify_pairs(struct verify *v, struct err *err);

void verify_table(const struct verify *v);
/* A new reference. */
json_t *verify_json(const struct verify *v);
int verify_junit(const struct verify *v, const char *path, struct err *err);

/* How many failed. */
size_t verify_failed(const struct verify *v);

#endif
