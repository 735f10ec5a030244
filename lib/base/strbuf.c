/* SPDX-License-Identifier: MIT */
/* See strbuf.h. */
#include "lib/base/strbuf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FORMAT_ROOM 128 /* at least; what is longer is formatted twice */

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	*b = STRBUF_INIT;
}

void strbuf_reset(struct strbuf *b)
{
	b->len = 0;
	if (b->s)
		b->s[0] = '\0';
}

const char *strbuf_str(const struct strbuf *b)
{
	return b->s ? b->s : "";
}

char *strbuf_reserve(struct strbuf *b, size_t n)
{
	if (n > SIZE_MAX / 4) {
		fputs("out of memory\n", stderr);
		abort();
	}
	if (b->cap - b->len < n + 1) {
		size_t cap = b->cap ? b->cap : 64;
		while (cap - b->len < n + 1)
			cap *= 2;
		char *s = realloc(b->s, cap);
		if (!s) {
			fputs("out of memory\n", stderr);
			abort();
		}
		b->s = s;
		b->cap = cap;
	}
	return b->s + b->len;
}

char *strbuf_take(struct strbuf *b)
{
	strbuf_reserve(b, 0);
	b->s[b->len] = '\0';
	char *s = b->s;
	*b = STRBUF_INIT;
	return s;
}

void strbuf_add(struct strbuf *b, const void *data, size_t len)
{
	char *p = strbuf_reserve(b, len);
	if (len)
		memcpy(p, data, len);
	b->len += len;
	b->s[b->len] = '\0';
}

void strbuf_addc(struct strbuf *b, char c)
{
	strbuf_add(b, &c, 1);
}

void strbuf_adds(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list ap2;
	va_copy(ap2, ap);
	char *at = strbuf_reserve(b, FORMAT_ROOM);
	size_t room = b->cap - b->len;
	int n = vsnprintf(at, room, fmt, ap2);
	va_end(ap2);
	if (n >= 0 && (size_t)n >= room)
		n = vsnprintf(strbuf_reserve(b, (size_t)n), (size_t)n + 1, fmt, ap);
	if (n > 0)
		b->len += (size_t)n;
	b->s[b->len] = '\0';
}

void strbuf_addf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(b, fmt, ap);
	va_end(ap);
}

void strbuf_consume(struct strbuf *b, size_t n)
{
	if (n > b->len)
		n = b->len;
	if (n == 0)
		return;
	memmove(b->s, b->s + n, b->len - n);
	b->len -= n;
	b->s[b->len] = '\0';
}

void strbuf_add_shell(struct strbuf *b, const char *s)
{
	static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789_-+=./:,@%";
	if (*s && strspn(s, safe) == strlen(s)) {
		strbuf_adds(b, s);
		return;
	}
	strbuf_addc(b, '\'');
	for (; *s; s++) {
		if (*s == '\'')
			strbuf_adds(b, "'\\''");
		else
			strbuf_addc(b, *s);
	}
	strbuf_addc(b, '\'');
}
