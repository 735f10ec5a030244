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

#define BAR	 12   /* characters of a node's bar */
#define FRAME_MS 25   /* between two drawings */
#define QUICK_MS 400  /* what is done by then needs no numbers */
#define PLAIN_MS 2000 /* between two lines that stay */

struct line {
	const char *node, *phase;
	long long done, total;
};

/* The step that the whole call is at (docs/PROTOCOL.md). */
struct step {
	char name[32];
	long long done, total;
	double part;	 /* of the whole call */
	int64_t begun;	 /* when, in ms; 0: there was none */
	int64_t printed; /* likewise, where lines stay */
};

struct progress {
	struct step step;
	int64_t begun;
	struct arena *arena;
	const char *done;
	bool live, colour;
	vec_of(struct line) lines;
	size_t shown;  /* lines on the screen */
	unsigned rows; /* of the terminal */
	int64_t drawn; /* when, in ms */
	bool stale;    /* something came after it */
};

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

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
	p->begun = now_ms();
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

/* "1.4 s", "2 min 5 s": rounded, for it is a guess. */
static void duration_text(double s, char *buf, size_t size)
{
	if (s < 10)
		snprintf(buf, size, "%.1f s", s);
	else if (s < 90)
		snprintf(buf, size, "%.0f s", s);
	else
		snprintf(buf, size, "%d min %d s", (int)s / 60, (int)s % 60);
}

/* "namespaces 312 of 512, 480/s, 1.2 s left"; "" as long as there is nothing to say. */
static void step_text(const struct progress *p, char *buf, size_t size)
{
	const struct step *s = &p->step;
	int64_t now = now_ms();
	double in_step = (double)(now - s->begun) / 1000, in_all = (double)(now - p->begun) / 1000;
	char left[32];
	int n = 0;
	buf[0] = '\0';
	if (!s->begun || now - p->begun < QUICK_MS)
		return;
	if (s->total > 1)
		n = snprintf(buf, size, "%s %lld of %lld", s->name, s->done, s->total);
	else
		n = snprintf(buf, size, "%s", s->name);
	if (s->total > 1 && s->done > 0 && in_step > 0)
		n += snprintf(buf + n, size - (size_t)n, ", %.0f/s", (double)s->done / in_step);
	double rest = s->part > 0.02 ? in_all / s->part * (1 - s->part) : 0;
	if (rest >= 0.1) {
		duration_text(rest, left, sizeof(left));
		snprintf(buf + n, size - (size_t)n, ", %s left", left);
	}
}

/* Draw all lines over the old ones; one summing line where they would not fit. */
static void draw(struct progress *p)
{
	if (p->shown)
		printf("\033[%zuA", p->shown);
	if (p->rows && p->lines.n + 3 > p->rows) {
		printf("\r\033[J  %zu of %zu nodes %s\n", count_done(p), p->lines.n, p->done);
		p->shown = 1;
	} else {
		vec_foreach (struct line, l, &p->lines)
			draw_line(p, l);
		p->shown = p->lines.n;
	}
	char text[160];
	step_text(p, text, sizeof(text));
	if (text[0]) {
		printf("\r\033[K  %s\n", text);
		p->shown++;
	}
	fputs("\033[J", stdout); /* what was longer before */
	fflush(stdout);
	p->drawn = now_ms();
	p->stale = false;
}

void progress_free(struct progress *p)
{
	p->step.begun = 0; /* over: the lines of nodes stay, the numbers go */
	if (p->live && (p->stale || p->shown))
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

void progress_step(struct progress *p, const char *name, long long done, long long total,
		   double part)
{
	struct step *s = &p->step;
	int64_t now = now_ms();
	if (!s->begun || strcmp(s->name, name) != 0) {
		snprintf(s->name, sizeof(s->name), "%s", name);
		s->begun = now;
	}
	s->done = done;
	s->total = total;
	s->part = part;
	p->stale = true;
	if (p->live && now - p->drawn >= FRAME_MS)
		draw(p);
	if (p->live || now - p->begun < PLAIN_MS || now - s->printed < PLAIN_MS)
		return;
	char text[160];
	step_text(p, text, sizeof(text));
	s->printed = now;
	fprintf(stderr, "%s\n", text);
}

void progress_take(const json_t *message, void *arg)
{
	struct progress *p = arg;
	const char *step = json_string_value(json_object_get(message, "step"));
	const char *node = json_string_value(json_object_get(message, "node"));
	const char *phase = json_string_value(json_object_get(message, "phase"));
	const char *text = json_string_value(json_object_get(message, "text"));
	if (text)
		note(p, text);
	if (step)
		progress_step(p, step, json_integer_value(json_object_get(message, "done")),
			      json_integer_value(json_object_get(message, "total")),
			      json_real_value(json_object_get(message, "part")));
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
