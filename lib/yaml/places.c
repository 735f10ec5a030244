/* SPDX-License-Identifier: MIT */
/* See places.h. */
#include "lib/yaml/places.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"

#define NOWHERE UINT32_MAX

uint32_t places_add(struct places *p, struct place place)
{
	if (p->n == p->cap) {
		size_t cap = p->cap ? p->cap * 2 : 256;
		struct place *v = reallocarray(p->v, cap, sizeof(*v));
		if (!v) {
			fputs("out of memory\n", stderr);
			abort();
		}
		p->v = v;
		p->cap = cap;
	}
	p->v[p->n] = place;
	return (uint32_t)p->n++;
}

void places_cut(struct places *p, size_t n)
{
	p->n = n;
}

void places_free(struct places *p)
{
	free(p->v);
	strbuf_free(&p->keys);
	*p = (struct places){0};
}

const char *places_key(const struct places *p, uint32_t key)
{
	return strbuf_str(&p->keys) + p->v[key].aux;
}

uint32_t places_next(const struct places *p, uint32_t i)
{
	return p->v[i].kind == PLACE_MAP || p->v[i].kind == PLACE_SEQ ? p->v[i].aux : i + 1;
}

static uint32_t follow(const struct places *p, uint32_t i)
{
	return p->v[i].kind == PLACE_ALIAS ? p->v[i].aux : i;
}

static uint32_t find_merged(const struct places *p, uint32_t value, const char *name,
			    unsigned depth);

/* The key's node in the mapping at i, also through `<<`; NOWHERE when it has none. */
static uint32_t find_key(const struct places *p, uint32_t i, const char *name, unsigned depth)
{
	uint32_t end = p->v[i].aux;
	for (uint32_t k = i + 1; k < end; k = places_next(p, k + 1)) {
		if (p->v[k].kind == PLACE_KEY && strcmp(places_key(p, k), name) == 0)
			return k;
	}
	for (uint32_t k = i + 1; k < end; k = places_next(p, k + 1)) {
		if (p->v[k].kind != PLACE_MERGE)
			continue;
		uint32_t found = find_merged(p, k + 1, name, depth);
		if (found != NOWHERE)
			return found;
	}
	return NOWHERE;
}

/* The same in the value of a `<<`: a mapping or a sequence of mappings. */
static uint32_t find_merged(const struct places *p, uint32_t value, const char *name,
			    unsigned depth)
{
	uint32_t i = follow(p, value), found = NOWHERE;
	if (depth >= MAX_YAML_DEPTH)
		return NOWHERE;
	if (p->v[i].kind == PLACE_MAP)
		return find_key(p, i, name, depth + 1);
	if (p->v[i].kind != PLACE_SEQ)
		return NOWHERE;
	for (uint32_t m = i + 1; m < p->v[i].aux && found == NOWHERE; m = places_next(p, m))
		found = find_merged(p, m, name, depth + 1);
	return found;
}

static uint32_t find_item(const struct places *p, uint32_t i, unsigned long n)
{
	uint32_t end = p->v[i].aux, item = i + 1;
	while (item < end && n-- > 0)
		item = places_next(p, item);
	return item < end ? item : NOWHERE;
}

/* One step of a path: a key's name or, where is_index, a number. */
struct segment {
	bool is_index;
	unsigned long index;
	struct strbuf name;
};

/* Take the first step off the path. Returns the rest; NULL when there is none or it is no path. */
static const char *next_segment(const char *path, struct segment *seg)
{
	strbuf_reset(&seg->name);
	seg->is_index = false;
	if (*path == '.')
		path++;
	if (*path == '\0')
		return NULL;
	if (path[0] == '[' && path[1] == '"') {
		for (path += 2; *path && *path != '"'; path++) {
			if (*path == '\\' && path[1])
				path++;
			strbuf_addc(&seg->name, *path);
		}
		return strncmp(path, "\"]", 2) == 0 ? path + 2 : NULL;
	}
	if (*path == '[') {
		char *end;
		seg->is_index = true;
		seg->index = strtoul(path + 1, &end, 10);
		return *end == ']' && end > path + 1 ? end + 1 : NULL;
	}
	size_t n = strcspn(path, ".[");
	strbuf_add(&seg->name, path, n);
	return path + n;
}

/* Where one step leads from the value: to a key of a mapping or an item of a sequence. */
static uint32_t take_step(const struct places *p, uint32_t value, const struct segment *seg)
{
	enum place_kind kind = p->v[value].kind;
	if (seg->is_index && kind == PLACE_SEQ)
		return find_item(p, value, seg->index);
	if (!seg->is_index && kind == PLACE_MAP)
		return find_key(p, value, strbuf_str(&seg->name), 0);
	return NOWHERE;
}

struct place places_find(const struct places *p, uint32_t root, const char *path, enum fault_at at,
			 struct scalar_path *ret_scalar)
{
	struct segment seg = {0};
	uint32_t value = follow(p, root), key = NOWHERE;
	const char *rest;
	while ((rest = next_segment(path, &seg))) {
		uint32_t next = take_step(p, value, &seg);
		if (next == NOWHERE)
			break;
		path = rest;
		key = seg.is_index ? NOWHERE : next;
		value = follow(p, seg.is_index ? next : next + 1);
	}
	strbuf_free(&seg.name);
	bool missing = *path != '\0', unwritten = p->v[value].len == 0;
	bool into_scalar = missing && p->v[value].kind == PLACE_SCALAR;
	if (ret_scalar)
		*ret_scalar = into_scalar ? (struct scalar_path){&p->v[value], path}
					  : (struct scalar_path){0};
	bool want_key = missing || at == FAULT_KEY || unwritten;
	return p->v[want_key && key != NOWHERE ? key : value];
}
