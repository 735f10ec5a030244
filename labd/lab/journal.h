/* SPDX-License-Identifier: MIT */
/*
 * journal: what has been made in the kernel for a lab, one line per thing, written before the thing
 * can outlive a crash: pins before they are made, first processes while they still wait to be
 *released.
 *
 *	state building|up|removing|changing
 *	proc NAMESPACE PID STARTTIME [NODE]   (of a node, and of its pods)
 *	pin NAME INODE [slow]   (of the namespace, so that only our own pin is ever removed; slow:
 *				its bridges and tunnels hold up all others while they go)
 *	inside NAMESPACE NODE NAME   (a pod's netns shown as NAME in its node)
 *
 * Lines are appended with one write(2) each; a torn last line is ignored. tmpfs is enough: after a
 * reboot neither the journal nor the things are there.
 */
#ifndef LAB_JOURNAL_H
#define LAB_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/err.h"

enum lab_state { LAB_BUILDING, LAB_UP, LAB_REMOVING, LAB_CHANGING };

struct journal_proc {
	const char *ns;
	pid_t pid;
	uint64_t starttime;
	const char *node; /* its node's namespace; its own name for a node; NULL for others */
};

struct journal_pin {
	const char *name;
	ino_t ino;
	bool slow;
};

struct journal_inside {
	const char *ns, *node, *name;
};

struct journal_index;

struct journal {
	enum lab_state state;
	vec_of(struct journal_proc) procs;
	vec_of(struct journal_pin) pins;
	vec_of(struct journal_inside) insides;
	struct journal_index *index; /* of procs */
};

/* Append one line (without the newline) to DIR/journal. */
int journal_add(const char *dir, struct err *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Read it whole; a missing journal is an empty one in state building. */
int journal_read(const char *dir, struct arena *a, struct journal *ret, struct err *err);
/* Write it anew in state up, with the last entries only of what `keep` wants (by namespace; pins
 * are named LAB-NAMESPACE). At any moment the old or the new one stands. */
int journal_compact(const char *dir, const char *lab, bool (*keep)(void *arg, const char *ns),
		    void *arg, struct err *err);
/* The entry of a namespace, or NULL. */
const struct journal_proc *journal_proc_find(const struct journal *j, const char *ns);
/* Is it the one that counts, or was the namespace made anew since? */
bool journal_proc_last(const struct journal *j, const struct journal_proc *p);
bool journal_is_node(const struct journal_proc *p);
const char *lab_state_str(enum lab_state s);

#endif
