/* SPDX-License-Identifier: MIT */
/*
 * pod_status: what kubelet would tell the API server of the pods of a lab: how each container is,
 * how often it was started again, whether the pod is ready. Kept in the lab's directory (pods.json)
 * by whoever looks (tend.h), so that `get` reads one file, and so that it outlives a sandbox: what
 * a pod's own first process writes down goes with it. Only of pods of which a program has ended or
 * whose sandbox was made anew; all others run, and were never started again. Pure but for load and
 * store.
 *
 *	{"NAMESPACE": {"again": sandboxes made anew, "died": when the last one died,
 *		       "base": {CONTAINER: restarts counted in sandboxes that are gone},
 *		       "programs": {CONTAINER: {"state", "restarts", "started", ...}},
 *		       "down": the rules are as if it were not ready}}
 *
 * NAMESPACE is the name of the pod's namespace in desired.ns, of hostNetwork pods their node's;
 *times are seconds since 1970.
 */
#ifndef LAB_POD_STATUS_H
#define LAB_POD_STATUS_H

#include <jansson.h>
#include <time.h>

#include "labd/kernel/proc_programs.h"
#include "lib/base/err.h"
#include "lib/plan/cluster.h"

enum pod_condition {
	POD_READY, /* all containers run, or are between an end and a start that follows at once */
	POD_NOT_READY, /* one waits for its back-off, or has ended and others go on */
	POD_SUCCEEDED, /* all have ended for good, with 0 */
	POD_FAILED     /* all have ended for good */
};

/* The file; an empty object when there is none or it makes no sense. A new reference. */
json_t *pod_status_load(const char *dir);
int pod_status_store(const char *dir, json_t *all, struct err *err);

/* What a pod's first process has written down. True if that is news. */
bool pod_status_see(json_t *all, const char *ns, const struct program_status *v, size_t n);
/* Its sandbox died, and is made anew with all its containers. */
void pod_status_again(json_t *all, const char *ns, time_t now);
/* Its sandbox died and is not made anew: that was the end of this container. */
void pod_status_killed(json_t *all, const char *ns, const char *container, time_t now);

/* What has been told to the rest of the lab (store.h, down) is not as it is now? And: it is now. */
bool pod_status_untold(const json_t *all);
void pod_status_told(json_t *all);

/* Of a node's entry what is a hostNetwork pod's, with its containers' names: a new reference. */
json_t *pod_status_of_host(const json_t *node, const struct cpod *p);

/* entry: the pod's in the file, or NULL. */
enum pod_condition pod_status_condition(const json_t *entry);

/* One of its containers as status.containerStatuses of the API has it (a new reference). `before`
 * restarts were counted before the lab was brought up, at `created`; pod: "NAME_NAMESPACE(UID)" for
 * messages. Reasons and messages are kubelet's (pkg/kubelet/container/sync_result.go,
 * kuberuntime_manager.go doBackOff). */
struct pod_container {
	const char *name, *image, *pod;
	unsigned before;
	time_t created;
	bool dead; /* its sandbox is, and has not been made anew (yet) */
};
json_t *pod_status_container(const json_t *entry, const struct pod_container *c);
/* Those of all containers of a pod, as an array; created and dead as in struct pod_container. */
json_t *pod_status_containers(const json_t *entry, const struct cpod *p, time_t created, bool dead);

/* RFC 3339, UTC, as the API writes times. */
void time_stamp(time_t t, char buf[static 32]);

#endif
