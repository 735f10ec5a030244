/* SPDX-License-Identifier: MIT */
/*
 * kobjects: a running lab's objects as `kubectl get -o json` would list them: the objects as sent,
 * with what was decided filled in (addresses, node ports, endpoints, status). docs/PROTOCOL.md
 * "get". Not for deciding anything, nor for tables (the client prints those).
 */
#ifndef LAB_KOBJECTS_H
#define LAB_KOBJECTS_H

#include "labd/lab/store.h"

/* The items of one kind (plural, lower case: "pods"), of one namespace or of all (ns NULL), sorted
 * by namespace and name. A new reference, or NULL with err (an unknown kind is ERR_USAGE). `alive`
 * says of a desired namespace index whether its first process runs (a pod's Ready). */
json_t *kobjects_list(const struct stored *s, const char *kind, const char *ns,
		      bool (*alive)(void *arg, const char *ns_name), void *arg, struct err *err);

#endif
