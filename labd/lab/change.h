/* SPDX-License-Identifier: MIT */
/*
 * change: a running lab's objects changed, and a lab put right again. The new desired state is
 * computed from the documents as a whole; only the difference is carried out (carry.h).
 *
 * Crash safety: what the lab will be stands in lab.json.next and "state changing" in the journal
 * before anything is done. Whoever finds a lab in that state mends what is not as the new documents
 * say and makes them the lab's; so a change that has begun is finished, by the next labd if need
 * be. One that the kernel refuses is taken back the same way.
 */
#ifndef LAB_CHANGE_H
#define LAB_CHANGE_H

#include "labd/lab/docs.h"
#include "labd/lab/store.h"

/* Edit the documents; `before` is the lab they make now. */
typedef int (*edit_fn)(json_t *docs, const struct stored *before, struct edit *e, void *arg,
		       struct err *err);

struct change_result {
	json_t *lines; /* what was done to each object (docs.h), a new reference */
	/* Faults of the new state: {"doc", "at", "path", "object", "text", "hint"}, a new
	 * reference or NULL. `doc` counts in `sent`, -1 for what lies elsewhere. */
	json_t *faults;
	unsigned made, gone; /* namespaces */
};

/* sent may be NULL: the documents that faults are to point into. */
int lab_change(const struct engine *e, const char *name, edit_fn edit, void *arg,
	       const json_t *sent, struct change_result *ret, struct err *err);
/* The same by a caller that holds the lock and has settled the lab (life.h). */
int lab_change_held(const struct engine *e, const char *name, edit_fn edit, void *arg,
		    const json_t *sent, struct change_result *ret, struct err *err);

/*
 * Desired state against the kernel's. With fix, what is missing or wrong is mended and what was
 * added to chains of the lab's own is removed; what somebody else added elsewhere is only told.
 * *ret: [{"where": "node01", "text": "route ... is missing", "mended": true}], a new reference.
 */
int lab_diff(const struct engine *e, const char *name, bool fix, json_t **ret, struct err *err);

/* Finish what a crash left in state changing. The caller holds the lock. */
int lab_finish(const struct engine *e, const char *name, struct err *err);

#endif
