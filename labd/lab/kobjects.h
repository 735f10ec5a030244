/* SPDX-License-Identifier: MIT */
/*
 * kobjects: a running lab's objects as `kubectl get -o json` would list them: the objects as sent,
 * with what was decided filled in (addresses, node ports, endpoints, status). docs/PROTOCOL.md
 * "get". Not for deciding anything, nor for tables (the client prints those).
 */
#ifndef LAB_KOBJECTS_H
#define LAB_KOBJECTS_H

#include "labd/lab/store.h"

/* What is known of the lab's namespaces right now, by name. */
struct kobjects_live {
	bool (*alive)(void *arg, const char *ns_name);
	void *arg;
	const json_t *pods; /* pod_status.h */
};

/* The items of one kind (plural, lower case: "pods"), of one namespace or of all (ns NULL), sorted
 * by namespace and name. A new reference, or NULL with err (an unknown kind is ERR_USAGE). Without
 * `live` every pod is taken to run, never restarted. */
json_t *kobjects_list(const struct stored *s, const char *kind, const char *ns,
		      const struct kobjects_live *live, struct err *err);

#endif
