/* SPDX-License-Identifier: MIT */
/*
 * probe_table: the features probe.c tries and probe_report.c tells, in one table.
 */
#ifndef KERNEL_PROBE_TABLE_H
#define KERNEL_PROBE_TABLE_H

#include "labd/kernel/probe.h"
#include "labd/kernel/probe_mod.h"

struct feature {
	const char *name;
	size_t offset;	     /* of its bool in struct probe */
	const char *modules; /* it needs these, separated by blanks; "": none */
	bool (*try)(const struct probe *p);
	const char *text; /* what it is for */
};

extern const struct feature probe_features[];
extern const size_t probe_nfeatures;

static inline bool feature_ok(const struct feature *f, const struct probe *p)
{
	return *(const bool *)((const char *)p + f->offset);
}

/* The feature behind a member of struct probe. */
const struct feature *feature_at(size_t offset);
/* How to get a missing feature, as one sentence. */
void feature_hint(const struct feature *f, const struct mods *m, char *buf, size_t size);

#endif
