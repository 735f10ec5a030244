/* SPDX-License-Identifier: MIT */
/*
 * fault: fault injection by step number, off by default. With LABD_CRASH_AT=K in the daemon's
 * environment the K-th crash point that a session passes ends the session's process at once
 * (SIGKILL, as a crash would); with LABD_FAIL_AT=K it fails with ENOMEM instead. Tests count K up
 * until nothing happens any more.
 */
#ifndef LAB_FAULT_H
#define LAB_FAULT_H

#include "lib/base/err.h"

/* Pass a crash point; `where` names it in the error text. 0, or -ENOMEM by injection. */
int crash_point(const char *where, struct err *err);

#endif
