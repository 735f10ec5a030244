/* SPDX-License-Identifier: MIT */
/* proc_child: making, finding and preparing processes; see proc_priv.h. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labd/kernel/cgroup.h"
#include "labd/kernel/proc_priv.h"
#include "labd/kernel/rootfs.h"
#include "labd/kernel/rootless.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

#define NOFILE_SOFT 1024 /* more makes programs slow that close all they might have */
#define NOFILE_HARD 524288
#define LAST_SIGNAL 31
#define CORE_BYTES  1	 /* less than any: not even to the machine's handler of core dumps */
#define SIGNALS	    4096 /* pending; of the machine's limit for root, which root shares */

struct proc_state proc_g = {
	.init = -1, .mnt = -1, .null = -1, .release = -1, .event = -1, .pidns = -1};

static int no_child(int code, bool bounded, struct err *err)
{
	err_sys(err, code, "making a process");
	if (code == -EAGAIN && bounded)
		err_hint(err,
			 "the lab has as many processes as it may have, see lab.yaml(5), limits; "
			 "labctl down ends them all");
	return code;
}

pid_t proc_child(int (*fn)(void *), void *arg, unsigned flags, int pidns, const struct cgroup *cg,
		 struct err *err)
{
	sigset_t all, old;
	sigfillset(&all);
	if (pidns >= 0 && setns(pidns, CLONE_NEWPID) < 0)
		return err_sys(err, errno, "entering the PID namespace");
	sigprocmask(SIG_BLOCK, &all, &old);
	pid_t pid = cgroup_is(cg) ? proc_clone_in(cg, fn, arg, flags)
				  : proc_clone(0, fn, arg, flags, NULL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	/* Our own children would be born into a lab if this failed; it cannot, but by our bug. */
	if (pidns >= 0 && setns(proc_g.pidns, CLONE_NEWPID) < 0)
		abort();
	return pid < 0 ? no_child(pid, cgroup_is(cg), err) : pid;
}

int proc_wait(pid_t pid)
{
	int status;
	while (waitpid(pid, &status, __WALL) < 0) {
		if (errno != EINTR)
			return -errno;
	}
	return status;
}

int proc_helper(int (*fn)(void *), void *arg, unsigned flags, int pidns, const struct cgroup *cg,
		struct err *err)
{
	pid_t pid = proc_child(fn, arg, flags, pidns, cg, err);
	if (pid < 0)
		return pid;
	int status = proc_wait(pid);
	/* Somebody else may reap all children; then the results alone tell. */
	if (status > 0)
		return err_set(err, EIO, "a helper process ended with status %#x", status);
	return 0;
}

bool proc_stat_read(pid_t pid, struct proc_stat *ret)
{
	char path[32], buf[1024];
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	ssize_t n = read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return false;
	buf[n] = '\0';
	/* PID (NAME) STATE ...: a name may hold anything, so from its last parenthesis */
	const char *p = strrchr(buf, ')');
	if (!p || p[1] != ' ')
		return false;
	p += 2;
	ret->state = *p;
	for (int field = 3; field < 22; field++) {
		p = strchr(p, ' ');
		if (!p)
			return false;
		p++;
		if (field + 1 == 9)
			ret->flags = (unsigned)strtoul(p, NULL, 10);
	}
	ret->starttime = strtoull(p, NULL, 10);
	return true;
}

bool proc_alive(pid_t pid, uint64_t starttime)
{
	struct proc_stat st;
	return pid > 0 && proc_stat_read(pid, &st) && st.starttime == starttime &&
	       st.state != 'Z' && st.state != 'X';
}

int proc_pidfd(pid_t pid, uint64_t starttime)
{
	_close_ int fd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	/* Only once the descriptor holds it can the pid no longer be reused. */
	if (fd < 0 || !proc_alive(pid, starttime))
		return -ESRCH;
	return take_fd(&fd);
}

static int lower(int what, rlim_t value, struct err *err)
{
	struct rlimit lim;
	if (getrlimit(what, &lim) < 0 || lim.rlim_max <= value)
		return 0;
	lim = (struct rlimit){value, value};
	return setrlimit(what, &lim) < 0 ? err_sys(err, errno, "setrlimit") : 0;
}

int proc_rlimits(const struct cgroup_limits *l, struct err *err)
{
	/* The kernel counts a user's processes, all labs' together. */
	int r = lower(RLIMIT_NPROC, l->processes + LAB_PROCESSES, err);
	return r < 0 ? r : lower(RLIMIT_DATA, l->memory, err);
}

int proc_pristine(unsigned keep, struct err *err)
{
	struct rlimit lim = {NOFILE_SOFT, NOFILE_HARD}, now;
	sigset_t none;
	sigemptyset(&none);
	for (int sig = 1; sig <= LAST_SIGNAL; sig++)
		signal(sig, SIG_DFL);
	umask(022);
	if (close_range(keep, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_sys(err, errno, "close_range");
	if (lower(RLIMIT_CORE, CORE_BYTES, err) < 0 || lower(RLIMIT_SIGPENDING, SIGNALS, err) < 0)
		return err->code;
	/* A user namespace with one id keeps its user's groups. */
	if (syscall(SYS_setgroups, 0, NULL) < 0 && !rootless_single())
		return err_sys(err, errno, "setgroups");
	if (getrlimit(RLIMIT_NOFILE, &now) == 0 && now.rlim_max < lim.rlim_max)
		lim.rlim_max = now.rlim_max;
	if (lim.rlim_cur > lim.rlim_max)
		lim.rlim_cur = lim.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &lim) < 0)
		return err_sys(err, errno, "setrlimit");
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return err_sys(err, errno, "sigprocmask");
	return 0;
}

/* Put NAME=value into the list, over an earlier one of that name. */
static size_t env_put(const char **env, size_t n, const char *item)
{
	size_t name = strcspn(item, "=");
	for (size_t i = 0; i < n; i++) {
		if (!strncmp(env[i], item, name + 1)) {
			env[i] = item;
			return n;
		}
	}
	env[n] = item;
	return n + 1;
}

const char **proc_environ(struct arena *a, bool busybox_first, const char *hostname,
			  const char *term, const char *const *extra)
{
	size_t n = 0, max = 8;
	for (size_t i = 0; extra && extra[i]; i++)
		max++;
	const char **env = arena_new_array(a, const char *, max);
	/* Last, busybox stands in for what this machine has not (ping, nslookup, traceroute). */
	env[n++] = busybox_first ? "PATH=" ROOTFS_BUSYBOX_PATH ":" ROOTFS_PATH
				 : "PATH=" ROOTFS_PATH ":" ROOTFS_BUSYBOX_PATH;
	env[n++] = "HOME=/root";
	if (hostname)
		env[n++] = arena_printf(a, "HOSTNAME=%s", hostname);
	if (term)
		env[n++] = arena_printf(a, "TERM=%s", term);
	if (term && busybox_first)
		env[n++] = "ENV=" ROOTFS_ASHRC;
	for (size_t i = 0; extra && extra[i]; i++) {
		if (strchr(extra[i], '='))
			n = env_put(env, n, extra[i]);
	}
	return env;
}

const char *proc_getenv(const char *const *env, const char *name)
{
	size_t n = strlen(name);
	for (size_t i = 0; env[i]; i++) {
		if (!strncmp(env[i], name, n) && env[i][n] == '=')
			return env[i] + n + 1;
	}
	return NULL;
}
