/* SPDX-License-Identifier: MIT */
/*
 * server: the daemon's main process: it accepts clients and forks a session for each, and ends when
 * told or idle. It holds no lab in memory: sessions read and write the store, so that a session
 * that crashes takes nothing with it, and a daemon that is killed is replaced by the next.
 */
#ifndef LABD_SERVER_H
#define LABD_SERVER_H

#include <stdbool.h>
#include <sys/types.h>
#include <time.h>

#include "labd/kernel/probe.h"
#include "labd/lab/store.h"

/* The next client of fd: a connected descriptor and who it is; -EAGAIN when none waits, other
 * negative errno when there will be no more. */
typedef int (*accept_fn)(int fd, uid_t *uid, gid_t *gid);

struct server {
	struct engine engine;
	struct probe probe;
	int listen_fd;
	accept_fn accept;
	const char *socket_path; /* removed at the end, or NULL */
	unsigned idle_exit;	 /* seconds without a lab after which it ends; 0 never */
	bool load_modules;
	time_t started;
	int ctl[2]; /* sessions write what concerns the main process: struct server_msg */
};

struct server_msg {
	enum { SERVER_STOP, SERVER_IDLE_EXIT } what;
	unsigned value; /* STOP: the session that asks; IDLE_EXIT: seconds */
};

/* accept(2) on a listening unix socket, refusing whom SO_PEERCRED shows to be neither root, nor the
 * daemon's own user, nor in group labd. An accept_fn. */
int server_accept_unix(int fd, uid_t *uid, gid_t *gid);

/* Bind and listen on a unix socket, 0660 root:labd (the group where it exists). A dead daemon's
 * socket is replaced; a living one's is -EADDRINUSE. Returns the descriptor. */
int server_listen(const char *path, struct err *err);

/* Recover the labs, then serve until SIGTERM, a stop call or idleness. Returns the exit code. */
int server_run(struct server *s, struct err *err);

#endif
