/* SPDX-License-Identifier: MIT */
/* verify_report: what verify found: a table, JSON, JUnit XML. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "labctl/progress.h"
#include "labctl/verify.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"
#include "lib/view/svg.h"
#include "lib/view/term.h"

/* ---- the table ---- */

#define NAMES_MAX 3  /* of those that share a line, as many are named */
#define WIDTH	  80 /* to which reasons are wrapped */

/* A line of the table: all checks that go to the same place. */
struct row {
	vec_of(const struct check *) checks;
	const struct check *first;
	const char *key, *to, *from;
	size_t failed;
	UT_hash_handle hh;
};
typedef vec_of(struct row *) rows;

/* The zone is the same everywhere. */
static const char *short_name(struct arena *a, const char *to)
{
	static const char zone[] = ".svc.cluster.local";
	size_t n = strlen(to), z = sizeof(zone) - 1;
	return n > z && strcmp(to + n - z, zone) == 0 ? arena_strndup(a, to, n - z) : to;
}

static const char *from_text(struct arena *a, const struct row *r)
{
	const struct check *c = r->first;
	size_t n = r->checks.n;
	bool host = strcmp(c->kind, "nodeport") == 0 || strcmp(c->kind, "health") == 0;
	if (c->name)
		return c->from;
	if (r->failed && r->failed < n)
		return arena_printf(a, "%zu of %zu %ss", r->failed, n, host ? "host" : "pod");
	return arena_printf(a, "%zu %s%s", n, host ? "host" : "pod", n == 1 ? "" : "s");
}

static int rank(const char *kind)
{
	static const char *const order[] = {"flow", "pod", "service", "dns", "nodeport"};
	int i = 0;
	while (i < (int)ARRAY_SIZE(order) && strcmp(order[i], kind) != 0)
		i++;
	return i;
}

/* Kind by kind; flows in the lab's order, all else by name. */
static int by_kind(const void *pa, const void *pb)
{
	const struct row *a = *(struct row *const *)pa, *b = *(struct row *const *)pb;
	int d = rank(a->first->kind) - rank(b->first->kind);
	if (d || a->first->name)
		return d ? d : a->first < b->first ? -1 : 1;
	return strcmp(a->to, b->to);
}

static void make_rows(const struct verify *v, rows *list)
{
	struct row *known = NULL;
	vec_foreach (const struct check, c, &v->checks) {
		const char *key =
			arena_printf(v->a, "%s %s %s", c->kind, c->name ? c->name : "", c->to);
		struct row *r;
		HASH_FIND_STR(known, key, r);
		if (!r) {
			r = arena_new_type(v->a, struct row);
			r->first = c;
			r->key = key;
			r->to = c->name ? c->name : short_name(v->a, c->to);
			HASH_ADD_KEYPTR(hh, known, r->key, strlen(r->key), r);
			*vec_push(v->a, list) = r;
		}
		*vec_push(v->a, &r->checks) = c;
		r->failed += !c->ok;
	}
	HASH_CLEAR(hh, known);
	vec_foreach (struct row *, r, list)
		(*r)->from = from_text(v->a, *r);
	if (list->n)
		qsort(list->v, list->n, sizeof(*list->v), by_kind);
}

static bool same_reason(const struct check *a, const struct check *b)
{
	return a->ok == b->ok && strcmp(a->detail, b->detail) == 0;
}

static void add_reason(const struct row *r, const struct check *c, struct strbuf *out)
{
	_strbuf_ struct strbuf line = STRBUF_INIT;
	size_t n = 0;
	vec_foreach (const struct check *, x, &r->checks) {
		if (!same_reason(*x, c))
			continue;
		if (n < NAMES_MAX)
			strbuf_addf(&line, "%s%s", n ? ", " : "", (*x)->from);
		n++;
	}
	if (n == r->checks.n)
		strbuf_reset(&line);
	else if (n > NAMES_MAX)
		strbuf_addf(&line, " and %zu more", n - NAMES_MAX);
	strbuf_addf(&line, "%s%s", line.len ? ": " : "", c->detail);
	strbuf_adds(out, "          ");
	term_wrap(strbuf_str(&line), WIDTH, 10, 12, out);
	strbuf_addc(out, '\n');
}

/* Why it failed, and why what was not answered is right so: each reason once. */
static void add_reasons(struct arena *a, const struct row *r, bool ok, struct strbuf *out)
{
	vec_of(const struct check *) told = {0};
	vec_foreach (const struct check *, c, &r->checks) {
		bool again = (*c)->ok != ok || (ok && !*(*c)->detail);
		for (size_t i = 0; !again && i < told.n; i++)
			again = same_reason(told.v[i], *c);
		if (again)
			continue;
		*vec_push(a, &told) = *c;
		add_reason(r, *c, out);
	}
}

static void add_flow(const struct check *c, struct strbuf *out)
{
	strbuf_adds(out, "          ");
	term_wrap(c->detail, WIDTH, 10, 12, out);
	strbuf_addc(out, '\n');
	vec_foreach (const struct expected, x, &c->expect) {
		_strbuf_ struct strbuf line = STRBUF_INIT;
		if (x->met)
			continue;
		strbuf_addf(&line, "%s: %s", x->line, x->why);
		strbuf_adds(out, "            ");
		term_wrap(strbuf_str(&line), WIDTH, 12, 14, out);
		strbuf_addc(out, '\n');
	}
}

void verify_table(const struct verify *v)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	bool colour = use_colour();
	rows list = {0};
	size_t to = 2;
	make_rows(v, &list);
	vec_foreach (struct row *, r, &list) {
		to = strlen((*r)->to) > to ? strlen((*r)->to) : to;
	}
	strbuf_addf(&out, "%-8s%-10s%-*s   %s\n", "RESULT", "CHECK", (int)to, "TO", "FROM");
	vec_foreach (struct row *, at, &list) {
		const struct row *r = *at;
		const char *word = r->failed ? "FAILED  " : "ok      ";
		if (colour)
			word = arena_printf(v->a, "\033[%dm%s\033[0m", r->failed ? 31 : 32, word);
		strbuf_addf(&out, "%s%-10s%-*s   %s\n", word, r->first->kind, (int)to, r->to,
			    r->from);
		if (!r->first->name) {
			add_reasons(v->a, r, false, &out);
			add_reasons(v->a, r, true, &out);
		} else if (r->failed) {
			add_flow(r->first, &out);
		}
	}
	fputs(strbuf_str(&out), stdout);
	if (v->note)
		printf("%s\n", v->note);
	printf("%zu checks, %zu failed, %.1f s\n", v->checks.n, verify_failed(v), v->seconds);
}

/* ---- data ---- */

static json_t *expect_json(const struct check *c)
{
	json_t *list = json_array();
	vec_foreach (const struct expected, x, &c->expect)
		json_array_append_new(list, json_pack("{s:s, s:b, s:s*}", "line", x->line, "met",
						      x->met, "why", x->why));
	return list;
}

json_t *verify_json(const struct verify *v)
{
	json_t *list = json_array();
	vec_foreach (const struct check, c, &v->checks) {
		json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:s, s:s*, s:s*, s:s*, s:f}", "kind",
				      c->kind, "from", c->from, "to", c->to, "ok", c->ok, "detail",
				      c->detail, "name", c->name, "how", c->how, "want", c->want,
				      "seconds", c->seconds);
		if (c->name)
			json_object_set_new(o, "expect", expect_json(c));
		json_array_append_new(list, o);
	}
	return json_pack("{s:s, s:i, s:i, s:f, s:s*, s:o}", "lab", v->lab, "total",
			 (int)v->checks.n, "failed", (int)verify_failed(v), "seconds", v->seconds,
			 "note", v->note, "checks", list);
}

static void add_case(const struct verify *v, const struct check *c, struct strbuf *b)
{
	const char *name =
		c->name ? c->name : arena_printf(v->a, "%s to %s (%s)", c->from, c->to, c->how);
	strbuf_adds(b, "  <testcase classname=\"");
	xml_text(c->kind, b);
	strbuf_adds(b, "\" name=\"");
	xml_text(name, b);
	strbuf_addf(b, "\" time=\"%.3f\"", c->seconds);
	if (c->ok) {
		strbuf_adds(b, "/>\n");
		return;
	}
	strbuf_adds(b, ">\n    <failure message=\"");
	xml_text(c->detail, b);
	strbuf_adds(b, "\">");
	vec_foreach (const struct expected, x, &c->expect)
		if (!x->met)
			xml_text(arena_printf(v->a, "%s: %s\n", x->line, x->why), b);
	strbuf_adds(b, "</failure>\n  </testcase>\n");
}

int verify_junit(const struct verify *v, const char *path, struct err *err)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	strbuf_adds(&b,
		    "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"labctl verify ");
	xml_text(v->lab, &b);
	strbuf_addf(&b, "\" tests=\"%zu\" time=\"%.3f\" failures=\"%zu\">\n", v->checks.n,
		    v->seconds, verify_failed(v));
	vec_foreach (const struct check, c, &v->checks)
		add_case(v, c, &b);
	strbuf_adds(&b, "</testsuite>\n");
	return file_write(path, b.s, b.len, 0666, err);
}
