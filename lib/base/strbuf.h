/* SPDX-License-Identifier: MIT */
/*
 * strbuf: a growing text (or byte) buffer on the heap. Always NUL-terminated. Start from
 * STRBUF_INIT; strbuf_free() at the end (or _strbuf_). Running out of memory ends the process.
 */
#ifndef BASE_STRBUF_H
#define BASE_STRBUF_H

#include <stdarg.h>
#include <stddef.h>

struct strbuf {
	char *s; /* never NULL after the first append; use strbuf_str() */
	size_t len, cap;
};

#define STRBUF_INIT                                                                                \
	(struct strbuf)                                                                            \
	{                                                                                          \
		NULL, 0, 0                                                                         \
	}
#define _strbuf_ __attribute__((cleanup(strbuf_free)))

void strbuf_free(struct strbuf *b);
/* Empty it, keep the memory. */
void strbuf_reset(struct strbuf *b);
/* The text; "" when empty. Owned by the buffer. */
const char *strbuf_str(const struct strbuf *b);
/* Hand the text over (malloc'ed, never NULL); the buffer becomes empty. */
char *strbuf_take(struct strbuf *b);
void strbuf_add(struct strbuf *b, const void *data, size_t len);
void strbuf_addc(struct strbuf *b, char c);
void strbuf_adds(struct strbuf *b, const char *s);
void strbuf_addf(struct strbuf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf_vaddf(struct strbuf *b, const char *fmt, va_list ap)
	__attribute__((format(printf, 2, 0)));
/* Room for at least n more bytes behind the text; returns where they start. */
char *strbuf_reserve(struct strbuf *b, size_t n);
/* Drop the first n bytes (n <= len). */
void strbuf_consume(struct strbuf *b, size_t n);
/* Append s quoted for a POSIX shell: as it is when safe, else in single quotes. */
void strbuf_add_shell(struct strbuf *b, const char *s);

#endif
