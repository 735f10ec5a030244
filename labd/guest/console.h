/* SPDX-License-Identifier: MIT */
/*
 * console: what a guest's kernel, init and server print: the end of it is kept, to be told when the
 * guest dies. Not for the pipe that carries the clients.
 */
#ifndef GUEST_CONSOLE_H
#define GUEST_CONSOLE_H

#include <stddef.h>
#include <stdio.h>

#define CONSOLE_KEEP	  8192 /* bytes */
#define CONSOLE_LINES	  6    /* of which so many last lines are told */
#define CONSOLE_WORDS_MAX 700

struct console {
	char text[CONSOLE_KEEP];
	size_t len;
	FILE *copy; /* NULL: none */
};

/* copy_path may be NULL; a file that can't be opened is passed over. */
void console_open(struct console *c, const char *copy_path);
void console_close(struct console *c);
/* Read once from fd, non-blocking. Bytes read; 0 at the end; negative errno. */
int console_read(struct console *c, int fd);
/* The last lines on one line, " / " between them, without control characters. "" if nothing came.
 */
void console_words(const struct console *c, char words[CONSOLE_WORDS_MAX]);

#endif
