/* SPDX-License-Identifier: MIT */
/* paths: where programs and shipped labs are. */
#ifndef LABCTL_PATHS_H
#define LABCTL_PATHS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* Find a program in PATH (and the sbin directories, which a user's PATH lacks). buf may be NULL. */
bool path_search(const char *name, char *buf, size_t size);
/* The program of that name beside our own binary, in ../sbin, or in PATH. */
bool path_beside(const char *name, char *buf, size_t size);

/*
 * What `up` and `plan` were given: a shipped lab's name becomes its file (LABD_LABS, a list parted
 * by colons; ../labs beside the binary; PREFIX/share/labd/labs); what has a slash or an ending,
 * "-", or is there, is a path. Unknown: class not-found, with a suggestion.
 */
int path_lab(const char *word, char *buf, size_t size, struct err *err);
/* Call fn for each shipped lab, once per name, in the order of the directories, then by name. */
void path_labs(void (*fn)(const char *name, const char *path, void *arg), void *arg);

#endif
