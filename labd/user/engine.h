/* SPDX-License-Identifier: MIT */
/*
 * engine: the engine "user": labd on the machine's own kernel without root.
 *
 * Theory of operation. The kernel lets an ordinary user make a user namespace in which he is root,
 * and whatever network namespace is made in there is his. So everything happens in one such room:
 *
 *	labd --engine=user   outside: listens, writes the id maps, passes signals on, cleans up
 *	  process 1          of the room (user, mount, PID, network, IPC, UTS namespace): reaps, and
 *	                     starts the server again when it crashes
 *	    labd's server    as on any other engine; its state is in the room's private /run
 *
 * When process 1 ends the kernel ends all that is in the room, and it ends with the process
 * outside, killed or not. So nothing can stay behind, and labs do not outlive their engine.
 *
 * Not for what a lab is or does; that the rooms labd/lab and labd/kernel notice where they are is
 * their own affair (labd/kernel/rootless.h).
 */
#ifndef USER_ENGINE_H
#define USER_ENGINE_H

#include "lib/base/err.h"

/* Where the server inside keeps its state. */
#define USER_STATE_DIR "/run/labd"

struct user_engine {
	int listen_fd;
	const char *socket_path;      /* removed at the end */
	int (*serve)(int fd, void *); /* in the room: serves the socket; returns an exit code */
	void (*ready)(void *);	      /* outside, when the room stands */
	void *arg;
};

/* Make the room and stay until it ends. Returns the exit code of its server, or a negative errno;
 * class unsupported when this machine lets no ordinary user make namespaces, with what to do. */
int user_engine_run(const struct user_engine *u, struct err *err);

#endif
