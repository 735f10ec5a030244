/* SPDX-License-Identifier: MIT */
/* sweep: see sweep.h. */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labd/guest/sweep.h"
#include "lib/base/cleanup.h"

#define GIVE_UP_MS 10000
#define ROUND_MS   5

bool sweep_wait(pid_t pid, int life, siginfo_t *si)
{
	_close_ int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = life, .events = POLLIN}};
	bool ordered = false;

	while (pidfd >= 0 && !pfd[0].revents && !ordered) {
		if (poll(pfd, 2, -1) < 0 && errno != EINTR)
			break;
		ordered = !pfd[0].revents && pfd[1].revents;
	}
	if (ordered || pidfd < 0)
		kill(pid, SIGKILL);
	while (waitid(P_PID, (id_t)pid, si, WEXITED) < 0 && errno == EINTR)
		;
	return ordered;
}

/* Field 4 of /proc/PID/stat; the name in field 2 may hold anything, so look behind its last ')'. */
static pid_t parent_of(const char *pid)
{
	char path[64], buf[512];
	char *p;
	ssize_t n;
	int ppid;

	snprintf(path, sizeof(path), "/proc/%.20s/stat", pid);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, buf, sizeof(buf) - 1);
	if (n <= 0)
		return -1;
	buf[n] = '\0';
	p = strrchr(buf, ')');
	return p && sscanf(p + 1, " %*c %d", &ppid) == 1 ? ppid : -1;
}

static void kill_children_once(void)
{
	pid_t self = getpid();
	struct dirent *de;
	DIR *d = opendir("/proc");

	while (d && (de = readdir(d))) {
		if (isdigit((unsigned char)de->d_name[0]) && parent_of(de->d_name) == self)
			kill(atoi(de->d_name), SIGKILL);
	}
	if (d)
		closedir(d);
}

void sweep_children(void)
{
	for (int ms = 0; ms < GIVE_UP_MS; ms += ROUND_MS) {
		pid_t pid;

		while ((pid = waitpid(-1, NULL, WNOHANG | __WALL)) > 0)
			;
		if (pid < 0 && errno == ECHILD)
			return;
		kill_children_once();
		usleep(ROUND_MS * 1000);
	}
}
