/* SPDX-License-Identifier: MIT */
/*
 * life: the life of a lab: built, taken away, and put right after a crash.
 *
 * Every step is journalled (journal.h) before what it makes can outlive a crash, so that from any
 * point lab_down() removes exactly what was made and nothing else.
 */
#ifndef LAB_LIFE_H
#define LAB_LIFE_H

#include "labd/lab/store.h"

/* Called while a lab is built: `node` (a node, or a machine outside) has done that many of its
 * phases and is now at `phase`. */
typedef void (*progress_fn)(void *arg, const char *node, const char *phase, int done, int total);
/* Asked between steps: true cancels (the client is gone). */
typedef bool (*cancel_fn)(void *arg);

struct lab_up {
	const char *name;   /* the lab's */
	json_t *documents;  /* borrowed */
	const char *source; /* what the user named, for `ls` */
	progress_fn progress;
	cancel_fn cancelled;
	void *arg; /* of both */
};

/*
 * Build a lab. Idempotent: the same lab running already sets *ret_already. A lab of that name with
 * other contents is an error. On failure or cancellation everything is undone before it returns. On
 * success *ret is the lab, for stored_free().
 */
int lab_up(const struct engine *e, const struct lab_up *u, struct stored *ret, bool *ret_already,
	   struct err *err);

/* Take a lab away. One that does not exist is success (*ret_was false). When this returns nothing
 * of it is to be seen; that its processes end, and what they held, is for reap_all() (reap.h),
 * which must follow. */
int lab_down(const struct engine *e, const char *name, bool *ret_was, struct err *err);

/*
 * Put right what a crash left: a lab that was being built or removed, or whose first processes have
 * all died, is taken away. A lab that somebody is changing right now is left alone. Returns 1 when
 * something was done.
 */
int lab_recover(const struct engine *e, const char *name, struct err *err);
/* The same by a caller that holds the lock. A change that was under way is finished. Returns 1 if
 * the lab is up, 0 if there is none (any more). */
int lab_settle(const struct engine *e, const char *name, struct err *err);
/* lab_recover() for all labs; logs, never fails. */
void lab_recover_all(const struct engine *e);

/* The name under /run/netns of a namespace: LAB-NAME. */
void lab_pin_name(const char *lab, const char *ns, char *buf, size_t size);

#endif
