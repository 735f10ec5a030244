/* SPDX-License-Identifier: MIT */
/* See watch.h. The engine sends no events: it is asked again and again, and what it says is
 * compared. */
#include "labctl/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/view/obj.h"

#define EVERY_MS 300

#define KEY_LEN (2 * (MAX_NAME + 1))

static const char *key_of(const json_t *o, char buf[static KEY_LEN])
{
	snprintf(buf, KEY_LEN, "%s/%s", obj_str(o, "metadata.namespace", ""), obj_name(o));
	return buf;
}

/* Objects by namespace and name. */
static json_t *index_of(const json_t *items)
{
	json_t *index = json_object(), *o;
	char key[KEY_LEN];
	size_t i;
	json_array_foreach ((json_t *)items, i, o)
		json_object_set(index, key_of(o, key), o);
	return index;
}

/* The table of all, so that columns stay where they are, but of it only the rows marked. */
static void print_rows(const struct view_kind *k, const json_t *rows, const bool *marked,
		       const struct view_list *v)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct view_list now = *v;
	now.now = time(NULL);
	now.no_headers = false;
	view_list_print(k, rows, &now, &out);
	const char *line = strchr(strbuf_str(&out), '\n');
	for (size_t i = 0; line && i < json_array_size(rows); i++) {
		const char *end = strchr(++line, '\n');
		if (end && marked[i])
			printf("%.*s\n", (int)(end - line), line);
		line = end;
	}
	fflush(stdout);
}

static void print_changes(const struct view_kind *k, const json_t *before, const json_t *after,
			  const struct view_list *v)
{
	json_t *rows = json_copy((json_t *)after), *old = index_of(before), *new = index_of(after);
	json_t *o;
	char key[KEY_LEN];
	size_t i;
	bool any = false;
	json_array_foreach ((json_t *)before, i, o)
		if (!json_object_get(new, key_of(o, key)))
			json_array_append(rows, o);
	_free_ bool *marked = calloc(json_array_size(rows) + 1, sizeof(*marked));
	json_array_foreach (rows, i, o) {
		const json_t *was = json_object_get(old, key_of(o, key));
		if (marked && (i >= json_array_size(after) || !was || !json_equal(was, o)))
			any = marked[i] = true;
	}
	if (any)
		print_rows(k, rows, marked, v);
	json_decref(rows);
	json_decref(old);
	json_decref(new);
}

int watch_objects(const struct source *s, const struct asked *a, const char *selector,
		  const struct view_list *v, json_t *items, struct err *err)
{
	const struct timespec every = {0, EVERY_MS * 1000000L};
	fflush(stdout);
	for (;;) {
		json_t *now = NULL;
		nanosleep(&every, NULL);
		int r = objects_select(s, a, selector, &now, err);
		if (r < 0) {
			json_decref(items);
			return r;
		}
		print_changes(a->kind, items, now, v);
		json_decref(items);
		items = now;
	}
}
