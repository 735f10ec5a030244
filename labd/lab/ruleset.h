/* SPDX-License-Identifier: MIT */
/*
 * ruleset: iptables rules as tables of chains, read from texts of iptables-restore or
 * iptables-save, and the difference of two as text for iptables-restore --noflush: only chains that
 * differ are written again (a chain's line empties it), stale ones are deleted, as kube-proxy's
 * partial sync does (dataplane A.10). Pure.
 */
#ifndef LAB_RULESET_H
#define LAB_RULESET_H

#include "lib/base/arena.h"
#include "lib/base/strbuf.h"
#include "lib/plan/desired.h"

struct rtable;

struct ruleset {
	struct arena *arena;
	vec_of(struct rtable *) tables; /* empty at first */
};

/* Add what a text makes to what is there already. */
void ruleset_add(struct ruleset *s, const char *text);
/* All texts of a namespace. */
void ruleset_of(struct ruleset *s, const struct dns *ns);

enum ruleset_how {
	RULESET_OWN,	/* all that `have` holds is the lab's: what is not wanted goes */
	RULESET_KERNEL, /* `have` may hold others': only what lies in chains of the lab goes */
};

/* One line for each rule that is missing or too many. */
struct ruleset_words {
	strs own;     /* what the text mends */
	strs foreign; /* what it leaves, being somebody else's */
};

/* Text that makes `have` to `want`; "" when nothing differs. words may be NULL. */
void ruleset_diff(const struct ruleset *have, const struct ruleset *want, enum ruleset_how how,
		  struct strbuf *out, struct ruleset_words *words);

#endif
