/* SPDX-License-Identifier: MIT */
/*
 * init: process 1 of a guest. It makes the guest habitable (mounts, modules, lo), runs labd's
 * server as its child, hands it the clients that come over the pipe, collects orphans, and powers
 * off. It stays apart from the server so that a server busy with the kernel doesn't stop other
 * clients' bytes, and so that one that crashes is started again like on a host. Not for anything
 * about labs.
 *
 * How main uses it:
 *
 *	labd --guest-init ...	  -> return guest_init_main(serve, arg);
 *	labd -q -- NAME (inside)  -> return guest_modprobe_main(argc, argv);
 *
 * serve() is labd's server. It gets one descriptor, which is to the server what a listening socket
 * is on a host: when it is readable, guest_accept() returns a connected stream socket and who is
 * there.
 */
#ifndef GUEST_INIT_H
#define GUEST_INIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What serve() is: run until SIGTERM or until nothing is to be done any more; its return value is
 * the exit code. 0 powers the guest off; anything else, or a crash, starts it again (as often as
 * guest_may_start() says), labs untouched. GUEST_STATE_DIR is there, empty at first. The
 * environment variable LABD_GUEST_OWNER is the uid of the user who runs the engine on the host.
 * SIGCHLD is not blocked, no signal is handled, standard streams are the guest's log, the program
 * is labd as booted (/proc/self/exe is right, helpers lie beside it).
 */
typedef int (*guest_serve_fn)(int clients_fd, void *arg);

/* One that can't start ends within milliseconds, and whoever kills it takes longer than a second.
 */
#define GUEST_STARTS	   10
#define GUEST_STARTS_USECS 10000000u
#define GUEST_STOP_SECS	   5 /* between SIGTERM and SIGKILL to the server when powering off */
#define GUEST_CONSOLE	   "/dev/tty1" /* the pipe; see boot.c, con1= */
#define GUEST_STATE_DIR	   "/run/labd"

/* Zero at first. */
struct guest_starts {
	uint64_t since; /* usec of CLOCK_MONOTONIC */
	unsigned n;
};
/* May the server be started once more at `now`? Counts it if so: GUEST_STARTS within
 * GUEST_STARTS_USECS, and as many again when those are over. One that ends at once for ever is
 * given up on; one that is killed now and then is not. */
bool guest_may_start(struct guest_starts *s, uint64_t now);

/* Process 1. Never returns in a guest; returns 1 with a message when called elsewhere. */
int guest_init_main(guest_serve_fn serve, void *arg);

/* The next client: a connected, non-blocking, close-on-exec stream socket owned by the caller, and
 * the uid and gid it has on the host. -EAGAIN when none waits; -EPIPE when init is gone. */
int guest_accept(int clients_fd, uid_t *uid, gid_t *gid);

/* Called by the guest's kernel as its modprobe: `labd -q -- NAME`. Exit code. Refuses when this
 * isn't a guest. */
int guest_modprobe_main(int argc, char **argv);
/* Is this kernel a guest's (/proc/cpuinfo says User Mode Linux)? Needs /proc. */
int guest_inside(void);

#endif
