/* SPDX-License-Identifier: MIT */
/* See describe_call.h. */
#include "labd/describe_call.h"

#include <errno.h>

#include "labd/lab/kernel_state.h"
#include "lib/base/cleanup.h"

static json_t *texts(const strs *list)
{
	json_t *a = json_array();
	vec_foreach (const char *, s, list)
		json_array_append_new(a, json_string(*s) ?: json_string("?")); /* not UTF-8 */
	return a;
}

static json_t *places_json(const kplaces *list)
{
	json_t *places = json_array();
	vec_foreach (const struct kplace, p, list) {
		json_t *parts = json_array();
		vec_foreach (const struct kpart, k, &p->parts)
			json_array_append_new(parts, json_pack("{s:s, s:s, s:o}", "title", k->title,
							       "command", k->command, "lines",
							       texts(&k->lines)));
		json_array_append_new(places,
				      json_pack("{s:s, s:s, s:o, s:o, s:s*}", "kind", p->kind,
						"name", p->name, "parts", parts, "drift",
						texts(&p->drift), "gone", p->gone));
	}
	return places;
}

static int describe(struct site *s, const json_t *args, json_t **ret, struct err *err)
{
	const char *kind = json_string_value(json_object_get(args, "kind"));
	const char *name = json_string_value(json_object_get(args, "name"));
	const char *ns = json_string_value(json_object_get(args, "ns"));
	struct arena *a = s->lab.arena;
	struct made m;
	kplaces places = {0};
	struct journal j;
	if (!kind || !name)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"%s\" must be a text",
				kind ? "name" : "kind");
	if (!made_of(a, s->lab.desired, kind, ns ? ns : "default", name, &m)) {
		*ret = json_pack("{s:s, s:n}", "lab", s->lab.name, "kernel");
		return 0;
	}
	int r = site_slots(s, err);
	if (r == 0)
		r = journal_read(s->lab.dir, a, &j, err);
	if (r == 0)
		r = kernel_state(a, s, &j, &m, &places, err);
	if (r == 0)
		*ret = json_pack("{s:s, s:{s:o, s:o}}", "lab", s->lab.name, "kernel", "notes",
				 texts(&m.notes), "places", places_json(&places));
	return r;
}

int describe_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
		  struct err *err)
{
	const struct engine *e = &s->server->engine;
	struct site site;
	site_init(&site, e, lab);
	int r = store_load(e, lab, &site.lab, err);
	if (r == 0)
		r = describe(&site, args, ret, err);
	site_free(&site);
	return r;
}
