/* SPDX-License-Identifier: MIT */
/* exec: a program's bytes between a client's connection and the program, both ways, until it ends.
 */
#ifndef LABD_EXEC_H
#define LABD_EXEC_H

#include "labd/kernel/proc.h"
#include "lib/wire/wire.h"

/*
 * Relay until the child has ended and its output is sent. child's descriptors are closed. A client
 * that goes away hangs up on the program (SIGHUP, then SIGKILL). Returns 0 with *ret_status as a
 * shell gives it (128+N for a signal), or negative when the client is gone.
 */
int exec_relay(struct wire *w, struct proc_child *child, bool tty, bool with_stdin, int *ret_status,
	       struct err *err);

#endif
