/* SPDX-License-Identifier: MIT */
/* See fault.h. */
#include "labd/lab/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static long wanted(const char *name)
{
	const char *s = getenv(name);
	return s ? strtol(s, NULL, 10) : 0;
}

int crash_point(const char *where, struct err *err)
{
	static long passed;
	passed++;
	long slow = wanted("LABD_SLOW_MS");
	if (slow > 0) /* even a sleep of nothing gives the processor away */
		usleep((useconds_t)slow * 1000);
	if (passed == wanted("LABD_CRASH_AT"))
		kill(getpid(), SIGKILL);
	if (passed == wanted("LABD_FAIL_AT"))
		return err_sys(err, ENOMEM, "injected after step \"%s\"", where);
	return 0;
}
