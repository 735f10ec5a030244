/* SPDX-License-Identifier: MIT */
/* console: see console.h. */
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "labd/guest/console.h"
#include "lib/base/cleanup.h"

#define SEPARATOR " / "

void console_open(struct console *c, const char *copy_path)
{
	c->len = 0;
	c->copy = copy_path && *copy_path ? fopen(copy_path, "ae") : NULL;
}

void console_close(struct console *c)
{
	if (c->copy)
		fclose(c->copy);
	c->copy = NULL;
}

int console_read(struct console *c, int fd)
{
	char buf[2048];
	ssize_t n = fd < 0 ? 0 : read(fd, buf, sizeof(buf));
	size_t drop;

	if (n <= 0)
		return n < 0 ? -errno : 0;
	drop = c->len + (size_t)n > CONSOLE_KEEP ? c->len + (size_t)n - CONSOLE_KEEP : 0;
	memmove(c->text, c->text + drop, c->len - drop);
	memcpy(c->text + c->len - drop, buf, (size_t)n);
	c->len += (size_t)n - drop;
	if (c->copy) {
		fwrite(buf, 1, (size_t)n, c->copy);
		fflush(c->copy);
	}
	return (int)n;
}

/* Lines every boot or every panic has; they explain nothing. */
static bool is_noise(const char *line, size_t len)
{
	static const char *const noise[] = {
		"Core dump limits", "Checking ", "SELinux:",
		"Adding ",	    "Stack:",	 "mmapper_init",
		"Call Trace:",	    "CPU: ",	 "reboot: System halted"};

	for (size_t i = 0; i < ARRAY_SIZE(noise); i++) {
		if (strlen(noise[i]) <= len && memcmp(line, noise[i], strlen(noise[i])) == 0)
			return true;
	}
	return len == 0 || (unsigned char)line[0] <= ' ';
}

struct line {
	size_t at, len;
};

/* The last lines worth telling, latest first; returns how many. */
static size_t pick_lines(const struct console *c, struct line lines[CONSOLE_LINES])
{
	size_t room = CONSOLE_WORDS_MAX - 1;
	size_t end = c->len, n = 0;

	while (end > 0 && n < CONSOLE_LINES) {
		size_t stop = c->text[end - 1] == '\n' ? end - 1 : end;
		size_t at = stop;

		while (at > 0 && c->text[at - 1] != '\n')
			at--;
		end = at;
		if (is_noise(c->text + at, stop - at))
			continue;
		if (stop - at + strlen(SEPARATOR) > room)
			break;
		room -= stop - at + strlen(SEPARATOR);
		lines[n++] = (struct line){at, stop - at};
	}
	return n;
}

void console_words(const struct console *c, char words[CONSOLE_WORDS_MAX])
{
	struct line lines[CONSOLE_LINES];
	size_t n = pick_lines(c, lines);
	size_t out = 0;

	while (n-- > 0) {
		const char *p = c->text + lines[n].at;

		for (size_t i = 0; i < lines[n].len; i++) {
			if ((unsigned char)p[i] >= ' ' && p[i] != 127)
				words[out++] = p[i];
		}
		if (n) {
			memcpy(words + out, SEPARATOR, strlen(SEPARATOR));
			out += strlen(SEPARATOR);
		}
	}
	words[out] = '\0';
}
