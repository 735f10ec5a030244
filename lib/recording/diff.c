/* SPDX-License-Identifier: MIT */
/*
 * diff: where do two recordings part? Their normal forms are laid side by side, flight by flight,
 * steps aligned by place, hook and kind. What the packet does counts, and what decided it: not what
 * was said around it (what comes next, a command to try), nor what follows from a later difference
 * (whether conntrack kept an entry).
 */
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
	return same(a, b, "kind") && same(a, b, "where") && same(a, b, "hook") &&
	       same(a, b, "outer");
}

/* Reasons that tell what decided: chains walked, routes, neighbours, tunnels, bridges, sizes. */
static bool decides(const json_t *y)
{
	static const char *const keys[] = {
		"rule",	  "policy",  "no-more", "route.", "neigh.",	"fdb.",	     "encap.",
		"decap.", "bridge.", "dev.mtu", "ipvs.",  "app.answer", "app.error", "icmp.sent"};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!strncmp(str(y, "key"), keys[i], strlen(keys[i])))
			return true;
	return false;
}

/* The next reason of that sort from *at on; NULL: none. */
static const json_t *next_reason(const json_t *step, size_t *at)
{
	const json_t *y, *all = json_object_get(step, "why");
	while ((y = json_array_get(all, (*at)++)))
		if (decides(y))
			return y;
	return NULL;
}

/* Seen, asked again or concluded: the same evidence is the same. */
static bool same_reason(const json_t *p, const json_t *q)
{
	if (!p || !q)
		return p == q;
	bool asked = strchr(str(p, "key"), '.') && *str(p, "text");
	return same(p, q, "text") && (asked || (same(p, q, "key") && same(p, q, "args")));
}

/* The first reasons that differ; false when none do. */
static bool reasons_part(const json_t *x, const json_t *y, const json_t **p, const json_t **q)
{
	size_t i = 0, k = 0;
	do {
		*p = next_reason(x, &i);
		*q = next_reason(y, &k);
		if (!same_reason(*p, *q))
			return true;
	} while (*p);
	return false;
}

static bool part(const json_t *x, const json_t *y)
{
	const json_t *p, *q;
	return !same(x, y, "before") || !same(x, y, "after") || reasons_part(x, y, &p, &q);
}

static void add_reason(struct strbuf *b, const char *name, const json_t *y)
{
	if (!y) {
		strbuf_addf(b, "    %s: nothing\n", name);
		return;
	}
	const char *text = str(y, "text");
	strbuf_addf(b, "    %s: [%s] %s", name, str(y, "how"), *text ? text : str(y, "key"));
	size_t i;
	json_t *arg;
	json_array_foreach (*text ? NULL : json_object_get(y, "args"), i, arg)
		strbuf_addf(b, "%s%s", i ? ", " : ": ", json_string_value(arg));
	strbuf_addc(b, '\n');
}

/* What differs in one and the same step. */
static void add_fields(struct strbuf *b, const json_t *x, const json_t *y)
{
	static const char *const keys[][2] = {{"before", "the packet before"},
					      {"after", "the packet after"}};
	const json_t *p, *q;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!same(x, y, keys[i][0]))
			strbuf_addf(b, "  %s:\n    A: %s\n    B: %s\n", keys[i][1],
				    str(x, keys[i][0]), str(y, keys[i][0]));
	if (!reasons_part(x, y, &p, &q))
		return;
	strbuf_adds(b, "  what decided:\n");
	add_reason(b, "A", p);
	add_reason(b, "B", q);
}

/* How many steps further does `steps` come to the place of s? 0: never. */
static size_t ahead(const json_t *steps, size_t from, const json_t *s)
{
	for (size_t i = from + 1; s && i < json_array_size(steps); i++)
		if (same_place(json_array_get(steps, i), s))
			return i - from;
	return 0;
}

static void add_more(struct strbuf *b, const char *name, const char *other, size_t n)
{
	if (n)
		strbuf_addf(b, "  %s has %zu step%s more here, then it is where %s is\n", name, n,
			    n > 1 ? "s" : "", other);
}

static bool diff_flight(const char *title, const json_t *a, const json_t *c, struct strbuf *b)
{
	const json_t *x = json_object_get(a, "steps"), *y = json_object_get(c, "steps");
	size_t n = json_array_size(x), m = json_array_size(y);
	for (size_t i = 0; i < n || i < m; i++) {
		const json_t *p = json_array_get(x, i), *q = json_array_get(y, i);
		bool both = p && q && same_place(p, q);
		if (both && !part(p, q))
			continue;
		strbuf_addf(b, "They part at step %zu of %s\n", i + 1, title);
		add_step(b, "A", p);
		add_step(b, "B", q);
		if (both) {
			add_fields(b, p, q);
			return true;
		}
		size_t more_a = ahead(x, i, q), more_b = ahead(y, i, p);
		if (more_a && (!more_b || more_a <= more_b))
			add_more(b, "A", "B", more_a);
		else
			add_more(b, "B", "A", more_b);
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

/* How it is known is no difference. */
static bool same_end(const json_t *x, const json_t *y)
{
	const json_t *p = json_object_get(x, "verdict"), *q = json_object_get(y, "verdict");
	return same(p, q, "result") && same(p, q, "cause") && same(p, q, "where") &&
	       same(p, q, "device") && same(p, q, "rule");
}

static void add_incomplete(struct strbuf *b, const char *name, const struct recording *r)
{
	if (r->verdict.incomplete)
		strbuf_addf(b,
			    "  %s is incomplete: frames or messages were lost while it was "
			    "recorded, and what it lacks may have happened\n",
			    name);
}

bool recording_diff(const struct recording *a, const struct recording *b, struct strbuf *out)
{
	json_t *x = recording_normal(a), *y = recording_normal(b);
	const json_t *dx = json_object_get(x, "dns"), *dy = json_object_get(y, "dns");
	bool differ = dx && dy && diff_flights(dx, dy, out);
	differ = differ || diff_flights(x, y, out);
	if (differ || !same_end(x, y)) {
		add_verdict(out, "A", x);
		add_verdict(out, "B", y);
		differ = true;
	}
	add_incomplete(out, "A", a);
	add_incomplete(out, "B", b);
	json_decref(x);
	json_decref(y);
	return differ;
}
