/* SPDX-License-Identifier: MIT */
/*
 * pty: a pseudo-terminal from the devpts instance of whatever mount namespace the caller is in, so
 * that `tty` and /dev/pts inside name it. Not for the client's own terminal (labctl).
 */
#ifndef KERNEL_PTY_H
#define KERNEL_PTY_H

#include <stdint.h>

#include "lib/base/err.h"

/* Open a master through /dev/ptmx, unlocked, with the window size (0 by 0: unset). Returns a
 * close-on-exec descriptor. */
int pty_open(uint16_t rows, uint16_t cols, struct err *err);
/* Make the master's slave the controlling terminal and the standard streams of the caller, which
 * must be a session leader without one. */
int pty_adopt(int master, struct err *err);

#endif
