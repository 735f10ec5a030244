/* SPDX-License-Identifier: MIT */
/*
 * proxy_text: iptables tables being written, chain by chain, and printed as iptables-save would:
 * built-in chains first, then ours by name. Rules are given as save prints them, so that the text
 * of a plan can be compared with what the kernel says without loading it. Pure.
 */
#ifndef PLAN_PROXY_TEXT_H
#define PLAN_PROXY_TEXT_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/strbuf.h"

#define XCHAIN_NAMESIZ 29 /* 28 characters, the most that iptables takes */

struct xchain {
	char name[XCHAIN_NAMESIZ];
	bool builtin;
	struct strbuf rules; /* "-A NAME ...\n" lines */
};

struct xtable {
	struct arena *arena; /* of the chains, not of their rules' text */
	const char *name;
	vec_of(struct xchain *) chains;
};

/* A chain of ours, empty; PREFIX and HASH are joined. The pointer stays valid. */
struct xchain *xtable_chain(struct xtable *t, const char *prefix, const char *hash);
/* A built-in chain: printed only by its rules, in the order of these calls. */
struct xchain *xtable_builtin(struct xtable *t, const char *name);
/* Print "*NAME", the chains, the rules, "COMMIT", and free the rules' text. */
void xtable_print(struct xtable *t, struct strbuf *out);

/* Append a rule: what stands behind "-A NAME ", without the line's end. */
void xrule(struct xchain *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
