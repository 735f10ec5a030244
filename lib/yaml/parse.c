/* SPDX-License-Identifier: MIT */
/*
 * parse: libyaml's events to JSON documents and the table of places.
 *
 * The documents under construction are a stack of frames, at most MAX_YAML_DEPTH; libyaml's event
 * parser does not recurse either, so no input costs C stack. An alias shares the JSON value it
 * stands for. What it would cost if it were written out (values, bytes of text, depth) is counted,
 * for whoever writes the documents to a socket pays it: that bounds "billion laughs".
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>
#include <yaml.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/yaml/internal.h"
#include "lib/yaml/scalar.h"
#include "lib/yaml/syntax.h"

#define NO_PLACE  UINT32_MAX
#define TAG(name) ("tag:yaml.org,2002:" name)

/* What a value costs when all aliases are written out. */
struct cost {
	size_t nodes, bytes;
	unsigned height; /* of nested collections */
};

struct anchor {
	UT_hash_handle hh;
	json_t *value;
	uint32_t place;
	struct cost cost;
	char name[];
};

struct frame {
	json_t *value;	    /* the object or array so far; owned */
	json_t *merged;	    /* array of the objects that `<<` names, or NULL */
	char *anchor;	    /* or NULL */
	uint32_t place;	    /* of the collection */
	uint32_t key;	    /* the key whose value is next; NO_PLACE: a key is next */
	struct cost before; /* the source's cost when it began */
	unsigned height;    /* of the highest child */
};

struct build {
	struct yaml_files *f;
	uint32_t source;
	uint32_t line0; /* lines of the source before what the parser sees */
	struct frame stack[MAX_YAML_DEPTH];
	unsigned depth;
	struct anchor *anchors;
	json_t *root; /* the finished document, or NULL */
	uint32_t root_place;
	unsigned faults_before; /* the document */
	size_t places_before;
	struct cost cost; /* of the source so far; height unused */
};

static struct place place_of(const struct build *b, enum place_kind kind, const yaml_event_t *e)
{
	uint32_t len = PLACE_TO_EOL;
	if (e->start_mark.line == e->end_mark.line)
		len = (uint32_t)(e->end_mark.column - e->start_mark.column);
	return (struct place){.line = b->line0 + (uint32_t)e->start_mark.line,
			      .col = (uint32_t)e->start_mark.column,
			      .kind = kind,
			      .len = len};
}

static struct frame *top(struct build *b)
{
	return b->depth ? &b->stack[b->depth - 1] : NULL;
}

/* Anchors -------------------------------------------------------------------------------------- */

static void anchor_drop(struct build *b, struct anchor *a)
{
	HASH_DEL(b->anchors, a);
	json_decref(a->value);
	free(a);
}

static void anchor_set(struct build *b, const char *name, json_t *value, uint32_t place,
		       struct cost cost)
{
	struct anchor *a;
	HASH_FIND_STR(b->anchors, name, a);
	if (a)
		anchor_drop(b, a);
	size_t len = strlen(name);
	a = calloc(1, sizeof(*a) + len + 1);
	if (!a)
		abort();
	memcpy(a->name, name, len);
	a->value = json_incref(value);
	a->place = place;
	a->cost = cost;
	HASH_ADD_STR(b->anchors, name, a);
}

static void anchors_clear(struct build *b)
{
	struct anchor *a, *tmp;
	HASH_ITER (hh, b->anchors, a, tmp)
		anchor_drop(b, a);
}

/* Limits --------------------------------------------------------------------------------------- */

/* Count a value; a fault at where when that is too much. */
static int spend(struct build *b, size_t nodes, size_t bytes, const struct place *where)
{
	b->cost.nodes += nodes;
	b->cost.bytes += bytes;
	if (b->cost.nodes > MAX_YAML_NODES) {
		syntax_fault_add(
			b->f, b->source, where, NULL,
			"more than %u keys and values (an alias counts as all that it stands for)",
			MAX_YAML_NODES);
		return -E2BIG;
	}
	if (b->cost.bytes > MAX_TOTAL_BYTES) {
		syntax_fault_add(
			b->f, b->source, where, NULL,
			"more than %u MiB of text (an alias counts as all that it stands for)",
			MAX_TOTAL_BYTES >> 20);
		return -E2BIG;
	}
	return 0;
}

static int check_depth(struct build *b, unsigned height, const struct place *where)
{
	if (b->depth + height <= MAX_YAML_DEPTH)
		return 0;
	syntax_fault_add(b->f, b->source, where, NULL, "nested more than %d levels deep",
			 MAX_YAML_DEPTH);
	return -EINVAL;
}

/* Building ------------------------------------------------------------------------------------- */

/* Note the value of a `<<`: a mapping or a list of them. */
static int merge_note(struct build *b, struct frame *fr, json_t *value, uint32_t place)
{
	bool ok = json_is_object(value);
	size_t i;
	json_t *item;
	if (json_is_array(value)) {
		ok = true;
		json_array_foreach (value, i, item)
			ok &= json_is_object(item);
	}
	if (!ok) {
		syntax_fault_add(
			b->f, b->source, &b->f->places.v[place], NULL,
			"`<<` merges mappings: it needs an alias of one, or a list of them");
		return 0;
	}
	if (!fr->merged)
		fr->merged = json_array();
	if (json_is_array(value))
		return json_array_extend(fr->merged, value);
	return json_array_append(fr->merged, value);
}

/* Put a finished value (a reference is taken over) where it belongs. */
static int attach(struct build *b, json_t *value, uint32_t place, unsigned height)
{
	struct frame *fr = top(b);
	if (!fr) {
		assert(!b->root);
		b->root = value;
		b->root_place = place;
		return 0;
	}
	if (height > fr->height)
		fr->height = height;
	if (json_is_array(fr->value))
		return json_array_append_new(fr->value, value);
	uint32_t key = fr->key;
	fr->key = NO_PLACE;
	if (b->f->places.v[key].kind == PLACE_MERGE) {
		int r = merge_note(b, fr, value, place);
		json_decref(value);
		return r;
	}
	return json_object_set_new_nocheck(fr->value, places_key(&b->f->places, key), value);
}

/* The line (from 1) where the mapping of this frame has the key already. */
static uint32_t first_line(const struct build *b, const struct frame *fr, const char *name)
{
	const struct places *p = &b->f->places;
	uint32_t k = fr->place + 1;
	while (p->v[k].kind != PLACE_KEY || strcmp(places_key(p, k), name) != 0)
		k = places_next(p, k + 1);
	return p->v[k].line + 1;
}

static int on_key(struct build *b, struct frame *fr, const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	size_t len = e->data.scalar.length;
	struct place where = place_of(b, PLACE_KEY, e);
	bool plain = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
	if (plain && strcmp(text, "<<") == 0) {
		where.kind = PLACE_MERGE;
	} else if (json_object_get(fr->value, text)) {
		syntax_fault_add(b->f, b->source, &where, NULL,
				 "duplicate key `%.100s`: it stands on line %u already", text,
				 first_line(b, fr, text));
	}
	where.aux = (uint32_t)b->f->places.keys.len;
	strbuf_add(&b->f->places.keys, text, len + 1);
	fr->key = places_add(&b->f->places, where);
	return 0;
}

static json_t *scalar_value(const yaml_event_t *e)
{
	const char *text = (const char *)e->data.scalar.value;
	const char *tag = (const char *)e->data.scalar.tag;
	static const char *const typed[] = {TAG("int"), TAG("float"), TAG("bool"), TAG("null")};
	bool resolve = e->data.scalar.plain_implicit && !tag;
	for (size_t i = 0; tag && i < ARRAY_SIZE(typed); i++)
		resolve |= strcmp(tag, typed[i]) == 0;
	if (resolve)
		return scalar_resolve(text, e->data.scalar.length);
	return json_stringn_nocheck(text, e->data.scalar.length);
}

static int on_scalar(struct build *b, const yaml_event_t *e)
{
	struct frame *fr = top(b);
	struct place where = place_of(b, PLACE_SCALAR, e);
	size_t len = e->data.scalar.length;
	if (memchr(e->data.scalar.value, 0, len)) {
		syntax_fault_add(b->f, b->source, &where, NULL, "a NUL character in a text");
		return -EINVAL;
	}
	int r = spend(b, 1, len, &where);
	if (r < 0)
		return r;
	const char *anchor = (const char *)e->data.scalar.anchor;
	if (fr && json_is_object(fr->value) && fr->key == NO_PLACE)
		return on_key(b, fr, e);
	json_t *value = scalar_value(e);
	uint32_t place = places_add(&b->f->places, where);
	if (anchor)
		anchor_set(b, anchor, value, place, (struct cost){.nodes = 1, .bytes = len});
	return attach(b, value, place, 0);
}

/* A key that is no scalar. Nothing sensible can follow in this document. */
static int refuse_key(struct build *b, const struct place *where)
{
	syntax_fault_add(b->f, b->source, where,
			 "a value that begins with `{`, `[` or `*` must be quoted to be text",
			 "a key must be text");
	return -EINVAL;
}

static int on_open(struct build *b, const yaml_event_t *e)
{
	bool map = e->type == YAML_MAPPING_START_EVENT;
	const yaml_char_t *anchor =
		map ? e->data.mapping_start.anchor : e->data.sequence_start.anchor;
	/* The event ends where the collection begins; its end mends a flow collection's length. */
	struct place where = place_of(b, map ? PLACE_MAP : PLACE_SEQ, e);
	bool flow = map ? e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE
			: e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	if (!flow)
		where.len = PLACE_TO_EOL;
	struct frame *fr = top(b);
	if (fr && json_is_object(fr->value) && fr->key == NO_PLACE)
		return refuse_key(b, &where);
	struct cost before = b->cost;
	int r = check_depth(b, 1, &where);
	if (r == 0)
		r = spend(b, 1, 0, &where);
	if (r < 0)
		return r;
	b->stack[b->depth++] = (struct frame){
		.value = map ? json_object() : json_array(),
		.anchor = anchor ? strdup((const char *)anchor) : NULL,
		.place = places_add(&b->f->places, where),
		.key = NO_PLACE,
		.before = before,
	};
	return 0;
}

/* Keys that the merged mappings have and this one has not; the first one that has a key wins. */
static void merge_apply(struct frame *fr)
{
	size_t i;
	json_t *object;
	json_array_foreach (fr->merged, i, object)
		json_object_update_missing(fr->value, object);
	json_decref(fr->merged);
}

static int on_close(struct build *b, const yaml_event_t *e)
{
	struct frame fr = *top(b);
	b->depth--;
	struct place *where = &b->f->places.v[fr.place];
	where->aux = (uint32_t)b->f->places.n;
	if (where->len != PLACE_TO_EOL) {
		uint32_t end = b->line0 + (uint32_t)e->end_mark.line;
		where->len = where->line == end ? (uint32_t)e->end_mark.column - where->col
						: PLACE_TO_EOL;
	}
	if (fr.merged)
		merge_apply(&fr);
	if (fr.anchor) {
		struct cost cost = {.nodes = b->cost.nodes - fr.before.nodes,
				    .bytes = b->cost.bytes - fr.before.bytes,
				    .height = fr.height + 1};
		anchor_set(b, fr.anchor, fr.value, fr.place, cost);
		free(fr.anchor);
	}
	return attach(b, fr.value, fr.place, fr.height + 1);
}

static int unknown_alias(struct build *b, const char *name, const struct place *where)
{
	bool inside = false;
	for (unsigned i = 0; i < b->depth; i++)
		inside |= b->stack[i].anchor && strcmp(b->stack[i].anchor, name) == 0;
	if (inside)
		syntax_fault_add(b->f, b->source, where, NULL,
				 "`*%.100s` stands inside of what it names", name);
	else
		syntax_fault_add(
			b->f, b->source, where, "a text that begins with `*` must be quoted",
			"`*%.100s`: this document has no anchor `&%.100s` before it", name, name);
	return -EINVAL;
}

static int on_alias(struct build *b, const yaml_event_t *e)
{
	const char *name = (const char *)e->data.alias.anchor;
	struct place where = place_of(b, PLACE_ALIAS, e);
	struct frame *fr = top(b);
	struct anchor *a;
	HASH_FIND_STR(b->anchors, name, a);
	if (!a)
		return unknown_alias(b, name, &where);
	if (fr && json_is_object(fr->value) && fr->key == NO_PLACE)
		return refuse_key(b, &where);
	int r = check_depth(b, a->cost.height, &where);
	if (r == 0)
		r = spend(b, a->cost.nodes, a->cost.bytes, &where);
	if (r < 0)
		return r;
	where.aux = a->place;
	return attach(b, json_incref(a->value), places_add(&b->f->places, where), a->cost.height);
}

/* Documents ------------------------------------------------------------------------------------ */

static void document_begin(struct build *b)
{
	b->faults_before = b->f->total_faults;
	b->places_before = b->f->places.n;
}

/* Forget the document, finished or not. */
static void document_drop(struct build *b)
{
	while (b->depth > 0) {
		struct frame *fr = &b->stack[--b->depth];
		json_decref(fr->value);
		json_decref(fr->merged);
		free(fr->anchor);
	}
	json_decref(b->root);
	b->root = NULL;
	anchors_clear(b);
	places_cut(&b->f->places, b->places_before);
}

static const char *json_kind(const json_t *v)
{
	return json_is_array(v) ? "a list" : json_is_string(v) ? "a text" : "a single value";
}

static void document_end(struct build *b)
{
	if (!json_is_object(b->root) && !json_is_null(b->root))
		syntax_fault_add(b->f, b->source, &b->f->places.v[b->root_place], NULL,
				 "a document must be a mapping (`kind: ...`), not %s",
				 json_kind(b->root));
	if (json_is_object(b->root) && b->f->total_faults == b->faults_before) {
		json_array_append(b->f->json, b->root);
		*vec_push(b->f->arena, &b->f->docs) =
			(struct document){.source = b->source, .root = b->root_place};
		b->places_before = b->f->places.n;
	}
	document_drop(b);
}

static int on_event(struct build *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		document_begin(b);
		return 0;
	case YAML_DOCUMENT_END_EVENT:
		document_end(b);
		return 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_ALIAS_EVENT:
		return on_alias(b, e);
	case YAML_MAPPING_START_EVENT:
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, e);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(b, e);
	default:
		return 0;
	}
}

/* Parse from `from` on. Returns 0 at the end of the stream, negative when a fault stopped it, which
 * is at *where then: -E2BIG when the whole source is too much, else -EINVAL. */
static int parse_part(struct build *b, const struct cursor *from, struct place *where)
{
	yaml_parser_t parser;
	yaml_event_t event;
	if (!yaml_parser_initialize(&parser))
		abort();
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)from->s + from->off,
				     from->len - from->off);
	b->line0 = from->mark_line;
	b->places_before = b->f->places.n;
	int r = 0;
	bool end = false;
	while (r == 0 && !end) {
		if (!yaml_parser_parse(&parser, &event)) {
			*where = syntax_error(b->f, b->source, &parser, from);
			r = -EINVAL;
			break;
		}
		*where = place_of(b, PLACE_SCALAR, &event);
		end = event.type == YAML_STREAM_END_EVENT;
		r = on_event(b, &event);
		yaml_event_delete(&event);
	}
	document_drop(b);
	yaml_parser_delete(&parser);
	return r;
}

/* Move the cursor to the next document that begins with `---` at or behind where. */
static bool next_document(struct cursor *c, const struct place *where)
{
	struct cursor at = *c;
	cursor_to_mark(&at, where->line, where->col);
	/* Where the next document's `---` is what the parser stumbled over, begin with it. */
	size_t from = at.off > c->off && at.off == at.line_start ? at.off - 1 : at.off;
	for (;;) {
		const char *found = memmem(c->s + from, c->len - from, "\n---", 4);
		if (!found)
			return false;
		from = (size_t)(found - c->s) + 4;
		if (from == c->len || strchr(" \t\r\n", c->s[from]))
			break;
	}
	cursor_to_offset(c, from - 3);
	return true;
}

void yaml_parse_source(struct yaml_files *f, uint32_t source)
{
	const struct strbuf *text = &f->sources.v[source].text;
	struct cursor part = cursor_at_start(strbuf_str(text), text->len);
	struct build b = {.f = f, .source = source};
	unsigned before = f->total_faults;
	struct place where;
	while (parse_part(&b, &part, &where) == -EINVAL) {
		if (f->total_faults - before >= MAX_FAULTS || !next_document(&part, &where))
			break;
	}
}
