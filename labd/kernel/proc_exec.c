/* SPDX-License-Identifier: MIT */
/*
 * proc_exec: a program beside those of a namespace, for `labctl exec`; see proc.h.
 *
 * The child is labd's own, born straight into the PID namespace, so that its wait status is the
 * command's and no process stands between. It dies with labd, as its client's connection does. What
 * cannot be run is told as a shell tells it: a line on the child's stderr and exit code 127 or 126.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labd/kernel/caps.h"
#include "labd/kernel/proc_priv.h"
#include "labd/kernel/pty.h"
#include "labd/kernel/rootfs.h"
#include "labd/kernel/seccomp.h"
#include "lib/base/cleanup.h"

#define EXIT_NOT_FOUND	127
#define EXIT_CANNOT_RUN 126
#define MAX_EXECS	1024 /* children remembered; see proc_exec_zombies() */

static pid_t execs[MAX_EXECS];
static size_t n_execs;

enum exec_state { EXEC_RUNS, EXEC_ZOMBIE, EXEC_GONE };

static enum exec_state exec_state(pid_t pid)
{
	siginfo_t si = {0};
	if (waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG | WNOWAIT) < 0)
		return EXEC_GONE;
	return si.si_pid == pid ? EXEC_ZOMBIE : EXEC_RUNS;
}

bool proc_exec_zombies(void)
{
	bool any = false;
	for (size_t i = 0; i < n_execs;) {
		enum exec_state st = exec_state(execs[i]);
		any = any || st == EXEC_ZOMBIE;
		if (st == EXEC_GONE)
			execs[i] = execs[--n_execs];
		else
			i++;
	}
	return any;
}

static void remember(pid_t pid)
{
	if (n_execs == MAX_EXECS)
		proc_exec_zombies(); /* drops those that are gone */
	if (n_execs < MAX_EXECS)
		execs[n_execs++] = pid;
}

struct exec {
	const struct proc_run *run;
	enum dns_kind kind;
	int target; /* pidfd */
	int stdio[3];
	const char **env;
	char *hostname; /* filled in the child: the value of HOSTNAME in env */
	size_t hostname_size;
	int master; /* result, in labd's descriptor table */
	int r;
	struct err *err;
};

static int enter(struct exec *x)
{
	const unsigned flags = proc_g.ns_flags & ~(unsigned)CLONE_NEWPID;
	if (setns(x->target, (int)flags) < 0)
		return err_sys(x->err, errno, "entering its namespaces");
	if (chdir("/") < 0)
		return err_sys(x->err, errno, "/");
	int r = x->kind == DNS_POD ? rootfs_sys(x->err) : 0;
	if (r < 0)
		return r;
	struct utsname u;
	if (uname(&u) == 0)
		snprintf(x->hostname, x->hostname_size, "%s", u.nodename);
	return 0;
}

static int attach_stdio(struct exec *x)
{
	/* After this the table is the child's own; the master stays open in labd's. */
	if (x->run->tty) {
		x->master = pty_open(x->run->rows, x->run->cols, x->err);
		if (x->master < 0)
			return x->master;
	}
	if (unshare(CLONE_FILES) < 0)
		return err_sys(x->err, errno, "unsharing descriptors");
	if (setsid() < 0)
		return err_sys(x->err, errno, "setsid");
	if (x->run->tty)
		return pty_adopt(x->master, x->err);
	/* First out of the way of 0, 1 and 2, in case labd runs without those. */
	int fd[3];
	for (int i = 0; i < 3; i++) {
		fd[i] = fcntl(x->stdio[i], F_DUPFD_CLOEXEC, 3);
		if (fd[i] < 0)
			return err_sys(x->err, errno, "dup");
	}
	for (int i = 0; i < 3; i++) {
		if (dup2(fd[i], i) < 0)
			return err_sys(x->err, errno, "dup2");
	}
	return 0;
}

/* Does not return on success; else the errno that tells most. */
static int exec_search(const char *const *argv, const char *const *env)
{
	char *const *av = (char *const *)argv, *const *ev = (char *const *)env;
	if (strchr(argv[0], '/')) {
		execve(argv[0], av, ev);
		return errno;
	}
	const char *path = proc_getenv(env, "PATH");
	int best = ENOENT;
	for (const char *p = path ? path : "", *end; *p && argv[0][0]; p = *end ? end + 1 : end) {
		char file[PATH_MAX];
		end = strchrnul(p, ':');
		if (snprintf(file, sizeof(file), "%.*s/%s", (int)(end - p), p, argv[0]) >=
		    (int)sizeof(file))
			continue;
		execve(file, av, ev);
		if (errno != ENOENT && errno != ENOTDIR)
			best = errno;
		if (best != ENOENT && best != EACCES)
			break;
	}
	return best;
}

static int complain(const char *name, int code)
{
	const bool absent = code == ENOENT || code == ENOTDIR;
	const bool searched = absent && !strchr(name, '/');
	dprintf(2, "exec: \"%s\": %s\n", name,
		searched	  ? "executable file not found in $PATH"
		: code == ENOEXEC ? "exec format error"
		: code == EACCES  ? "permission denied"
				  : strerror(code));
	return absent ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}

static int exec_child(void *arg)
{
	struct exec *x = arg;
	x->r = enter(x);
	if (x->r == 0)
		x->r = attach_stdio(x);
	if (x->r == 0)
		x->r = proc_pristine(3, x->err);
	if (x->r == 0 && x->run->limits && !cgroup_is(x->run->cgroup))
		x->r = proc_rlimits(x->run->limits, x->err);
	if (x->r == 0)
		x->r = caps_drop(x->kind, x->err);
	if (x->r == 0)
		x->r = seccomp_seal(x->err);
	if (x->r < 0)
		return EXIT_CANNOT_RUN;
	/* Last, for changing credentials resets it. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	return complain(x->run->argv[0], exec_search(x->run->argv, (const char *const *)x->env));
}

static int make_pipes(int child[3], int parent[3], struct err *err)
{
	for (int i = 0; i < 3; i++) {
		int fds[2];
		if (pipe2(fds, O_CLOEXEC) < 0)
			return err_sys(err, errno, "pipe");
		child[i] = fds[i == 0 ? 0 : 1];
		parent[i] = fds[i == 0 ? 1 : 0];
	}
	return 0;
}

static void close_three(int fd[3])
{
	for (int i = 0; i < 3; i++) {
		if (fd[i] >= 0)
			close(fd[i]);
		fd[i] = -1;
	}
}

static int share_master(int master, int parent[3], struct err *err)
{
	parent[0] = master;
	for (int i = 1; i < 3; i++) {
		parent[i] = fcntl(master, F_DUPFD_CLOEXEC, 0);
		if (parent[i] < 0)
			return err_sys(err, errno, "dup");
	}
	return 0;
}

int proc_exec(const struct nsproc *p, enum dns_kind kind, const struct proc_run *run,
	      struct proc_child *ret, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	char hostname[] =
		"HOSTNAME=................................................................";
	char *value = strchr(hostname, '=') + 1;
	struct exec x = {
		.run = run,
		.kind = kind,
		.stdio = {-1, -1, -1},
		.env = proc_environ(a, run->busybox_first, value, run->tty ? "xterm" : NULL,
				    run->env),
		.master = -1,
		.err = err,
	};
	/* The environment's own copy is the one to be filled. */
	x.hostname = (char *)proc_getenv((const char *const *)x.env, "HOSTNAME");
	x.hostname_size = strlen(x.hostname) + 1;
	int parent[3] = {-1, -1, -1};
	*ret = (struct proc_child){.pid = -1, .in = -1, .out = -1, .errfd = -1};

	_close_ int target = proc_pidfd(p->pid, p->starttime);
	if (target < 0)
		return err_set(err, ESRCH, "it does not run any more");
	x.target = target;
	int r = run->tty ? 0 : make_pipes(x.stdio, parent, err);
	pid_t pid = r < 0 ? r : proc_child(exec_child, &x, CLONE_FILES, target, run->cgroup, err);
	close_three(x.stdio);
	r = pid < 0 ? pid : x.r;
	if (r == 0 && run->tty)
		r = share_master(x.master, parent, err);
	if (r < 0) {
		if (pid > 0)
			proc_wait(pid);
		if (x.master >= 0 && parent[0] < 0)
			close(x.master);
		close_three(parent);
		return err_wrap(err, "exec");
	}
	remember(pid);
	*ret = (struct proc_child){
		.pid = pid, .in = parent[0], .out = parent[1], .errfd = parent[2]};
	return 0;
}
