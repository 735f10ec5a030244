/* SPDX-License-Identifier: MIT */
/* See compare.h. */
#include "lib/view/compare.h"

#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/view/table.h"
#include "lib/view/term.h"

#define WIDTH_DEFAULT 80
#define LABEL_WIDTH   15 /* of the first column, with its gap */
#define CELL_MIN      16 /* of the others: four fit into 80 */
#define CELL_MAX      30
#define LABS_MAX      8 /* side by side */

/* ---- cells -----------------------------------------------------------------------------------
 */

typedef void cell_fn(const struct compare_col *c, struct strbuf *out);

static void add_or(struct strbuf *out, const char *s, const char *none)
{
	strbuf_adds(out, s ? s : none);
}

static void cell_engine(const struct compare_col *c, struct strbuf *out)
{
	add_or(out, c->engine, "?");
}

static void cell_result(const struct compare_col *c, struct strbuf *out)
{
	add_or(out, c->result, "?");
}

static void cell_server(const struct compare_col *c, struct strbuf *out)
{
	if (c->node)
		strbuf_addf(out, "%s node: %s", c->same_node ? "same" : "other", c->node);
	else
		strbuf_adds(out, "nobody");
}

static void cell_tunnel(const struct compare_col *c, struct strbuf *out)
{
	add_or(out, c->tunnel, "none");
}

static void cell_overhead(const struct compare_col *c, struct strbuf *out)
{
	strbuf_addf(out, "%s%u bytes", c->overhead ? "+" : "", c->overhead);
}

static void cell_wire(const struct compare_col *c, struct strbuf *out)
{
	if (c->wire_bytes == c->ip_bytes)
		strbuf_addf(out, "%u bytes", c->wire_bytes);
	else
		strbuf_addf(out, "%u = %u + %u", c->wire_bytes, c->ip_bytes, c->overhead);
}

static void cell_mtu(const struct compare_col *c, struct strbuf *out)
{
	if (c->mtu_wire)
		strbuf_addf(out, "%u / %u", c->mtu_pod, c->mtu_wire);
	else
		strbuf_addf(out, "%u", c->mtu_pod);
}

static void cell_mss(const struct compare_col *c, struct strbuf *out)
{
	strbuf_addf(out, "%u", c->mss);
}

static void cell_entries(const struct compare_col *c, struct strbuf *out)
{
	strbuf_addf(out, "%u", c->entries);
}

static void add_rules(const struct compare_side *s, struct strbuf *out)
{
	if (s->tried >= 0)
		strbuf_addf(out, "%u of %d tried", s->rules, s->tried);
	else
		strbuf_addf(out, "%u", s->rules);
}

static void add_rewrites(const struct compare_side *s, struct strbuf *out)
{
	for (size_t i = 0; i < s->rewrites.n; i++)
		strbuf_addf(out, "%s%s", i ? ", " : "", s->rewrites.v[i]);
	if (!s->rewrites.n)
		strbuf_adds(out, "none");
}

#define SIDE_CELLS(side)                                                                           \
	static void side##_title(const struct compare_col *c, struct strbuf *out)                  \
	{                                                                                          \
		add_or(out, c->side.title, "none");                                                \
	}                                                                                          \
	static void side##_devices(const struct compare_col *c, struct strbuf *out)                \
	{                                                                                          \
		strbuf_addf(out, "%u", c->side.devices);                                           \
	}                                                                                          \
	static void side##_routings(const struct compare_col *c, struct strbuf *out)               \
	{                                                                                          \
		strbuf_addf(out, "%u", c->side.routings);                                          \
	}                                                                                          \
	static void side##_hooks(const struct compare_col *c, struct strbuf *out)                  \
	{                                                                                          \
		strbuf_addf(out, "%u", c->side.hooks);                                             \
	}                                                                                          \
	static void side##_rules(const struct compare_col *c, struct strbuf *out)                  \
	{                                                                                          \
		add_rules(&c->side, out);                                                          \
	}                                                                                          \
	static void side##_rewrites(const struct compare_col *c, struct strbuf *out)               \
	{                                                                                          \
		add_rewrites(&c->side, out);                                                       \
	}                                                                                          \
	static void side##_ttl(const struct compare_col *c, struct strbuf *out)                    \
	{                                                                                          \
		strbuf_addf(out, "%u", c->side.ttl);                                               \
	}
SIDE_CELLS(there)
SIDE_CELLS(back)

static void add_time(struct strbuf *out, int64_t median, int64_t p90)
{
	if (median < 0)
		strbuf_adds(out, "-");
	else
		strbuf_addf(out, "%.0f (%.0f) us", (double)median / 1e3, (double)p90 / 1e3);
}

static void time_there(const struct compare_col *c, struct strbuf *out)
{
	add_time(out, c->timing.there, c->timing.there_p90);
	strbuf_adds(out, c->relayed && c->timing.there >= 0 ? ", to the relay" : "");
}

static void time_back(const struct compare_col *c, struct strbuf *out)
{
	add_time(out, c->timing.back, c->timing.back_p90);
	strbuf_adds(out, c->relayed && c->timing.back >= 0 ? ", of the relay" : "");
}

static void time_answer(const struct compare_col *c, struct strbuf *out)
{
	add_time(out, c->timing.answer, c->timing.answer_p90);
}

static const struct row {
	const char *label;
	cell_fn *cell; /* NULL: the label is a heading */
	bool always_differs;
} rows[] = {
	{"engine", cell_engine, false},	      {"result", cell_result, false},
	{"server on", cell_server, false},    {"THERE", NULL, false},
	{"packet", there_title, false},	      {"devices", there_devices, false},
	{"routings", there_routings, false},  {"rule hooks", there_hooks, false},
	{"rules passed", there_rules, false}, {"rewritten by", there_rewrites, false},
	{"tunnel", cell_tunnel, false},	      {"its headers", cell_overhead, false},
	{"on the wire", cell_wire, false},    {"MTU pod/wire", cell_mtu, false},
	{"largest TCP", cell_mss, false},     {"TTL at end", there_ttl, false},
	{"ct entries", cell_entries, false},  {"BACK", NULL, false},
	{"packet", back_title, false},	      {"devices", back_devices, false},
	{"routings", back_routings, false},   {"rule hooks", back_hooks, false},
	{"rules passed", back_rules, false},  {"put back by", back_rewrites, false},
	{"TTL at end", back_ttl, false},      {"TIME", NULL, false},
	{"there", time_there, true},	      {"and back", time_back, true},
	{"first bytes", time_answer, true},
};

/* ---- the table -------------------------------------------------------------------------------
 */

struct table {
	const struct compare_col *v;
	size_t n, cell; /* columns of the table; width of one, with its gap */
	bool colour;
	struct strbuf *out;
};

/* How much of s goes into a line of `room` columns: up to a space, or behind a dash or a comma. */
static size_t fit(const char *s, size_t room)
{
	size_t n = strlen(s), best = 0;
	if (view_width(s, n) <= room)
		return n;
	for (size_t i = 1; i < n && view_width(s, i) <= room; i++)
		if (s[i] == ' ' || s[i - 1] == '-' || s[i - 1] == ',' || s[i - 1] == '/')
			best = i;
	return best ? best : room;
}

static void pad(struct strbuf *out, size_t used, size_t width)
{
	for (; used < width; used++)
		strbuf_addc(out, ' ');
}

/* No blanks at the ends of lines. */
static void end_line(struct strbuf *out)
{
	while (out->len && out->s[out->len - 1] == ' ')
		out->s[--out->len] = '\0';
	strbuf_addc(out, '\n');
}

/* One row: the cells' texts, broken into lines of their columns. */
static void print_row(const struct table *t, const char *label, bool bold,
		      const struct strbuf *cells)
{
	const char *left[LABS_MAX];
	bool more = true;
	for (size_t i = 0; i < t->n; i++)
		left[i] = strbuf_str(&cells[i]);
	for (unsigned line = 0; more; line++) {
		size_t used = line ? 0 : strlen(label);
		if (bold && t->colour)
			strbuf_adds(t->out, "\033[1m");
		strbuf_adds(t->out, line ? "" : label);
		pad(t->out, used, LABEL_WIDTH);
		more = false;
		for (size_t i = 0; i < t->n; i++) {
			size_t n = fit(left[i], t->cell - 1);
			strbuf_add(t->out, left[i], n);
			pad(t->out, view_width(left[i], n), t->cell);
			left[i] += n;
			left[i] += strspn(left[i], " ");
			more |= *left[i] != '\0';
		}
		if (!bold || !t->colour) {
			end_line(t->out);
			continue;
		}
		while (t->out->len && t->out->s[t->out->len - 1] == ' ')
			t->out->s[--t->out->len] = '\0';
		strbuf_adds(t->out, "\033[0m\n");
	}
}

static bool differ(const struct strbuf *cells, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (strcmp(strbuf_str(&cells[0]), strbuf_str(&cells[i])) != 0)
			return true;
	return false;
}

static void print_value(const struct table *t, const struct row *row)
{
	struct strbuf cells[LABS_MAX];
	char label[LABEL_WIDTH + 1];
	for (size_t i = 0; i < t->n; i++) {
		cells[i] = (struct strbuf)STRBUF_INIT;
		row->cell(&t->v[i], &cells[i]);
	}
	bool star = !row->always_differs && differ(cells, t->n);
	snprintf(label, sizeof(label), "%c %s", star ? '*' : ' ', row->label);
	print_row(t, label, star, cells);
	for (size_t i = 0; i < t->n; i++)
		strbuf_free(&cells[i]);
}

static void print_names(const struct table *t)
{
	struct strbuf cells[LABS_MAX];
	for (size_t i = 0; i < t->n; i++) {
		cells[i] = (struct strbuf)STRBUF_INIT;
		add_or(&cells[i], t->v[i].lab, "?");
	}
	print_row(t, "", true, cells);
	for (size_t i = 0; i < t->n; i++)
		strbuf_free(&cells[i]);
}

/* The way there, one device or rewriting a line; where the machine changes, its name. */
struct way {
	size_t at;
	bool named; /* the machine of the hop at `at` was printed */
};

static void add_cut(struct strbuf *out, const char *s, size_t room)
{
	size_t len = strlen(s);
	strbuf_add(out, s, len <= room ? len : room - 2);
	strbuf_adds(out, len <= room ? "" : "..");
}

static void way_cell(const struct table *t, size_t i, struct way *w, struct strbuf *out)
{
	const struct compare_col *c = &t->v[i];
	if (w->at >= c->way.n)
		return;
	const struct compare_hop *h = &c->way.v[w->at];
	bool first = !w->at || strcmp(c->way.v[w->at - 1].ns, h->ns) != 0;
	if (first && !w->named) {
		add_cut(out, h->ns, t->cell - 1);
		w->named = true;
		return;
	}
	strbuf_adds(out, "  ");
	add_cut(out, h->what, t->cell - 3);
	w->at++;
	w->named = false;
}

static void print_way(const struct table *t)
{
	struct way w[LABS_MAX] = {{0, false}};
	for (bool more = true; more;) {
		_strbuf_ struct strbuf line = STRBUF_INIT;
		more = false;
		pad(&line, 0, LABEL_WIDTH);
		for (size_t i = 0; i < t->n; i++) {
			_strbuf_ struct strbuf cell = STRBUF_INIT;
			way_cell(t, i, &w[i], &cell);
			more |= cell.len > 0;
			strbuf_adds(&line, strbuf_str(&cell));
			pad(&line, view_width(strbuf_str(&cell), cell.len), t->cell);
		}
		if (!more)
			return;
		strbuf_adds(t->out, strbuf_str(&line));
		end_line(t->out);
	}
}

static void print_table(const struct table *t)
{
	print_names(t);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].cell)
			print_value(t, &rows[i]);
		else
			strbuf_addf(t->out, "%s\n", rows[i].label);
	strbuf_adds(t->out, "WAY THERE\n");
	print_way(t);
}

static bool engines_differ(const struct compare_col *v, size_t n)
{
	for (size_t i = 1; i < n; i++)
		if (v[i].engine && v[0].engine && strcmp(v[i].engine, v[0].engine) != 0)
			return true;
	return false;
}

static void print_notes(const struct compare_col *v, size_t n, size_t width, struct strbuf *out)
{
	unsigned runs = 0;
	for (size_t i = 0; i < n; i++)
		runs = v[i].timing.runs > runs ? v[i].timing.runs : runs;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	strbuf_adds(&text, "*: the labs differ here. MTU and bytes are those of IP packets.");
	if (runs)
		strbuf_addf(&text,
			    " Times: median (90th percentile) of up to %u runs without the rule "
			    "trace, since the packet was sent; the first bytes need the programs "
			    "too.",
			    runs);
	if (runs && engines_differ(v, n))
		strbuf_adds(&text, " The engines run different kernels: compare times only "
				   "within one.");
	strbuf_addc(out, '\n');
	term_wrap(strbuf_str(&text), width, 0, 0, out);
	strbuf_addc(out, '\n');
}

void compare_table(const char *flow, const struct compare_col *v, size_t n, size_t width,
		   bool colour, struct strbuf *out)
{
	width = width ? width : WIDTH_DEFAULT;
	size_t room = width > LABEL_WIDTH + CELL_MIN ? width - LABEL_WIDTH : CELL_MIN;
	size_t fits = room / CELL_MIN < LABS_MAX ? room / CELL_MIN : LABS_MAX;
	size_t per = n < fits ? n : fits;
	size_t cell = per ? room / per : CELL_MIN;
	if (n)
		strbuf_addf(out, "flow %s: %s -> %s\n", flow, v[0].from ? v[0].from : "?",
			    v[0].to ? v[0].to : "?");
	for (size_t i = 0; i < n; i += per) {
		struct table t = {.v = v + i,
				  .n = n - i < per ? n - i : per,
				  .cell = cell < CELL_MAX ? cell : CELL_MAX,
				  .colour = colour,
				  .out = out};
		strbuf_addc(out, '\n');
		print_table(&t);
	}
	if (n)
		print_notes(v, n, width, out);
}

/* ---- data ------------------------------------------------------------------------------------
 */

static json_t *strings(const rec_strs *s)
{
	json_t *o = json_array();
	for (size_t i = 0; i < s->n; i++)
		json_array_append_new(o, json_string(s->v[i]));
	return o;
}

static void set_known(json_t *o, const char *key, json_int_t v)
{
	if (v >= 0)
		json_object_set_new(o, key, json_integer(v));
}

static json_t *side_json(const struct compare_side *s)
{
	json_t *o = json_pack("{s:s*, s:i, s:i, s:i, s:i, s:o, s:i}", "packet", s->title, "devices",
			      (int)s->devices, "routings", (int)s->routings, "rule_hooks",
			      (int)s->hooks, "rules_passed", (int)s->rules, "rewrites",
			      strings(&s->rewrites), "ttl", (int)s->ttl);
	set_known(o, "rules_tried", s->tried);
	return o;
}

static json_t *timing_json(const struct rec_timing *t)
{
	json_t *o = json_pack("{s:i}", "runs", (int)t->runs);
	set_known(o, "there", t->there);
	set_known(o, "there_p90", t->there_p90);
	set_known(o, "back", t->back);
	set_known(o, "back_p90", t->back_p90);
	set_known(o, "answer", t->answer);
	set_known(o, "answer_p90", t->answer_p90);
	return o;
}

static json_t *col_json(const struct compare_col *c)
{
	json_t *way = json_array();
	vec_foreach (const struct compare_hop, h, &c->way)
		json_array_append_new(way, json_pack("{s:s, s:s}", "ns", h->ns, "what", h->what));
	json_t *o = json_pack("{s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:s*, s:b, s:b}", "lab",
			      c->lab, "engine", c->engine, "kernel", c->kernel, "from", c->from,
			      "to", c->to, "result", c->result, "server", c->server, "node",
			      c->node, "same_node", c->same_node, "relayed", c->relayed);
	json_t *size =
		json_pack("{s:s*, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:o}", "tunnel",
			  c->tunnel, "overhead", (int)c->overhead, "ip_bytes", (int)c->ip_bytes,
			  "wire_bytes", (int)c->wire_bytes, "mtu_pod", (int)c->mtu_pod,
			  "mtu_tunnel", (int)c->mtu_tunnel, "mtu_wire", (int)c->mtu_wire, "mss",
			  (int)c->mss, "conntrack_entries", (int)c->entries, "way", way);
	json_object_update(o, size);
	json_decref(size);
	json_object_set_new(o, "there", side_json(&c->there));
	json_object_set_new(o, "back", side_json(&c->back));
	json_object_set_new(o, "timing", timing_json(&c->timing));
	return o;
}

json_t *compare_json(const char *flow, const struct compare_col *v, size_t n)
{
	json_t *labs = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(labs, col_json(&v[i]));
	return json_pack("{s:s, s:o}", "flow", flow, "labs", labs);
}
