/* SPDX-License-Identifier: MIT */
/*
 * where: WHERE of the command line (`busybox1`, `pod/NAME`, `deploy/NAME`, `node/NAME`,
 * `host/NAME`) resolved to one namespace of a lab. Pure.
 */
#ifndef LAB_WHERE_H
#define LAB_WHERE_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

struct where {
	const char *kind; /* "pod" | "node" | "host" */
	const char *ns;	  /* of a pod, else NULL */
	const char *name;
	int dns; /* index into desired.ns (a hostNetwork pod: its node's) */
};

/* A pod's name may be shortened to any unambiguous prefix. ns is the Kubernetes namespace to look
 * in. ERR_NOT_FOUND with a suggestion, or ERR_USAGE listing what an ambiguous prefix could mean. */
int where_resolve(const struct desired *d, const char *text, const char *ns, struct where *ret,
		  struct err *err);

#endif
