/* SPDX-License-Identifier: MIT */
/*
 * proc: nodes, pods and outside machines as processes in nested namespaces, and programs run in
 * them.
 *
 * Each namespace of a lab but the fabric and routers has a first process (PID 1 of its own PID
 * namespace): the small static program labd-init (labd/init), which reaps, starts the namespace's
 * programs and starts them again. A pod's PID namespace is nested in its node's, so `ps` in a node
 * shows its pods' processes. All survive the death of labd; they end when PID 1 is killed.
 *
 * Crash safety: a first process waits on a pipe until labd has written its pid to the journal and
 * released it; if labd dies before, the pipe ends and so does the process. So there is never an
 * unknown process.
 */
#ifndef KERNEL_PROC_H
#define KERNEL_PROC_H

#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "labd/kernel/cgroup.h"
#include "lib/base/err.h"
#include "lib/plan/desired.h"

struct nsproc {
	pid_t pid;	    /* as labd sees it; 0: none (fabric, router) */
	uint64_t starttime; /* field 22 of /proc/PID/stat, to tell a reused pid */
	int netns;	    /* descriptor of the network namespace; owned */
	int release;	    /* write end of the pipe it waits on; -1 once released */
};

struct proc_env {
	const char *lab;
	const char *dir;     /* the lab's state directory, e.g. /run/labd/labs/NAME */
	const char *shared;  /* a directory all labs share for the read-only /etc template */
	const char *backend; /* "legacy" | "nft": what `iptables` is inside */
	const struct cgroup *cgroup;	    /* where its processes belong, or NULL */
	const struct cgroup_limits *limits; /* where that is none, or NULL */
};

/* Once per engine start: prepare what all namespaces share (see rootfs.h; `shared` is only its
 * mount point, in no view but its own, and where small marks and the lock of xtables are kept) and
 * open the labd-init program: $LABD_INIT, or beside the running program, or one directory above, or
 * in
 * ../lib/labd. Makes the process ignore SIGPIPE, and not dumpable, for all its children too: nobody
 * in a lab may trace one that is on its way there. From here on all of proc needs the process to be
 * single-threaded. */
int proc_setup(const char *shared, struct err *err);

/*
 * Make the namespaces of desired.ns[i] and, but for fabric and routers, its first process, waiting.
 * parent is the node's nsproc for a pod, else NULL. Files (ns->files) and the private file system
 * are in place when it returns. *ret is filled; the caller owns the descriptors.
 */
int proc_spawn(const struct proc_env *e, const struct desired *d, int i,
	       const struct nsproc *parent, struct nsproc *ret, struct err *err);
/* Let it run: it will not end with labd any more. Its programs are started by proc_start(). */
int proc_release(struct nsproc *p, struct err *err);
/* Start the namespace's programs (ns->procs). Returns when they have been exec'ed. */
int proc_start(const struct desired *d, int i, struct nsproc *p, struct err *err);

/* The same in two steps, so that the programs of many namespaces start at the same time: after
 * proc_start_send() succeeded proc_start_wait() must follow, which closes the descriptors. */
struct proc_starting {
	const struct dns *ns;
	int pidfd, status;
	uint32_t seq;
	int64_t deadline;
};
int proc_start_send(const struct desired *d, int i, struct nsproc *p, struct proc_starting *ret,
		    struct err *err);
int proc_start_wait(struct proc_starting *s, struct err *err);

/* Pin the network namespace as /run/netns/NAME; -EEXIST when the name is taken by somebody else. */
int proc_pin(int netns, const char *name, struct err *err);
/* Is it the file of a proc_pin() that was interrupted before it mounted the namespace? */
bool proc_pin_begun(const struct stat *st);
/* Remove a pin made by proc_pin(). A missing one is success. */
int proc_unpin(const char *name, struct err *err);
/* After some were removed: if no name is left under /run/netns, that is as the first pin found it.
 */
void proc_unpinned(void);
/* Show a pod's network namespace as NAME in its node's private /run/netns (containerd's look). */
int proc_pin_inside(const struct nsproc *node, int netns, const char *name, struct err *err);

/* Take that back; a pod's network namespace would otherwise live as long as its node. A missing one
 * is success. */
int proc_unpin_inside(const struct nsproc *node, const char *name, struct err *err);
/* Write files (as ns->files are: below /run, or the three of /etc) in a running namespace. Not
 * atomic. */
int proc_files(const struct nsproc *p, const struct dfile *files, size_t n, struct err *err);

/* Is (pid, starttime) alive? */
bool proc_alive(pid_t pid, uint64_t starttime);
/* SIGKILL to (pid, starttime), not waited for. Already gone is success. */
int proc_end(pid_t pid, uint64_t starttime, struct err *err);
/* Is it on its way out? A node's first process is that until the last of its pods is gone. */
bool proc_ending(pid_t pid);
/* SIGKILL to (pid, starttime) and wait (at most timeout_ms) until it is gone with all its
 * namespace's processes. Already gone is success. */
int proc_kill(pid_t pid, uint64_t starttime, int timeout_ms, struct err *err);
/* The events of a node and its pods (labd/init/proto.h), to be read without blocking: a descriptor,
 * at its end once all of them are dead; or a negative errno. */
int proc_events(pid_t pid, uint64_t starttime);
/* Open a running namespace again after a restart of labd. */
int proc_open(pid_t pid, uint64_t starttime, struct nsproc *ret, struct err *err);

/* A program run by `labctl exec` and by labd itself (iptables-restore). */
struct proc_run {
	const char *const *argv; /* NULL-terminated; argv[0] is looked up in the inside PATH */
	const char *const
		*env; /* NAME=value, NULL-terminated, added to the default ones; or NULL */
	bool tty;     /* a new pseudo-terminal is its controlling terminal */
	uint16_t rows, cols;
	bool busybox_first;
	const struct cgroup *cgroup;	    /* the lab's, or NULL */
	const struct cgroup_limits *limits; /* where that is none, or NULL */
};

struct proc_child {
	pid_t pid;	    /* child of the caller: wait for it */
	int in, out, errfd; /* pipes to its stdio; with tty all three are the pty master (dup'ed) */
};

/* Start a program inside: all of the namespace's namespaces, root, capabilities. Not waited for. */
int proc_exec(const struct nsproc *p, enum dns_kind kind, const struct proc_run *run,
	      struct proc_child *ret, struct err *err);
/* Run a program in a network namespace only, with the host's file system and `input` on its
 * stdin; its stderr (bounded) becomes the error text. For iptables-restore, ipset, nft. */
int proc_tool(int netns, const char *const *argv, const char *input, size_t len, struct err *err);

#endif
