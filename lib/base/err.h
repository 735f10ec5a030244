/* SPDX-License-Identifier: MIT */
/*
 * err: how a failure travels.
 *
 * A function that can fail returns 0 (or a count) or a negative errno, and takes a `struct err *`
 * as its last parameter. On success *err is untouched; on failure it is filled. The struct has a
 * fixed size, lives on the caller's stack and needs no freeing. A NULL err is allowed everywhere:
 * the caller then wants only the number.
 *
 * One wrap per layer: err_set() where the failure arises, err_wrap() at most once per room on the
 * way up, so that the line a user reads has one clause per layer and no stack of wrappers.
 *
 * Not for asserting our own bugs (use assert) and not for printing (see err_print()).
 */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include <stdarg.h>
#include <stddef.h>

#define ERR_TEXT_MAX 1024
#define ERR_PATH_MAX 256
#define ERR_HINT_MAX 512

/* Exit codes of the command line (docs/man/labctl.1) and the `code` member of an error reply. */
enum err_class {
	ERR_FAILED = 1,	    /* it was tried and did not work */
	ERR_USAGE = 2,	    /* the call is wrong: flags, a lab file with faults */
	ERR_NOT_FOUND = 3,  /* no such lab or object */
	ERR_DIFFERS = 4,    /* a check found a difference */
	ERR_DENIED = 5,	    /* not permitted */
	ERR_UNSUPPORTED = 6 /* the kernel or machine lacks something; doctor tells */
};

struct err {
	int code;		 /* negative errno */
	enum err_class cls;	 /* what the exit code says */
	char path[ERR_PATH_MAX]; /* the object concerned ("Pod default/busybox1: status.podIP"), or
				    "" */
	char text[ERR_TEXT_MAX]; /* what was tried and what the kernel said; one line, no final stop
				  */
	char hint[ERR_HINT_MAX]; /* what to do about it, or "" */
};

/* Fill *err: errno code (negative or positive, stored negative), class, text. Returns -|code|. */
int err_setc(struct err *err, int code, enum err_class cls, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* The same with class ERR_FAILED. Does not append strerror; see err_sys(). */
int err_set(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* "TEXT: strerror(code)". EPERM and EACCES get class ERR_DENIED, all else ERR_FAILED. */
int err_sys(struct err *err, int code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* Put "TEXT: " before the text. Returns err->code (or -EINVAL if err is NULL). */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Set the hint. Returns err->code, so that `return err_hint(...)` works. */
int err_hint(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Set the object path. Returns err->code. */
int err_path(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Print "PROG: PATH: TEXT\n  hint: HINT\n" to stderr, leaving out what is empty. */
void err_print(const struct err *err, const char *prog);

#endif
