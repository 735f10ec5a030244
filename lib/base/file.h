/* SPDX-License-Identifier: MIT */
/* file: whole files and directory trees. Errors carry the path. Not for streams. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"
#include "lib/base/strbuf.h"

/* Append the content of path (or of stdin for "-") to b. More than max bytes is -EFBIG. */
int file_read(const char *path, size_t max, struct strbuf *b, struct err *err);
/* Write data to path, made or truncated, with the mode. Not atomic. */
int file_write(const char *path, const void *data, size_t len, mode_t mode, struct err *err);
/* Write beside it, fsync, rename over it: after a crash either the old or the new content stands.
 */
int file_replace(const char *path, const void *data, size_t len, mode_t mode, struct err *err);
/* mkdir -p. */
int dir_make(const char *path, mode_t mode, struct err *err);
/* rm -rf that never leaves the file system it starts on and never follows a link. A missing path is
 * success. */
int dir_remove(const char *path, struct err *err);
/* write(2) until all is written. */
int write_all(int fd, const void *data, size_t len);
bool path_exists(const char *path);

#endif
