/* SPDX-License-Identifier: MIT */
/*
 * print: faults as a compiler prints them: file:line:col, the line, the words underlined. All
 * places are sorted first, so that one walk through each text finds them all.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/yaml/internal.h"
#include "lib/yaml/text.h"
#include "lib/yaml/yaml.h"

#define PAGE_WIDTH 100
#define TAB_WIDTH  8
#define NO_SOURCE  UINT32_MAX
/* Bytes of a line looked at on either side of the place: more than the page can show. */
#define LOOK_BACK  600
#define LOOK_AHEAD 1200

struct shown {
	uint32_t source; /* NO_SOURCE: the lab as a whole */
	bool placed;
	struct place where;
	unsigned seq; /* order of finding */
	const char *object, *path, *text, *hint;
	const struct fault *fault; /* of an object; NULL: of syntax */
	bool note;
};

struct style {
	const char *bold, *mark, *off;
};

/* The visible part of a line, tabs expanded, and where its carets go. All in columns. */
struct excerpt {
	const char *s; /* the bytes looked at */
	size_t len;
	bool more_before, more_after; /* the line is longer than these */
	unsigned width;		      /* of s */
	unsigned mark, mark_end;      /* underlined */
};

static int by_place(const void *pa, const void *pb)
{
	const struct shown *a = pa, *b = pb;
	uint64_t ka[] = {a->source, a->placed, a->where.line, a->where.col, a->seq};
	uint64_t kb[] = {b->source, b->placed, b->where.line, b->where.col, b->seq};
	for (size_t i = 0; i < sizeof(ka) / sizeof(*ka); i++) {
		if (ka[i] != kb[i])
			return ka[i] < kb[i] ? -1 : 1;
	}
	return 0;
}

/* The place of a path, also inside of a configuration that is a text in a ConfigMap. */
static struct place find_place(const struct yaml_files *f, const struct document *doc,
			       const char *path, enum fault_at at)
{
	struct scalar_path into;
	struct place place = places_find(&f->places, doc->root, path, at, &into);
	if (into.scalar)
		inner_find(&f->sources.v[doc->source].text, into.scalar, into.rest, at, &place);
	return place;
}

static struct shown show_fault(const struct yaml_files *f, const struct fault *t, size_t seq)
{
	const struct document *doc =
		t->doc >= 0 && (size_t)t->doc < f->docs.n ? &f->docs.v[t->doc] : NULL;
	struct shown s = {.source = doc ? doc->source : NO_SOURCE,
			  .placed = doc != NULL,
			  .seq = (unsigned)seq,
			  .object = t->object,
			  .path = t->path,
			  .text = t->text,
			  .hint = t->hint,
			  .fault = t};
	if (doc)
		s.where = find_place(f, doc, t->path, t->at);
	return s;
}

static size_t collect(const struct yaml_files *f, const struct faults *faults, struct shown *out)
{
	size_t n = 0;
	vec_foreach (struct syntax_fault, s, &f->faults) {
		out[n] = (struct shown){.source = s->source,
					.placed = s->placed,
					.where = s->where,
					.seq = (unsigned)n,
					.object = "",
					.path = "",
					.text = s->text,
					.hint = s->hint};
		n++;
	}
	for (size_t i = 0; faults && i < faults->list.n; i++, n++)
		out[n] = show_fault(f, &faults->list.v[i], n);
	return n;
}

/* Columns of the character at s, whose length goes to *ret_len. Bytes that cannot be shown take
 * one, for the sign put in their place. */
static unsigned columns(const char *s, size_t len, unsigned at, size_t *ret_len)
{
	uint32_t cp;
	size_t n = utf8_decode(s, len, &cp);
	*ret_len = n ? n : 1;
	if (n == 0 || (cp != '\t' && (cp < 0x20 || !yaml_printable(cp))))
		return 1;
	return cp == '\t' ? TAB_WIDTH - at % TAB_WIDTH : char_width(cp);
}

/* The end of what is worth underlining: without blanks and a comment at the end of the line. */
static size_t content_end(const char *s, size_t from, size_t len)
{
	size_t end = from;
	for (size_t i = from; i < len; i++) {
		bool blank = s[i] == ' ' || s[i] == '\t';
		if (s[i] == '#' && i > from && (s[i - 1] == ' ' || s[i - 1] == '\t'))
			break;
		if (!blank)
			end = i + 1;
	}
	return end;
}

static struct excerpt take_excerpt(const struct cursor *c, uint32_t chars)
{
	size_t from = c->line_start, to = c->off;
	if (c->off - from > LOOK_BACK) {
		from = c->off - LOOK_BACK;
		while (from < c->off && ((unsigned char)c->s[from] & 0xc0) == 0x80)
			from++;
	}
	while (to < c->len && c->s[to] != '\n' && c->s[to] != '\r' && to - c->off < LOOK_AHEAD)
		to++;
	struct excerpt x = {.s = c->s + from,
			    .len = to - from,
			    .more_before = from > c->line_start,
			    .more_after = to < c->len && c->s[to] != '\n' && c->s[to] != '\r'};
	size_t mark = c->off - from, n;
	size_t end = chars == PLACE_TO_EOL ? content_end(x.s, mark, x.len) : x.len;
	uint32_t left = chars ? chars : 1;
	for (size_t i = 0; i < x.len; i += n) {
		if (i == mark)
			x.mark = x.width;
		x.width += columns(x.s + i, x.len - i, x.width, &n);
		if (i >= mark && i < end && left > 0) {
			left--;
			x.mark_end = x.width;
		}
	}
	if (mark == x.len)
		x.mark = x.width;
	if (x.mark_end <= x.mark)
		x.mark_end = x.mark + 1;
	return x;
}

/* Print the columns from `from` to `to` of the excerpt. */
static void print_columns(const struct excerpt *x, unsigned from, unsigned to, FILE *out)
{
	unsigned col = 0;
	size_t n;
	for (size_t i = 0; i < x->len; i += n) {
		uint32_t cp = 0;
		unsigned w = columns(x->s + i, x->len - i, col, &n);
		bool whole = col >= from && col + w <= to;
		bool text =
			utf8_decode(x->s + i, x->len - i, &cp) && cp >= 0x20 && yaml_printable(cp);
		if (whole && text)
			fwrite(x->s + i, 1, n, out);
		else if (whole && cp != '\t')
			fputs("\xef\xbf\xbd", out); /* U+FFFD: what cannot be shown */
		else
			for (unsigned k = col; k < col + w; k++)
				fputs(k >= from && k < to ? " " : "", out);
		col += w;
	}
}

static void print_repeated(char c, unsigned n, FILE *out)
{
	while (n-- > 0)
		fputc(c, out);
}

/* The line and its carets, cut around them where it is too long for the page. */
static void print_excerpt(const struct excerpt *x, uint32_t line, const struct style *st, FILE *out)
{
	char gutter[24];
	int digits = snprintf(gutter, sizeof(gutter), " %u | ", line + 1);
	unsigned room = PAGE_WIDTH - (unsigned)digits, from = 0, to = x->width;
	bool cut_before = x->more_before, cut_after = x->more_after;
	if (x->width > room || cut_before || cut_after) {
		room -= 6; /* for the dots */
		from = x->mark > room / 3 ? x->mark - room / 3 : 0;
		if (x->width <= from + room)
			from = x->width > room ? x->width - room : 0;
		to = x->width < from + room ? x->width : from + room;
		cut_before |= from > 0;
		cut_after |= to < x->width;
	}
	fprintf(out, "%s%s", gutter, cut_before ? "..." : "");
	print_columns(x, from, to, out);
	fprintf(out, "%s\n%*s| ", cut_after ? "..." : "", digits - 2, "");
	print_repeated(' ', x->mark - from + (cut_before ? 3 : 0), out);
	unsigned end = x->mark_end > to && x->mark < to ? to : x->mark_end;
	fputs(st->mark, out);
	print_repeated('^', end - x->mark, out);
	fprintf(out, "%s\n", st->off);
}

/* Text that may hold what a file holds: nothing of it shall reach the terminal as a command. */
static void print_text(const char *s, FILE *out)
{
	size_t n;
	for (size_t left = strlen(s); left > 0; s += n, left -= n) {
		uint32_t cp;
		n = utf8_decode(s, left, &cp);
		if (n > 0 && cp >= 0x20 && yaml_printable(cp)) {
			fwrite(s, 1, n, out);
			continue;
		}
		n = n ? n : 1;
		fprintf(out, "\\x%02x", (unsigned)(unsigned char)*s);
	}
}

/* Of what may be there once only: where the first stands. */
static void print_first(const struct yaml_files *f, const struct fault *t, FILE *out)
{
	if (!t || !t->first_path || t->first_doc < 0 || (size_t)t->first_doc >= f->docs.n)
		return;
	const struct document *doc = &f->docs.v[t->first_doc];
	struct place p = find_place(f, doc, t->first_path, FAULT_VALUE);
	fprintf(out, "; the first is at %s:%u", f->sources.v[doc->source].name, p.line + 1);
}

static void print_one(const struct yaml_files *f, const struct shown *s, struct cursor *c,
		      const struct style *st, FILE *out)
{
	const char *name = s->source == NO_SOURCE ? "lab" : f->sources.v[s->source].name;
	fprintf(out, "%s%s", st->bold, name);
	if (s->placed) {
		cursor_to_mark(c, s->where.line, s->where.col);
		fprintf(out, ":%u:%u", c->line + 1, c->col + 1);
	}
	fprintf(out, ":%s %s", st->off, s->note ? "note: " : "");
	const char *const parts[] = {s->object, s->path, s->text};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		print_text(parts[i], out);
		fputs(i + 1 < ARRAY_SIZE(parts) && parts[i][0] ? ": " : "", out);
	}
	print_first(f, s->fault, out);
	fputc('\n', out);
	if (s->placed) {
		struct excerpt x = take_excerpt(c, s->where.len);
		print_excerpt(&x, c->line, st, out);
	}
	if (s->hint[0]) {
		fputs("  hint: ", out);
		print_text(s->hint, out);
		fputc('\n', out);
	}
}

static struct style choose_style(FILE *out)
{
	const char *no = getenv("NO_COLOR");
	int fd = fileno(out);
	if (fd < 0 || !isatty(fd) || (no && *no))
		return (struct style){"", "", ""};
	return (struct style){"\033[1m", "\033[1;31m", "\033[0m"};
}

/* Sort what was found and print it. */
static void print_all(const struct yaml_files *f, struct shown *all, size_t n, FILE *out)
{
	struct style st = choose_style(out);
	struct cursor c = {0};
	uint32_t source = NO_SOURCE;
	qsort(all, n, sizeof(*all), by_place);
	for (size_t i = 0; i < n; i++) {
		if (all[i].source != source && all[i].source != NO_SOURCE) {
			const struct strbuf *text = &f->sources.v[all[i].source].text;
			c = cursor_at_start(strbuf_str(text), text->len);
			source = all[i].source;
		}
		print_one(f, &all[i], &c, &st, out);
	}
}

static struct shown *new_list(size_t n)
{
	struct shown *all = calloc(n + 1, sizeof(*all));
	if (!all)
		abort();
	return all;
}

void yaml_files_print(const struct yaml_files *f, const struct faults *faults, FILE *out)
{
	size_t kept = f->faults.n + (faults ? faults->list.n : 0);
	struct shown *all = new_list(kept);
	print_all(f, all, collect(f, faults, all), out);
	free(all);
	size_t total = f->total_faults + (faults ? faults->total : 0);
	if (total > kept)
		fprintf(out, "... and %zu more\n", total - kept);
}

void yaml_files_print_notes(const struct yaml_files *f, const struct faults *faults, FILE *out)
{
	struct shown *all = new_list(faults->notes.n);
	for (size_t i = 0; i < faults->notes.n; i++) {
		all[i] = show_fault(f, &faults->notes.v[i], i);
		all[i].note = true;
	}
	print_all(f, all, faults->notes.n, out);
	free(all);
}
