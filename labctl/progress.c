/* SPDX-License-Identifier: MIT */
/* See progress.h. */
#include "labctl/progress.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/arena.h"

#define BAR	 12 /* characters of a node's bar */
#define FRAME_MS 25 /* between two drawings */

struct line {
	const char *node, *phase;
	long long done, total;
};

struct progress {
	struct arena *arena;
	const char *done;
	bool live, colour;
	vec_of(struct line) lines;
	size_t shown;  /* lines on the screen */
	unsigned rows; /* of the terminal */
	int64_t drawn; /* when, in ms */
	bool stale;    /* something came after it */
};

bool use_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
	return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

struct progress *progress_new(const char *done)
{
	struct arena *a = arena_new();
	struct progress *p = arena_new_type(a, struct progress);
	struct winsize ws = {0};
	const char *term = getenv("TERM");
	p->arena = a;
	p->done = done;
	p->colour = use_colour();
	p->live = isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") != 0;
	if (p->live && ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0)
		p->rows = ws.ws_row;
	return p;
}

static void draw_line(const struct progress *p, const struct line *l)
{
	char bar[BAR + 1];
	long long full = l->total > 0 ? l->done * BAR / l->total : 0;
	for (int i = 0; i < BAR; i++)
		bar[i] = i < full ? '#' : '.';
	bar[BAR] = '\0';
	bool done = l->done >= l->total;
	const char *on = p->colour && done ? "\033[32m" : "",
		   *off = p->colour && done ? "\033[0m" : "";
	printf("\r\033[K  %-20s %s  %s%s%s\n", l->node, bar, on, done ? p->done : l->phase, off);
}

static size_t count_done(const struct progress *p)
{
	size_t n = 0;
	vec_foreach (struct line, l, &p->lines)
		n += l->done >= l->total;
	return n;
}

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Draw all lines over the old ones; one summing line where they would not fit. */
static void draw(struct progress *p)
{
	if (p->shown)
		printf("\033[%zuA", p->shown);
	if (p->rows && p->lines.n + 2 > p->rows) {
		printf("\r\033[J  %zu of %zu nodes %s\n", count_done(p), p->lines.n, p->done);
		p->shown = 1;
	} else {
		vec_foreach (struct line, l, &p->lines)
			draw_line(p, l);
		p->shown = p->lines.n;
	}
	fflush(stdout);
	p->drawn = now_ms();
	p->stale = false;
}

void progress_free(struct progress *p)
{
	if (p->live && p->stale)
		draw(p);
	arena_free(p->arena);
}

static struct line *line_of(struct progress *p, const char *node)
{
	vec_foreach (struct line, l, &p->lines) {
		if (strcmp(l->node, node) == 0)
			return l;
	}
	struct line *l = vec_push(p->arena, &p->lines);
	*l = (struct line){.node = arena_strdup(p->arena, node), .phase = "", .total = 1};
	return l;
}

/* Keep the screen's lines where they are and write one above them. */
static void note(struct progress *p, const char *text)
{
	if (p->shown)
		printf("\033[%zuA\033[J", p->shown);
	p->shown = 0;
	printf("%s\n", text);
	if (p->live && p->lines.n)
		draw(p);
}

void progress_take(const json_t *message, void *arg)
{
	struct progress *p = arg;
	const char *node = json_string_value(json_object_get(message, "node"));
	const char *phase = json_string_value(json_object_get(message, "phase"));
	const char *text = json_string_value(json_object_get(message, "text"));
	if (text)
		note(p, text);
	if (!node)
		return;
	struct line *l = line_of(p, node);
	bool was_done = l->done >= l->total;
	l->done = json_integer_value(json_object_get(message, "done"));
	l->total = json_integer_value(json_object_get(message, "total"));
	if (phase && strcmp(phase, l->phase) != 0)
		l->phase = arena_strdup(p->arena, phase);
	p->stale = true;
	if (!p->live && !was_done && l->done >= l->total)
		printf("%s %s\n", node, p->done);
	else if (p->live && now_ms() - p->drawn >= FRAME_MS)
		draw(p);
}
