/* SPDX-License-Identifier: MIT */
/* See objects.h. */
#include "labctl/objects.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/kube/fault.h"
#include "lib/view/obj.h"
#include "lib/view/selector.h"

#define MAX_NEAR 512 /* names compared for "did you mean" */

static int unknown_kind(const char *word, struct err *err)
{
	size_t n;
	const struct view_kind *k = view_kinds(&n);
	const char *names[64];
	unsigned have = 0;
	for (size_t i = 0; i < n && have + 2 < ARRAY_SIZE(names); i++) {
		names[have++] = k[i].plural;
		names[have++] = k[i].singular;
	}
	err_setc(err, EINVAL, ERR_USAGE, "there is no kind of object called %s", word);
	const char *near = nearest_word(word, names, have);
	if (near)
		return err_hint(err, "did you mean %s?", near);
	return err_hint(err, "labctl help get lists them");
}

static int add(struct ask *ret, const struct view_kind *k, const char *name, struct err *err)
{
	if (ret->n == MAX_ASKED)
		return err_setc(err, E2BIG, ERR_USAGE, "more than %d objects", MAX_ASKED);
	ret->v[ret->n++] = (struct asked){k, name};
	return 0;
}

static int add_kind(struct ask *ret, const char *word, struct err *err)
{
	size_t n;
	const struct view_kind *all = view_kinds(&n), *k = view_kind_find(word);
	if (k)
		return add(ret, k, NULL, err);
	if (strcmp(word, "all") != 0)
		return unknown_kind(word, err);
	for (size_t i = 0; i < n; i++) {
		int r = all[i].in_all ? add(ret, &all[i], NULL, err) : 0;
		if (r < 0)
			return r;
	}
	return 0;
}

/* "pods,svc" */
static int add_kinds(struct ask *ret, const char *list, struct err *err)
{
	while (*list) {
		char word[128];
		size_t n = strcspn(list, ",");
		snprintf(word, sizeof(word), "%.*s", (int)n, list);
		int r = add_kind(ret, word, err);
		if (r < 0)
			return r;
		list += n + (list[n] == ',');
	}
	return 0;
}

/* "pod/NAME" */
static int add_pair(struct ask *ret, const char *word, struct err *err)
{
	char kind[128];
	size_t n = strcspn(word, "/");
	if (!word[n] || !word[n + 1])
		return err_setc(err, EINVAL, ERR_USAGE, "%s: KIND/NAME is expected here", word);
	snprintf(kind, sizeof(kind), "%.*s", (int)n, word);
	const struct view_kind *k = view_kind_find(kind);
	return k ? add(ret, k, word + n + 1, err) : unknown_kind(kind, err);
}

int objects_parse(const struct opts *o, struct ask *ret, struct err *err)
{
	*ret = (struct ask){.n = 0};
	bool pairs = strchr(o->args[0], '/');
	int r = pairs ? 0 : add_kinds(ret, o->args[0], err);
	for (int i = 0; r == 0 && pairs && i < o->n_args; i++)
		r = add_pair(ret, o->args[i], err);
	if (r == 0 && !pairs && o->n_args > 1) {
		if (ret->n != 1)
			return err_setc(err, EINVAL, ERR_USAGE,
					"names go with one kind, not with %s", o->args[0]);
		const struct view_kind *k = ret->v[0].kind;
		ret->n = 0;
		for (int i = 1; r == 0 && i < o->n_args; i++)
			r = add(ret, k, o->args[i], err);
	}
	if (r < 0)
		return r;
	if (ret->n == 0)
		return err_setc(err, EINVAL, ERR_USAGE, "which kind of objects?");
	ret->one_kind = true;
	for (size_t i = 1; i < ret->n; i++)
		ret->one_kind = ret->one_kind && ret->v[i].kind == ret->v[0].kind;
	ret->one_object = ret->n == 1 && ret->v[0].name;
	if (ret->v[0].name && o->val[FLAG_ALL_NAMESPACES])
		return err_setc(err, EINVAL, ERR_USAGE,
				"a name and all namespaces do not go together");
	return 0;
}

int objects_source(const struct opts *o, struct source *ret, struct err *err)
{
	ret->ns = o->val[FLAG_NAMESPACE] ? o->val[FLAG_NAMESPACE] : "default";
	if (o->val[FLAG_ALL_NAMESPACES])
		ret->ns = NULL;
	return client_lab(o, &ret->engine, &ret->lab, err);
}

int objects_fetch(const struct source *s, const struct view_kind *k, json_t **items,
		  struct err *err)
{
	return client_get(s->engine, s->lab, k->plural, k->namespaced ? s->ns : NULL, items, err);
}

json_t *objects_named(const json_t *items, const char *name, bool beginnings)
{
	json_t *exact = json_array(), *begin = json_array(), *v;
	size_t i, len = name ? strlen(name) : 0;
	json_array_foreach ((json_t *)items, i, v) {
		if (!name || strcmp(obj_name(v), name) == 0)
			json_array_append(exact, v);
		else if (strncmp(obj_name(v), name, len) == 0)
			json_array_append(begin, v);
	}
	bool use_begin = beginnings && json_array_size(exact) == 0;
	json_decref(use_begin ? exact : begin);
	return use_begin ? begin : exact;
}

void objects_not_found(const struct view_kind *k, const char *name, const json_t *items)
{
	const char *names[MAX_NEAR];
	unsigned n = 0;
	size_t i;
	json_t *v;
	json_array_foreach ((json_t *)items, i, v) {
		const char *have = obj_name(v);
		if (n < MAX_NEAR)
			names[n++] = have;
	}
	const char *near = nearest_word(name, names, n);
	for (unsigned j = 0; !near && j < n; j++) {
		if (strncmp(names[j], name, strlen(name)) == 0)
			near = names[j];
	}
	fflush(stdout);
	fprintf(stderr, "Error from server (NotFound): %s%s%s \"%s\" not found\n", k->plural,
		*k->group ? "." : "", k->group, name);
	if (near)
		fprintf(stderr, "  hint: did you mean %s?\n", near);
}

void objects_keep_labelled(json_t *items, const char *selector)
{
	for (size_t i = json_array_size(items); i-- > 0;)
		if (!selector_match(selector, obj_at(json_array_get(items, i), "metadata.labels")))
			json_array_remove(items, i);
}

int objects_select(const struct source *s, const struct asked *a, const char *selector,
		   json_t **items, struct err *err)
{
	json_t *all = NULL;
	int r = objects_fetch(s, a->kind, &all, err);
	if (r < 0)
		return r;
	*items = objects_named(all, a->name, false);
	json_decref(all);
	if (selector)
		objects_keep_labelled(*items, selector);
	return 0;
}
