/* SPDX-License-Identifier: MIT */
/*
 * The engine of bind.h: paths, faults, and the structure of documents (mappings, lists, labels).
 * Single values are bound in bind_scalar.c; which fields there are stands in the tables of
 * bind_core.c, bind_service.c and so on.
 */
#include "lib/kube/bind.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"

/* Keys other than plain words are quoted in a path (fault.h). */
static bool plain_key(const char *s)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789_-";
	return *s && s[strspn(s, plain)] == '\0';
}

static void add_key(struct strbuf *out, const char *key)
{
	if (plain_key(key)) {
		if (out->len)
			strbuf_addc(out, '.');
		strbuf_adds(out, key);
		return;
	}
	strbuf_adds(out, "[\"");
	for (; *key; key++) {
		if (*key == '"' || *key == '\\')
			strbuf_addc(out, '\\');
		strbuf_addc(out, *key);
	}
	strbuf_adds(out, "\"]");
}

static void add_path(struct strbuf *out, const struct at *at)
{
	if (!at)
		return;
	add_path(out, at->up);
	if (at->key)
		add_key(out, at->key);
	else
		strbuf_addf(out, "[%zu]", at->index);
}

const char *at_path(struct arena *a, const struct at *at)
{
	_strbuf_ struct strbuf path = STRBUF_INIT;
	add_path(&path, at);
	return arena_strndup(a, strbuf_str(&path), path.len);
}

__attribute__((format(printf, 5, 0))) static void record(struct binder *b, enum fault_at what,
							 const struct at *at, const char *hint,
							 const char *fmt, va_list ap)
{
	_strbuf_ struct strbuf path = STRBUF_INIT;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	add_path(&path, at);
	strbuf_vaddf(&text, fmt, ap);
	fault_add(b->faults, b->doc, what, b->object, strbuf_str(&path), hint, "%s",
		  strbuf_str(&text));
}

void bind_note_key(struct binder *b, const struct at *at, const char *hint, const char *fmt, ...)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	fault_note(b->faults, b->doc, FAULT_KEY, b->object, at_path(b->arena, at), hint, "%s",
		   strbuf_str(&text));
}

bool bind_fault(struct binder *b, const struct at *at, const char *hint, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	record(b, FAULT_VALUE, at, hint, fmt, ap);
	va_end(ap);
	return false;
}

bool bind_fault_key(struct binder *b, const struct at *at, const char *hint, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	record(b, FAULT_KEY, at, hint, fmt, ap);
	va_end(ap);
	return false;
}

static const char *type_name(const json_t *v)
{
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		return "a mapping";
	case JSON_ARRAY:
		return "a list";
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
	case JSON_REAL:
		return "a number";
	case JSON_TRUE:
		return "`true`";
	case JSON_FALSE:
		return "`false`";
	default:
		return "nothing";
	}
}

bool bind_wrong_type(struct binder *b, const struct at *at, const json_t *v, const char *what)
{
	return bind_fault(b, at, NULL, "expected %s, found %s", what, type_name(v));
}

bool bind_clean(const struct binder *b)
{
	return b->faults->total == b->faults_before;
}

const char *did_you_mean(struct arena *a, const char *s, const char *const *words, size_t n)
{
	const char *near = NULL;
	for (size_t i = 0; i < n && !near; i++)
		near = strcasecmp(s, words[i]) == 0 ? words[i] : NULL;
	if (!near)
		near = nearest_word(s, words, (unsigned)n);
	return near ? arena_printf(a, "did you mean `%s`?", near) : NULL;
}

static bool is_word_of(const char *list, const char *word)
{
	size_t n = strlen(word);
	for (const char *s = list; (s = strstr(s, word)); s += n)
		if ((s == list || s[-1] == ' ') && (s[n] == ' ' || !s[n]))
			return true;
	return false;
}

static bool is_known(const struct shape *shape, const char *key)
{
	for (size_t i = 0; i < shape->n; i++)
		if (strcmp(shape->fields[i].key, key) == 0)
			return true;
	return shape->also && *key && is_word_of(shape->also, key);
}

/* A key that is known one level down: "did you mean `spec.containers`?". */
static const char *key_below(struct binder *b, const struct shape *shape, const char *key)
{
	for (size_t i = 0; i < shape->n; i++)
		if (shape->fields[i].fn == bind_shape && is_known(shape->fields[i].arg, key))
			return arena_printf(b->arena, "did you mean `%s.%s`?", shape->fields[i].key,
					    key);
	if (shape->also && is_word_of(shape->also, "metadata") &&
	    is_word_of("name namespace labels annotations", key))
		return arena_printf(b->arena, "did you mean `metadata.%s`?", key);
	return NULL;
}

/* Where a key was meant to be: among those that are read and the others, one level down, ... */
static const char *nearest_key(struct binder *b, const struct shape *shape, const char *key)
{
	vec_of(const char *) words = {0};
	for (size_t i = 0; i < shape->n; i++)
		*vec_push(b->arena, &words) = shape->fields[i].key;
	for (const char *s = shape->also; s && *s; s += strspn(s, " ")) {
		size_t n = strcspn(s, " ");
		*vec_push(b->arena, &words) = arena_strndup(b->arena, s, n);
		s += n;
	}
	const char *near = did_you_mean(b->arena, key, words.v, words.n);
	near = near ? near : key_below(b, shape, key);
	return near ? near : shape->advice;
}

static void unknown_keys(struct binder *b, const struct at *at, json_t *v,
			 const struct shape *shape)
{
	const char *key;
	json_t *value;
	json_object_foreach (v, key, value) {
		if (is_known(shape, key))
			continue;
		const char *hint = nearest_key(b, shape, key);
		if (b->strict)
			bind_fault_key(b, AT_KEY(at, key), hint, "unknown field `%s`", key);
		else
			bind_note_key(b, AT_KEY(at, key), hint, "unknown field `%s` is ignored",
				      key);
	}
}

bool bind_shape(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const struct shape *shape = arg;
	if (!json_is_object(v))
		return bind_wrong_type(b, at, v, "a mapping");
	if (b->strict || shape->also)
		unknown_keys(b, at, v, shape);
	for (size_t i = 0; i < shape->n; i++) {
		const struct field *f = &shape->fields[i];
		json_t *value = json_object_get(v, f->key);
		if (value && !json_is_null(value))
			f->fn(b, AT_KEY(at, f->key), value, (char *)dst + f->offset, f->arg);
		else if (f->required)
			bind_fault(b, at, NULL, "`%s` is missing", f->key);
	}
	return shape->finish ? shape->finish(b, at, v, dst) : true;
}

bool bind_list(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const struct list_of *type = arg;
	/* The layout of every vec_of(). */
	struct {
		char *v;
		size_t n, cap;
	} vec = {0};
	if (!json_is_array(v))
		return bind_wrong_type(b, at, v, "a list");
	vec.cap = json_array_size(v);
	if (vec.cap == 0)
		return type->required ? bind_fault(b, at, NULL, "the list is empty") : true;
	vec.v = arena_calloc(b->arena, vec.cap, type->size);
	for (size_t i = 0; i < vec.cap; i++) {
		char *item = vec.v + vec.n * type->size;
		memset(item, 0, type->size);
		if (type->init)
			memcpy(item, type->init, type->size);
		if (type->item(b, AT_INDEX(at, i), json_array_get(v, i), item, type->arg))
			vec.n++;
	}
	memcpy(dst, &vec, sizeof(vec));
	return true;
}

bool bind_kvs(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	kvs list = {0};
	const char *key;
	json_t *value;
	(void)arg;
	if (!json_is_object(v))
		return bind_wrong_type(b, at, v, "a mapping");
	json_object_foreach (v, key, value) {
		if (json_is_string(value))
			*vec_push(b->arena, &list) =
				(struct kv){arena_strdup(b->arena, key),
					    arena_strdup(b->arena, json_string_value(value))};
		else if (!json_is_null(value))
			bind_fault(b, AT_KEY(at, key),
				   json_is_object(value) || json_is_array(value)
					   ? NULL
					   : "put it in quotes",
				   "expected a string, found %s", type_name(value));
	}
	memcpy(dst, &list, sizeof(list));
	return true;
}

bool bind_present(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	(void)arg;
	if (!json_is_object(v) && !json_is_array(v))
		return bind_wrong_type(b, at, v, "a mapping");
	*(bool *)dst = true;
	return true;
}

bool bind_mapping(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	(void)dst, (void)arg;
	return json_is_object(v) || bind_wrong_type(b, at, v, "a mapping");
}
