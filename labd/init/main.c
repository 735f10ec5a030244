/* SPDX-License-Identifier: MIT */
/* labd-init: see init.h; what labd tells it: proto.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/init/init.h"

#define REST_MS 2000 /* for the rest of a command that has begun to come */

static bool is_node; /* has pods, and the read end of events */

/* Nothing happens before labd has written down who we are; if it died over that, so do we. */
static uint32_t await_release(void)
{
	struct init_release rel;
	ssize_t n;
	do
		n = read(INIT_FD_RELEASE, &rel, sizeof(rel));
	while (n < 0 && errno == EINTR);
	if (n != sizeof(rel))
		_exit(1);
	close(INIT_FD_RELEASE);
	return rel.id;
}

static void event(uint32_t id)
{
	if (write(INIT_FD_EVENT_WRITE, &id, sizeof(id)) < 0)
		return; /* see proto.h */
}

/* A labd that dies in the middle of a command leaves half of one: give up on it after a while. */
static bool read_rest(void *data, size_t len)
{
	for (char *p = data; len;) {
		struct pollfd pfd = {.fd = INIT_FD_CMD, .events = POLLIN};
		if (poll(&pfd, 1, REST_MS) <= 0)
			return false;
		ssize_t n = read(INIT_FD_CMD, p, len);
		if (n <= 0)
			return false;
		p += n;
		len -= (size_t)n;
	}
	return true;
}

static void drain(void)
{
	char buf[4096];
	struct pollfd pfd = {.fd = INIT_FD_CMD, .events = POLLIN};
	while (poll(&pfd, 1, 0) > 0 && read(INIT_FD_CMD, buf, sizeof(buf)) > 0)
		;
}

static void answer(uint32_t seq, int failed, const char *text)
{
	struct {
		struct init_head head;
		char text[INIT_MAX_ANSWER];
	} a = {.head = {.magic = INIT_MAGIC, .seq = seq, .count = (uint32_t)failed}};
	size_t n = strnlen(text, sizeof(a.text));
	a.head.len = (uint32_t)n;
	memcpy(a.text, text, n);
	/* If nobody reads and the pipe is full, it is not for us to wait. */
	if (write(INIT_FD_STATUS_WRITE, &a, sizeof(a.head) + n) < 0)
		return;
}

static void command(void)
{
	struct init_head head;
	char text[INIT_MAX_ANSWER];
	if (!read_rest(&head, sizeof(head)) || head.magic != INIT_MAGIC ||
	    head.len > INIT_MAX_CMD || head.count > INIT_MAX_PROGS) {
		drain();
		return;
	}
	char *data = malloc(head.len + 1);
	if (data && read_rest(data, head.len)) {
		int failed = programs_start(data, head.len, head.count, text, sizeof(text));
		if (failed < 0)
			answer(head.seq, 1, "a command that makes no sense");
		else
			answer(head.seq, failed, text);
	}
	free(data);
}

/* Was this child, not yet reaped, the first process of a PID namespace below ours? */
static bool was_first(pid_t pid)
{
	char path[32], line[256];
	bool first = false;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned inner;
		if (sscanf(line, "NSpid: %*u %u", &inner) == 1)
			first = inner == 1;
	}
	if (f)
		fclose(f);
	return first;
}

static void reap(void)
{
	for (siginfo_t si = {0};
	     waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 && si.si_pid; si.si_pid = 0) {
		int code = si.si_code == CLD_EXITED ? si.si_status : 128 + si.si_status;
		if (!programs_ended(si.si_pid, code) && is_node && was_first(si.si_pid))
			event(0);
		waitpid(si.si_pid, NULL, 0);
	}
}

static void signals(int fd)
{
	struct signalfd_siginfo si;
	if (read(fd, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return;
	/* From outside, where the sender has no pid here. From inside it would be a slip. */
	if ((si.ssi_signo == SIGTERM || si.ssi_signo == SIGINT) && si.ssi_pid == 0) {
		programs_stop();
		_exit(0);
	}
	reap();
}

static _Noreturn void first_process(const char *name)
{
	sigset_t set;
	prctl(PR_SET_NAME, name, 0, 0, 0);
	uint32_t id = await_release();
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	int sfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	is_node = fcntl(INIT_FD_EVENT, F_GETFD) >= 0;
	for (int fd = INIT_FD_CMD; fd <= INIT_FD_EVENT_WRITE; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	fcntl(INIT_FD_STATUS_WRITE, F_SETFL, O_NONBLOCK);
	fcntl(INIT_FD_EVENT_WRITE, F_SETFL, O_NONBLOCK);
	for (;;) {
		struct pollfd p[2 + INIT_MAX_PROGS];
		p[0] = (struct pollfd){.fd = sfd, .events = POLLIN};
		p[1] = (struct pollfd){.fd = INIT_FD_CMD, .events = POLLIN};
		int due = programs_due();
		if (programs_news())
			event(id);
		size_t n = 2 + programs_poll(p + 2, INIT_MAX_PROGS);
		if (poll(p, n, due) < 0)
			continue;
		/* output first: what a program said before it ended belongs to it */
		for (size_t i = 2; i < n; i++) {
			if (p[i].revents)
				programs_log(p[i].fd);
		}
		if (p[0].revents)
			signals(sfd);
		if (p[1].revents)
			command();
	}
}

/* A container that only waits; see programs.c. */
static _Noreturn void sleep_main(void)
{
	prctl(PR_SET_NAME, "sleep", 0, 0, 0);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	const char *name = argc > 0 ? strrchr(argv[0], '/') : NULL;
	name = name ? name + 1 : argc > 0 ? argv[0] : "";
	if (!strcmp(name, "agnhost"))
		return agnhost_main(argc, argv);
	if (!strcmp(name, "sleep"))
		sleep_main();
	if (!strcmp(name, "kube-proxy"))
		return relay_main(argc, argv);
	if (getpid() == 1 && (!strcmp(name, "pause") || !strcmp(name, "init")))
		first_process(name);
	fputs("labd-init: the first process of a lab's nodes and pods; not to be run by hand\n",
	      stderr);
	return 2;
}
