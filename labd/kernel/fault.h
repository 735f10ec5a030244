/* SPDX-License-Identifier: MIT */
/*
 * fault: fault injection by step number, off by default, in the program that everybody runs.
 *
 * A step is a call of the kernel that makes, changes, opens or sends something: fault.c lists them;
 * the linker leads every such call of labd's through it (WRAP in the Makefile). Most steps are many
 * times the same, so of each place in the program only the first few are counted and then one in
 * STEPS_EACH, unless LABD_FAULTS is "all".
 *
 * With LABD_FAULTS in the daemon's environment a call may say what is to happen to it
 * (docs/PROTOCOL.md; LABCTL_FAULT makes labctl say it), and LABD_FAULT says what is to happen to
 * the daemon while it starts and recovers what another left:
 *
 *	count		nothing; the answer says how many steps there were
 *	kill K		before step K labd, daemon and session, is killed (SIGKILL)
 *	crash K		the same, but the daemon lives
 *	fail K ERRNO	step K fails with that errno; a netlink message is refused by the kernel
 *	slow USEC	every step, counted or not, takes so many microseconds longer
 *
 * A guest's labd has LABD_FAULTS from the engine that booted it.
 */
#ifndef KERNEL_FAULT_H
#define KERNEL_FAULT_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/err.h"

/* May calls bring faults? */
bool fault_allowed(void);
/* From here on: spec as above; daemon: the process that `kill` also ends, or 0. -EINVAL if it is
 * none of these. */
int fault_begin(const char *spec, pid_t daemon, struct err *err);
bool fault_active(void);
/* No more. Returns how many steps there were; *fired (may be NULL): it has happened. */
long fault_end(bool *fired);

#endif
