/* SPDX-License-Identifier: MIT */
/*
 * site: a lab's namespaces at hand while it is built or changed: made, pinned, opened again, ended.
 * Every one stands in the journal before it can outlive a crash. Not for deciding what there should
 * be, nor for what is inside them.
 */
#ifndef LAB_SITE_H
#define LAB_SITE_H

#include "labd/kernel/proc.h"
#include "labd/lab/journal.h"
#include "labd/lab/store.h"

struct site {
	const struct engine *e;
	struct stored lab; /* owned; desired is what the site is to become */
	struct proc_env env;
	char shared[256];
	struct cgroup cgroup;
	struct cgroup_limits limits;
	struct nsproc *procs; /* one per desired.ns */
	int *netns;	      /* likewise; -1: not made or not opened; borrowed from procs */
};

/* The lab's directory and the names of things; lab.desired comes later (store_derive). */
void site_init(struct site *s, const struct engine *e, const char *name);
/* A lab's bounds: what its file says, or the usual for its size. */
struct cgroup_limits lab_bounds(const struct stored *s);
/* Room for desired.ns, and the lab's control group, made or with its bounds anew; no namespace is
 * opened. */
int site_slots(struct site *s, struct err *err);
void site_free(struct site *s);
/* Close all but the lab, which is the caller's then. */
struct stored site_take(struct site *s);

/* Is the name of namespace i under /run/netns still to be had? -EEXIST: somebody else has it. */
int site_name_free(const struct site *s, int i, struct err *err);
/* Make namespace i: spawn, journal, release, pin. Its parent must be at hand. */
int site_make(struct site *s, int i, struct err *err);
/* Open one that the journal names. 1: it is at hand; 0: it is dead or was never made. */
int site_open(struct site *s, const struct journal *j, int i, struct err *err);
/* Remove a pin, but only our own: the namespace mounted there is the journalled one, or nothing is
 * mounted yet on the file, which bears our mark. */
int site_unpin(const struct journal_pin *p, struct err *err);
/* Open it, under the same condition; else -1. The caller owns the descriptor. */
int site_pinned(const struct journal_pin *p);

#endif
