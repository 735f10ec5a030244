/* SPDX-License-Identifier: MIT */
/*
 * tend: what kubelet and the endpoints controller do without being asked. A pod whose sandbox (its
 * first process) has died is made anew, with its name and address, and its containers count one
 * restart more. A pod one of whose containers waits for its back-off or has ended is not ready: its
 * endpoints go from the rules until all run again. A pod that has run to its end (restartPolicy)
 * leaves the cluster. Whoever finds that out (labd/watch.h) calls this.
 *
 * A node that has died stays dead, and so do its pods, until the next change or `diff --fix`.
 */
#ifndef LAB_TEND_H
#define LAB_TEND_H

#include <stdint.h>

#include "labd/lab/store.h"

/*
 * Look at the pods with these ids (events of labd/init/proto.h: first processes' pids, and 0 for
 * "some sandbox has died"), or at all with n 0, and bring the lab to what was found. Returns 0,
 * also when there is no such lab (any more); -EBUSY when somebody changes it right now.
 */
int lab_tend(const struct engine *e, const char *name, const uint32_t *ids, size_t n,
	     struct err *err);

#endif
