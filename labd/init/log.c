/* SPDX-License-Identifier: MIT */
/* Program output on disk, bounded; see init.h. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labd/init/init.h"
#include "lib/base/limits.h"

#define LOG_PATH_MAX 512

void progfile_open(struct progfile *f, const char *name)
{
	char path[LOG_PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "/run/log/%s.log", name);
	f->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK,
		     0644);
	f->size = f->fd >= 0 && fstat(f->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

void progfile_write(struct progfile *f, const char *name, const char *data, size_t len)
{
	if (f->size + len > MAX_LOG_BYTES / 2) {
		char path[LOG_PATH_MAX], old[LOG_PATH_MAX];
		snprintf(path, sizeof(path), "/run/log/%s.log", name);
		snprintf(old, sizeof(old), "/run/log/%s.log.1", name);
		if (f->fd >= 0)
			close(f->fd);
		rename(path, old);
		progfile_open(f, name);
	}
	/* A full disk loses output, not the program. */
	if (f->fd >= 0 && write(f->fd, data, len) > 0)
		f->size += len;
}
