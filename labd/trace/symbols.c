/* SPDX-License-Identifier: MIT */
/* See symbols.h. */
#include "labd/trace/symbols.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define READ_SIZE (1u << 20)

static int list = -1;

void symbols_open(void)
{
	if (list < 0)
		list = open("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
}

struct search {
	uint64_t addr, best_at;
	char best[128];
};

/* "ffffffff81000000 T _stext\n", or with "\t[module]" behind. */
static void look_at(struct search *x, const char *line)
{
	char *end;
	uint64_t at = strtoull(line, &end, 16);
	if (at > x->addr || at < x->best_at || at == 0 || strlen(end) < 4)
		return;
	x->best_at = at;
	snprintf(x->best, sizeof(x->best), "%.*s", (int)strcspn(end + 3, " \t\n"), end + 3);
}

/* The whole lines of the buffer; returns how many bytes of a line that is not whole are left, moved
 * to its start. */
static size_t look_at_lines(struct search *x, char *buffer, size_t n)
{
	char *line = buffer, *end;
	buffer[n] = '\0';
	for (; (end = strchr(line, '\n')); line = end + 1) {
		*end = '\0';
		look_at(x, line);
	}
	n -= (size_t)(line - buffer);
	memmove(buffer, line, n);
	return n;
}

const char *symbols_find(struct arena *a, uint64_t addr)
{
	static char buffer[READ_SIZE + 1];
	struct search x = {.addr = addr};
	size_t kept = 0;
	off_t at = 0;
	/* By pread(): other sessions have the same open file. */
	for (ssize_t n;
	     kept < READ_SIZE && (n = pread(list, buffer + kept, READ_SIZE - kept, at)) > 0;) {
		at += n;
		kept = look_at_lines(&x, buffer, kept + (size_t)n);
	}
	return x.best[0] ? arena_strdup(a, x.best) : NULL;
}
