/* SPDX-License-Identifier: MIT */
/*
 * proc_priv: what the files of proc share with each other and with nobody else.
 *
 * How children are made. labd may hold thousands of descriptors and many megabytes, and in a guest
 * kernel a fork of that costs milliseconds. So a child shares labd's memory until it execs
 * (CLONE_VM|CLONE_VFORK): labd sleeps meanwhile, the child writes its result and its error text
 * straight into labd's structures, and nothing is copied. That holds only while labd is
 * single-threaded and with all signals blocked, which proc_child() sees to.
 *
 * Where labd is: a child born into another PID namespace needs its parent's "namespace for
 * children" changed. labd changes its own for the length of one clone; its pids, and those that
 * wait() speaks of, stay those of labd's namespace.
 */
#ifndef KERNEL_PROC_PRIV_H
#define KERNEL_PROC_PRIV_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "labd/kernel/proc.h"
#include "lib/base/arena.h"
#include "lib/base/strbuf.h"

/* Descriptors of low numbers, opened once: a new first process keeps only the range up to the
 * highest one, so that its descriptor table does not grow with labd's. */
struct proc_state {
	bool ready;
	int init;	   /* the labd-init program, in the template */
	int mnt;	   /* the template's mount namespace; see rootfs.h */
	int null;	   /* /dev/null */
	int release;	   /* place for the read end of the release pipe during a spawn */
	int event;	   /* likewise for the write end of the node's events */
	int pidns;	   /* labd's own PID namespace */
	int lowest, count; /* the range they are in */
	unsigned ns_flags; /* CLONE_NEW* this kernel has, of those a node or pod gets */
	char shared[PATH_MAX];
};
extern struct proc_state proc_g;

#define PROC_SAFE_PATH "/usr/sbin:/usr/bin:/sbin:/bin"

/*
 * Run fn in a child as described above, with clone flags besides. Returns its pid, or a negative
 * errno of clone itself. It has exec'ed or ended when this returns. depth is 0 in labd and 1 in
 * such a child. pidfd may be NULL; else flags has CLONE_PIDFD.
 */
pid_t proc_clone(int depth, int (*fn)(void *), void *arg, unsigned flags, int *pidfd);
/* The same at depth 0, born in a control group (cgroup_is(cg)). */
pid_t proc_clone_in(const struct cgroup *cg, int (*fn)(void *), void *arg, unsigned flags);
/* proc_clone() by labd: signals blocked meanwhile; if pidns >= 0 it is a pidfd and the child is
 * born into that process's PID namespace; cg may be NULL. */
pid_t proc_child(int (*fn)(void *), void *arg, unsigned flags, int pidns, const struct cgroup *cg,
		 struct err *err);
/* proc_child() of one that ends without exec; waits for it. */
int proc_helper(int (*fn)(void *), void *arg, unsigned flags, int pidns, const struct cgroup *cg,
		struct err *err);
/* Call again after EINTR; the wait status or a negative errno. */
int proc_wait(pid_t pid);

/* What a first process has as descriptor fd (labd/init/proto.h), opened by us, not blocking; or a
 * negative errno. */
int proc_fd_open(pid_t pid, int fd, int flags);
/* A pidfd of (pid, starttime), or -ESRCH. */
int proc_pidfd(pid_t pid, uint64_t starttime);
/* State letter, flags and start time of a process from /proc; false if there is none. */
struct proc_stat {
	char state;
	unsigned flags;
	uint64_t starttime;
};
bool proc_stat_read(pid_t pid, struct proc_stat *ret);

/* For a child about to exec: default signal actions and an empty mask, umask 022, no supplementary
 * groups, container-like limits, and no descriptor from `keep` on survives. */
int proc_pristine(unsigned keep, struct err *err);

/* What stands in for a control group, in a child about to exec. */
int proc_rlimits(const struct cgroup_limits *l, struct err *err);

/* NAME=value strings for a program inside: PATH, HOME, then HOSTNAME and TERM unless NULL, then
 * extra (which win over all). NULL-terminated; from the arena. */
const char **proc_environ(struct arena *a, bool busybox_first, const char *hostname,
			  const char *term, const char *const *extra);
const char *proc_getenv(const char *const *env, const char *name);

/* Unreaped children of labd inside namespaces (proc_exec) hold up the end of PID 1 there. */
bool proc_exec_zombies(void);
/* Run a host program, netns -1: the current; out may be NULL. See proc_tool(). */
int proc_tool_out(int netns, const char *const *argv, const char *input, size_t len,
		  struct strbuf *out, struct err *err);

#endif
