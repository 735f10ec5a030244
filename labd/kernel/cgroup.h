/* SPDX-License-Identifier: MIT */
/*
 * cgroup: a lab's share of the machine: so many processes, so much memory, and no more.
 *
 * Theory of operation. A lab has one control group, labd/LAB.ID below the root of the hierarchy, or
 * two with cgroup v1, where pids and memory have a hierarchy each. ID tells engines apart that see
 * the same hierarchy, and a lab from one of its name whose processes have not ended yet: the
 * network namespace that the engine has and the directory of the lab, which may be renamed. Every
 * process of a lab is born in its group. To move a running process into another group costs the
 * kernel a grace period, milliseconds for each; so none is moved but itself, where that is free:
 * with v2 a child is made in the group (clone3(2), CLONE_INTO_CGROUP), with v1 it steps over as its
 * first act. Root inside sees of it only a cgroup namespace, and nothing mounted.
 *
 * Where groups can't be made (an ordinary user, a container) there are none, and no error: rlimits
 * stand in (proc.h), and doctor says so. The controllers of v2 are taken as they are found: labd
 * switches none on for the machine (a guest's init does, for its own).
 */
#ifndef KERNEL_CGROUP_H
#define KERNEL_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/err.h"

struct cgroup {
	int dir;     /* v2: the group, to be born in; else -1 */
	int join[2]; /* files to write "0" to, -1: none */
};
#define CGROUP_NONE                                                                                \
	(struct cgroup)                                                                            \
	{                                                                                          \
		-1,                                                                                \
		{                                                                                  \
			-1, -1                                                                     \
		}                                                                                  \
	}

struct cgroup_limits {
	unsigned processes;
	uint64_t memory; /* bytes */
};

/* The bounds of a lab with so many machines (nodes, pods, hosts) on a machine with `total` bytes;
 * what was asked for (0: nothing) takes the place of the usual, but no lab gets more than its share
 * of the machine. Pure. */
struct cgroup_limits cgroup_bounds(size_t machines, const struct cgroup_limits *asked,
				   uint64_t total);
/* The machine's memory in bytes. */
uint64_t cgroup_total(void);

/* Can groups be made here? */
bool cgroup_usable(void);

/* Make the group of the lab with that directory if need be, set its bounds, open it. Not usable:
 * CGROUP_NONE, and success.
 */
int cgroup_make(const char *dir, const char *lab, const struct cgroup_limits *l, struct cgroup *ret,
		struct err *err);
/* Open it; CGROUP_NONE when there is none. */
void cgroup_open(const char *dir, const char *lab, struct cgroup *ret);
void cgroup_close(struct cgroup *c);
static inline bool cgroup_is(const struct cgroup *c)
{
	return c && c->join[0] >= 0;
}
/* The calling process goes into it. A negative errno. */
int cgroup_join(const struct cgroup *c);
/* Remove it after its processes have ended; a missing one is success. */
int cgroup_remove(const char *dir, const char *lab, struct err *err);

#endif
