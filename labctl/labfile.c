/* SPDX-License-Identifier: MIT */
/* See labfile.h. */
#include "labctl/labfile.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "labctl/paths.h"
#include "lib/base/cleanup.h"

void labfile_free(struct labfile *f)
{
	if (f->objects)
		objects_release(f->objects);
	yaml_files_free(f->files);
	arena_free(f->arena);
	*f = (struct labfile){0};
}

static int read_words(struct labfile *f, const char *const *words, int n, struct err *err)
{
	for (int i = 0; i < n; i++) {
		char path[PATH_MAX];
		int r = path_lab(words[i], path, sizeof(path), err);
		if (r == 0)
			r = yaml_files_add(f->files, path, err);
		if (r < 0)
			return r;
		size_t len = strlen(f->source);
		snprintf(f->source + len, sizeof(f->source) - len, "%s%s", i ? " " : "",
			 strcmp(path, "-") == 0 ? "stdin" : path);
	}
	return 0;
}

static int count_faults(const struct labfile *f, unsigned n, struct err *err)
{
	return err_setc(err, EINVAL, ERR_USAGE, "%u fault%s in %s", n, n == 1 ? "" : "s",
			f->source);
}

static int decide(struct labfile *f, const struct cluster_opts *opts, struct err *err)
{
	struct faults faults = {.arena = f->arena};
	unsigned syntax = yaml_files_faults(f->files);
	json_t *docs = yaml_files_docs(f->files);
	if (syntax == 0 && json_array_size(docs) == 0)
		return err_setc(err, EINVAL, ERR_USAGE, "%s: there is nothing in it", f->source);
	f->objects = objects_bind(f->arena, docs, yaml_to_json, &faults);
	/* What a file lost to bad syntax would only look like further faults. */
	if (syntax == 0)
		objects_check(f->objects, &faults);
	if (faults.total == 0 && syntax == 0)
		f->cluster = cluster_build(f->arena, f->objects, opts, &faults);
	if (faults.total + syntax == 0) {
		yaml_files_print_notes(f->files, &faults, stderr);
		return 0;
	}
	yaml_files_print(f->files, &faults, stderr);
	/* A field that is unknown is often the one that is missing. */
	yaml_files_print_notes(f->files, &faults, stderr);
	return count_faults(f, faults.total + syntax, err);
}

int labfile_load(struct labfile *f, const char *const *words, int n,
		 const struct cluster_opts *opts, struct err *err)
{
	*f = (struct labfile){.arena = arena_new(), .files = yaml_files_new()};
	int r = read_words(f, words, n, err);
	if (r == 0)
		r = decide(f, opts, err);
	if (r < 0)
		labfile_free(f);
	return r;
}

/* A ConfigMap's config.conf: the text moves to labd.dev/text, its meaning takes the place. */
static void parse_config(json_t *doc)
{
	static const char key[] = "config.conf";
	const char *kind = json_string_value(json_object_get(doc, "kind"));
	json_t *data = json_object_get(doc, "data"), *text = json_object_get(data, key);
	char why[256];
	if (!kind || strcmp(kind, "ConfigMap") != 0 || !json_is_string(text))
		return;
	json_t *v = yaml_to_json(json_string_value(text), why);
	if (!v)
		return;
	json_object_set_new(doc, "labd.dev/text", json_pack("{s:O}", key, text));
	json_object_set_new(data, key, v);
}

json_t *labfile_documents(const struct labfile *f)
{
	json_t *docs = json_deep_copy(yaml_files_docs(f->files)), *doc, *item;
	size_t i, k;
	json_array_foreach (docs, i, doc) {
		parse_config(doc);
		json_array_foreach (json_object_get(doc, "items"), k, item)
			parse_config(item);
	}
	return docs;
}

unsigned labfile_print_faults(const struct labfile *f, const json_t *list)
{
	struct faults faults = {.arena = f->arena};
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)list, i, v) {
		const char *at = "", *path = "", *object = "", *text = "", *hint = "";
		int doc = -1;
		if (json_unpack(v, "{s?i, s?s, s?s, s?s, s:s, s?s}", "doc", &doc, "at", &at, "path",
				&path, "object", &object, "text", &text, "hint", &hint) == 0)
			fault_add(&faults, doc, strcmp(at, "key") == 0 ? FAULT_KEY : FAULT_VALUE,
				  object, path, hint, "%s", text);
	}
	if (faults.total)
		yaml_files_print(f->files, &faults, stderr);
	return faults.total;
}
