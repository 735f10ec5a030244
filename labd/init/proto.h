/* SPDX-License-Identifier: MIT */
/*
 * proto: what labd and labd-init say to each other; host byte order, both are one build.
 *
 * labd-init starts with these descriptors and no other:
 *
 *	INIT_FD_RELEASE	     one byte lets it go on; the end of the pipe ends it
 *	INIT_FD_CMD	     commands; its write end is open beside it, so that it never ends and
 *			     so that any later labd finds it as /proc/PID/fd/INIT_FD_CMD_WRITE
 *	INIT_FD_STATUS	     answers, the same way round: labd opens the read end
 *	INIT_FD_EVENT_WRITE  events: a uint32_t each, see below. One pipe for a node and its pods
 *	INIT_FD_EVENT	     its read end, which only a node has, for labd to open
 *
 * What releases it is a struct init_release. An event says that there is something to look at: with
 * the id of the release, that one of this process's programs has ended or started again, which
 * stands in INIT_PROGRAMS (state.c); with 0, that a pod's first process has died. Nobody waits for
 *a reader: what does not fit is lost, for a labd that starts looks at everything anyway.
 *
 * A command is a struct init_head, then `count` programs; a string is a uint32_t length, the bytes
 * and a NUL that the length does not count:
 *
 *	uint32_t flags; string name; uint32_t argc; string argv[argc]; uint32_t envc; string
 *env[envc]
 *
 * All of the environment is given; PATH in it is where argv[0] is looked for. A program that runs
 * under that name with the same bytes is left alone; with others it is ended first. The answer is a
 * struct init_head with the command's seq, count the number of programs that did not start, and len
 * bytes of text that says which and why, one line each.
 *
 * Whoever is root inside can write to these pipes too. That gains them nothing: what labd-init
 * starts has their own powers. labd takes answers as the untrusted bytes they are.
 */
#ifndef INIT_PROTO_H
#define INIT_PROTO_H

#include <stdint.h>

enum {
	INIT_FD_RELEASE = 3,
	INIT_FD_CMD,
	INIT_FD_CMD_WRITE,
	INIT_FD_STATUS,
	INIT_FD_STATUS_WRITE,
	INIT_FD_EVENT,
	INIT_FD_EVENT_WRITE,
};

#define INIT_PROGRAMS "/run/log/programs"
#define INIT_SELF     "/opt/labd/labd-init" /* where labd-init is, as seen from inside */
#define INIT_MAGIC    0x6c616264u
#define INIT_MAX_CMD  (1024u * 1024u)
#define INIT_MAX_ANSWER                                                                            \
	2048u		   /* with its head less than PIPE_BUF: written at once or not at all      \
			    */
#define INIT_MAX_PROGS 64u /* of one namespace */

enum {
	INIT_RESTART = 1,	    /* start again when it ends */
	INIT_RESTART_ON_FAILURE = 2 /* only if not with 0 */
};

struct init_release {
	uint32_t id; /* for events; not 0 */
};

struct init_head {
	uint32_t magic, seq, count, len; /* len: bytes that follow */
};

#endif
