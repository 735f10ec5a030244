/* SPDX-License-Identifier: MIT */
/* See engine.h. */
#include "labd/user/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/user/map.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define ROOM_FLAGS                                                                                 \
	(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS)
#define MAX_CRASHES    5 /* of the server, in CRASH_PERIOD_S, before it is given up */
#define CRASH_PERIOD_S 10

/* ---- in the room ------------------------------------------------------------------------------
 */

static int lo_up(struct err *err)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP};
	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_sys(err, errno, "lo up");
	return 0;
}

/* Containers often cover parts of /proc; the kernel then gives nobody inside another view of it. */
static int mount_proc(struct err *err)
{
	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) == 0)
		return 0;
	err_setc(err, errno, ERR_UNSUPPORTED, "mounting /proc in a user namespace: %s",
		 strerror(errno));
	return err_hint(err, "a container that covers parts of /proc forbids it; use the guest "
			     "engine, or run labd outside of it");
}

/* The host's mounts, seen by the room alone, with a /proc, /sys and /run of its own. */
static int furnish(struct err *err)
{
	umask(022);
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(err, errno, "making mounts private");
	int r = mount_proc(err);
	if (r < 0)
		return r;
	if (mount("sysfs", "/sys", "sysfs", MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(err, errno, "mounting /sys in a user namespace");
	if (mount("run", "/run", "tmpfs", MS_NOSUID | MS_NODEV, "mode=0755") < 0)
		return err_sys(err, errno, "mounting /run in a user namespace");
	if (mkdir(USER_STATE_DIR, 0700) < 0)
		return err_sys(err, errno, USER_STATE_DIR);
	return lo_up(err);
}

static pid_t start_server(const struct user_engine *u, const sigset_t *mask)
{
	pid_t pid = fork();
	if (pid == 0) {
		sigprocmask(SIG_SETMASK, mask, NULL);
		_exit(u->serve(u->listen_fd, u->arg));
	}
	return pid;
}

/* Has the server crashed too often of late? */
static bool hopeless(void)
{
	static time_t when[MAX_CRASHES];
	static unsigned n;
	time_t now = time(NULL), *oldest = &when[n++ % MAX_CRASHES];
	bool r = *oldest && now - *oldest < CRASH_PERIOD_S;
	*oldest = now;
	return r;
}

/* Reap whatever has ended. The server's exit code; -1 while it runs, or runs again. */
static int reap(const struct user_engine *u, pid_t *server, const sigset_t *mask)
{
	int st;
	for (pid_t pid; (pid = waitpid(-1, &st, WNOHANG)) > 0;) {
		if (pid != *server)
			continue;
		if (WIFEXITED(st))
			return WEXITSTATUS(st);
		log_error("labd was killed by signal %d", WTERMSIG(st));
		*server = hopeless() ? -1 : start_server(u, mask);
		if (*server < 0)
			return 1;
	}
	return -1;
}

/* Process 1. SIGTERM and SIGINT are the server's; when it ends, so does all in the room. */
static _Noreturn void room_main(const struct user_engine *u, const sigset_t *mask)
{
	sigset_t set;
	int sig, code = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	pid_t server = start_server(u, mask);
	if (server < 0)
		_exit(1);
	while (code < 0 && sigwait(&set, &sig) == 0) {
		if (sig == SIGCHLD)
			code = reap(u, &server, mask);
		else
			kill(server, sig);
	}
	_exit(code);
}

/* ---- outside ----------------------------------------------------------------------------------
 */

/* What the two tell each other while the room is made: one byte "the maps are written", then the
 * error, or the end of the pipe for none. */
struct talk {
	int go[2], said[2];
};

static _Noreturn void room_start(const struct user_engine *u, const struct talk *t,
				 const sigset_t *mask)
{
	struct err err = {0};
	char c;
	close(t->go[1]);
	if (read(t->go[0], &c, 1) != 1)
		_exit(1);
	int r = setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0 ? -errno : 0;
	if (r < 0)
		err_sys(&err, r, "becoming root of a user namespace");
	/* After the change of ids, which resets it; so look whether it came too late. */
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (r == 0)
		r = furnish(&err);
	if (r < 0) {
		if (write(t->said[1], &err, sizeof(err)) < 0)
			_exit(2);
		_exit(1);
	}
	close(t->go[0]);
	close(t->said[1]);
	room_main(u, mask);
}

static int no_namespaces(int code, struct err *err)
{
	err_setc(err, code, ERR_UNSUPPORTED,
		 "this machine lets no ordinary user make namespaces: %s", strerror(code));
	return err_hint(err, "sysctl kernel.unprivileged_userns_clone=1, "
			     "user.max_user_namespaces=10000 or "
			     "kernel.apparmor_restrict_unprivileged_userns=0, whichever there is; "
			     "or the guest engine");
}

/* Write the maps, let it go on, hear what it says. */
static int room_settle(pid_t pid, struct talk *t, struct err *err)
{
	struct err said;
	close(t->go[0]);
	close(t->said[1]);
	int r = map_write(pid, err);
	if (r == -EPERM || r == -EACCES)
		r = no_namespaces(-r, err);
	if (r == 0 && write(t->go[1], "g", 1) != 1)
		r = err_sys(err, errno, "starting the room");
	close(t->go[1]);
	ssize_t n = r == 0 ? read(t->said[0], &said, sizeof(said)) : 0;
	close(t->said[0]);
	if (n == (ssize_t)sizeof(said)) {
		*err = said;
		r = err->code;
	}
	return r;
}

static int room_make(const struct user_engine *u, const sigset_t *mask, pid_t *ret, struct err *err)
{
	struct talk t;
	if (pipe2(t.go, O_CLOEXEC) < 0 || pipe2(t.said, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	/* fork(2) but for the flags */
	pid_t pid = (pid_t)syscall(SYS_clone, ROOM_FLAGS | SIGCHLD, NULL, NULL, NULL, NULL);
	if (pid == 0)
		room_start(u, &t, mask);
	if (pid < 0)
		return no_namespaces(errno, err);
	int r = room_settle(pid, &t, err);
	if (r < 0) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	*ret = pid;
	return r;
}

int user_engine_run(const struct user_engine *u, struct err *err)
{
	sigset_t set, old;
	pid_t room = -1;
	int sig, st = -1;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, &old);
	int r = room_make(u, &old, &room, err);
	if (r == 0) {
		u->ready(u->arg);
		while (waitpid(room, &st, WNOHANG) == 0 && sigwait(&set, &sig) == 0) {
			if (sig != SIGCHLD)
				kill(room, sig);
		}
	}
	unlink(u->socket_path);
	sigprocmask(SIG_SETMASK, &old, NULL);
	return r < 0 ? r : WIFEXITED(st) ? WEXITSTATUS(st) : 1;
}
