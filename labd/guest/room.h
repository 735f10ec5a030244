/* SPDX-License-Identifier: MIT */
/*
 * room: make a freshly booted guest habitable: mounts, devices, sysctls, modules, lo. Part of init;
 * runs once, as process 1. Not for the namespaces of labs.
 */
#ifndef GUEST_ROOM_H
#define GUEST_ROOM_H

#include "lib/base/err.h"

/* All of it. What only some labs miss (cgroup2, a module) is a line on stderr, not a failure. */
int room_furnish(struct err *err);

#endif
