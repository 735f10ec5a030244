/* SPDX-License-Identifier: MIT */
/*
 * xt_rule: one rule's words to the bytes of its entry; shared by xt_blob.c, xt_rule.c and xt_ext.c
 * and nobody else.
 */
#ifndef KERNEL_XT_RULE_H
#define KERNEL_XT_RULE_H

#include "labd/kernel/xt_blob.h"

#define XT_RULE_BYTES 4096 /* an entry with all its matches */
#define XT_WORDS      96   /* of a rule */

struct xt_encoder {
	struct arena *a;
	xt_set_index_fn set_index;
	void *arg;
};

struct xt_rule {
	unsigned char bytes[XT_RULE_BYTES] __attribute__((aligned(8)));
	size_t len;
	const char *jump; /* a chain of the user's: its place is written in at the end */
	bool falls;	  /* no target: on to the next rule, whose place is written in too */
};

/* Words behind "-A CHAIN". False: not known. */
bool xt_rule_encode(struct xt_encoder *x, const char *const *words, size_t n, struct xt_rule *ret);

/* ---- extensions (xt_ext.c): matches and targets, as iptables 1.8 fills their structures
 * ---------- */

struct xt_opt {
	const char *name;  /* "--dport" */
	const char *value; /* the next word, or NULL */
	bool invert;	   /* "!" stood before it */
};

struct xt_ext {
	const char *name, *alias; /* in the kernel; what the user may also call it */
	unsigned char revision;
	unsigned short size;
	void (*init)(void *info);
	/* Words taken: 1 or 2; 0: not one of mine; -1: mine, but not like this. */
	int (*parse)(struct xt_encoder *x, void *info, const struct xt_opt *o);
};

const struct xt_ext *xt_match_find(const char *name);
const struct xt_ext *xt_target_find(const char *name);

/* "80", "80:90" into [from, to]. */
bool xt_ports(const char *text, unsigned short range[2]);

#endif
