/* SPDX-License-Identifier: MIT */
/*
 * fault: see fault.h. Below, `__wrap_X` is where the linker leads the calls of X to, `__real_X` is
 * X. A child that shares our memory (proc_priv.h) counts on in the same counters.
 *
 * Who kills: a process of its own, beside the session, that is asked through shared memory. So a
 * child that shares the session's memory, in a PID namespace from which it could not reach the
 * session, can have it killed too, and lives on as it would.
 */
#include "labd/kernel/fault.h"

#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STEPS_FIRST 2  /* so many of a place are counted */
#define STEPS_EACH  64 /* and then one of so many */
#define PLACES	    4096
#define TICK_US	    200
#define BAD_TYPE    0x7ffe /* a netlink message that no family knows */

/* Shared with the process that kills. */
struct order {
	volatile bool kill, done;
};

static struct {
	enum { OFF, COUNT, KILL, CRASH, FAIL, SLOW } what;
	long at, passed;
	int code;
	bool all, fired;
	struct order *order;
	unsigned seen[PLACES];
} f;

pid_t __real_fork(void);

/* ---- what happens ---------------------------------------------------------------------------- */

static void killer(struct order *o, pid_t session, pid_t daemon)
{
	syscall(SYS_close_range, 0, ~0u, 0);
	while (!o->kill && getppid() == session)
		usleep(TICK_US);
	if (o->kill && daemon > 1)
		kill(daemon, SIGKILL);
	if (o->kill)
		kill(session, SIGKILL);
	while (o->kill && getppid() == session)
		usleep(TICK_US);
	o->done = true;
	_exit(0);
}

static int hire_killer(pid_t daemon, struct err *err)
{
	pid_t self = getpid();
	void *p = mmap(NULL, sizeof(struct order), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED)
		return err_sys(err, errno, "fault injection");
	f.order = p;
	*f.order = (struct order){0};
	pid_t pid = __real_fork();
	if (pid == 0)
		killer(f.order, self, daemon);
	return pid < 0 ? err_sys(err, errno, "fault injection") : 0;
}

/* Of the first steps of a place, and one in many of the others, true. */
static bool counts(uintptr_t place)
{
	unsigned n = f.seen[(place ^ place >> 12) % PLACES]++;
	return f.all || n < STEPS_FIRST || n % STEPS_EACH == 0;
}

/* True when it is to fail with errno as set. */
static bool step(uintptr_t place)
{
	if (f.what == SLOW) /* all of them: even a sleep of nothing gives the processor away */
		usleep((useconds_t)f.at);
	if (f.what == OFF || f.what == SLOW || !counts(place) || ++f.passed != f.at)
		return false;
	f.fired = true;
	if (f.what == KILL || f.what == CRASH) {
		f.order->kill = true;
		while (!f.order->done)
			usleep(TICK_US);
	}
	errno = f.code;
	return f.what == FAIL;
}

bool fault_allowed(void)
{
	return getenv("LABD_FAULTS") != NULL;
}

int fault_begin(const char *spec, pid_t daemon, struct err *err)
{
	static const char *const words[] = {
		[COUNT] = "count", [KILL] = "kill", [CRASH] = "crash",
		[FAIL] = "fail",   [SLOW] = "slow",
	};
	char word[16] = "";
	const char *all = getenv("LABD_FAULTS");
	memset(&f, 0, sizeof(f));
	f.code = ENOMEM;
	f.all = all && strcmp(all, "all") == 0;
	int n = sscanf(spec, "%15s %ld %d", word, &f.at, &f.code), what = OFF;
	for (int i = COUNT; i <= SLOW; i++)
		if (strcmp(word, words[i]) == 0)
			what = i;
	if (what == OFF || (what != COUNT && n < 2))
		return err_setc(err, EINVAL, ERR_USAGE, "\"%.60s\" is no fault to inject", spec);
	int r = what == KILL || what == CRASH ? hire_killer(what == KILL ? daemon : 0, err) : 0;
	f.what = r < 0 ? OFF : what;
	return r;
}

bool fault_active(void)
{
	return f.what != OFF;
}

long fault_end(bool *fired)
{
	long passed = f.passed;
	if (fired)
		*fired = f.fired;
	f.what = OFF;
	f.passed = 0; /* a session is no heir to what was counted while labd started */
	return passed;
}

/* ---- the steps ------------------------------------------------------------------------------- */

#define PLACE ((uintptr_t)__builtin_return_address(0))
#define STEP(type, failed, name, params, args)                                                     \
	type __real_##name params;                                                                 \
	type __wrap_##name params;                                                                 \
	type __wrap_##name params                                                                  \
	{                                                                                          \
		return step(PLACE) ? failed : __real_##name args;                                  \
	}

STEP(ssize_t, -1, write, (int fd, const void *p, size_t n), (fd, p, n))
STEP(int, -1, ftruncate, (int fd, off_t n), (fd, n))
STEP(int, -1, fsync, (int fd), (fd))
STEP(int, -1, unlink, (const char *path), (path))
STEP(int, -1, unlinkat, (int dir, const char *path, int flags), (dir, path, flags))
STEP(int, -1, rename, (const char *from, const char *to), (from, to))
STEP(int, -1, mkdir, (const char *path, mode_t mode), (path, mode))
STEP(int, -1, rmdir, (const char *path), (path))
STEP(int, -1, mknod, (const char *path, mode_t mode, dev_t dev), (path, mode, dev))
STEP(int, -1, symlink, (const char *to, const char *path), (to, path))
STEP(int, -1, flock, (int fd, int how), (fd, how))
STEP(int, -1, fchmod, (int fd, mode_t mode), (fd, mode))
STEP(int, -1, mount,
     (const char *what, const char *where, const char *type, unsigned long flags, const void *data),
     (what, where, type, flags, data))
STEP(int, -1, umount2, (const char *where, int flags), (where, flags))
STEP(int, -1, open_tree, (int dir, const char *path, unsigned flags), (dir, path, flags))
STEP(int, -1, move_mount, (int from, const char *path, int to, const char *where, unsigned flags),
     (from, path, to, where, flags))
STEP(int, -1, mount_setattr,
     (int dir, const char *path, unsigned flags, struct mount_attr *attr, size_t size),
     (dir, path, flags, attr, size))
STEP(int, -1, fsopen, (const char *type, unsigned flags), (type, flags))
STEP(int, -1, fsmount, (int fd, unsigned flags, unsigned attr), (fd, flags, attr))
STEP(int, -1, chroot, (const char *path), (path))
STEP(int, -1, chdir, (const char *path), (path))
STEP(int, -1, setns, (int fd, int type), (fd, type))
STEP(int, -1, unshare, (int flags), (flags))
STEP(int, -1, sethostname, (const char *name, size_t n), (name, n))
STEP(int, -1, pipe2, (int *fd, int flags), (fd, flags))
STEP(int, -1, memfd_create, (const char *name, unsigned flags), (name, flags))
STEP(int, -1, socket, (int family, int type, int proto), (family, type, proto))
STEP(ssize_t, -1, send, (int fd, const void *p, size_t n, int flags), (fd, p, n, flags))
STEP(ssize_t, -1, sendto,
     (int fd, const void *p, size_t n, int flags, const struct sockaddr *to, socklen_t len),
     (fd, p, n, flags, to, len))
STEP(pid_t, -1, fork, (void), ())
STEP(struct mnl_socket *, NULL, mnl_socket_open2, (int bus, int flags), (bus, flags))
STEP(int, -1, execveat, (int dir, const char *path, char *const *argv, char *const *env, int flags),
     (dir, path, argv, env, flags))

int __real_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
		       const posix_spawnattr_t *at, char *const *argv, char *const *env);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
		       const posix_spawnattr_t *at, char *const *argv, char *const *env);
int __wrap_posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *fa,
		       const posix_spawnattr_t *at, char *const *argv, char *const *env)
{
	return step(PLACE) ? f.code : __real_posix_spawn(pid, path, fa, at, argv, env);
}

/* Those with a last argument that may be missing: passing one on that was not given does no harm
 * with the calling conventions that Linux has. */
int __real_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode)
{
	return step(PLACE) ? -1 : __real_open(path, flags, mode);
}

int __real_openat(int dir, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir, const char *path, int flags, mode_t mode);
int __wrap_openat(int dir, const char *path, int flags, mode_t mode)
{
	return step(PLACE) ? -1 : __real_openat(dir, path, flags, mode);
}

int __real_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *pidfd);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *pidfd);
int __wrap_clone(int (*fn)(void *), void *stack, int flags, void *arg, int *pidfd)
{
	return step(PLACE) ? -1 : __real_clone(fn, stack, flags, arg, pidfd);
}

/* One step to be killed at; to fail at, each message is one. */
ssize_t __real_mnl_socket_sendto(const struct mnl_socket *s, const void *p, size_t n);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *p, size_t n);
ssize_t __wrap_mnl_socket_sendto(const struct mnl_socket *s, const void *p, size_t n)
{
	if (f.what != FAIL)
		return step(PLACE) ? -1 : __real_mnl_socket_sendto(s, p, n);
	char *copy = malloc(n);
	int len = (int)n;
	if (!copy)
		return -1;
	memcpy(copy, p, n);
	struct nlmsghdr *h = (struct nlmsghdr *)copy;
	for (; mnl_nlmsg_ok(h, len); h = mnl_nlmsg_next(h, &len))
		if (step(PLACE + h->nlmsg_type))
			h->nlmsg_type = BAD_TYPE;
	ssize_t r = __real_mnl_socket_sendto(s, copy, n);
	free(copy);
	return r;
}
