/* SPDX-License-Identifier: MIT */
/*
 * sweep: wait for a process and kill what it left behind. Used by the warden and by the engine,
 * both subreapers, which have no children but the guest's. By process id only, never by name.
 */
#ifndef GUEST_SWEEP_H
#define GUEST_SWEEP_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

/* Wait until child pid ends, or until the other end of the pipe `life` is closed: then kill it and
 * wait. Fills *si as waitid(2); it is reaped. True if it was killed because of life. */
bool sweep_wait(pid_t pid, int life, siginfo_t *si);
/* SIGKILL every child of this process, and those who become its children by that, until none is
 * left. Gives up after 10 s (a process that can't die). */
void sweep_children(void);

#endif
