/* SPDX-License-Identifier: MIT */
/*
 * xt_tool: running one of the machine's network programs (iptables-restore, ipset) in a network
 * namespace, with the host's file system, our text on its stdin and its stderr kept for the error.
 * Not for programs of pods and users (proc.h).
 */
#ifndef KERNEL_XT_TOOL_H
#define KERNEL_XT_TOOL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/base/err.h"

#define TOOL_STDERR_MAX 4096 /* bytes of its stderr that are kept */
#define TOOL_TIMEOUT_MS 60000

struct tool {
	pid_t pid; /* 0: not running */
	int errfd; /* a memory file with its stderr */
};

/* Where a program is (in the system's directories, whatever PATH says); false: not installed. */
bool tool_find(const char *name, char *buf, size_t size);

/* Start argv (argv[0] a bare name) in the calling thread's network namespace. env is added to a
 * fixed PATH and C locale; may be NULL. Finish with tool_wait(). */
int tool_start(struct tool *t, const char *const *argv, const char *env, const char *input,
	       size_t len, struct err *err);
/* Wait for its end. 0; 1 when it failed, with its stderr in text (size bytes); negative errno and
 * err for anything else (killed after TOOL_TIMEOUT_MS). */
int tool_wait(struct tool *t, char *text, size_t size, struct err *err);

#endif
