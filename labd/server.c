/* SPDX-License-Identifier: MIT */
/* See server.h. */
#include "labd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "labd/kernel/fault.h"
#include "labd/lab/drain.h"
#include "labd/lab/life.h"
#include "labd/lab/reap.h"
#include "labd/session.h"
#include "labd/trace_call.h"
#include "labd/watch.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define GROUP	       "labd"
#define MAX_GROUPS     256
#define STOP_ANSWER_MS 1000

struct loop {
	struct server *s;
	sd_event *ev;
	sd_event_source *idle, *drain;
	struct watch *watch;
	unsigned sessions;
	bool stopping;
};

/* ---- the socket -------------------------------------------------------------------------------
 */

static bool in_group(int fd, gid_t primary)
{
	struct group *g = getgrnam(GROUP);
	if (!g)
		return false;
	if (primary == g->gr_gid)
		return true;
	gid_t list[MAX_GROUPS];
	socklen_t len = sizeof(list);
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, list, &len) < 0)
		return false;
	for (size_t i = 0; i < len / sizeof(*list); i++)
		if (list[i] == g->gr_gid)
			return true;
	return false;
}

int server_accept_unix(int fd, uid_t *uid, gid_t *gid)
{
	_close_ int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC);
	if (c < 0)
		return errno == EAGAIN || errno == EINTR || errno == ECONNABORTED ? -EAGAIN
										  : -errno;
	struct ucred u;
	socklen_t len = sizeof(u);
	if (getsockopt(c, SOL_SOCKET, SO_PEERCRED, &u, &len) < 0)
		return -EAGAIN;
	if (u.uid != 0 && u.uid != geteuid() && !in_group(c, u.gid)) {
		log_warn("refused a client of uid %u", (unsigned)u.uid);
		session_refuse(c, EPERM, ERR_DENIED,
			       "labd serves root and group " GROUP ", and uid %u is neither",
			       (unsigned)u.uid);
		return -EAGAIN;
	}
	*uid = u.uid;
	*gid = u.gid;
	return take_fd(&c);
}

/* A socket file nobody listens on is what a killed daemon leaves. */
static int clear_stale(const struct sockaddr_un *sa, struct err *err)
{
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	if (connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) == 0)
		return err_set(err, EADDRINUSE, "labd is running already on %s", sa->sun_path);
	if (errno == ECONNREFUSED)
		unlink(sa->sun_path);
	return 0;
}

int server_listen(const char *path, struct err *err)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	if (strlen(path) >= sizeof(sa.sun_path))
		return err_sys(err, ENAMETOOLONG, "%s", path);
	memcpy(sa.sun_path, path, strlen(path) + 1);
	int r = clear_stale(&sa, err);
	if (r < 0)
		return r;
	_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_sys(err, errno, "socket");
	mode_t old = umask(0117);
	r = bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ? -errno : 0;
	umask(old);
	if (r < 0)
		return err_sys(err, r, "%s", path);
	struct group *g = getgrnam(GROUP);
	if (g && geteuid() == 0 && chown(path, 0, g->gr_gid) < 0)
		log_warn("%s: cannot give it to group " GROUP, path);
	if (listen(fd, MAX_CLIENTS) < 0)
		return err_sys(err, errno, "%s", path);
	return take_fd(&fd);
}

/* ---- the loop ---------------------------------------------------------------------------------
 */

static size_t lab_count(const struct server *s)
{
	json_t *names = store_list(&s->engine);
	size_t n = json_array_size(names);
	json_decref(names);
	return n;
}

static int on_idle(sd_event_source *src, uint64_t usec, void *arg)
{
	struct loop *l = arg;
	if (l->sessions == 0 && lab_count(l->s) == 0) {
		log_info("no lab for %u s: ending", l->s->idle_exit);
		sd_event_exit(l->ev, 0);
	}
	return 0;
}

/* Count down while there is neither a lab nor a client. */
static void arm_idle(struct loop *l)
{
	bool want = l->s->idle_exit && l->sessions == 0 && lab_count(l->s) == 0;
	if (want)
		sd_event_source_set_time_relative(l->idle, l->s->idle_exit * 1000000ull);
	sd_event_source_set_enabled(l->idle, want ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

static int on_client(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct loop *l = arg;
	uid_t uid = 0;
	gid_t gid = 0;
	_close_ int c = l->s->accept(fd, &uid, &gid);
	if (c == -EAGAIN)
		return 0;
	if (c < 0) {
		log_info("no more clients: %s", strerror(-c));
		return sd_event_exit(l->ev, 0);
	}
	if (l->sessions >= MAX_CLIENTS) {
		session_refuse(c, EBUSY, ERR_FAILED, "labd serves %d clients already", MAX_CLIENTS);
		return 0;
	}
	pid_t pid = fork();
	if (pid == 0) {
		close(fd);
		close(l->s->ctl[0]);
		session_run(l->s, c, uid, gid); /* does not return */
	}
	if (pid < 0)
		session_refuse(c, EAGAIN, ERR_FAILED, "labd cannot fork: %s", strerror(errno));
	else
		l->sessions++;
	return 0;
}

/* ---- endpoints that drain ---------------------------------------------------------------------
 */

#define DRAIN_MS 60000 /* kube-proxy's rsCheckDeleteInterval */

static int on_drain(sd_event_source *src, uint64_t usec, void *arg)
{
	struct loop *l = arg;
	pid_t pid = fork();
	if (pid == 0) {
		session_signals();
		drain_all(&l->s->engine);
		_exit(0);
	}
	if (pid > 0)
		l->sessions++;
	return 0;
}

/* Whatever has changed a lab is one of our children: looked at when one ends. */
static void arm_drain(struct loop *l)
{
	int on = SD_EVENT_OFF;
	const char *env = getenv("LABD_DRAIN_MS");
	long ms = env ? strtol(env, NULL, 10) : 0;
	sd_event_source_get_enabled(l->drain, &on);
	if (on != SD_EVENT_OFF || !drain_pending(&l->s->engine))
		return;
	sd_event_source_set_time_relative(l->drain, (uint64_t)(ms > 0 ? ms : DRAIN_MS) * 1000);
	sd_event_source_set_enabled(l->drain, SD_EVENT_ONESHOT);
}

/* ---- children ---------------------------------------------------------------------------------
 */

/* A session that crashed may have left a lab half made. */
static void recover(struct loop *l)
{
	pid_t pid = fork();
	if (pid == 0) {
		session_signals();
		lab_recover_all(&l->s->engine);
		trace_disarm_all(&l->s->engine);
		_exit(0);
	}
	if (pid > 0)
		l->sessions++;
}

static int on_child(sd_event_source *src, const struct signalfd_siginfo *si, void *arg)
{
	struct loop *l = arg;
	int st;
	for (pid_t pid; (pid = waitpid(-1, &st, WNOHANG)) > 0;) {
		if (l->sessions)
			l->sessions--;
		watch_ended(l->watch, pid, st);
		if (WIFSIGNALED(st)) {
			log_error("a session was killed by signal %d", WTERMSIG(st));
			recover(l);
		}
	}
	arm_idle(l);
	arm_drain(l);
	watch_sync(l->watch);
	return 0;
}

/* Who asked for the end hears that it comes: in a namespace of the user engine, and in a guest, all
 * ends with us. */
static void await_session(pid_t pid)
{
	_close_ int fd = pidfd_open(pid, 0);
	struct pollfd p = {.fd = fd, .events = POLLIN};
	if (fd >= 0)
		poll(&p, 1, STOP_ANSWER_MS);
}

static int on_ctl(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct loop *l = arg;
	struct server_msg m;
	if (read(fd, &m, sizeof(m)) != sizeof(m))
		return 0;
	if (m.what == SERVER_STOP) {
		await_session((pid_t)m.value);
		return sd_event_exit(l->ev, 0);
	}
	l->s->idle_exit = m.value;
	arm_idle(l);
	return 0;
}

static int on_term(sd_event_source *src, const struct signalfd_siginfo *si, void *arg)
{
	struct loop *l = arg;
	return sd_event_exit(l->ev, 0);
}

static int set_up(struct loop *l, struct err *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int r = sd_event_new(&l->ev);
	if (r >= 0)
		r = sd_event_add_signal(l->ev, NULL, SIGCHLD, on_child, l);
	if (r >= 0)
		r = sd_event_add_signal(l->ev, NULL, SIGTERM, on_term, l);
	if (r >= 0)
		r = sd_event_add_signal(l->ev, NULL, SIGINT, on_term, l);
	if (r >= 0)
		r = sd_event_add_io(l->ev, NULL, l->s->listen_fd, POLLIN, on_client, l);
	if (r >= 0)
		r = sd_event_add_io(l->ev, NULL, l->s->ctl[0], POLLIN, on_ctl, l);
	if (r >= 0)
		r = sd_event_add_time_relative(l->ev, &l->idle, CLOCK_MONOTONIC, UINT64_MAX / 4,
					       100000, on_idle, l);
	if (r >= 0)
		r = sd_event_add_time_relative(l->ev, &l->drain, CLOCK_MONOTONIC, UINT64_MAX / 4, 0,
					       on_drain, l);
	if (r >= 0)
		r = sd_event_source_set_enabled(l->drain, SD_EVENT_OFF);
	return r < 0 ? err_sys(err, r, "event loop") : 0;
}

/* With no lab left nothing of the daemon stays on disk. */
static void clean_up(const struct server *s)
{
	char path[300];
	if (s->socket_path)
		unlink(s->socket_path);
	if (lab_count(s))
		return;
	reap_all(&s->engine);
	struct err err;
	snprintf(path, sizeof(path), "%s/shared", s->engine.run);
	if (dir_remove(path, &err) < 0)
		log_warn("%s", err.text);
	snprintf(path, sizeof(path), "%s/labs", s->engine.run);
	rmdir(path);
	rmdir(s->engine.run);
}

int server_run(struct server *s, struct err *err)
{
	struct loop l = {.s = s};
	s->started = time(NULL);
	if (pipe2(s->ctl, O_CLOEXEC | O_NONBLOCK) < 0)
		return err_sys(err, errno, "pipe");
	int r = set_up(&l, err);
	if (r == 0) {
		const char *fault = getenv("LABD_FAULT");
		if (fault && fault_allowed() && fault_begin(fault, 0, err) < 0)
			return err->code;
		lab_recover_all(&s->engine);
		trace_disarm_all(&s->engine);
		fault_end(NULL);
		arm_idle(&l);
		arm_drain(&l);
		l.watch = watch_new(s, l.ev, &l.sessions);
		watch_sync(l.watch);
		sd_notify(0, "READY=1");
		r = sd_event_loop(l.ev);
		if (r < 0)
			err_sys(err, r, "event loop");
	}
	watch_free(l.watch);
	sd_event_source_unref(l.idle);
	sd_event_source_unref(l.drain);
	sd_event_unref(l.ev);
	close(s->listen_fd);
	clean_up(s);
	return r;
}
