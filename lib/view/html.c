/* SPDX-License-Identifier: MIT */
/* html: see the header. Everything that came from outside goes through xml_text(). */
#include "lib/view/html.h"

#include <string.h>

#include "lib/view/svg.h"
#include "lib/view/trace_bytes.h"
#include "lib/view/trace_parts.h"

struct page {
	enum view_lang lang;
	struct strbuf *out;
	struct strbuf text; /* scratch */
	const struct recording *r;
	const char *part; /* "m", or "d" for the name's own query */
};

/* The scratch text, escaped; it is empty afterwards. */
static void flush(struct page *p)
{
	xml_text(strbuf_str(&p->text), p->out);
	strbuf_reset(&p->text);
}

static void word(struct page *p, const char *key)
{
	lang_say(&p->text, p->lang, key);
	flush(p);
}

static void dt(struct page *p, const char *key, const char *dd)
{
	strbuf_adds(p->out, "<dt>");
	word(p, key);
	strbuf_addf(p->out, "</dt><dd%s>", dd);
}

static void tag(struct page *p, enum rec_how how)
{
	strbuf_addf(p->out, "<span class=\"tag t%u\">%s</span>", (unsigned)how, rec_how_str(how));
}

/* ---- a step ---- */

static void packet(struct page *p, const struct rec_hdr *h, const char *key)
{
	strbuf_adds(p->out, "<span>");
	word(p, key);
	strbuf_adds(p->out, "</span><code>");
	trace_packet(h, false, &p->text);
	flush(p);
	strbuf_adds(p->out, "</code>");
	if (!h->encap)
		return;
	strbuf_adds(p->out, "<span class=\"o\">");
	word(p, "ui.outer");
	strbuf_adds(p->out, "</span><code class=\"o\">");
	trace_packet(h, true, &p->text);
	flush(p);
	strbuf_adds(p->out, "</code>");
}

static void what(struct page *p, const struct rec_step *s)
{
	struct strbuf words = STRBUF_INIT;
	if (!s->has_before && !s->has_after)
		return;
	bool both = s->has_before && s->has_after &&
		    trace_changes(&s->before, &s->after, p->lang, &words);
	dt(p, "ui.what", "");
	strbuf_adds(p->out, "<div class=\"pk\">");
	if (both) {
		packet(p, &s->before, "ui.before");
		packet(p, &s->after, "ui.after");
	} else {
		packet(p, s->has_after ? &s->after : &s->before, "ui.packet");
	}
	strbuf_adds(p->out, "</div>");
	if (both) {
		strbuf_adds(p->out, "<p class=\"changed\">");
		lang_say(&p->text, p->lang, "ui.changed", strbuf_str(&words));
		flush(p);
		strbuf_adds(p->out, "</p>");
	}
	strbuf_adds(p->out, "</dd>");
	strbuf_free(&words);
}

static void why(struct page *p, const struct rec_step *s)
{
	if (s->why.n == 0)
		return;
	dt(p, "ui.why", "");
	strbuf_adds(p->out, "<ul class=\"why\">");
	vec_foreach (const struct rec_reason, w, &s->why) {
		int depth = w->indent < 0 ? 0 : w->indent > 8 ? 8 : w->indent;
		bool marked = w->decides && s->why.n > 1;
		strbuf_addf(p->out, "<li%s style=\"margin-left:%d.%drem\">",
			    marked ? " class=\"d\"" : "", depth * 9 / 10, depth * 9 % 10);
		tag(p, w->how);
		trace_reason(w, p->lang, &p->text);
		if (marked) {
			strbuf_adds(&p->text, "  ");
			lang_say(&p->text, p->lang, "ui.decides");
		}
		flush(p);
		strbuf_adds(p->out, "</li>");
	}
	strbuf_adds(p->out, "</ul></dd>");
}

/* A row of the list, if the scratch text has something for it. */
static void row(struct page *p, const char *key, const char *dd)
{
	struct strbuf text = p->text;
	if (text.len == 0)
		return;
	p->text = STRBUF_INIT;
	dt(p, key, dd);
	strbuf_free(&p->text);
	p->text = text;
	flush(p);
	strbuf_adds(p->out, "</dd>");
}

static void try_row(struct page *p, const struct rec_step *s)
{
	if (!s->try_cmd)
		return;
	dt(p, "ui.try", " class=\"try\"");
	strbuf_adds(p->out, "<code>");
	trace_try(s, &p->text);
	flush(p);
	strbuf_adds(p->out, "</code><button class=\"copy\">");
	word(p, "ui.copy");
	strbuf_adds(p->out, "</button></dd>");
}

static void bytes(struct page *p, const struct rec_step *s)
{
	struct strbuf dump = STRBUF_INIT;
	if (s->sight < 0)
		return;
	strbuf_adds(p->out, "<dt class=\"x\">");
	word(p, "ui.bytes");
	strbuf_adds(p->out, "</dt><dd class=\"x\"><pre>");
	trace_bytes(p->r, s, p->lang, 0, &dump);
	/* Line by line: xml_text() takes newlines away. */
	for (char *rest = dump.s, *l; rest && (l = strsep(&rest, "\n"));) {
		xml_text(l, p->out);
		strbuf_addc(p->out, '\n');
	}
	strbuf_adds(p->out, "</pre></dd>");
	strbuf_free(&dump);
}

static void step(struct page *p, size_t i)
{
	const struct rec_step *s = &p->r->steps.v[i];
	char no[24], of[24];
	snprintf(no, sizeof(no), "%zu", i + 1);
	snprintf(of, sizeof(of), "%zu", p->r->steps.n);
	strbuf_addf(p->out,
		    "<section class=\"step\" data-id=\"%s-%s\" data-part=\"%s\" data-flight=\"%d\" "
		    "data-reply=\"%d\"><p class=\"no\">",
		    p->part, no, p->part, s->flight, p->r->flights.v[s->flight].reply);
	tag(p, trace_how(s));
	lang_say(&p->text, p->lang, "ui.step-of", no, of);
	lang_say(&p->text, p->lang, "ui.comma");
	trace_flight(&p->r->flights.v[s->flight], p->lang, &p->text);
	flush(p);
	strbuf_adds(p->out, "</p><h2>");
	trace_title(s, p->lang, &p->text);
	flush(p);
	strbuf_adds(p->out, "</h2><dl>");
	trace_where(p->r, s, p->lang, &p->text);
	row(p, "ui.where", "");
	what(p, s);
	why(p, s);
	trace_note(s, p->lang, &p->text);
	row(p, "ui.note", " class=\"note\"");
	trace_next(s, p->lang, &p->text);
	row(p, "ui.next", "");
	try_row(p, s);
	trace_time(p->r, i, p->lang, &p->text);
	row(p, "ui.time", "");
	bytes(p, s);
	strbuf_adds(p->out, "</dl></section>\n");
}

/* ---- the page ---- */

static void paragraph(struct page *p, const char *cls)
{
	strbuf_addf(p->out, "<p%s>", cls);
	flush(p);
	strbuf_adds(p->out, "</p>\n");
}

static void losses(struct page *p, const struct recording *r)
{
	char frames[24], messages[24];
	if (trace_incomplete(r)) {
		snprintf(frames, sizeof(frames), "%llu", (unsigned long long)r->lost_frames);
		snprintf(messages, sizeof(messages), "%llu", (unsigned long long)r->lost_messages);
		lang_say(&p->text, p->lang, "ui.incomplete", frames, messages);
		paragraph(p, " class=\"lost\"");
	}
	for (size_t i = 0; i < r->missing.n; i++) {
		lang_say(&p->text, p->lang, "ui.missing", r->missing.v[i]);
		paragraph(p, " class=\"lost\"");
	}
}

static void header(struct page *p)
{
	const struct recording *r = p->r;
	struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
	strbuf_adds(p->out, "<header><button id=\"theme\">");
	word(p, "ui.theme");
	strbuf_adds(p->out, "</button><h1>");
	trace_ends(r, &a, &b);
	lang_say(&p->text, p->lang, "ui.trace", strbuf_str(&a), strbuf_str(&b));
	flush(p);
	strbuf_adds(p->out, "</h1>\n");
	strbuf_reset(&a);
	trace_verdict(r, p->lang, &a);
	lang_say(&p->text, p->lang, "ui.verdict", strbuf_str(&a));
	bool good = r->verdict.result && !strcmp(r->verdict.result, "delivered");
	paragraph(p, good ? " class=\"verdict\"" : " class=\"verdict bad\"");
	losses(p, r);
	lang_say(&p->text, p->lang, "ui.lab", r->probe.lab ? r->probe.lab : "?",
		 r->engine ? r->engine : "?", r->kernel ? r->kernel : "?");
	paragraph(p, "");
	strbuf_reset(&b);
	trace_names(r, "; ", &b);
	if (b.len) {
		lang_say(&p->text, p->lang, "ui.names", strbuf_str(&b));
		paragraph(p, "");
	}
	strbuf_adds(p->out, "</header>\n");
	strbuf_free(&a);
	strbuf_free(&b);
}

static void picture(struct page *p, const struct recording *r, const char *part)
{
	char name[8];
	snprintf(name, sizeof(name), "%s", part);
	strbuf_adds(p->out, "<div class=\"wide\">");
	svg_lanes(r, &(struct svg_opts){.lang = p->lang, .name = name}, p->out);
	strbuf_adds(p->out, "</div><div class=\"small\">");
	svg_lanes(r, &(struct svg_opts){.lang = p->lang, .name = name, .narrow = true}, p->out);
	strbuf_adds(p->out, "</div>\n");
}

static void dns_title(struct page *p, const struct recording *dns)
{
	strbuf_adds(p->out, "<h2>");
	lang_say(&p->text, p->lang, "ui.dns-trace",
		 dns->probe.dns_name ? dns->probe.dns_name : "?");
	flush(p);
	strbuf_adds(p->out, "</h2>");
}

static void steps(struct page *p, const struct recording *r, const char *part)
{
	const struct recording *outer = p->r;
	p->r = r;
	p->part = part;
	for (size_t i = 0; i < r->steps.n; i++)
		step(p, i);
	p->r = outer;
}

static void body(struct page *p)
{
	const struct recording *r = p->r;
	strbuf_adds(p->out, "<main><div class=\"way\">");
	if (r->dns) {
		dns_title(p, r->dns);
		losses(p, r->dns);
		picture(p, r->dns, "d");
		strbuf_adds(p->out, "<h2>");
		lang_say(&p->text, p->lang, "ui.trace", r->probe.from, r->probe.to);
		flush(p);
		strbuf_adds(p->out, "</h2>");
	}
	picture(p, r, "m");
	strbuf_adds(p->out, "</div><div class=\"steps\"><nav><button data-key=\"p\">&#9664; ");
	word(p, "ui.prev");
	strbuf_adds(p->out, "</button><button data-key=\"n\">");
	word(p, "ui.next");
	strbuf_adds(p->out, " &#9654;</button><button data-key=\"r\">");
	word(p, "ui.reply");
	strbuf_adds(p->out, "</button><button data-key=\"x\">");
	word(p, "ui.bytes");
	strbuf_adds(p->out, "</button></nav>\n");
	if (r->dns)
		steps(p, r->dns, "d");
	steps(p, r, "m");
	strbuf_adds(p->out, "</div></main>\n<footer><p>");
	word(p, "ui.lanes");
	strbuf_adds(p->out, " ");
	word(p, "ui.legend");
	strbuf_adds(p->out, "</p><p class=\"keys\">");
	word(p, "ui.keys-page");
	strbuf_adds(p->out, "</p></footer>\n");
}

void html_page(const struct recording *r, enum view_lang l, struct strbuf *out)
{
	struct page p = {.lang = l, .out = out, .text = STRBUF_INIT, .r = r, .part = "m"};
	strbuf_addf(out,
		    "<!DOCTYPE html>\n<html lang=\"%s\"><head><meta charset=\"utf-8\">"
		    "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
		    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
		    "style-src 'unsafe-inline'; script-src 'unsafe-inline'\"><title>",
		    l == VIEW_ZH ? "zh-CN" : "en");
	lang_say(&p.text, l, "ui.trace", r->probe.from, r->probe.to);
	flush(&p);
	strbuf_addf(out, "</title>\n<style>%s</style></head>\n<body>\n", html_style);
	header(&p);
	body(&p);
	strbuf_addf(out, "<script>%s</script>\n</body></html>\n", html_script);
	strbuf_free(&p.text);
}
