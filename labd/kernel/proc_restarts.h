/* SPDX-License-Identifier: MIT */
/* proc_restarts: how often a namespace's first process has started one of its programs again, which
 * it keeps beside the program's log (labd/init/log.c). */
#ifndef KERNEL_PROC_RESTARTS_H
#define KERNEL_PROC_RESTARTS_H

#include <sys/types.h>
#include <time.h>

/* 0 when it never was, or pid (the first process) is gone. last: when it was the last time. What is
 * read belongs to the pod, which may write anything there: only a number is taken, and no link is
 * followed. */
unsigned proc_restarts(pid_t pid, const char *program, time_t *last);

#endif
