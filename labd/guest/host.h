/* SPDX-License-Identifier: MIT */
/*
 * host: the guest engine's process on the host, `labd --engine=guest`. It boots a guest, accepts
 * clients on a unix socket like the host engine does, and passes each one's bytes to the labd
 * inside. It understands no call; of the protocol it knows the frame's header, to find the place
 * where it may say that the guest is dead.
 */
#ifndef GUEST_HOST_H
#define GUEST_HOST_H

#include "labd/guest/boot.h"
#include "lib/base/err.h"

struct guest_opts {
	int listen_fd;		 /* bound and listening; stays the caller's */
	const char *socket_path; /* its path, removed at the end, also when this process is killed;
				  * or NULL if somebody else removes it (socket activation) */
	const char *labd;	 /* program for the guest; NULL: /proc/self/exe */
	const char *const *helpers; /* as in struct boot_opts */
	const char *const *args;    /* as in struct boot_opts: what main gets behind --guest-init */
	unsigned mem_mib;	    /* 0: LABD_GUEST_MEM, else BOOT_MEM_DEFAULT */
	unsigned timeout_s; /* for booting; 0: LABD_GUEST_TIMEOUT, else BOOT_TIMEOUT_DEFAULT */
	void (*ready)(void *arg); /* the guest answers; or NULL */
	void *arg;
};

/*
 * Boot, relay, clean up. Returns when all is gone: 0 if the guest powered itself off (its labd had
 * nothing more to do) or on SIGTERM, SIGINT or SIGHUP, which it handles while it runs; else an
 * error whose text has the guest's last words. Clients connected then, or waiting for the boot,
 * have got the same as an error reply. LABD_GUEST_LOG names a file to which the guest's console is
 * appended. The caller must have no other children, and no threads.
 */
int guest_engine_run(const struct guest_opts *o, struct err *err);

#endif
