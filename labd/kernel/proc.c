/* SPDX-License-Identifier: MIT */
/*
 * proc: the life of first processes; see proc.h. Their programs: proc_start.c; what runs beside
 * them: proc_exec.c, proc_tool.c; names in /run/netns: proc_pin.c; their file system: rootfs.c.
 *
 * A first process is not labd's child. An intermediate child I, in the host's PID namespace for a
 * node and in the node's for a pod, makes it and ends at once; so it is reaped by the host's init,
 * or by the node's, whether labd lives or not. Were it labd's, a node could not end while labd,
 * waiting for that very end, did not reap the node's pods.
 */
#include "labd/kernel/proc.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "labd/init/proto.h"
#include "labd/kernel/caps.h"
#include "labd/kernel/proc_priv.h"
#include "labd/kernel/rootfs.h"
#include "labd/kernel/seccomp.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define PF_EXITING    0x4 /* of the flags in /proc/PID/stat; include/linux/sched.h */
#define SLOT_FIRST    48  /* descriptors up to 63 cost no table of their own in a new process */
#define POLL_MS	      10
#define APPLETS_BYTES 65536
#define EXEC_STEP_US  50 /* between two looks at a process that is about to be dumpable */
#define EXEC_STEPS    20000
#define MANY_PLACES   32 /* from here on a sysfs for each costs too much; see rootfs_sys() */

/* --- setup ----------------------------------------------------------------------------------- */

/* labd-init lies beside labd; a test program lies one directory deeper. */
static int open_init(struct err *err)
{
	static const char *const places[] = {"labd-init", "../labd-init", "../lib/labd/labd-init"};
	char dir[PATH_MAX], path[PATH_MAX + 32];
	const char *env = getenv("LABD_INIT");
	if (env && *env) {
		int fd = open(env, O_RDONLY | O_CLOEXEC);
		return fd < 0 ? err_sys(err, errno, "%s", env) : fd;
	}
	ssize_t n = readlink("/proc/self/exe", dir, sizeof(dir) - 1);
	if (n <= 0)
		return err_sys(err, errno, "/proc/self/exe");
	dir[n] = '\0';
	*strrchr(dir, '/') = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, places[i]);
		int fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0)
			return fd;
	}
	err_set(err, ENOENT, "the program labd-init is neither in %s nor near it", dir);
	return err_hint(err, "it is built and installed together with labd");
}

static void forget(void)
{
	int *all[] = {&proc_g.init,    &proc_g.mnt,   &proc_g.null,
		      &proc_g.release, &proc_g.event, &proc_g.pidns};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
	proc_g.ready = false;
}

/* Move a descriptor to the reserved range. */
static int to_slot(int *fd, struct err *err)
{
	int high = *fd < 0 ? -1 : fcntl(*fd, F_DUPFD_CLOEXEC, SLOT_FIRST);
	if (high < 0)
		return err_sys(err, errno, "keeping a descriptor");
	close(*fd);
	*fd = high;
	int end = proc_g.lowest + proc_g.count;
	if (high < proc_g.lowest)
		proc_g.lowest = high;
	proc_g.count = (high >= end || proc_g.count == 0 ? high + 1 : end) - proc_g.lowest;
	return 0;
}

static unsigned kernel_namespaces(void)
{
	static const struct {
		const char *path;
		unsigned flag;
	} optional[] = {{"/proc/self/ns/ipc", CLONE_NEWIPC},
			{"/proc/self/ns/uts", CLONE_NEWUTS},
			{"/proc/self/ns/cgroup", CLONE_NEWCGROUP}};
	unsigned flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET;
	for (size_t i = 0; i < ARRAY_SIZE(optional); i++) {
		if (path_exists(optional[i].path))
			flags |= optional[i].flag;
	}
	return flags;
}

static void list_applets(struct strbuf *out)
{
	static const char *const argv[] = {"busybox", "--list", NULL};
	/* Without busybox there are no applets, and doctor says so. */
	if (proc_tool_out(-1, argv, NULL, 0, out, NULL) < 0 || out->len > APPLETS_BYTES)
		strbuf_reset(out);
}

int proc_setup(const char *shared, struct err *err)
{
	forget();
	if (snprintf(proc_g.shared, sizeof(proc_g.shared), "%s", shared) >=
	    (int)sizeof(proc_g.shared))
		return err_sys(err, ENAMETOOLONG, "%s", shared);
	int r = dir_make(shared, 0755, err);
	_close_ int init = r < 0 ? -1 : open_init(err);
	if (init < 0)
		return r < 0 ? r : init;
	proc_g.ns_flags = kernel_namespaces();
	proc_g.lowest = INT_MAX / 2;
	proc_g.count = 0;
	/* A pipe's reader (PID 1) may end under us. */
	signal(SIGPIPE, SIG_IGN);
	/* A child on its way into a pod has our memory until it execs, and root in there sees it:
	 * with the pod's capabilities already it could be traced, and we be changed through it. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_sys(err, errno, "PR_SET_DUMPABLE");
	_strbuf_ struct strbuf applets = STRBUF_INIT;
	list_applets(&applets);
	r = rootfs_template(shared, init, strbuf_str(&applets), &proc_g.mnt, &proc_g.init, err);
	if (r < 0)
		return r;
	proc_g.null = open("/dev/null", O_RDWR | O_CLOEXEC);
	proc_g.pidns = open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
	proc_g.release = proc_g.null < 0 ? -1 : fcntl(proc_g.null, F_DUPFD_CLOEXEC, SLOT_FIRST);
	proc_g.event = proc_g.null < 0 ? -1 : fcntl(proc_g.null, F_DUPFD_CLOEXEC, SLOT_FIRST);
	int *slots[] = {&proc_g.init,  &proc_g.mnt,	&proc_g.null,
			&proc_g.pidns, &proc_g.release, &proc_g.event};
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(slots); i++)
		r = to_slot(slots[i], err);
	if (r < 0)
		forget();
	proc_g.ready = r == 0;
	return r;
}

/* --- making one ------------------------------------------------------------------------------ */

struct spawn {
	const struct dns *ns;
	const struct proc_env *env;
	bool late_sys; /* see rootfs_sys() */
	int pidfd;
	int r;
	struct err *err;
};

/* The descriptors labd-init finds; see init/proto.h. What the table had in their place is gone
 * after the first two calls, and the pipes get the lowest free numbers. */
static int place_descriptors(const struct spawn *s, struct err *err)
{
	const unsigned end = (unsigned)(proc_g.lowest + proc_g.count);
	int cmd[2], status[2], event[2] = {INIT_FD_EVENT, INIT_FD_EVENT_WRITE};
	if (close_range(end, ~0u, CLOSE_RANGE_UNSHARE) < 0 ||
	    close_range(3, (unsigned)proc_g.lowest - 1, 0) < 0)
		return err_sys(err, errno, "close_range");
	if (dup2(proc_g.release, INIT_FD_RELEASE) < 0 || pipe2(cmd, 0) < 0 || pipe2(status, 0) < 0)
		return err_sys(err, errno, "making pipes");
	if (s->ns->kind == DNS_POD ? dup2(proc_g.event, INIT_FD_EVENT_WRITE) < 0
				   : pipe2(event, 0) < 0)
		return err_sys(err, errno, "making the pipe of events");
	if (cmd[0] != INIT_FD_CMD || cmd[1] != INIT_FD_CMD_WRITE || status[0] != INIT_FD_STATUS ||
	    status[1] != INIT_FD_STATUS_WRITE || event[0] != INIT_FD_EVENT ||
	    event[1] != INIT_FD_EVENT_WRITE)
		return err_set(err, EIO, "descriptors of pipes are not where they should be");
	for (int i = 0; i < 3; i++) {
		if (dup2(proc_g.null, i) < 0)
			return err_sys(err, errno, "dup2");
	}
	return 0;
}

static int first_process_setup(const struct spawn *s)
{
	int r = place_descriptors(s, s->err);
	if (r < 0)
		return r;
	if (setsid() < 0 && errno != EPERM)
		return err_sys(s->err, errno, "setsid");
	if ((proc_g.ns_flags & CLONE_NEWUTS) &&
	    sethostname(s->ns->hostname, strlen(s->ns->hostname)) < 0)
		return err_sys(s->err, errno, "setting the host name %s", s->ns->hostname);
	r = rootfs_enter(s->ns, s->env->backend, s->late_sys, s->err);
	if (r == 0)
		r = proc_pristine(INIT_FD_EVENT_WRITE + 1, s->err);
	if (r == 0)
		r = s->env->limits && !cgroup_is(s->env->cgroup)
			    ? proc_rlimits(s->env->limits, s->err)
			    : 0;
	if (r == 0)
		r = caps_drop(s->ns->kind, s->err);
	return r < 0 ? r : seccomp_seal(s->err);
}

static int first_process(void *arg)
{
	struct spawn *s = arg;
	char *argv[] = {s->ns->kind == DNS_POD ? "/pause" : "init", NULL};
	char *env[] = {NULL};
	s->r = first_process_setup(s);
	if (s->r == 0) {
		execveat(proc_g.init, "", argv, env, AT_EMPTY_PATH);
		s->r = err_sys(s->err, errno, "starting labd-init");
	}
	return 1;
}

/* I, of the comment above: shares labd's descriptor table, so pidfd is labd's. */
static int intermediate(void *arg)
{
	struct spawn *s = arg;
	if (setns(proc_g.mnt, CLONE_NEWNS) < 0) {
		s->r = err_sys(s->err, errno, "entering the prepared mounts");
		return 0;
	}
	pid_t pid = proc_clone(1, first_process, s, proc_g.ns_flags | CLONE_FILES | CLONE_PIDFD,
			       &s->pidfd);
	if (pid < 0)
		s->r = err_sys(s->err, pid, "making namespaces");
	else if (s->r < 0)
		proc_wait(pid);
	return 0;
}

/* The pid, in our own namespace, of the process behind a pidfd. */
static pid_t pidfd_pid(int pidfd)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", pidfd);
	_strbuf_ struct strbuf b = STRBUF_INIT;
	if (file_read(path, 4096, &b, NULL) < 0)
		return -1;
	const char *p = strstr(strbuf_str(&b), "\nPid:");
	return p ? (pid_t)strtol(p + 5, NULL, 10) : -1;
}

/* Of a process that has just called exec: the kernel lets the parent of a vfork go on as soon as
 * the new memory is in place, and only then marks that as dumpable (begin_new_exec() in fs/exec.c).
 * In between it is as little to be looked at as ours. */
static int open_netns(pid_t pid)
{
	const struct timespec step = {.tv_nsec = EXEC_STEP_US * 1000};
	char path[40];
	snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	for (int i = 0; fd < 0 && errno == EACCES && i < EXEC_STEPS; i++) {
		nanosleep(&step, NULL);
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	return fd < 0 ? -errno : fd;
}

/* A network namespace and nothing else. */
static int spawn_netns(struct nsproc *ret, struct err *err)
{
	_close_ int own = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return err_sys(err, errno, "/proc/thread-self/ns/net");
	if (unshare(CLONE_NEWNET) < 0)
		return err_sys(err, errno, "making a network namespace");
	int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC), r = -errno;
	if (setns(own, CLONE_NEWNET) < 0) /* we would do the rest in the lab */
		abort();
	if (fd < 0)
		return err_sys(err, r, "/proc/thread-self/ns/net");
	*ret = (struct nsproc){.netns = fd, .release = -1};
	return 0;
}

/* A pod in whose programs, all of ours, nobody looks into /sys. */
static bool ignores_sys(const struct dns *ns)
{
	static const char *const ours[] = {"sleep", "nginx", "dnsmasq", "agnhost", NULL};
	return desired_pod_of(ns, ours);
}

/* A pod's events go to its node's pipe. One that an older labd has made has none: then to nobody.
 */
static void place_event(pid_t node)
{
	_close_ int fd = proc_fd_open(node, INIT_FD_EVENT_WRITE, O_WRONLY);
	if (fd >= 0)
		dup3(fd, proc_g.event, O_CLOEXEC);
}

static int spawn_process(const struct dns *ns, const struct proc_env *env, bool late_sys,
			 const struct nsproc *parent, int parent_pidfd, struct nsproc *ret,
			 struct err *err)
{
	struct spawn s = {.ns = ns, .env = env, .late_sys = late_sys, .pidfd = -1, .err = err};
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	_close_ int write_end = fds[1];
	dup3(fds[0], proc_g.release, O_CLOEXEC);
	close(fds[0]);
	if (parent)
		place_event(parent->pid);
	int r = proc_helper(intermediate, &s, CLONE_FILES, parent_pidfd, env->cgroup, err);
	/* Our copy of the read end, or a dead process could not be told from a waiting one. */
	dup3(proc_g.null, proc_g.release, O_CLOEXEC);
	dup3(proc_g.null, proc_g.event, O_CLOEXEC);
	_close_ int pidfd = s.pidfd;
	if (r == 0)
		r = s.r;
	if (r < 0)
		return r;
	struct proc_stat st;
	pid_t pid = pidfd_pid(pidfd);
	if (pid <= 0 || !proc_stat_read(pid, &st))
		return err_set(err, ESRCH, "its first process ended at once");
	int netns = open_netns(pid);
	if (netns < 0)
		return err_sys(err, netns, "opening its network namespace");
	*ret = (struct nsproc){.pid = pid,
			       .starttime = st.starttime,
			       .netns = netns,
			       .release = take_fd(&write_end)};
	return 0;
}

int proc_spawn(const struct proc_env *e, const struct desired *d, int i,
	       const struct nsproc *parent, struct nsproc *ret, struct err *err)
{
	assert(proc_g.ready);
	const struct dns *ns = &d->ns.v[i];
	*ret = (struct nsproc){.netns = -1, .release = -1};
	if (ns->kind == DNS_FABRIC || ns->kind == DNS_ROUTER)
		return spawn_netns(ret, err) < 0 ? err_wrap(err, "%s", ns->name) : 0;
	assert((ns->kind == DNS_POD) == (parent != NULL));
	_close_ int pidfd = parent ? proc_pidfd(parent->pid, parent->starttime) : -1;
	if (parent && pidfd < 0)
		return err_set(err, ESRCH, "%s: its node is gone", ns->name);
	bool late = d->ns.n > MANY_PLACES && ignores_sys(ns);
	int r = spawn_process(ns, e, late, parent, pidfd, ret, err);
	return r < 0 ? err_wrap(err, "%s", ns->name) : 0;
}

int proc_release(struct nsproc *p, struct err *err)
{
	if (p->release < 0)
		return 0;
	const struct init_release rel = {.id = (uint32_t)p->pid};
	int r = write_all(p->release, &rel, sizeof(rel));
	close(p->release);
	p->release = -1;
	return r < 0 ? err_sys(err, r, "process %d, waiting to be released", (int)p->pid) : 0;
}

int proc_events(pid_t pid, uint64_t starttime)
{
	_close_ int fd = proc_fd_open(pid, INIT_FD_EVENT, O_RDONLY);
	if (fd >= 0 && !proc_alive(pid, starttime))
		return -ESRCH;
	return take_fd(&fd);
}

int proc_open(pid_t pid, uint64_t starttime, struct nsproc *ret, struct err *err)
{
	*ret = (struct nsproc){.netns = -1, .release = -1};
	_close_ int pidfd = proc_pidfd(pid, starttime);
	int netns = pidfd < 0 ? pidfd : open_netns(pid);
	if (netns < 0)
		return err_sys(err, netns, "process %d", (int)pid);
	/* Between the two it may have ended; then what we opened is another's. */
	if (!proc_alive(pid, starttime)) {
		close(netns);
		return err_sys(err, ESRCH, "process %d", (int)pid);
	}
	*ret = (struct nsproc){.pid = pid, .starttime = starttime, .netns = netns, .release = -1};
	return 0;
}

/* --- its end --------------------------------------------------------------------------------- */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool proc_ending(pid_t pid)
{
	struct proc_stat st;
	return proc_stat_read(pid, &st) && (st.flags & PF_EXITING);
}

/* All inside got SIGKILL when PID 1 began to end; what still holds up PID 1 then are children of
 * ours that are dead and that only our caller may reap. */
static bool held_up_by_us(pid_t pid)
{
	return proc_ending(pid) && proc_exec_zombies();
}

/* 1 and its descriptor; 0: it is gone. */
static int send_kill(pid_t pid, uint64_t starttime, int *fd, struct err *err)
{
	*fd = proc_pidfd(pid, starttime);
	if (*fd < 0)
		return 0;
	if (syscall(SYS_pidfd_send_signal, *fd, SIGKILL, NULL, 0) < 0)
		return errno == ESRCH ? 0 : err_sys(err, errno, "killing process %d", (int)pid);
	return 1;
}

int proc_end(pid_t pid, uint64_t starttime, struct err *err)
{
	_close_ int fd = -1;
	int r = send_kill(pid, starttime, &fd, err);
	return r < 0 ? r : 0;
}

int proc_kill(pid_t pid, uint64_t starttime, int timeout_ms, struct err *err)
{
	_close_ int fd = -1;
	int r = send_kill(pid, starttime, &fd, err);
	if (r <= 0)
		return r;
	const int64_t deadline = now_ms() + timeout_ms;
	for (;;) {
		struct pollfd pfd = {.fd = fd, .events = POLLIN};
		int n = poll(&pfd, 1, POLL_MS);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "waiting for process %d", (int)pid);
		if (n > 0 || held_up_by_us(pid))
			return 0;
		if (now_ms() >= deadline)
			return err_set(err, ETIMEDOUT, "process %d is not gone %d ms after SIGKILL",
				       (int)pid, timeout_ms);
	}
}
