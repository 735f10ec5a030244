/* SPDX-License-Identifier: MIT */
/*
 * privdir: a guest's private directory on the host: where it lives, what is in it, and who may read
 * it.
 *
 *	BASE/labd-guest-XXXXXX/	     BASE: $TMPDIR, /dev/shm, ...: exec-able, tmpfs if possible
 *		bin/labd	     a symbolic link, or a copy if the kernel's user can't read labd
 *		run/		     the kernel's own: TMPDIR (memory file, unlinked at once),
 *				     uml_dir
 *
 * It is locked (flock) by the engine and the warden before it gets its name; one that nobody locks
 * was left by a crash, and the next start of an engine of the same user removes it.
 */
#ifndef GUEST_PRIVDIR_H
#define GUEST_PRIVDIR_H

#include "lib/base/err.h"

#define PRIVDIR_MAX 96	  /* its path, with the NUL */
#define PRIVDIR_UID 65534 /* nobody: who runs the kernel when root starts it */

struct privdir_programs {
	const char *labd;	    /* absolute */
	const char *const *helpers; /* absolute, NULL-terminated; or NULL */
};

/* Where it can live: the first of the usual places that is exec-able and has mib MiB free. NULL
 * with an error of class ERR_UNSUPPORTED if there is none. */
const char *privdir_base(unsigned mib, struct err *err);
/* Make it below base, for a kernel run by PRIVDIR_UID if we are root, else by ourselves. dir is its
 * path, or "" if none was made; *lock a descriptor that keeps it locked. Removes stale ones first.
 */
int privdir_make(const char *base, const struct privdir_programs *progs, char dir[PRIVDIR_MAX],
		 int *lock, struct err *err);
/* Give up root for good: PRIVDIR_UID, no groups. 0 or a negative errno. */
int privdir_become_nobody(void);

#endif
