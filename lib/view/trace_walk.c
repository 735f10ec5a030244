/* SPDX-License-Identifier: MIT */
/* trace_walk: see the header. */
#include "lib/view/trace_walk.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/view/table.h"
#include "lib/view/term.h"
#include "lib/view/trace_parts.h"

#define CTRL(c) ((c)&0x1f)

void trace_walk_init(struct trace_walk *w, const struct recording *r,
		     const struct trace_style *style)
{
	*w = (struct trace_walk){.r = r, .style = *style, .height = 24};
	w->style.inner_only = true;
}

static size_t dns_steps(const struct trace_walk *w)
{
	return w->r->dns ? w->r->dns->steps.n : 0;
}

static size_t total(const struct trace_walk *w)
{
	return dns_steps(w) + w->r->steps.n;
}

/* The recording we are in, and the step's index in it. */
static const struct recording *now(const struct trace_walk *w, size_t *i)
{
	size_t d = dns_steps(w);
	*i = w->at < d ? w->at : w->at - d;
	return w->at < d ? w->r->dns : w->r;
}

static void go(struct trace_walk *w, size_t at)
{
	if (at < total(w) && at != w->at) {
		w->at = at;
		w->scroll = 0;
	}
}

/* To the first step of the next packet that goes the other way; from the last of them, back to the
 * first of ours. */
static void other_side(struct trace_walk *w)
{
	size_t i, n;
	const struct recording *r = now(w, &i);
	if (r->steps.n == 0)
		return;
	bool reply = r->flights.v[r->steps.v[i].flight].reply;
	n = r->steps.n;
	for (size_t k = 1; k < n; k++) {
		size_t j = (i + k) % n;
		if (r->flights.v[r->steps.v[j].flight].reply == reply)
			continue;
		while (j > 0 && r->steps.v[j - 1].flight == r->steps.v[j].flight)
			j--;
		go(w, w->at - i + j);
		return;
	}
}

bool trace_walk_key(struct trace_walk *w, int key)
{
	switch (key) {
	case 'q':
	case 'Q':
	case CTRL('c'):
	case CTRL('d'):
		return false;
	case 'n':
	case ' ':
	case '\r':
	case '\n':
	case WALK_RIGHT:
		go(w, w->at + 1);
		break;
	case 'p':
	case 'b':
	case 0x7f:
	case CTRL('h'):
	case WALK_LEFT:
		if (w->at > 0)
			go(w, w->at - 1);
		break;
	case 'r':
		other_side(w);
		break;
	case 'o':
		w->style.inner_only = !w->style.inner_only;
		break;
	case 'x':
		w->style.bytes = !w->style.bytes;
		break;
	case WALK_DOWN:
		w->scroll++; /* the screen takes back what is too far */
		break;
	case WALK_UP:
		w->scroll -= w->scroll > 0;
		break;
	case WALK_HOME:
	case 'g':
		go(w, 0);
		break;
	case WALK_END:
	case 'G':
		go(w, total(w) ? total(w) - 1 : 0);
		break;
	default:
		break;
	}
	return true;
}

/* One line, whatever its length: cut at the terminal's width. */
static void one_line(const struct trace_walk *w, const char *code, const char *text,
		     struct strbuf *out)
{
	struct strbuf wrapped = STRBUF_INIT;
	term_wrap(text, w->style.width, 0, 0, &wrapped);
	size_t len = strcspn(strbuf_str(&wrapped), "\n");
	if (w->style.colour && code)
		strbuf_addf(out, "\033[%sm", code);
	strbuf_add(out, strbuf_str(&wrapped), len);
	if (w->style.colour && code)
		strbuf_adds(out, "\033[0m");
	strbuf_free(&wrapped);
}

static void top_line(const struct trace_walk *w, const struct recording *r, struct strbuf *out)
{
	struct strbuf from = STRBUF_INIT, to = STRBUF_INIT, text = STRBUF_INIT;
	enum view_lang l = w->style.lang;
	if (trace_incomplete(r)) {
		lang_say(&text, l, "ui.incomplete-short");
	} else if (r == w->r->dns) {
		lang_say(&text, l, "ui.dns-trace", r->probe.dns_name ? r->probe.dns_name : "?");
	} else {
		trace_ends(r, &from, &to);
		lang_say(&text, l, "ui.trace", strbuf_str(&from), strbuf_str(&to));
	}
	one_line(w, trace_incomplete(r) ? "1;31" : "1", strbuf_str(&text), out);
	strbuf_addc(out, '\n');
	strbuf_free(&from);
	strbuf_free(&to);
	strbuf_free(&text);
}

/* Lines of the screen that a line of text takes: one, more if the terminal has to break it. */
static size_t rows(const struct trace_walk *w, const char *s, size_t len)
{
	size_t columns = 0;
	for (size_t i = 0, n; i < len; i += n) {
		if (s[i] == '\033') { /* a colour */
			n = strcspn(s + i, "m") + 1;
			continue;
		}
		for (n = 1; i + n < len && s[i + n] != '\033';)
			n++;
		columns += view_width(s + i, n);
	}
	return w->style.width && columns > w->style.width
		       ? (columns + w->style.width - 1) / w->style.width
		       : 1;
}

static size_t count_rows(const struct trace_walk *w, const char *s)
{
	size_t n = 0;
	for (size_t len; *s; s += len + (s[len] == '\n')) {
		len = strcspn(s, "\n");
		n += rows(w, s, len);
	}
	return n;
}

/* Lines after the first `skip` rows, as many as fit into n. Returns how many rows they take. */
static size_t some_lines(const struct trace_walk *w, const char *s, size_t skip, size_t n,
			 struct strbuf *out)
{
	size_t used = 0;
	for (size_t len; *s; s += len + (s[len] == '\n')) {
		len = strcspn(s, "\n");
		size_t k = rows(w, s, len);
		if (skip > 0) {
			skip -= k < skip ? k : skip;
			continue;
		}
		if (used + k > n)
			break;
		strbuf_add(out, s, len);
		strbuf_addc(out, '\n');
		used += k;
	}
	return used;
}

/* The step, and below the last one the verdict. */
static void content(const struct trace_walk *w, struct strbuf *out)
{
	size_t i;
	const struct recording *r = now(w, &i);
	if (i >= r->steps.n) {
		lang_say(out, w->style.lang, "ui.no-steps");
		strbuf_addc(out, '\n');
	} else {
		trace_text_step(r, i, &w->style, out);
	}
	if (i + 1 >= r->steps.n) {
		strbuf_addc(out, '\n');
		trace_text_end(r, &w->style, out);
	}
}

void trace_walk_screen(struct trace_walk *w, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, more = STRBUF_INIT;
	size_t i, room = w->height > 4 ? w->height - 3 : 1;
	const struct recording *r = now(w, &i);
	content(w, &text);
	size_t lines = count_rows(w, strbuf_str(&text)), far = lines > room ? lines - room : 0;
	w->scroll = w->scroll < far ? w->scroll : far;
	top_line(w, r, out);
	for (size_t k = some_lines(w, strbuf_str(&text), w->scroll, room, out); k < room; k++)
		strbuf_addc(out, '\n');
	if (w->scroll < far) {
		char n[24];
		snprintf(n, sizeof(n), "%zu", far - w->scroll);
		lang_say(&more, w->style.lang, "ui.more", n);
		one_line(w, "7", strbuf_str(&more), out);
	}
	strbuf_addc(out, '\n');
	strbuf_reset(&more);
	lang_say(&more, w->style.lang, "ui.keys");
	one_line(w, "2", strbuf_str(&more), out);
}
