/* SPDX-License-Identifier: MIT */
/*
 * cleanup: scope-bound ownership (the third of our three lifetimes, beside arena and owner tree).
 *
 *	_free_ char *line = NULL;          freed when the scope ends
 *	_close_ int fd = open(...);        closed when the scope ends, if >= 0
 *	return take_fd(&fd);               hand it over: fd becomes -1
 */
#ifndef BASE_CLEANUP_H
#define BASE_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_close(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _free_	      _cleanup_(cleanup_free)
#define _close_	      _cleanup_(cleanup_close)
#define _fclose_      _cleanup_(cleanup_fclose)

/* Hand a descriptor over to the caller. */
static inline int take_fd(int *fd)
{
	int r = *fd;
	*fd = -1;
	return r;
}

/* Hand a pointer over to the caller. */
#define take_ptr(p)                                                                                \
	({                                                                                         \
		__typeof__(p) _t = (p);                                                            \
		(p) = NULL;                                                                        \
		_t;                                                                                \
	})

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
