/* SPDX-License-Identifier: MIT */
/* How the programs are, on disk, a line each; see init.h. labd reads it
 * (labd/kernel/proc_programs.h). */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#include "labd/init/init.h"

#define STATE_MAX 32768 /* INIT_MAX_PROGS lines */

void progstate_write(const struct progstate *v, size_t n)
{
	static char text[STATE_MAX];
	static const char next[] = INIT_PROGRAMS ".new";
	size_t len = 0;
	for (const struct progstate *p = v; p < v + n; p++) {
		int w = snprintf(text + len, sizeof(text) - len,
				 "%s %s %u %" PRId64 " %" PRId64 " %" PRId64 " %d %d\n", p->name,
				 p->running    ? "running"
				 : p->wait < 0 ? "ended"
					       : "waiting",
				 p->restarts, p->started, p->ended, p->ended_started, p->code,
				 p->wait);
		if (w < 0 || (size_t)w >= sizeof(text) - len)
			return;
		len += (size_t)w;
	}
	unlink(next); /* somebody inside may have put something there */
	int fd = open(next, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return;
	/* A reader sees the old or the new one; on a full disk the old one stays. */
	bool whole = write(fd, text, len) == (ssize_t)len;
	close(fd);
	if (!whole || rename(next, INIT_PROGRAMS) < 0)
		unlink(next);
}
