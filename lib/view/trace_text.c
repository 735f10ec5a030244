/* SPDX-License-Identifier: MIT */
/* trace_text: see the header. */
#include "lib/view/trace_text.h"

#include <ctype.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/view/table.h"
#include "lib/view/term.h"
#include "lib/view/trace_bytes.h"
#include "lib/view/trace_parts.h"

#define INDENT 7 /* of what stands behind WHERE, WHAT ... */

#define BOLD   "1"
#define DIM    "2"
#define RED    "1;31"
#define GREEN  "32"
#define YELLOW "33"
#define CYAN   "36"

static void colour(const struct trace_style *st, const char *code, struct strbuf *out)
{
	if (st->colour)
		strbuf_addf(out, "\033[%sm", code);
}

static const char *how_colour(enum rec_how how)
{
	return how == REC_OBSERVED ? GREEN : how == REC_REASKED ? CYAN : YELLOW;
}

static const char *result_colour(const struct recording *r)
{
	const char *s = r->verdict.result;
	return s && !strcmp(s, "delivered") ? GREEN : RED;
}

/* Text in a colour (NULL: none), from column at on. Returns the column behind it. */
static size_t put(const struct trace_style *st, const char *code, const char *text, size_t at,
		  size_t indent, struct strbuf *out)
{
	if (code)
		colour(st, code, out);
	at = term_wrap(text, st->width, at, indent, out);
	if (code)
		colour(st, "0", out);
	return at;
}

static size_t tag_width(enum rec_how how)
{
	return strlen(rec_how_str(how)) + 2;
}

/* Blanks between column `at` and something w wide, or a new line if it has no room there. Returns
 * the column where it goes. */
static size_t gap(const struct trace_style *st, size_t at, size_t n, size_t w, struct strbuf *out)
{
	bool fits = !st->width || at + n + w <= st->width;
	strbuf_adds(out, fits ? "" : "\n");
	term_pad(out, fits ? n : 2);
	return fits ? at + n : 2;
}

static void tag(const struct trace_style *st, enum rec_how how, struct strbuf *out)
{
	colour(st, how_colour(how), out);
	strbuf_addf(out, "[%s]", rec_how_str(how));
	colour(st, "0", out);
}

/* "WHERE  ", or blanks when key is NULL. */
static void label(const struct trace_style *st, const char *key, struct strbuf *out)
{
	const char *word = key ? lang_template(st->lang, key) : "";
	size_t w = view_width(word, strlen(word));
	if (key)
		put(st, BOLD, word, 0, 0, out);
	term_pad(out, w < INDENT ? INDENT - w : 1);
}

static void line(const struct trace_style *st, const char *key, const char *code, const char *text,
		 struct strbuf *out)
{
	label(st, key, out);
	put(st, code, text, INDENT, INDENT, out);
	strbuf_addc(out, '\n');
}

/* A whole line; further lines are indented by two. */
static void plain(const struct trace_style *st, const char *code, const char *text,
		  struct strbuf *out)
{
	put(st, code, text, 0, 2, out);
	strbuf_addc(out, '\n');
}

/* ---- the strip ---- */

/* One mark per step of the flight, grouped by namespaces: "busybox3[oo] NODE01[oo#.....] ..." */
static void strip(const struct recording *r, size_t here, const struct trace_style *st,
		  struct strbuf *out)
{
	const struct rec_step *now = &r->steps.v[here];
	_strbuf_ struct strbuf text = STRBUF_INIT;
	int ns = -2;
	for (size_t i = 0; i < r->steps.n; i++) {
		const struct rec_step *s = &r->steps.v[i];
		if (s->flight != now->flight)
			continue;
		if (s->ns != ns) {
			size_t from, k = i;
			strbuf_adds(&text, ns == -2 ? "" : "] ");
			from = text.len;
			trace_ns(r, s->ns, &text);
			strbuf_addc(&text, '[');
			/* The namespace we are in stands in capitals. */
			for (; k < r->steps.n && r->steps.v[k].flight == s->flight &&
			       r->steps.v[k].ns == s->ns;
			     k++)
				if (k == here)
					for (size_t c = from; c < text.len; c++)
						text.s[c] = (char)toupper((unsigned char)text.s[c]);
			ns = s->ns;
		}
		bool bad = s->kind == REC_DROP || s->kind == REC_LOST;
		strbuf_addc(&text, i == here ? '#' : bad ? 'x' : i < here ? 'o' : '.');
	}
	strbuf_addc(&text, ']');
	plain(st, DIM, strbuf_str(&text), out);
}

/* ---- one step ---- */

static void heading(const struct recording *r, size_t i, const struct trace_style *st,
		    struct strbuf *out)
{
	const struct rec_step *s = &r->steps.v[i];
	char no[24], of[24];
	_strbuf_ struct strbuf text = STRBUF_INIT;
	snprintf(no, sizeof(no), "%zu", i + 1);
	snprintf(of, sizeof(of), "%zu", r->steps.n);
	lang_say(&text, st->lang, "ui.step-of", no, of);
	lang_say(&text, st->lang, "ui.colon");
	trace_title(s, st->lang, &text);
	size_t at = put(st, BOLD, strbuf_str(&text), 0, 2, out);
	strbuf_reset(&text);
	trace_flight(&r->flights.v[s->flight], st->lang, &text);
	size_t w = view_width(strbuf_str(&text), text.len) + 3 + tag_width(trace_how(s));
	at = gap(st, at, 3, w, out);
	put(st, NULL, strbuf_str(&text), at, 2, out);
	term_pad(out, 3);
	tag(st, trace_how(s), out);
	strbuf_addc(out, '\n');
}

static void packet_lines(const struct rec_hdr *h, const char *name, const struct trace_style *st,
			 bool first, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	if (name) {
		lang_say(&text, st->lang, name);
		size_t w = view_width(strbuf_str(&text), text.len);
		term_pad(&text, w < 8 ? 8 - w : 1);
	}
	trace_packet(h, false, &text);
	if (h->encap && st->inner_only) {
		_strbuf_ struct strbuf tunnel = STRBUF_INIT;
		trace_tunnel(h, &tunnel);
		strbuf_adds(&text, "  (");
		lang_say(&text, st->lang, "ui.outer-kept", strbuf_str(&tunnel));
		strbuf_addc(&text, ')');
	}
	line(st, first ? "ui.what" : NULL, NULL, strbuf_str(&text), out);
	if (!h->encap || st->inner_only)
		return;
	strbuf_reset(&text);
	term_pad(&text, name ? 8 : 0);
	lang_say(&text, st->lang, "ui.outer");
	strbuf_adds(&text, "  ");
	trace_packet(h, true, &text);
	line(st, NULL, NULL, strbuf_str(&text), out);
}

static void what(const struct rec_step *s, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, words = STRBUF_INIT;
	bool both = s->has_before && s->has_after &&
		    trace_changes(&s->before, &s->after, st->lang, &text);
	if (both) {
		packet_lines(&s->before, "ui.before", st, true, out);
		packet_lines(&s->after, "ui.after", st, false, out);
		lang_say(&words, st->lang, "ui.changed", strbuf_str(&text));
		line(st, NULL, YELLOW, strbuf_str(&words), out);
	} else if (s->has_before || s->has_after) {
		packet_lines(s->has_after ? &s->after : &s->before, NULL, st, true, out);
	}
}

static void why(const struct rec_step *s, const struct trace_style *st, struct strbuf *out)
{
	const char *key = "ui.why";
	vec_foreach (const struct rec_reason, w, &s->why) {
		_strbuf_ struct strbuf text = STRBUF_INIT;
		size_t depth = w->indent > 0 ? (size_t)w->indent * 2 : 0;
		size_t at = INDENT + 11 + (depth < 24 ? depth : 24);
		label(st, key, out);
		tag(st, w->how, out);
		term_pad(out, at - INDENT - strlen(rec_how_str(w->how)) - 2);
		trace_reason(w, st->lang, &text);
		if (w->decides && s->why.n > 1) {
			strbuf_adds(&text, "  ");
			lang_say(&text, st->lang, "ui.decides");
		}
		put(st, w->decides ? BOLD : NULL, strbuf_str(&text), at, at + 2, out);
		strbuf_addc(out, '\n');
		key = NULL;
	}
}

/* A command is one line however long, for copying. */
static void try_line(const struct rec_step *s, const struct trace_style *st, struct strbuf *out)
{
	struct trace_style unbroken = *st;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	unbroken.width = 0;
	trace_try(s, &text);
	if (text.len)
		line(&unbroken, "ui.try", CYAN, strbuf_str(&text), out);
}

void trace_text_step(const struct recording *r, size_t i, const struct trace_style *st,
		     struct strbuf *out)
{
	const struct rec_step *s = &r->steps.v[i];
	_strbuf_ struct strbuf text = STRBUF_INIT;
	heading(r, i, st, out);
	strip(r, i, st, out);
	trace_where(r, s, st->lang, &text);
	line(st, "ui.where", NULL, strbuf_str(&text), out);
	what(s, st, out);
	why(s, st, out);
	strbuf_reset(&text);
	trace_note(s, st->lang, &text);
	if (text.len)
		line(st, "ui.note", YELLOW, strbuf_str(&text), out);
	strbuf_reset(&text);
	trace_next(s, st->lang, &text);
	if (text.len)
		line(st, "ui.next", NULL, strbuf_str(&text), out);
	try_line(s, st, out);
	strbuf_reset(&text);
	trace_time(r, i, st->lang, &text);
	if (text.len)
		line(st, "ui.time", NULL, strbuf_str(&text), out);
	if (st->bytes) {
		put(st, BOLD, lang_template(st->lang, "ui.bytes"), 0, 0, out);
		strbuf_addc(out, '\n');
		trace_bytes(r, s, st->lang, 2, out);
	}
}

/* ---- head and end ---- */

static void losses(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	char frames[24], messages[24];
	if (trace_incomplete(r)) {
		snprintf(frames, sizeof(frames), "%llu", (unsigned long long)r->lost_frames);
		snprintf(messages, sizeof(messages), "%llu", (unsigned long long)r->lost_messages);
		lang_say(&text, st->lang, "ui.incomplete", frames, messages);
		plain(st, RED, strbuf_str(&text), out);
	}
	for (size_t i = 0; i < r->missing.n; i++) {
		strbuf_reset(&text);
		lang_say(&text, st->lang, "ui.missing", r->missing.v[i]);
		plain(st, YELLOW, strbuf_str(&text), out);
	}
}

static void verdict(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, words = STRBUF_INIT;
	trace_verdict(r, st->lang, &words);
	lang_say(&text, st->lang, "ui.verdict", strbuf_str(&words));
	size_t at = put(st, result_colour(r), strbuf_str(&text), 0, 2, out);
	gap(st, at, 2, tag_width(r->verdict.how), out);
	tag(st, r->verdict.how, out);
	strbuf_addc(out, '\n');
}

static void flights(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf all = STRBUF_INIT, text = STRBUF_INIT;
	vec_foreach (const struct rec_flight, f, &r->flights) {
		_strbuf_ struct strbuf name = STRBUF_INIT;
		char n[16];
		if (f->n_steps == 0)
			continue;
		trace_flight(f, st->lang, &name);
		snprintf(n, sizeof(n), "%d", f->n_steps);
		if (all.len)
			strbuf_adds(&all, "; ");
		lang_say(&all, st->lang, "ui.steps", strbuf_str(&name), n);
	}
	lang_say(&text, st->lang, "ui.packets", strbuf_str(&all));
	if (all.len)
		plain(st, NULL, strbuf_str(&text), out);
}

void trace_text_head(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf from = STRBUF_INIT, to = STRBUF_INIT, text = STRBUF_INIT;
	trace_ends(r, &from, &to);
	lang_say(&text, st->lang, "ui.trace", strbuf_str(&from), strbuf_str(&to));
	strbuf_addf(&text, " %s", r->probe.proto ? r->probe.proto : "");
	plain(st, BOLD, strbuf_str(&text), out);
	strbuf_reset(&text);
	lang_say(&text, st->lang, "ui.lab", r->probe.lab ? r->probe.lab : "?",
		 r->engine ? r->engine : "?", r->kernel ? r->kernel : "?");
	plain(st, NULL, strbuf_str(&text), out);
	flights(r, st, out);
	_strbuf_ struct strbuf names = STRBUF_INIT;
	trace_names(r, "; ", &names);
	if (names.len) {
		strbuf_reset(&text);
		lang_say(&text, st->lang, "ui.names", strbuf_str(&names));
		plain(st, NULL, strbuf_str(&text), out);
	}
	verdict(r, st, out);
	losses(r, st, out);
}

void trace_text_end(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	verdict(r, st, out);
	losses(r, st, out);
}

static void dns_head(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	const char *name = r->dns->probe.dns_name;
	lang_say(&text, st->lang, "ui.dns-trace", name ? name : "?");
	plain(st, BOLD, strbuf_str(&text), out);
}

void trace_text(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	if (r->dns) {
		dns_head(r, st, out);
		trace_text(r->dns, st, out);
		strbuf_addc(out, '\n');
	}
	trace_text_head(r, st, out);
	lang_say(&text, st->lang, r->steps.n ? "ui.legend" : "ui.no-steps");
	plain(st, DIM, strbuf_str(&text), out);
	for (size_t i = 0; i < r->steps.n; i++) {
		strbuf_addc(out, '\n');
		trace_text_step(r, i, st, out);
	}
	strbuf_addc(out, '\n');
	trace_text_end(r, st, out);
}

/* ---- the list ---- */

static void cell(struct strbuf *text, struct strbuf *table)
{
	term_safe(strbuf_str(text), table);
	strbuf_addc(table, '\t');
	strbuf_reset(text);
}

static void list_rows(const struct recording *r, enum view_lang l, struct strbuf *table)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	for (size_t i = 0; i < r->steps.n; i++) {
		const struct rec_step *s = &r->steps.v[i];
		strbuf_addf(&text, "%zu", i + 1);
		cell(&text, table);
		strbuf_adds(&text, r->flights.v[s->flight].title);
		cell(&text, table);
		trace_ns(r, s->ns, &text);
		cell(&text, table);
		trace_place_short(r, s, l, &text);
		cell(&text, table);
		strbuf_adds(&text, rec_step_kind_str(s->kind));
		cell(&text, table);
		strbuf_adds(&text, rec_how_str(trace_how(s)));
		cell(&text, table);
		trace_gist(s, l, &text);
		term_safe(strbuf_str(&text), table);
		strbuf_reset(&text);
		strbuf_addc(table, '\n');
	}
}

void trace_text_list(const struct recording *r, const struct trace_style *st, struct strbuf *out)
{
	_strbuf_ struct strbuf table = STRBUF_INIT;
	if (r->dns) {
		dns_head(r, st, out);
		trace_text_list(r->dns, st, out);
		strbuf_addc(out, '\n');
	}
	trace_text_head(r, st, out);
	list_rows(r, st->lang, &table);
	view_tabs(strbuf_str(&table), 0, 2, out);
}
