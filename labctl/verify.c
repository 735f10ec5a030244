/* SPDX-License-Identifier: MIT */
/* verify: the verb verify: the lab's documented flows as traces, held against what they claim; then
 * all pairs. */
#include "labctl/verify.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "labctl/progress.h"
#include "labctl/trace.h"
#include "lib/base/cleanup.h"
#include "lib/view/obj.h"

#define TRACE_TIMEOUT_S 120
#define DROPPED_WAIT_MS 500

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- one flow ---- */

static rec_strs lines_of(struct arena *a, const json_t *flow)
{
	rec_strs lines = {0};
	size_t i;
	json_t *s;
	json_array_foreach (json_object_get(flow, "expect"), i, s)
		if (json_is_string(s))
			*vec_push(a, &lines) = arena_strdup(a, json_string_value(s));
	return lines;
}

/* What has to be dropped is not waited for as long as what may only be slow. */
static int patience_ms(const rec_strs *lines)
{
	vec_foreach (const char *, l, lines)
		if (strcmp(*l, "result dropped") == 0)
			return DROPPED_WAIT_MS;
	return 0;
}

static int record(const struct verify *v, const struct check *c, int wait_ms,
		  struct recording **ret, struct err *err)
{
	json_t *result = NULL;
	struct call call = {
		.name = "trace",
		.args = json_pack("{s:s*, s:s, s:s, s:b, s:i}", "lab", v->lab, "from", c->from,
				  "to", c->to, "dns", 0, "wait_ms", wait_ms),
		.timeout_s = TRACE_TIMEOUT_S,
	};
	int r = client_call(v->engine, &call, &result, err);
	if (r < 0)
		return r;
	r = recording_from_json(v->a, json_object_get(result, "recording"), ret, err);
	json_decref(result);
	return r;
}

static void check_flow(struct verify *v, const json_t *flow)
{
	struct check c = {.kind = "flow",
			  .name = arena_strdup(v->a, obj_str(flow, "name", "?")),
			  .from = arena_strdup(v->a, obj_str(flow, "from", "?")),
			  .to = arena_strdup(v->a, obj_str(flow, "to", "?"))};
	rec_strs lines = lines_of(v->a, flow);
	struct recording *r = NULL;
	double start = now();
	struct err err = {0};
	int k = record(v, &c, patience_ms(&lines), &r, &err);
	c.seconds = now() - start;
	if (k < 0) {
		c.detail = arena_strdup(v->a, err.text);
	} else {
		c.ok = expect_lines(v->a, r, &lines, &c.expect);
		size_t met = 0;
		vec_foreach (const struct expected, x, &c.expect)
			met += x->met;
		c.detail =
			arena_printf(v->a, "%s, %zu of %zu expectations met",
				     r->verdict.result ? r->verdict.result : "?", met, c.expect.n);
	}
	*vec_push(v->a, &v->checks) = c;
}

/* ---- the lab ---- */

static int run(const struct opts *o, struct verify *v, struct err *err)
{
	json_t *lab = NULL;
	size_t i;
	json_t *f;
	int r = trace_find_lab(o, &lab, err);
	if (r < 0)
		return r;
	v->engine = engine_kind_of(obj_str(lab, "engine", ""));
	v->lab = arena_strdup(v->a, obj_str(lab, "name", "?"));
	json_t *flows = json_object_get(lab, "flows");
	size_t n = json_array_size(flows);
	/* Only on a terminal: elsewhere its lines would stand in what -o json prints. */
	struct progress *p = isatty(STDOUT_FILENO) ? progress_new("checked") : NULL;
	json_array_foreach (flows, i, f) {
		if (p)
			progress_step(p, "flows", (long long)i, (long long)n,
				      (double)i / (double)n);
		check_flow(v, f);
	}
	if (p)
		progress_free(p);
	json_decref(lab);
	r = verify_pairs(v, err);
	return r;
}

size_t verify_failed(const struct verify *v)
{
	size_t n = 0;
	vec_foreach (const struct check, c, &v->checks)
		n += !c->ok;
	return n;
}

int verb_verify(const struct opts *o, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct verify v = {.a = a};
	struct opts named = *o;
	const char *form = o->val[FLAG_OUTPUT] ? o->val[FLAG_OUTPUT] : "text";
	if (o->n_args)
		named.val[FLAG_LAB] = o->args[0];
	double start = now();
	int r = run(&named, &v, err);
	v.seconds = now() - start;
	if (r < 0)
		return r;
	if (strcmp(form, "text") == 0) {
		verify_table(&v);
	} else {
		json_t *json = verify_json(&v);
		r = client_print(form, json, err);
		json_decref(json);
	}
	if (r == 0 && o->val[FLAG_JUNIT])
		r = verify_junit(&v, o->val[FLAG_JUNIT], err);
	return r < 0 ? r : verify_failed(&v) ? ERR_DIFFERS : 0;
}
