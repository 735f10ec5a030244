/* SPDX-License-Identifier: MIT */
/* get: the verbs get and describe. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "labctl/objects.h"
#include "labctl/watch.h"
#include "lib/base/cleanup.h"
#include "lib/view/describe.h"
#include "lib/view/describe_kernel.h"
#include "lib/view/obj.h"
#include "lib/view/selector.h"

#define DESCRIBE_TIMEOUT_S 300 /* of a lab with tens of thousands of rules */

/* What was found, kind by kind, in the order asked for. */
struct found {
	const struct view_kind *kind[MAX_ASKED];
	json_t *items[MAX_ASKED];
	size_t n;
	size_t objects; /* in all of them */
	bool missing;	/* a name was not there; told already */
};

static void found_free(struct found *f)
{
	for (size_t i = 0; i < f->n; i++)
		json_decref(f->items[i]);
}

/* Objects of one kind belong into one table, however they were asked for. */
static void add_found(struct found *f, const struct view_kind *k, json_t *items)
{
	size_t i = 0;
	f->objects += json_array_size(items);
	while (i < f->n && f->kind[i] != k)
		i++;
	if (i < f->n) {
		json_array_extend(f->items[i], items);
		json_decref(items);
		return;
	}
	f->kind[f->n] = k;
	f->items[f->n++] = items;
}

static int find_all(const struct source *s, const struct ask *ask, bool beginnings, struct found *f,
		    struct err *err)
{
	for (size_t i = 0; i < ask->n; i++) {
		const struct asked *a = &ask->v[i];
		json_t *items = NULL;
		int r = objects_fetch(s, a->kind, &items, err);
		if (r < 0)
			return r;
		json_t *named = objects_named(items, a->name, beginnings);
		if (a->name && json_array_size(named) == 0) {
			objects_not_found(a->kind, a->name, items);
			f->missing = true;
		}
		add_found(f, a->kind, named);
		json_decref(items);
	}
	return 0;
}

/* Of what was found only what has these labels. */
static void keep_labelled(struct found *f, const char *selector)
{
	f->objects = 0;
	for (size_t i = 0; i < f->n; i++) {
		objects_keep_labelled(f->items[i], selector);
		f->objects += json_array_size(f->items[i]);
	}
}

static void print_tables(const struct found *f, struct view_list *v)
{
	size_t shown = 0;
	for (size_t i = 0; i < f->n; i++) {
		_strbuf_ struct strbuf out = STRBUF_INIT;
		if (json_array_size(f->items[i]) == 0)
			continue;
		struct view_list own = *v;
		own.namespaces = v->namespaces && f->kind[i]->namespaced;
		view_list_print(f->kind[i], f->items[i], &own, &out);
		printf("%s%s", shown++ ? "\n" : "", strbuf_str(&out));
	}
}

static void print_names(const struct found *f)
{
	for (size_t i = 0; i < f->n; i++) {
		size_t k;
		json_t *o;
		json_array_foreach (f->items[i], k, o) {
			_strbuf_ struct strbuf name = STRBUF_INIT;
			view_full_name(f->kind[i], o, &name);
			puts(strbuf_str(&name));
		}
	}
}

/* One object as itself, else a List. */
static int print_data(const struct found *f, bool single, const char *form, struct err *err)
{
	if (single && f->objects == 1)
		return client_print(form, json_array_get(f->items[0], 0), err);
	json_t *all = json_array();
	for (size_t i = 0; i < f->n; i++)
		json_array_extend(all, f->items[i]);
	json_t *list = json_pack("{s:s, s:s, s:o, s:{s:s}}", "apiVersion", "v1", "kind", "List",
				 "items", all, "metadata", "resourceVersion", "");
	int r = client_print(form, list, err);
	json_decref(list);
	return r;
}

static void print_none(const struct source *s, const struct ask *ask)
{
	bool namespaced = false;
	for (size_t i = 0; i < ask->n; i++)
		namespaced = namespaced || ask->v[i].kind->namespaced;
	if (s->ns && namespaced)
		fprintf(stderr, "No resources found in %s namespace.\n", s->ns);
	else
		fputs("No resources found\n", stderr);
}

/* What the command line names, found in the lab it means. */
static int find_asked(const struct opts *o, bool beginnings, struct ask *ask, struct source *s,
		      struct found *f, struct err *err)
{
	int r = objects_parse(o, ask, err);
	if (r == 0)
		r = objects_source(o, s, err);
	return r < 0 ? r : find_all(s, ask, beginnings, f, err);
}

/* Flags that do not go together, and -l as kubectl means it. */
static int check_get(const struct opts *o, const char *form, struct err *err)
{
	const char *lab = o->val[FLAG_LAB];
	if (lab && strpbrk(lab, "=!(,")) {
		err_setc(err, EINVAL, ERR_USAGE, "-l names the lab, and \"%.60s\" is none", lab);
		return err_hint(err, "for labels: --selector '%.60s'", lab);
	}
	if (o->val[FLAG_WATCH] && *form && strcmp(form, "wide") != 0)
		return err_setc(err, EINVAL, ERR_USAGE, "-w prints tables, not -o %s", form);
	return o->val[FLAG_SELECTOR] ? selector_check(o->val[FLAG_SELECTOR], err) : 0;
}

static struct view_list view_of(const struct opts *o, const struct ask *ask, const char *form)
{
	return (struct view_list){.wide = strcmp(form, "wide") == 0,
				  .namespaces = o->val[FLAG_ALL_NAMESPACES] != NULL,
				  .no_headers = o->val[FLAG_NO_HEADERS] != NULL,
				  .labels = o->val[FLAG_SHOW_LABELS] != NULL,
				  .prefix = !ask->one_kind || strcmp(o->args[0], "all") == 0,
				  .now = time(NULL)};
}

/* The plain table of all pods, which thousands of objects need not be sent for. 1: done. */
static int quick_pods(const struct opts *o, const char *form, struct err *err)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	struct ask ask;
	struct source s;
	int r = objects_parse(o, &ask, err);
	if (r < 0 || ask.n != 1 || ask.v[0].name || strcmp(ask.v[0].kind->plural, "pods") != 0 ||
	    (*form && strcmp(form, "wide") != 0) || o->val[FLAG_SELECTOR] ||
	    o->val[FLAG_SHOW_LABELS] || o->val[FLAG_WATCH])
		return r;
	r = objects_source(o, &s, err);
	_free_ char *rows = r < 0 ? NULL : client_pod_rows(s.engine, s.lab);
	struct view_list v = view_of(o, &ask, form);
	if (!rows || view_pod_rows(rows, s.ns, &v, &out) == 0)
		return r;
	fputs(strbuf_str(&out), stdout);
	return 1;
}

int verb_get(const struct opts *o, struct err *err)
{
	const char *form = o->val[FLAG_OUTPUT] ? o->val[FLAG_OUTPUT] : "";
	const char *selector = o->val[FLAG_SELECTOR];
	struct ask ask;
	struct source s;
	_cleanup_(found_free) struct found f = {.n = 0};
	int r = check_get(o, form, err);
	if (r == 0)
		r = quick_pods(o, form, err);
	if (r == 1)
		return 0;
	if (r == 0)
		r = find_asked(o, false, &ask, &s, &f, err);
	if (r == 0 && o->val[FLAG_WATCH] && ask.n != 1)
		r = err_setc(err, EINVAL, ERR_USAGE, "-w watches one kind, or one object");
	if (r < 0)
		return r;
	if (selector)
		keep_labelled(&f, selector);
	struct view_list v = view_of(o, &ask, form);
	if (strcmp(form, "json") == 0 || strcmp(form, "yaml") == 0)
		r = f.missing && f.objects == 0 ? 0 : print_data(&f, ask.one_object, form, err);
	else if (strcmp(form, "name") == 0)
		print_names(&f);
	else if (f.objects)
		print_tables(&f, &v);
	else if (!f.missing && !o->val[FLAG_WATCH])
		print_none(&s, &ask);
	if (o->val[FLAG_WATCH] && !f.missing)
		r = watch_objects(&s, &ask.v[0], selector, &v, json_incref(f.items[0]), err);
	return r < 0 ? r : f.missing ? ERR_NOT_FOUND : 0;
}

/* What a description needs besides the object (view_describe()); a new reference or NULL. */
static json_t *related(const struct source *s, const struct view_kind *k, const json_t *o)
{
	json_t *items = NULL, *ret = NULL;
	if (strcmp(k->plural, "nodes") == 0 &&
	    client_get(s->engine, s->lab, "pods", NULL, &items, NULL) == 0)
		return items;
	if (strcmp(k->plural, "services") != 0 ||
	    client_get(s->engine, s->lab, "endpoints", obj_str(o, "metadata.namespace", "default"),
		       &items, NULL) < 0)
		return NULL;
	json_t *named = objects_named(items, obj_name(o), false);
	ret = json_incref(json_array_get(named, 0));
	json_decref(named);
	json_decref(items);
	return ret;
}

/* What became of it in the kernel; a new reference or NULL. An engine that cannot tell is said. */
static json_t *kernel_of(const struct source *s, const struct view_kind *k, const json_t *o)
{
	json_t *result = NULL, *ret;
	struct err err = {0};
	struct call c = {.name = "describe",
			 .args = json_pack("{s:s*, s:s, s:s, s:s*}", "lab", s->lab, "kind",
					   k->plural, "name", obj_name(o), "ns",
					   obj_str(o, "metadata.namespace", NULL)),
			 .timeout_s = DESCRIBE_TIMEOUT_S};
	if (client_call(s->engine, &c, &result, &err) < 0) {
		fflush(stdout);
		fprintf(stderr, "labctl: the kernel's state of it: %s\n", err.text);
		return NULL;
	}
	ret = json_incref(json_object_get(result, "kernel"));
	json_decref(result);
	return ret;
}

static void describe_one(const struct source *s, const struct view_kind *k, const json_t *o)
{
	_strbuf_ struct strbuf out = STRBUF_INIT;
	json_t *extra = related(s, k, o), *kernel = kernel_of(s, k, o);
	view_describe(k, o, extra, &out);
	view_kernel(kernel, &out);
	fputs(strbuf_str(&out), stdout);
	json_decref(extra);
	json_decref(kernel);
}

/* The objects with what became of each. */
static int describe_data(const struct source *s, const struct found *f, bool single,
			 const char *form, struct err *err)
{
	json_t *all = json_array(), *obj;
	for (size_t i = 0; i < f->n; i++) {
		size_t k;
		json_array_foreach (f->items[i], k, obj) {
			json_t *kernel = kernel_of(s, f->kind[i], obj);
			json_array_append_new(
				all, json_pack("{s:O, s:o?}", "object", obj, "kernel", kernel));
		}
	}
	single = single && json_array_size(all) == 1;
	int r = client_print(form, single ? json_array_get(all, 0) : all, err);
	json_decref(all);
	return r;
}

int verb_describe(const struct opts *o, struct err *err)
{
	const char *form = o->val[FLAG_OUTPUT];
	struct ask ask;
	struct source s;
	_cleanup_(found_free) struct found f = {.n = 0};
	int r = find_asked(o, true, &ask, &s, &f, err);
	if (r < 0)
		return r;
	size_t shown = 0;
	for (size_t i = 0; !form && i < f.n; i++) {
		size_t k;
		json_t *obj;
		json_array_foreach (f.items[i], k, obj) {
			fputs(shown++ ? "\n\n" : "", stdout);
			describe_one(&s, f.kind[i], obj);
		}
	}
	if (form && f.objects)
		r = describe_data(&s, &f, ask.one_object, form, err);
	if (!f.objects && !f.missing)
		print_none(&s, &ask);
	return r < 0 ? r : f.missing ? ERR_NOT_FOUND : 0;
}
