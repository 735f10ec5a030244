/* SPDX-License-Identifier: MIT */
/*
 * init: labd-init, one small static program with two jobs. As the first process of a node or pod
 * ("init", "/pause") it collects orphans and keeps the namespace's programs running; called agnhost
 * it is a stand-in for Kubernetes' test image of that name, called kube-proxy for the relay of that
 * program's userspace mode. It knows nothing of labs.
 */
#ifndef INIT_INIT_H
#define INIT_INIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "labd/init/proto.h"

/* --- programs.c ------------------------------------------------------------------------------ */

/* Carry out a command's `count` programs. Text on those that did not start goes to text; returns
 * how many, or -1 for bytes that make no sense. */
int programs_start(const char *data, size_t len, uint32_t count, char *text, size_t size);
/* A child ended, with that exit code (128 and the signal's number); false: it was no program. */
bool programs_ended(pid_t pid, int code);
/* Start what is due again. Returns milliseconds until the next is due, -1 for never. */
int programs_due(void);
/* Is something told that was not when this was called last? Not of an end that another start
 * follows at once. */
bool programs_news(void);
/* For poll(): the log pipes; at most max. And what came of it. */
struct pollfd;
size_t programs_poll(struct pollfd *p, size_t max);
void programs_log(int fd);
/* SIGTERM to all, SIGKILL to what is left after a while. */
void programs_stop(void);

/* --- log.c ----------------------------------------------------------------------------------- */

/* A program's output, kept in /run/log/NAME.log; when that is half of the bound it becomes
 * NAME.log.1 in place of the one before. */
struct progfile {
	int fd;
	uint64_t size;
};
void progfile_open(struct progfile *f, const char *name);
void progfile_write(struct progfile *f, const char *name, const char *data, size_t len);

/* --- state.c --------------------------------------------------------------------------------- */

/* What is told of a program. */
struct progstate {
	const char *name;
	bool running;
	unsigned restarts;
	int64_t started; /* the present or last time it was; seconds since 1970, as all times here
			  */
	int64_t ended;	 /* 0: never yet; the three that follow are of that end */
	int64_t ended_started;
	int code;
	int wait; /* seconds between that and its next start; -1: there will be none */
};
/* INIT_PROGRAMS written anew. Until the first program has ended there is none. */
void progstate_write(const struct progstate *v, size_t n);

/* --- agnhost*.c ------------------------------------------------------------------------------ */

int agnhost_main(int argc, char **argv);

/* --- relay*.c, health*.c: kube-proxy: health checks (health.h), in userspace mode the relay
 * (relay.h)
 */

int relay_main(int argc, char **argv);

#endif
