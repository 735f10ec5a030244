/* SPDX-License-Identifier: MIT */
/*
 * emit: JSON to the YAML that `kubectl get -o yaml` prints. libyaml's emitter does the layout
 * (go-yaml's, which kubectl uses, descends from it); here are the two decisions it leaves open: the
 * order of keys and the style of strings, both as go-yaml v2 makes them.
 */
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/strbuf.h"
#include "lib/yaml/scalar.h"
#include "lib/yaml/text.h"
#include "lib/yaml/yaml.h"

static int three_way(size_t a, size_t b)
{
	return (a > b) - (a < b);
}

/* Other signs before digits before letters; bytes of UTF-8 sequences count as letters. */
static int rank(unsigned char c)
{
	if (c >= '0' && c <= '9')
		return 2;
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80 ? 3 : c ? 1 : 0;
}

/* Compare the numbers at *a and *b, of equal value the shorter first, and go behind them. */
static int compare_numbers(const char **a, const char **b)
{
	size_t an = strspn(*a, "0123456789"), bn = strspn(*b, "0123456789");
	size_t az = strspn(*a, "0"), bz = strspn(*b, "0");
	int d = three_way(an - az, bn - bz);
	if (d == 0)
		d = memcmp(*a + az, *b + bz, an - az);
	if (d == 0)
		d = three_way(an, bn);
	*a += an;
	*b += bn;
	return d;
}

/*
 * The order of keys that kubectl prints: a2 before a10, signs before digits before letters. Where
 * a letter meets a digit inside of a number (1a, 10) go-yaml's own order runs in circles; here the
 * numbers decide.
 */
static int compare_keys(const void *pa, const void *pb)
{
	const char *a = *(const char *const *)pa, *b = *(const char *const *)pb;
	int d = 0;
	while (d == 0 && (*a || *b)) {
		unsigned char ca = (unsigned char)*a, cb = (unsigned char)*b;
		d = rank(ca) - rank(cb);
		if (d == 0 && rank(ca) == 2)
			d = compare_numbers(&a, &b);
		else if (d == 0)
			d = three_way((unsigned char)*a++, (unsigned char)*b++);
	}
	return d;
}

static int write_out(void *data, unsigned char *bytes, size_t size)
{
	strbuf_add(data, bytes, size);
	return 1;
}

/* Out of memory is the only way to fail: all events are well formed and all text is UTF-8. */
static void emit(yaml_emitter_t *out, yaml_event_t *event, int made)
{
	if (made && yaml_emitter_emit(out, event))
		return;
	fprintf(stderr, "YAML emitter: %s\n", out->problem ? out->problem : "out of memory");
	abort();
}

static void emit_scalar(yaml_emitter_t *out, const char *s, size_t len, yaml_scalar_style_t style)
{
	yaml_event_t e;
	emit(out, &e,
	     yaml_scalar_event_initialize(&e, NULL, NULL, (const yaml_char_t *)s, (int)len, 1, 1,
					  style));
}

static void emit_string(yaml_emitter_t *out, const char *s, size_t len)
{
	yaml_scalar_style_t style = YAML_PLAIN_SCALAR_STYLE;
	if (memchr(s, '\n', len))
		style = YAML_LITERAL_SCALAR_STYLE;
	else if (scalar_looks_typed(s, len))
		style = YAML_DOUBLE_QUOTED_SCALAR_STYLE;
	emit_scalar(out, s, len, style);
}

static void emit_value(yaml_emitter_t *out, const json_t *v);

static void emit_array(yaml_emitter_t *out, const json_t *v)
{
	yaml_event_t e;
	size_t i;
	json_t *item;
	emit(out, &e,
	     yaml_sequence_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
	json_array_foreach (v, i, item)
		emit_value(out, item);
	emit(out, &e, yaml_sequence_end_event_initialize(&e));
}

static void emit_object(yaml_emitter_t *out, const json_t *v)
{
	yaml_event_t e;
	size_t n = 0;
	const char **keys = calloc(json_object_size(v) + 1, sizeof(*keys));
	if (!keys)
		abort();
	for (void *it = json_object_iter((json_t *)v); it;
	     it = json_object_iter_next((json_t *)v, it))
		keys[n++] = json_object_iter_key(it);
	qsort(keys, n, sizeof(*keys), compare_keys);
	emit(out, &e,
	     yaml_mapping_start_event_initialize(&e, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
	for (size_t i = 0; i < n; i++) {
		emit_string(out, keys[i], strlen(keys[i]));
		emit_value(out, json_object_get(v, keys[i]));
	}
	emit(out, &e, yaml_mapping_end_event_initialize(&e));
	free(keys);
}

static void emit_value(yaml_emitter_t *out, const json_t *v)
{
	char text[REAL_TEXT_MAX];
	switch (json_typeof(v)) {
	case JSON_OBJECT:
		emit_object(out, v);
		return;
	case JSON_ARRAY:
		emit_array(out, v);
		return;
	case JSON_STRING:
		emit_string(out, json_string_value(v), json_string_length(v));
		return;
	case JSON_INTEGER:
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(v));
		break;
	case JSON_REAL:
		real_to_text(json_real_value(v), text);
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		snprintf(text, sizeof(text), "%s", json_is_true(v) ? "true" : "false");
		break;
	case JSON_NULL:
		snprintf(text, sizeof(text), "null");
		break;
	}
	emit_scalar(out, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

char *yaml_from_json(const json_t *v)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	yaml_emitter_t out;
	yaml_event_t e;
	if (!yaml_emitter_initialize(&out))
		abort();
	yaml_emitter_set_output(&out, write_out, &text);
	yaml_emitter_set_unicode(&out, 1);
	emit(&out, &e, yaml_stream_start_event_initialize(&e, YAML_UTF8_ENCODING));
	emit(&out, &e, yaml_document_start_event_initialize(&e, NULL, NULL, NULL, 1));
	emit_value(&out, v);
	emit(&out, &e, yaml_document_end_event_initialize(&e, 1));
	emit(&out, &e, yaml_stream_end_event_initialize(&e));
	yaml_emitter_delete(&out);
	return strbuf_take(&text);
}
