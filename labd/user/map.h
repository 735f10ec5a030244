/* SPDX-License-Identifier: MIT */
/*
 * map: which of the machine's user and group ids a user namespace has.
 *
 * With newuidmap(1) and a range in /etc/subuid and /etc/subgid: the user as 0 and the range as 1
 * and on, so that programs may change to users of their own. Else only the user as 0; a program
 * that changes its user then is let believe that it did (labd/kernel/rootless.h).
 */
#ifndef USER_MAP_H
#define USER_MAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/err.h"

struct id_range {
	unsigned long first, count;
};

/* The first range of at least `least` ids that a text like /etc/subuid has for a user, by name or
 * number. */
bool map_find(const char *text, const char *name, uid_t uid, unsigned long least,
	      struct id_range *ret);

/* Write the maps of the process pid, which has just made a user namespace. */
int map_write(pid_t pid, struct err *err);

#endif
