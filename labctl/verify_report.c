/* SPDX-License-Identifier: MIT */
/* verify_report: what verify found: a table, JSON, JUnit XML. */
#include <stdio.h>
#include <string.h>

#include "labctl/verify.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"
#include "lib/view/svg.h"
#include "lib/view/table.h"

/* ---- the table ---- */

static void add_flow(const struct check *c, struct strbuf *text)
{
	strbuf_addf(text, "flow\t%s\t%s\t%s\t%s: %s\n", c->from, c->to, c->ok ? "ok" : "FAILED",
		    c->name, c->detail);
	vec_foreach (const struct expected, x, &c->expect)
		if (!x->met)
			strbuf_addf(text, "\t\t\t\t  %s: %s\n", x->line, x->why);
}

static bool same(const struct check *a, const struct check *b)
{
	return strcmp(a->kind, b->kind) == 0 && strcmp(a->to, b->to) == 0;
}

static bool seen_before(const struct verify *v, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same(&v->checks.v[k], &v->checks.v[i]))
			return true;
	return false;
}

/* One line for all that go to the same place; those that failed each have one too. */
static void add_pairs(const struct verify *v, size_t first, struct strbuf *text)
{
	const struct check *c = &v->checks.v[first];
	bool pod = strcmp(c->kind, "nodeport") != 0;
	size_t n = 0, ok = 0;
	const char *detail = "";
	for (size_t i = first; i < v->checks.n; i++) {
		const struct check *x = &v->checks.v[i];
		if (!same(x, c))
			continue;
		n++;
		ok += x->ok;
		if (x->ok && *x->detail)
			detail = x->detail;
	}
	strbuf_addf(text, "%s\t%zu %s%s\t%s\t", c->kind, n, pod ? "pod" : "host", n == 1 ? "" : "s",
		    c->to);
	if (ok == n)
		strbuf_addf(text, "ok\t%s\n", detail);
	else
		strbuf_addf(text, "FAILED\t%zu of %zu\n", n - ok, n);
	for (size_t i = first; i < v->checks.n; i++) {
		const struct check *x = &v->checks.v[i];
		if (same(x, c) && !x->ok)
			strbuf_addf(text, "\t  %s\t\t\t  %s\n", x->from, x->detail);
	}
}

void verify_table(const struct verify *v)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	strbuf_adds(&text, "CHECK\tFROM\tTO\tRESULT\tDETAIL\n");
	for (size_t i = 0; i < v->checks.n; i++) {
		const struct check *c = &v->checks.v[i];
		if (strcmp(c->kind, "flow") == 0)
			add_flow(c, &text);
		else if (!seen_before(v, i))
			add_pairs(v, i, &text);
	}
	view_tabs_get(strbuf_str(&text), &out);
	fputs(strbuf_str(&out), stdout);
	if (v->note)
		printf("%s\n", v->note);
	size_t failed = verify_failed(v);
	printf("%zu checks, %zu failed\n", v->checks.n, failed);
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
		json_t *o = json_pack("{s:s, s:s, s:s, s:b, s:s, s:s*}", "kind", c->kind, "from",
				      c->from, "to", c->to, "ok", c->ok, "detail", c->detail,
				      "name", c->name);
		if (c->name) {
			json_object_set_new(o, "expect", expect_json(c));
			json_object_set_new(o, "seconds", json_real(c->seconds));
		}
		json_array_append_new(list, o);
	}
	return json_pack("{s:s, s:i, s:i, s:s*, s:o}", "lab", v->lab, "total", (int)v->checks.n,
			 "failed", (int)verify_failed(v), "note", v->note, "checks", list);
}

static void add_case(const struct verify *v, const struct check *c, struct strbuf *b)
{
	const char *name = c->name ? c->name : arena_printf(v->a, "%s to %s", c->from, c->to);
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
	strbuf_addf(&b, "\" tests=\"%zu\" failures=\"%zu\">\n", v->checks.n, verify_failed(v));
	vec_foreach (const struct check, c, &v->checks)
		add_case(v, c, &b);
	strbuf_adds(&b, "</testsuite>\n");
	return file_write(path, b.s, b.len, 0666, err);
}
