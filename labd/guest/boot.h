/* SPDX-License-Identifier: MIT */
/*
 * boot: start a User-Mode Linux kernel and make sure that nothing of it stays, whatever dies first.
 * Host side only. Not for what flows over its pipe (pump.c, host.c) nor for what runs inside
 *(init.c).
 *
 * Theory of operation. Five kinds of processes:
 *
 *	engine --- warden --- cell --- kernel --- kernel's children (one per guest address space,
 *ptraced)
 *
 * The warden is a fork of the engine. It starts the kernel, waits for it, then kills every child
 *left over (it is a subreaper, so orphans come to it), removes the private directory, and ends. It
 *is told to do so by the end of the "life" pipe, whose other end only the engine holds: closing it
 *on purpose and dying by SIGKILL are the same to it. If the warden itself is killed, the kernel
 *dies by its parent-death signal and the engine, a subreaper too, does the rest in boot_end(). The
 *cell is process 1 of a PID namespace, so that no process stays even if engine and warden are
 *killed at once; it is left out where an ordinary user may not have one. (Then only the directory,
 *a few files, stays.)
 *
 * A kernel started by root runs as an unprivileged user (PRIVDIR_UID), because root of the guest
 **is* the user who runs the kernel.
 */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include <stdbool.h>
#include <sys/types.h>

#include "labd/guest/privdir.h"
#include "lib/base/err.h"

#define BOOT_MEM_DEFAULT     512u /* MiB; LABD_GUEST_MEM */
#define BOOT_MEM_MIN	     128u
#define BOOT_MEM_MAX	     65536u
#define BOOT_TIMEOUT_DEFAULT 60u  /* seconds; LABD_GUEST_TIMEOUT */
#define BOOT_CMDLINE_MAX     3500 /* the kernel cuts at 4096 */

struct boot_opts {
	const char *labd;	    /* the program to be PID 1 inside; absolute */
	const char *const *helpers; /* absolute paths of further programs labd expects beside
				     * itself; NULL-terminated; or NULL */
	const char *const *args;    /* further arguments for labd inside; no white space; or NULL */
	const char *kernel;	    /* NULL: LABD_GUEST_KERNEL, else linux.uml in PATH */
	unsigned mem_mib;	    /* 0: LABD_GUEST_MEM, else the default */
	const char *socket_path;    /* removed at the very end if it is still the same; or NULL */
};

struct boot {
	pid_t warden;
	int warden_fd; /* pidfd: readable when all is over */
	int wire;      /* our end of the guest's console 1 */
	int log;       /* what kernel, init and warden print; non-blocking */
	int life;      /* closing it ends everything */
	int lock;      /* of dir */
	char dir[PRIVDIR_MAX];
};

#define BOOT_INIT                                                                                  \
	(struct boot)                                                                              \
	{                                                                                          \
		.warden = -1, .warden_fd = -1, .wire = -1, .log = -1, .life = -1, .lock = -1       \
	}

/* Could a guest be started here? 0, or ERR_UNSUPPORTED with what is missing and how to get it. */
int boot_possible(struct err *err);
/* Start a guest kernel. It returns at once; whether it comes up shows on b->wire. The caller calls
 * boot_end() if this returned 0. Makes the calling process a subreaper. */
int boot_start(const struct boot_opts *o, struct boot *b, struct err *err);
/* Kill what runs, wait until all is gone (processes, directory), close the descriptors but log.
 * True if the guest had powered itself off. */
bool boot_end(struct boot *b);
/* LABD_GUEST_TIMEOUT in seconds, or the default. */
unsigned boot_timeout(void);

#endif
