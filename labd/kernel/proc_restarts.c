/* SPDX-License-Identifier: MIT */
/* See proc_restarts.h. */
#include "labd/kernel/proc_restarts.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

static int open_inside(pid_t pid, const char *path)
{
	char root[64];
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
				     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
						RESOLVE_NO_MAGICLINKS};
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

unsigned proc_restarts(pid_t pid, const char *program, time_t *last)
{
	char path[512], text[16];
	struct stat st;
	snprintf(path, sizeof(path), "/run/log/%s.restarts", program);
	_close_ int fd = open_inside(pid, path);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	if (n <= 0)
		return 0;
	text[n] = '\0';
	unsigned long count = strtoul(text, NULL, 10);
	*last = st.st_mtime;
	return count > MAX_RESTARTS ? MAX_RESTARTS : (unsigned)count;
}
