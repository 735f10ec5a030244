/* SPDX-License-Identifier: MIT */
/*
 * proc_programs: how the programs of a namespace are, as its first process writes it down
 * (labd/init/state.c). It lies in the pod, which may write anything there: it is read as such, and
 * says something of that pod alone.
 */
#ifndef KERNEL_PROC_PROGRAMS_H
#define KERNEL_PROC_PROGRAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/limits.h"

#define PROC_PROGRAMS_MAX 64 /* of one namespace */

enum program_state {
	PROGRAM_RUNNING,
	PROGRAM_WAITING, /* it has ended and will be started again */
	PROGRAM_ENDED	 /* and will not */
};

struct program_status {
	char name[MAX_NAME + 1];
	enum program_state state;
	unsigned restarts;
	int64_t started; /* seconds since 1970, as all times here */
	int64_t ended;	 /* 0: never yet */
	int64_t ended_started;
	int code; /* of that end: an exit code, or 128 and the number of a signal */
	int wait; /* PROGRAM_WAITING: seconds from that end to its next start */
};

/* Of the namespace whose first process is pid; at most max. 0: no program has ever ended there, or
 * nothing can be read. */
size_t proc_programs(pid_t pid, struct program_status *v, size_t max);

/* What is read, line by line; a line that makes no sense is passed over. Pure. */
size_t proc_programs_parse(const char *text, struct program_status *v, size_t max);

#endif
