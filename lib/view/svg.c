/* SPDX-License-Identifier: MIT */
/* svg: see the header. */
#include "lib/view/svg.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/view/table.h"
#include "lib/view/term.h"
#include "lib/view/trace_parts.h"

#define ROW   42 /* height of a step */
#define TITLE 34 /* height of a packet's heading */
#define MARK  12 /* half the size of a mark */

struct picture {
	const struct recording *r;
	const struct svg_opts *o;
	struct strbuf *out;
	int *lane; /* of each namespace, -1: it has no step */
	int lanes;
	int left, lane_w, label_x, width; /* columns */
	int top;
	size_t columns; /* of text a label holds */
	int x, y;	/* of the step before; y 0: none */
	bool tunnel;	/* the packet has outer headers */
};

void xml_text(const char *s, struct strbuf *out)
{
	_strbuf_ struct strbuf safe = STRBUF_INIT;
	term_safe(s ? s : "", &safe);
	for (s = strbuf_str(&safe); *s; s++) {
		if (*s == '&')
			strbuf_adds(out, "&amp;");
		else if (*s == '<')
			strbuf_adds(out, "&lt;");
		else if (*s == '>')
			strbuf_adds(out, "&gt;");
		else if (*s == '"')
			strbuf_adds(out, "&quot;");
		else if (*s == '\'')
			strbuf_adds(out, "&#39;");
		else
			strbuf_addc(out, *s);
	}
}

/* The same, cut to so many columns. */
static void cut_text(const char *s, size_t columns, struct strbuf *out)
{
	_strbuf_ struct strbuf safe = STRBUF_INIT;
	term_safe(s, &safe);
	const char *text = strbuf_str(&safe);
	size_t n = 0, len = strlen(text);
	if (view_width(text, len) > columns) {
		while (n < len && view_width(text, n) + 1 < columns) {
			n++;
			while (n < len && (text[n] & 0xc0) == 0x80)
				n++;
		}
		safe.s[n] = '\0';
		xml_text(text, out);
		strbuf_adds(out, "\u2026");
		return;
	}
	xml_text(text, out);
}

static const char style_alone[] =
	"<style>"
	"svg{--bg:#fff;--ink:#1b1f24;--dim:#656d76;--lane:#f3f5f8;--line:#c9d1d9;--fwd:#0b63ce;"
	"--rep:#1a7f37;--tun:#d9b8f5;--chg:#b35900;--bad:#c62828;"
	"font-family:system-ui,'Noto Sans',sans-serif}"
	"@media(prefers-color-scheme:dark){svg{--bg:#0d1117;--ink:#e6edf3;--dim:#9aa4b0;"
	"--lane:#161b22;--line:#3a434e;--fwd:#6cb6ff;--rep:#57c86f;--tun:#553a78;--chg:#ffb057;"
	"--bad:#ff7b72}}";

/* Shared with the page, which has these colours too. */
static const char style_marks[] =
	".bg{fill:var(--bg)}.lane{fill:var(--lane)}.life{stroke:var(--line)}"
	"text{fill:var(--ink)}.dim{fill:var(--dim)}.b{font-weight:600}"
	".go{fill:none;stroke:var(--fwd);stroke-width:2.5}"
	".rep .go{stroke:var(--rep);stroke-dasharray:7 4}"
	".tun{fill:none;stroke:var(--tun);stroke-width:11;stroke-linejoin:round}"
	".lead{stroke:var(--line);stroke-dasharray:1 4}"
	".mark{fill:var(--bg);stroke:var(--fwd);stroke-width:2}.rep .mark{stroke:var(--rep)}"
	".chg .mark{stroke:var(--chg);stroke-width:3}.bad .mark{stroke:var(--bad);stroke-width:4}"
	".chg .gist{fill:var(--chg)}.bad .gist{fill:var(--bad)}"
	"marker path{fill:var(--fwd)}marker.r path{fill:var(--rep)}</style>";

/* ---- layout ---- */

static void find_lanes(struct picture *p)
{
	for (size_t i = 0; i < p->r->ns.n; i++)
		p->lane[i] = -1;
	vec_foreach (const struct rec_step, s, &p->r->steps)
		if (s->ns >= 0 && p->lane[s->ns] < 0)
			p->lane[s->ns] = p->lanes++;
}

static void layout(struct picture *p)
{
	bool narrow = p->o->narrow;
	find_lanes(p);
	p->left = narrow ? 4 : 84;
	p->lane_w = narrow ? 30 : p->o->alone ? 124 : 74;
	p->label_x = p->left + p->lanes * p->lane_w + 14;
	p->width = p->label_x + (narrow ? 262 : p->o->alone ? 630 : 430);
	p->columns = narrow ? 36 : p->o->alone ? 80 : 57;
	p->top = p->o->alone ? 92 : narrow ? 102 : 124;
}

static int lane_x(const struct picture *p, int ns)
{
	int lane = ns >= 0 && p->lane[ns] >= 0 ? p->lane[ns] : 0;
	return p->left + lane * p->lane_w + p->lane_w / 2;
}

static int height(const struct picture *p)
{
	int flight = -1, h = p->top;
	vec_foreach (const struct rec_step, s, &p->r->steps) {
		h += s->flight != flight ? ROW + TITLE : ROW;
		flight = s->flight;
	}
	return h + (p->o->alone ? 48 : 12);
}

/* ---- the head ---- */

static void lane_heads(struct picture *p, int bottom)
{
	for (size_t i = 0; i < p->r->ns.n; i++) {
		_strbuf_ struct strbuf name = STRBUF_INIT;
		if (p->lane[i] < 0)
			continue;
		int x = lane_x(p, (int)i);
		trace_ns(p->r, (int)i, &name);
		strbuf_addf(p->out,
			    "<rect class=\"lane\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
			    "rx=\"4\"/><line class=\"life\" x1=\"%d\" x2=\"%d\" y1=\"%d\" "
			    "y2=\"%d\"/>",
			    x - p->lane_w / 2 + 2, p->top - 8, p->lane_w - 4, bottom - p->top + 4,
			    x, x, p->top - 8, bottom - 4);
		if (p->o->alone)
			strbuf_addf(p->out,
				    "<text class=\"b\" x=\"%d\" y=\"%d\" text-anchor=\"middle\" "
				    "font-size=\"13\">",
				    x, p->top - 18);
		else
			strbuf_addf(p->out,
				    "<text class=\"b\" font-size=\"15\" "
				    "transform=\"translate(%d %d) rotate(-38)\">",
				    x, p->top - 14);
		cut_text(strbuf_str(&name), p->o->alone ? 17 : 18, p->out);
		strbuf_adds(p->out, "</text>");
	}
}

static void title(struct picture *p)
{
	_strbuf_ struct strbuf from = STRBUF_INIT, to = STRBUF_INIT, text = STRBUF_INIT;
	trace_ends(p->r, &from, &to);
	lang_say(&text, p->o->lang, "ui.trace", strbuf_str(&from), strbuf_str(&to));
	strbuf_addf(p->out, "<rect class=\"bg\" width=\"100%%\" height=\"100%%\"/>"
			    "<text class=\"b\" x=\"16\" y=\"30\" font-size=\"19\">");
	xml_text(strbuf_str(&text), p->out);
	strbuf_adds(p->out, "</text>");
	if (!trace_incomplete(p->r))
		return;
	strbuf_reset(&text);
	lang_say(&text, p->o->lang, "ui.incomplete-short");
	strbuf_addf(p->out, "<g class=\"bad\"><text class=\"gist b\" x=\"16\" y=\"52\" "
			    "font-size=\"15\">");
	xml_text(strbuf_str(&text), p->out);
	strbuf_adds(p->out, "</text></g>");
}

/* ---- steps ---- */

static bool is_bad(const struct rec_step *s)
{
	return s->kind == REC_DROP || s->kind == REC_LOST || s->kind == REC_ICMP_ERROR;
}

static bool is_translation(const struct rec_step *s)
{
	return s->kind == REC_DNAT || s->kind == REC_SNAT || s->kind == REC_UNNAT ||
	       s->kind == REC_IPVS || s->kind == REC_ENCAP || s->kind == REC_DECAP;
}

static bool at_device(const struct rec_step *s)
{
	return s->kind == REC_DEV_TX || s->kind == REC_DEV_RX || s->kind == REC_APP_SEND ||
	       s->kind == REC_APP_RECV || s->kind == REC_DELIVER;
}

/* From the step before down to this one; between lanes half way between the rows. */
static void way(struct picture *p, int x, int y, bool reply)
{
	if (!p->y)
		return;
	for (int tube = p->tunnel ? 1 : 0; tube >= 0; tube--) {
		strbuf_addf(p->out, "<path class=\"%s\" d=\"M%d %d", tube ? "tun" : "go", p->x,
			    p->y + MARK);
		if (x != p->x)
			strbuf_addf(p->out, "V%dH%d", p->y + (y - p->y) / 2, x);
		strbuf_addf(p->out, "V%d\"", y - MARK - 1);
		if (!tube && x != p->x)
			strbuf_addf(p->out, " marker-end=\"url(#%s%s%s)\"", p->o->name,
				    p->o->narrow ? "n" : "", reply ? "r" : "f");
		strbuf_adds(p->out, "/>");
	}
}

static void mark(struct picture *p, const struct rec_step *s, size_t no, int x, int y)
{
	if (at_device(s))
		strbuf_addf(p->out, "<circle class=\"mark\" cx=\"%d\" cy=\"%d\" r=\"%d\"/>", x, y,
			    MARK);
	else if (is_translation(s))
		strbuf_addf(p->out, "<path class=\"mark\" d=\"M%d %dl%d %dl-%d %dl-%d -%dz\"/>", x,
			    y - MARK - 3, MARK + 3, MARK + 3, MARK + 3, MARK + 3, MARK + 3,
			    MARK + 3);
	else
		strbuf_addf(p->out,
			    "<rect class=\"mark\" x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\" "
			    "rx=\"3\"/>",
			    x - MARK, y - MARK, 2 * MARK, 2 * MARK);
	strbuf_addf(p->out,
		    "<text x=\"%d\" y=\"%d\" font-size=\"11\" text-anchor=\"middle\">%zu</text>", x,
		    y + 4, no);
}

static void labels(struct picture *p, const struct rec_step *s, int x, int y)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	strbuf_addf(p->out,
		    "<line class=\"lead\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>"
		    "<text class=\"b\" x=\"%d\" y=\"%d\" font-size=\"14\">",
		    x + MARK + 5, p->label_x - 6, y, y, p->label_x, y - 3);
	trace_ns(p->r, s->ns, &text);
	strbuf_adds(&text, " \u00b7 ");
	trace_place_short(p->r, s, p->o->lang, &text);
	cut_text(strbuf_str(&text), p->columns * 3 / 4 - 4, p->out);
	strbuf_addf(p->out, "</text><text class=\"gist dim\" x=\"%d\" y=\"%d\" font-size=\"%d\">",
		    p->label_x, y + 13, p->o->narrow ? 12 : 13);
	strbuf_reset(&text);
	if (is_translation(s) || is_bad(s)) {
		trace_title(s, p->o->lang, &text);
		lang_say(&text, p->o->lang, "ui.colon");
	}
	trace_gist(s, p->o->lang, &text);
	cut_text(strbuf_str(&text), p->columns, p->out);
	strbuf_adds(p->out, "</text>");
	if (p->o->narrow || s->delta_ns < 0)
		return;
	strbuf_reset(&text);
	trace_span(s->median_ns >= 0 ? s->median_ns : s->delta_ns, &text);
	strbuf_addf(p->out,
		    "<text class=\"dim\" x=\"%d\" y=\"%d\" font-size=\"12\" text-anchor=\"end\">"
		    "+%s</text>",
		    p->left - 8, y + 4, strbuf_str(&text));
}

static void step(struct picture *p, size_t i, int y)
{
	const struct rec_step *s = &p->r->steps.v[i];
	bool reply = p->r->flights.v[s->flight].reply;
	int x = lane_x(p, s->ns);
	strbuf_addf(p->out, "<g class=\"s%s%s%s\"", reply ? " rep" : "",
		    is_translation(s) ? " chg" : "", is_bad(s) ? " bad" : "");
	if (!p->o->alone)
		strbuf_addf(p->out, " data-s=\"%s-%zu\" tabindex=\"0\" role=\"button\"", p->o->name,
			    i + 1);
	strbuf_adds(p->out, "><title>");
	trace_title(s, p->o->lang, p->out);
	strbuf_addf(p->out,
		    "</title><rect class=\"hit\" x=\"0\" y=\"%d\" width=\"%d\" height=\"%d\" "
		    "fill=\"transparent\" rx=\"6\"/>",
		    y - ROW / 2 + 1, p->width, ROW - 2);
	way(p, x, y, reply);
	mark(p, s, i + 1, x, y);
	labels(p, s, x, y);
	strbuf_adds(p->out, "</g>\n");
	p->x = x;
	p->y = y;
	if (s->has_after)
		p->tunnel = s->after.encap;
}

static void flight_title(struct picture *p, const struct rec_flight *f, int y)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	trace_flight(f, p->o->lang, &text);
	strbuf_addf(p->out, "<text class=\"b\" x=\"%d\" y=\"%d\" font-size=\"15\">", p->label_x,
		    y + 21);
	xml_text(strbuf_str(&text), p->out);
	strbuf_adds(p->out, "</text>\n");
}

static void steps(struct picture *p)
{
	int flight = -1, y = p->top;
	for (size_t i = 0; i < p->r->steps.n; i++) {
		const struct rec_step *s = &p->r->steps.v[i];
		if (s->flight != flight) {
			flight_title(p, &p->r->flights.v[s->flight], y);
			y += TITLE;
			p->y = 0;
			p->tunnel = false;
		}
		flight = s->flight;
		step(p, i, y + ROW / 2);
		y += ROW;
	}
}

static void verdict(struct picture *p, int y)
{
	_strbuf_ struct strbuf words = STRBUF_INIT, text = STRBUF_INIT;
	trace_verdict(p->r, p->o->lang, &words);
	lang_say(&text, p->o->lang, "ui.verdict", strbuf_str(&words));
	strbuf_addf(p->out, "<text class=\"b\" x=\"16\" y=\"%d\" font-size=\"16\">", y);
	xml_text(strbuf_str(&text), p->out);
	strbuf_adds(p->out, "</text>");
}

void svg_lanes(const struct recording *r, const struct svg_opts *o, struct strbuf *out)
{
	_free_ int *lane = calloc(r->ns.n + 1, sizeof(*lane));
	struct picture p = {.r = r, .o = o, .out = out, .lane = lane};
	if (!lane)
		abort();
	layout(&p);
	int h = height(&p);
	strbuf_addf(out, "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\"", p.width,
		    h);
	if (o->alone)
		strbuf_addf(out, " width=\"%d\" height=\"%d\" role=\"img\"", p.width, h);
	strbuf_adds(out, ">");
	if (o->alone) {
		strbuf_adds(out, style_alone);
		strbuf_adds(out, style_marks);
	} else {
		strbuf_adds(out, "<style>");
		strbuf_adds(out, style_marks);
	}
	for (int i = 0; i < 2; i++)
		strbuf_addf(
			out,
			"<marker id=\"%s%s%s\" class=\"%s\" markerWidth=\"9\" markerHeight=\"9\" "
			"refX=\"6\" refY=\"4\" orient=\"auto\" markerUnits=\"userSpaceOnUse\">"
			"<path d=\"M0 0L8 4L0 8z\"/></marker>",
			o->name, o->narrow ? "n" : "", i ? "r" : "f", i ? "r" : "f");
	if (o->alone)
		title(&p);
	lane_heads(&p, o->alone ? h - 40 : h);
	steps(&p);
	if (o->alone)
		verdict(&p, h - 16);
	strbuf_adds(out, "</svg>\n");
}
