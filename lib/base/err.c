/* SPDX-License-Identifier: MIT */
/* See err.h. */
#include "lib/base/err.h"

#include <errno.h>
#include <stdbool.h>
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

/* What others said may be in it, root of a pod for one: no control character is shown. */
static void print_safe(const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s, next = (unsigned char)s[1];
		bool c1 = c == 0xc2 && next >= 0x80 && next < 0xa0;
		fputc((c < ' ' && c != '\n' && c != '\t') || c == 0x7f || c1 ? '?' : c, stderr);
		s += c1;
	}
}

void err_print(const struct err *err, const char *prog)
{
	char text[sizeof(*err) + 32];
	snprintf(text, sizeof(text), "%s: %s%s%s\n%s%s%s", prog, err->path,
		 err->path[0] ? ": " : "", err->text, err->hint[0] ? "  hint: " : "", err->hint,
		 err->hint[0] ? "\n" : "");
	print_safe(text);
}
