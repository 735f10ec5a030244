/* SPDX-License-Identifier: MIT */
/* apply: the verbs that change a running lab's objects: apply, delete, scale. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "labctl/client.h"
#include "labctl/labfile.h"
#include "labctl/objects.h"
#include "labctl/progress.h"
#include "labctl/verbs.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/view/kube.h"

/* The kind as `-o name` has it: "deployment.apps". Kinds without a table keep their own name. */
static const char *kind_word(const char *kind, char buf[static 128])
{
	const struct view_kind *k = view_kind_find(kind);
	if (k)
		snprintf(buf, 128, "%s%s%s", k->singular, *k->group ? "." : "", k->group);
	else
		snprintf(buf, 128, "%s", kind);
	return buf;
}

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

/* "service/web created", `pod "web" deleted`, as kubectl says it. */
static void print_result(const json_t *result)
{
	char word[128];
	size_t i;
	json_t *v;
	json_array_foreach (json_object_get(result, "objects"), i, v) {
		const char *done = text_at(v, "done"), *name = text_at(v, "name");
		kind_word(text_at(v, "kind"), word);
		if (strcmp(done, "deleted") == 0)
			printf("%s \"%s\" deleted\n", word, name);
		else
			printf("%s%s%s %s\n", word, *name ? "/" : "", name, done);
	}
}

/* Send a change to the lab that is meant; args' reference is stolen. f: where faults are, or NULL.
 */
static int send_change(const struct opts *o, const char *call, json_t *args,
		       const struct labfile *f, struct err *err)
{
	enum engine_kind k;
	const char *lab;
	json_t *result = NULL, *faults = NULL;
	int r = client_lab(o, &k, &lab, err);
	if (r < 0) {
		json_decref(args);
		return r;
	}
	if (lab)
		json_object_set_new(args, "lab", json_string(lab));
	struct progress *p = progress_new("changed");
	struct call c = {.name = call,
			 .args = args,
			 .progress = progress_take,
			 .arg = p,
			 .on_interrupt = "a change that has begun is finished",
			 .faults = &faults};
	r = client_call(k, &c, &result, err);
	progress_free(p);
	if (r == 0)
		print_result(result);
	else if (f && json_array_size(faults))
		labfile_print_faults(f, faults);
	json_decref(faults);
	json_decref(result);
	return r;
}

/* What went wrong may be that one of the targets ({kind, ns, name}) is not there: then that is told
 * as kubectl does, and the exit code returned. */
static int tell_missing(const struct opts *o, const json_t *targets, int r, const struct err *err)
{
	struct source s;
	struct err ignored = {0};
	size_t i;
	json_t *t, *items;
	if (r >= 0 || err->cls != ERR_NOT_FOUND || objects_source(o, &s, &ignored) < 0)
		return r;
	json_array_foreach ((json_t *)targets, i, t) {
		const struct view_kind *k = view_kind_find(text_at(t, "kind"));
		s.ns = text_at(t, "ns");
		if (!k || objects_fetch(&s, k, &items, &ignored) < 0)
			continue;
		json_t *named = objects_named(items, text_at(t, "name"), false);
		bool there = json_array_size(named) > 0;
		if (!there)
			objects_not_found(k, text_at(t, "name"), items);
		json_decref(named);
		json_decref(items);
		if (!there)
			return ERR_NOT_FOUND;
	}
	return r;
}

/* -f FILE and further operands. */
static int load_files(const struct opts *o, struct labfile *f, struct err *err)
{
	_free_ const char **words = calloc((size_t)o->n_args + 1, sizeof(*words));
	int n = 0;
	if (!words)
		return err_sys(err, ENOMEM, "files");
	if (o->val[FLAG_FILE])
		words[n++] = o->val[FLAG_FILE];
	for (int i = 0; i < o->n_args; i++)
		words[n++] = o->args[i];
	if (n == 0) {
		err_setc(err, EINVAL, ERR_USAGE, "%s needs -f FILE", o->verb->name);
		return err_hint(err, "-f - reads standard input");
	}
	return labfile_load(f, words, n, NULL, err);
}

int verb_apply(const struct opts *o, struct err *err)
{
	struct labfile f;
	int r = load_files(o, &f, err);
	if (r < 0)
		return r;
	json_t *docs = labfile_documents(&f), *v;
	size_t i;
	/* What names no namespace goes into the one of -n. */
	json_array_foreach (docs, i, v) {
		json_t *meta = json_object_get(v, "metadata");
		const struct view_kind *k = view_kind_find(text_at(v, "kind"));
		if (o->val[FLAG_NAMESPACE] && k && k->namespaced && meta &&
		    !json_object_get(meta, "namespace"))
			json_object_set_new(meta, "namespace", json_string(o->val[FLAG_NAMESPACE]));
	}
	r = send_change(o, "apply", json_pack("{s:o}", "objects", docs), &f, err);
	labfile_free(&f);
	return r;
}

/* ---- delete ---------------------------------------------------------------------------------- */

static void add_target(json_t *list, const char *kind, const char *ns, const char *name)
{
	json_array_append_new(list,
			      json_pack("{s:s, s:s, s:s}", "kind", kind, "ns", ns, "name", name));
}

static void targets_of_doc(json_t *list, const json_t *doc, const char *def_ns)
{
	const json_t *meta = json_object_get(doc, "metadata"),
		     *items = json_object_get(doc, "items");
	size_t i;
	json_t *v;
	if (json_is_array(items)) {
		json_array_foreach ((json_t *)items, i, v)
			targets_of_doc(list, v, def_ns);
		return;
	}
	const char *ns = text_at(meta, "namespace");
	add_target(list, text_at(doc, "kind"), *ns ? ns : def_ns, text_at(meta, "name"));
}

static int targets_of_files(const struct opts *o, json_t *list, const char *ns, struct err *err)
{
	struct labfile f;
	size_t i;
	json_t *v;
	int r = load_files(o, &f, err);
	if (r < 0)
		return r;
	json_t *docs = labfile_documents(&f);
	json_array_foreach (docs, i, v)
		targets_of_doc(list, v, ns);
	json_decref(docs);
	labfile_free(&f);
	return 0;
}

static int targets_of_words(const struct opts *o, json_t *list, const char *ns, struct err *err)
{
	struct ask ask;
	if (o->n_args == 0)
		return err_setc(err, EINVAL, ERR_USAGE, "delete needs KIND/NAME, or -f FILE");
	int r = objects_parse(o, &ask, err);
	for (size_t i = 0; r == 0 && i < ask.n; i++) {
		if (!ask.v[i].name)
			return err_setc(err, EINVAL, ERR_USAGE, "delete needs the names of %s",
					ask.v[i].kind->plural);
		add_target(list, ask.v[i].kind->kind, ns, ask.v[i].name);
	}
	return r;
}

int verb_delete(const struct opts *o, struct err *err)
{
	const char *ns = o->val[FLAG_NAMESPACE] ? o->val[FLAG_NAMESPACE] : "default";
	json_t *list = json_array();
	int r = o->val[FLAG_FILE] ? targets_of_files(o, list, ns, err)
				  : targets_of_words(o, list, ns, err);
	if (r < 0) {
		json_decref(list);
		return r;
	}
	r = send_change(o, "delete", json_pack("{s:O}", "objects", list), NULL, err);
	r = tell_missing(o, list, r, err);
	json_decref(list);
	return r;
}

/* ---- scale ----------------------------------------------------------------------------------- */

int verb_scale(const struct opts *o, struct err *err)
{
	const char *ns = o->val[FLAG_NAMESPACE] ? o->val[FLAG_NAMESPACE] : "default";
	const char *text = o->val[FLAG_REPLICAS];
	struct ask ask;
	char *end = NULL;
	int r = objects_parse(o, &ask, err);
	if (r < 0)
		return r;
	if (!ask.one_object || strcmp(ask.v[0].kind->kind, "Deployment") != 0)
		return err_setc(err, EINVAL, ERR_USAGE, "scale takes one deploy/NAME");
	unsigned long n = text ? strtoul(text, &end, 10) : 0;
	if (!text || end == text || *end || text[0] == '-' || n > MAX_PODS)
		return err_setc(err, EINVAL, ERR_USAGE,
				"--replicas %s: it is a number from 0 to %u", text ? text : "",
				MAX_PODS);
	r = send_change(
		o, "scale",
		json_pack("{s:s, s:s, s:i}", "ns", ns, "name", ask.v[0].name, "replicas", (int)n),
		NULL, err);
	json_t *target = json_array();
	add_target(target, ask.v[0].kind->kind, ns, ask.v[0].name);
	r = tell_missing(o, target, r, err);
	json_decref(target);
	return r;
}
