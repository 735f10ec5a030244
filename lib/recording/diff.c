/* SPDX-License-Identifier: MIT */
/* diff: the first step where two recordings part. Compares the normal forms, flight by flight. */
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"

static const char *str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

static void add_step(struct strbuf *b, const char *name, const json_t *s)
{
	strbuf_addf(b, "  %s: ", name);
	if (!s) {
		strbuf_adds(b, "no such step\n");
		return;
	}
	strbuf_addf(b, "%s at %s", str(s, "kind"), str(s, "where"));
	if (*str(s, "hook"))
		strbuf_addf(b, ", %s %s", str(s, "table"), str(s, "hook"));
	strbuf_addf(b, ", %s\n", *str(s, "after") ? str(s, "after") : str(s, "before"));
}

static bool same(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);
	return x == y || (x && y && json_equal(x, y));
}

static bool same_place(const json_t *a, const json_t *b)
{
	return same(a, b, "kind") && same(a, b, "where") && same(a, b, "hook");
}

static void add_reason(struct strbuf *b, const char *name, const json_t *y)
{
	if (!y) {
		strbuf_addf(b, "    %s: nothing\n", name);
		return;
	}
	strbuf_addf(b, "    %s: [%s] %s %s", name, str(y, "how"), str(y, "key"), str(y, "text"));
	size_t i;
	json_t *arg;
	json_array_foreach (json_object_get(y, "args"), i, arg)
		strbuf_addf(b, "%s%s", i ? ", " : " (", json_string_value(arg));
	strbuf_adds(b, json_object_get(y, "args") ? ")\n" : "\n");
}

static void add_reasons(struct strbuf *b, const json_t *x, const json_t *y)
{
	const json_t *a = json_object_get(x, "why"), *c = json_object_get(y, "why");
	size_t n = json_array_size(a), m = json_array_size(c);
	for (size_t i = 0; i < n || i < m; i++) {
		const json_t *p = json_array_get(a, i), *q = json_array_get(c, i);
		if (p && q && json_equal(p, q))
			continue;
		strbuf_adds(b, "  the reasons part here:\n");
		add_reason(b, "A", p);
		add_reason(b, "B", q);
		return;
	}
}

static void add_fields(struct strbuf *b, const json_t *x, const json_t *y)
{
	static const char *const keys[] = {"table", "before",	"after",   "next_key",	"next",
					   "note",  "note_key", "try_cmd", "try_expect"};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!same(x, y, keys[i]))
			strbuf_addf(b, "  %s:\n    A: %s\n    B: %s\n", keys[i], str(x, keys[i]),
				    str(y, keys[i]));
}

/* What the packet does is what counts; what was said of it is compared where that is the same. */
static bool part(const json_t *x, const json_t *y)
{
	if (!x || !y)
		return x != y;
	return !json_equal(x, y);
}

static bool diff_flight(const char *title, const json_t *a, const json_t *c, struct strbuf *b)
{
	const json_t *x = json_object_get(a, "steps"), *y = json_object_get(c, "steps");
	size_t n = json_array_size(x), m = json_array_size(y);
	for (size_t i = 0; i < n || i < m; i++) {
		const json_t *p = json_array_get(x, i), *q = json_array_get(y, i);
		if (!part(p, q))
			continue;
		strbuf_addf(b, "They part at step %zu of %s\n", i + 1, title);
		add_step(b, "A", p);
		add_step(b, "B", q);
		if (p && q && same_place(p, q)) {
			add_fields(b, p, q);
			add_reasons(b, p, q);
		}
		return true;
	}
	return false;
}

static bool diff_flights(const json_t *a, const json_t *c, struct strbuf *b)
{
	const json_t *x = json_object_get(a, "flights"), *y = json_object_get(c, "flights");
	size_t n = json_array_size(x), m = json_array_size(y);
	for (size_t i = 0; i < n || i < m; i++) {
		const json_t *p = json_array_get(x, i), *q = json_array_get(y, i);
		if (p && q && !strcmp(str(p, "title"), str(q, "title"))) {
			if (diff_flight(str(p, "title"), p, q, b))
				return true;
			continue;
		}
		strbuf_addf(b, "They part at packet %zu\n  A: %s\n  B: %s\n", i + 1,
			    p ? str(p, "title") : "no such packet",
			    q ? str(q, "title") : "no such packet");
		return true;
	}
	return false;
}

static void add_verdict(struct strbuf *b, const char *name, const json_t *o)
{
	const json_t *v = json_object_get(o, "verdict");
	strbuf_addf(b, "  %s ends: %s (%s)\n", name, str(v, "text"), str(v, "result"));
}

bool recording_diff(const struct recording *a, const struct recording *b, struct strbuf *out)
{
	json_t *x = recording_normal(a), *y = recording_normal(b);
	const json_t *dx = json_object_get(x, "dns"), *dy = json_object_get(y, "dns");
	bool differ = dx && dy && diff_flights(dx, dy, out);
	differ = differ || diff_flights(x, y, out);
	if (!same(x, y, "verdict")) {
		add_verdict(out, "A", x);
		add_verdict(out, "B", y);
		differ = true;
	}
	json_decref(x);
	json_decref(y);
	return differ;
}
