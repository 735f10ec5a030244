/* SPDX-License-Identifier: MIT */
/* See describe_kernel.h. */
#include "lib/view/describe_kernel.h"

#include <string.h>

#include "lib/view/obj.h"

static bool same(const json_t *a, const json_t *b)
{
	return strcmp(obj_str(a, "kind", ""), obj_str(b, "kind", "")) == 0 &&
	       json_equal(json_object_get(a, "parts"), json_object_get(b, "parts")) &&
	       strcmp(obj_str(a, "gone", ""), obj_str(b, "gone", "")) == 0;
}

static bool told_before(const json_t *places, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (same(json_array_get(places, k), json_array_get(places, i)))
			return true;
	return false;
}

static void add_parts(const json_t *place, struct strbuf *out)
{
	size_t i, k;
	json_t *part, *line;
	const char *gone = obj_str(place, "gone", NULL);
	if (gone)
		strbuf_addf(out, "  %s\n", gone);
	else if (json_array_size(json_object_get(place, "parts")) == 0)
		strbuf_adds(out, "  nothing\n");
	json_array_foreach (json_object_get(place, "parts"), i, part) {
		strbuf_addf(out, "  %s (%s):\n", obj_str(part, "title", "?"),
			    obj_str(part, "command", "?"));
		json_array_foreach (json_object_get(part, "lines"), k, line)
			strbuf_addf(out, "    %s\n", json_string_value(line));
	}
}

static void add_places(const json_t *places, struct strbuf *out)
{
	for (size_t i = 0; i < json_array_size(places); i++) {
		const json_t *p = json_array_get(places, i);
		if (told_before(places, i))
			continue;
		strbuf_addf(out, "Kernel, %s %s", obj_str(p, "kind", "?"), obj_str(p, "name", "?"));
		for (size_t k = i + 1; k < json_array_size(places); k++)
			if (same(json_array_get(places, k), p))
				strbuf_addf(out, ", %s",
					    obj_str(json_array_get(places, k), "name", "?"));
		strbuf_adds(out, ":\n");
		add_parts(p, out);
	}
}

size_t view_kernel_drift(const json_t *kernel)
{
	size_t i, n = 0;
	json_t *p;
	json_array_foreach (json_object_get(kernel, "places"), i, p)
		n += json_array_size(json_object_get(p, "drift"));
	return n;
}

void view_kernel(const json_t *kernel, struct strbuf *out)
{
	const json_t *places = json_object_get(kernel, "places");
	size_t i, k;
	json_t *v, *line;
	if (!json_is_object(kernel))
		return;
	strbuf_addc(out, '\n');
	json_array_foreach (json_object_get(kernel, "notes"), i, v)
		strbuf_addf(out, "%s\n", json_string_value(v));
	add_places(places, out);
	if (view_kernel_drift(kernel) == 0) {
		if (json_array_size(places))
			strbuf_adds(out, "Drift:  none, the kernel has what it should have\n");
		return;
	}
	strbuf_adds(out, "Drift (labctl diff --fix mends it):\n");
	json_array_foreach ((json_t *)places, i, v)
		json_array_foreach (json_object_get(v, "drift"), k, line)
			strbuf_addf(out, "  %s: %s\n", obj_str(v, "name", "?"),
				    json_string_value(line));
}
