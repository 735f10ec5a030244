/* SPDX-License-Identifier: MIT */
/*
 * init: process 1 of a guest; see init.h. The server is a child; between the two a seqpacket socket
 * on which each packet is one client: a descriptor, its uid and gid.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <systemd/sd-event.h>

#include "labd/guest/init.h"
#include "labd/guest/modules.h"
#include "labd/guest/pump.h"
#include "labd/guest/room.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

#define INIT_NICE    (-10)
#define FLUSH_ROUNDS 1000
#define FLUSH_USEC   20000
#define SERVER_FD    3 /* of the clients' socket, in the server */

struct init {
	sd_event *e;
	struct pump *pump;
	int wire;
	guest_serve_fn serve;
	void *arg;
	int clients; /* our end */
	pid_t server;
	struct guest_starts starts;
	bool ending;
	bool done, failed;
};

struct who {
	uint32_t uid, gid;
};

/* --- clients --------------------------------------------------------------------------------- */

static int send_client(int to, int fd, struct who who)
{
	char ctl[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {&who, sizeof(who)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = ctl,
			     .msg_controllen = sizeof(ctl)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	return sendmsg(to, &msg, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int guest_accept(int clients_fd, uid_t *uid, gid_t *gid)
{
	char ctl[CMSG_SPACE(sizeof(int))];
	struct who who;
	struct iovec iov = {&who, sizeof(who)};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = ctl,
			     .msg_controllen = sizeof(ctl)};
	ssize_t n = recvmsg(clients_fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c;
	int fd;

	if (n < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	if (n == 0)
		return -EPIPE;
	c = CMSG_FIRSTHDR(&msg);
	if (n != sizeof(who) || !c || c->cmsg_type != SCM_RIGHTS)
		return -EAGAIN;
	memcpy(&fd, CMSG_DATA(c), sizeof(fd));
	*uid = who.uid;
	*gid = who.gid;
	return fd;
}

static int on_open(struct pump *p, uint32_t uid, uint32_t gid, void *arg)
{
	struct init *in = arg;
	int sv[2];
	int r;

	(void)p;
	if (in->ending)
		return -ESHUTDOWN;
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, sv) < 0)
		return -errno;
	r = send_client(in->clients, sv[1], (struct who){uid, gid});
	close(sv[1]);
	if (r < 0)
		close(sv[0]);
	return r < 0 ? r : sv[0];
}

/* --- the server ------------------------------------------------------------------------------ */

static void __attribute__((noreturn)) server_child(struct init *in, int clients)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	/* Nothing of ours but the clients' socket: a channel must hang up when we close it. */
	dup2(clients, SERVER_FD);
	fcntl(SERVER_FD, F_SETFD, FD_CLOEXEC);
	syscall(SYS_close_range, SERVER_FD + 1, ~0u, 0);
	prctl(PR_SET_NAME, "labd");
	setpriority(PRIO_PROCESS, 0, 0);
	exit(in->serve(SERVER_FD, in->arg));
}

static int server_start(struct init *in)
{
	int sv[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv) < 0)
		return -errno;
	if (in->clients >= 0)
		close(in->clients);
	in->clients = sv[0];
	in->server = fork();
	if (in->server == 0)
		server_child(in, sv[1]);
	close(sv[1]);
	return in->server < 0 ? -errno : 0;
}

static void __attribute__((noreturn)) power_off(struct init *in)
{
	const void *data;

	/* What the server said last is still to reach the clients: go on until nothing moves. */
	for (int i = 0; in->pump && i < FLUSH_ROUNDS; i++) {
		if (sd_event_run(in->e, FLUSH_USEC) <= 0 &&
		    mux_output(pump_mux(in->pump), &data) == 0)
			break;
	}
	if (in->wire >= 0)
		tcdrain(in->wire);
	if (in->failed) /* becomes the exit code of the kernel's process */
		file_write("/proc/exitcode", "1\n", 2, 0644, NULL);
	reboot(RB_POWER_OFF);
	_exit(0); /* the kernel panics, which ends the guest as well */
}

bool guest_may_start(struct guest_starts *s, uint64_t now)
{
	if (!s->n || now - s->since > GUEST_STARTS_USECS)
		*s = (struct guest_starts){.since = now};
	if (s->n >= GUEST_STARTS)
		return false;
	s->n++;
	return true;
}

static void server_ended(struct init *in, int status)
{
	uint64_t now = 0;

	in->server = -1;
	if (in->ending || (WIFEXITED(status) && WEXITSTATUS(status) == 0)) {
		in->done = true;
		return;
	}
	if (WIFSIGNALED(status))
		fprintf(stderr, "labd: the server was ended by signal %d\n", WTERMSIG(status));
	else
		fprintf(stderr, "labd: the server ended with code %d\n", WEXITSTATUS(status));
	sd_event_now(in->e, CLOCK_MONOTONIC, &now);
	if (guest_may_start(&in->starts, now) && server_start(in) == 0)
		return;
	fprintf(stderr, "labd: the server can't be kept running, giving up\n");
	in->done = in->failed = true;
}

static int on_sigchld(sd_event_source *src, const struct signalfd_siginfo *si, void *arg)
{
	struct init *in = arg;
	int status;
	pid_t pid;

	(void)src;
	(void)si;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == in->server)
			server_ended(in, status);
	}
	return 0;
}

static int on_too_late(sd_event_source *src, uint64_t usec, void *arg)
{
	struct init *in = arg;

	(void)src;
	(void)usec;
	if (in->server > 0)
		kill(in->server, SIGKILL);
	return 0;
}

static void on_poweroff(struct pump *p, void *arg)
{
	struct init *in = arg;

	(void)p;
	if (in->ending)
		return;
	in->ending = true;
	if (in->server > 0)
		kill(in->server, SIGTERM);
	sd_event_add_time_relative(in->e, NULL, CLOCK_MONOTONIC, GUEST_STOP_SECS * 1000000ull, 0,
				   on_too_late, in);
}

static void on_dead(struct pump *p, const struct err *why, void *arg)
{
	struct init *in = arg;

	(void)p;
	err_print(why, "labd");
	in->done = in->failed = true;
}

static const struct pump_ops ops = {
	.open = on_open,
	.poweroff = on_poweroff,
	.dead = on_dead,
};

/* --- life ------------------------------------------------------------------------------------ */

static int open_wire(struct err *err)
{
	int fd = open(GUEST_CONSOLE, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	struct termios t;

	if (fd < 0)
		return err_sys(err, errno, GUEST_CONSOLE);
	if (tcgetattr(fd, &t) == 0) {
		cfmakeraw(&t);
		if (tcsetattr(fd, TCSANOW, &t) == 0)
			return fd;
	}
	close(fd);
	return err_sys(err, errno, "raw " GUEST_CONSOLE);
}

static int init_loop(struct init *in, struct err *err)
{
	sigset_t chld;
	int r;

	/* Before what it carries: a terminal must answer while a lab is being built. */
	setpriority(PRIO_PROCESS, 0, INIT_NICE);
	sigemptyset(&chld);
	sigaddset(&chld, SIGCHLD);
	sigprocmask(SIG_BLOCK, &chld, NULL);
	r = sd_event_new(&in->e); /* not the default one: that is the server's */
	if (r >= 0)
		r = sd_event_add_signal(in->e, NULL, SIGCHLD, on_sigchld, in);
	if (r < 0)
		return err_sys(err, r, "event loop");
	in->wire = open_wire(err);
	if (in->wire < 0)
		return err->code;
	/* Before the pump, so that the server has none of its descriptors and starts at once. */
	r = server_start(in);
	if (r < 0)
		return err_sys(err, r, "fork");
	in->pump = pump_new(in->e, in->wire, MUX_GUEST, &ops, in);
	if (!in->pump)
		return err_sys(err, ENOMEM, "pipe");
	while (!in->done) {
		r = sd_event_run(in->e, UINT64_MAX);
		if (r < 0)
			return err_sys(err, r, "event loop");
	}
	return 0;
}

int guest_init_main(guest_serve_fn serve, void *arg)
{
	struct init in = {.wire = -1, .clients = -1, .server = -1, .serve = serve, .arg = arg};
	struct err err;

	if (getpid() != 1) {
		fprintf(stderr, "labd: --guest-init is for process 1 of a guest\n");
		return 1;
	}
	setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 1);
	setenv("HOME", "/run", 1);
	/* The kernel hands over what it doesn't know. */
	unsetenv("mem");
	unsetenv("uml_dir");
	if (room_furnish(&err) || init_loop(&in, &err)) {
		err_print(&err, "labd");
		in.failed = true;
	}
	power_off(&in);
}

int guest_inside(void)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;

	return file_read("/proc/cpuinfo", 1 << 20, &b, NULL) == 0 &&
	       strstr(strbuf_str(&b), "User Mode Linux") != NULL;
}

int guest_modprobe_main(int argc, char **argv)
{
	struct err err;
	int r;

	if (argc != 4 || geteuid() != 0 || !guest_inside())
		return 1;
	r = modules_load(argv[3], &err);
	return r ? 1 : 0;
}
