/* SPDX-License-Identifier: MIT */
/*
 * store: the labs of one engine on disk, so that they outlive the daemon.
 *
 *	RUN/labs/NAME/lab.json   what the lab is: documents, source, time, backend
 *	RUN/labs/NAME/journal    what has been made for it (journal.h)
 *	RUN/labs/NAME.lock       flock'ed by whoever changes the lab
 *	RUN/labs/.NAME.N         what was a lab and has not ended yet (reap.h)
 *
 *	RUN/labs/NAME/lab.json.next   the same as a change under way will have it
 *
 * A lab's directory exists from the first step of `up` to the last of `down`. Its state is the last
 * "state" line of the journal: building, up, or removing. A lab that is building or removing while
 * nobody holds its lock was left by a crash; lab_recover() (life.h) takes it away.
 */
#ifndef LAB_STORE_H
#define LAB_STORE_H

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/plan/desired.h"

struct engine {
	const char *run;  /* RUN: /run/labd, or the directory of LABD_SOCKET */
	const char *name; /* "host" or "guest" */
	bool host_netns;  /* pin namespaces under /run/netns (always; a guest has its own /run) */
	struct probe *probe; /* what this kernel can do */
	enum ipt_backend backend;
};

/* One lab as stored, with everything derived from it. */
struct stored {
	char name[64];
	char dir[256];
	json_t *meta; /* lab.json; owned */
	bool nfacct;  /* its kernel could count by name when the lab was made */
	bool no_ipvs; /* its kernel had no IPVS then: kube-proxy fell back to iptables */
	/* Pods whose containers do not all run, {"NS/NAME": true}; of meta, borrowed, or NULL. The
	 * rules are as this says; how pods are right now is told by pod_status.h. */
	const json_t *down;
	int lock; /* descriptor holding the lock, or -1 */
	struct arena *arena;
	struct objects *objects; /* bound from meta.documents */
	struct cluster *cluster;
	struct desired *desired;
	time_t created;
};

/* Is it usable as a lab's name: DNS label, at most MAX_LAB_NAME? */
bool store_name_ok(const char *name);

/* Names of the labs on disk, sorted; a JSON array, new reference. */
json_t *store_list(const struct engine *e);

/* The lab's lock, held for a scope (_lab_lock_). */
struct lab_lock {
	const struct engine *e;
	const char *name; /* borrowed */
	int fd;
};
/* Take it. With wait false -EBUSY and a text when somebody else changes the lab. The lab need not
 * exist. */
int store_lock(struct lab_lock *l, const struct engine *e, const char *name, bool wait,
	       struct err *err);
/* Give it back; without a lab of that name there is then no lock file either. */
void store_unlock(struct lab_lock *l);
#define _lab_lock_ __attribute__((cleanup(store_unlock)))
/* Remove the lock files that a crash left of labs that are gone. */
void store_sweep(const struct engine *e);

/* Read a lab and derive its cluster and desired state. ERR_NOT_FOUND when there is none. */
int store_load(const struct engine *e, const char *name, struct stored *ret, struct err *err);
/* The same from lab.json.next; ERR_NOT_FOUND when no change is under way. */
int store_load_next(const struct engine *e, const char *name, struct stored *ret, struct err *err);
/* Make the directory and lab.json of a new lab; meta is borrowed. */
int store_create(const struct engine *e, const char *name, json_t *meta, struct err *err);
void stored_free(struct stored *s);

/* The lab's iptables: what its file asks for, else the engine's. */
enum ipt_backend store_backend(const struct engine *e, const struct stored *s);

/* Derive objects, cluster and desired from documents into s (arena made). Faults are an error with
 * class ERR_USAGE; the client has printed them with positions before. */
int store_derive(const char *name, json_t *docs, struct stored *s, struct err *err);
/* The same, leaving all faults to the caller (faults->arena is s->arena). */
int store_derive_faults(const char *name, json_t *docs, struct stored *s, struct faults *faults,
			struct err *err);

/* Mark the pods that are down in bound objects. */
void store_mark_down(struct objects *o, const json_t *down);

/* A change: what the lab will be, written beside what it is; and that it has become so. */
int store_next(const char *dir, json_t *meta, struct err *err);
/* A missing lab.json.next is success. */
int store_promote(const char *dir, struct err *err);
void store_forget_next(const char *dir);

#endif
