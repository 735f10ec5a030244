/* SPDX-License-Identifier: MIT */
/* See err.h. */
#include "lib/base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 4, 0))) static int fill(struct err *err, int code, enum err_class cls,
						      const char *fmt, va_list ap)
{
	code = code < 0 ? code : -code;
	if (code == 0)
		code = -EINVAL;
	if (!err)
		return code;
	*err = (struct err){.code = code, .cls = cls};
	vsnprintf(err->text, sizeof(err->text), fmt, ap);
	return code;
}

int err_setc(struct err *err, int code, enum err_class cls, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	code = fill(err, code, cls, fmt, ap);
	va_end(ap);
	return code;
}

int err_set(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	code = fill(err, code, ERR_FAILED, fmt, ap);
	va_end(ap);
	return code;
}

int err_sys(struct err *err, int code, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	code = fill(err, code, ERR_FAILED, fmt, ap);
	va_end(ap);
	if (err) {
		size_t n = strlen(err->text);
		snprintf(err->text + n, sizeof(err->text) - n, ": %s", strerror(-code));
		if (code == -EPERM || code == -EACCES)
			err->cls = ERR_DENIED;
	}
	return code;
}

int err_wrap(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	char old[ERR_TEXT_MAX];
	memcpy(old, err->text, sizeof(old));
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(err->text, sizeof(err->text), fmt, ap);
	va_end(ap);
	if (n >= 0 && (size_t)n < sizeof(err->text))
		snprintf(err->text + n, sizeof(err->text) - (size_t)n, ": %.*s",
			 (int)(sizeof(err->text) - (size_t)n), old);
	return err->code;
}

int err_hint(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->hint, sizeof(err->hint), fmt, ap);
	va_end(ap);
	return err->code;
}

int err_path(struct err *err, const char *fmt, ...)
{
	if (!err)
		return -EINVAL;
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(err->path, sizeof(err->path), fmt, ap);
	va_end(ap);
	return err->code;
}

void err_print(const struct err *err, const char *prog)
{
	fprintf(stderr, "%s: %s%s%s\n", prog, err->path, err->path[0] ? ": " : "", err->text);
	if (err->hint[0])
		fprintf(stderr, "  hint: %s\n", err->hint);
}
