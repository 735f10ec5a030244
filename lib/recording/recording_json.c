/* SPDX-License-Identifier: MIT */
/* recording_json: recordings as JSON and back, driven by the tables of shape.c. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/recording/check.h"
#include "lib/recording/recording.h"
#include "lib/recording/shape.h"

#define COOKIE_LEN 16

/* All vec_of() have this layout. */
struct any_vec {
	char *v;
	size_t n, cap;
};

struct reader {
	struct arena *a;
	struct err *err;
};

/* ---- writing ---- */

static json_t *write_obj(const struct shape *s, const char *base, bool brief);

static json_t *hex(const uint8_t *p, size_t n)
{
	static const char digit[] = "0123456789abcdef";
	_free_ char *s = malloc(n * 2 + 1);
	if (!s)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		s[2 * i] = digit[p[i] >> 4];
		s[2 * i + 1] = digit[p[i] & 15];
	}
	return json_stringn(s, n * 2);
}

/* What programs printed need not be UTF-8. */
static json_t *text(const char *s)
{
	json_t *o = s ? json_string(s) : NULL;
	if (o || !s)
		return o;
	_free_ char *c = strdup(s);
	for (char *p = c; p && *p; p++)
		if (*p & 0x80)
			*p = '?';
	return c ? json_string(c) : NULL;
}

static json_t *write_list(const struct shape_field *f, const char *base, bool brief)
{
	const struct any_vec *v = (const void *)(base + f->off);
	json_t *o = json_array();
	for (size_t i = 0; i < v->n; i++) {
		if (f->type == SHAPE_STRS)
			json_array_append_new(o, text(((const char *const *)(void *)v->v)[i]));
		else if (f->type == SHAPE_INTS)
			json_array_append_new(o, json_integer(((const int *)(void *)v->v)[i]));
		else
			json_array_append_new(o, write_obj(f->of, v->v + i * f->of->size, brief));
	}
	return o;
}

static json_t *write_bytes(const struct shape_field *f, const char *base)
{
	const uint8_t *data = *(const uint8_t *const *)(const void *)(base + f->off);
	uint32_t len = *(const uint32_t *)(const void *)(base + f->off2);
	return data ? hex(data, len) : NULL;
}

static json_t *write_addr(const struct shape_field *f, const char *base)
{
	const void *p = base + f->off;
	switch (f->type) {
	case SHAPE_IP:
		return *(const ip4 *)p ? json_string(IP4(*(const ip4 *)p)) : NULL;
	case SHAPE_CIDR:
		return json_string(CIDR(*(const struct cidr *)p));
	case SHAPE_MAC:
		return mac_is_zero(*(const struct mac *)p)
			       ? NULL
			       : json_string(MAC(*(const struct mac *)p));
	default:
		return NULL;
	}
}

static json_t *write_number(const struct shape_field *f, const void *p)
{
	char buf[24];
	switch (f->type) {
	case SHAPE_BOOL:
		return json_boolean(*(const bool *)p);
	case SHAPE_INT:
	case SHAPE_INDEX:
		return json_integer(*(const int *)p);
	case SHAPE_U8:
		return json_integer(*(const uint8_t *)p);
	case SHAPE_U16:
		return json_integer(*(const uint16_t *)p);
	case SHAPE_U32:
		return json_integer(*(const uint32_t *)p);
	case SHAPE_U64:
		return json_integer((json_int_t)(*(const uint64_t *)p & INT64_MAX));
	case SHAPE_I64:
		return json_integer(*(const int64_t *)p);
	case SHAPE_HEX:
		snprintf(buf, sizeof(buf), "0x%" PRIx64, *(const uint64_t *)p);
		return json_string(buf);
	default:
		return NULL;
	}
}

static json_t *write_field(const struct shape_field *f, const char *base, bool brief)
{
	const void *p = base + f->off;
	switch (f->type) {
	case SHAPE_STR:
		return text(*(const char *const *)p);
	case SHAPE_REQ:
		return text(*(const char *const *)p ? *(const char *const *)p : "");
	case SHAPE_IP:
	case SHAPE_CIDR:
	case SHAPE_MAC:
		return write_addr(f, base);
	case SHAPE_ENUM:
		return json_string(f->names[*(const unsigned *)p]);
	case SHAPE_BYTES:
		return write_bytes(f, base);
	case SHAPE_COOKIE:
		return hex(p, COOKIE_LEN);
	case SHAPE_STRS:
	case SHAPE_INTS:
	case SHAPE_LIST:
		return write_list(f, base, brief);
	case SHAPE_OBJ:
		if (f->off2 != SHAPE_ALWAYS && !*(const bool *)(const void *)(base + f->off2))
			return NULL;
		return write_obj(f->of, p, brief);
	default:
		return write_number(f, p);
	}
}

static json_t *write_obj(const struct shape *s, const char *base, bool brief)
{
	json_t *o = json_object();
	for (const struct shape_field *f = s->fields; f->key; f++) {
		json_t *v = brief && f->raw ? NULL : write_field(f, base, brief);
		if (v)
			json_object_set_new(o, f->key, v);
	}
	return o;
}

/* The steps point at sightings that the short form has not. */
static void drop_sights(json_t *o)
{
	size_t i;
	json_t *e;
	json_array_foreach (json_object_get(o, "steps"), i, e)
		json_object_set_new(e, "sight", json_integer(-1));
	json_array_foreach (json_object_get(o, "flights"), i, e)
		json_object_set_new(e, "sights", json_array());
}

json_t *recording_to_json(const struct recording *r, bool steps_only)
{
	json_t *o = json_object();
	json_object_set_new(o, "schema", json_integer(RECORDING_SCHEMA));
	json_t *body = write_obj(&shape_recording, (const char *)r, steps_only);
	json_object_update(o, body);
	json_decref(body);
	if (steps_only)
		drop_sights(o);
	if (r->dns)
		json_object_set_new(o, "dns", recording_to_json(r->dns, steps_only));
	return o;
}

/* ---- reading ---- */

static int read_obj(struct reader *r, const struct shape *s, const json_t *o, char *base);

static int bad(struct reader *r, const char *key, const char *want)
{
	return err_set(r->err, -EINVAL, "the recording's %s is not %s", key, want);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool unhex(const char *s, uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		int hi = digit(s[2 * i]), lo = hi < 0 ? -1 : digit(s[2 * i + 1]);
		if (lo < 0)
			return false;
		p[i] = (uint8_t)(hi << 4 | lo);
	}
	return true;
}

static int read_bytes(struct reader *r, const struct shape_field *f, const json_t *v, char *base)
{
	size_t n = json_string_length(v) / 2;
	if (!json_is_string(v) || json_string_length(v) % 2 || n > UINT32_MAX)
		return bad(r, f->key, "hexadecimal");
	if (f->type == SHAPE_COOKIE) {
		bool ok = n == COOKIE_LEN;
		return ok && unhex(json_string_value(v), (uint8_t *)base + f->off, n)
			       ? 0
			       : bad(r, f->key, "16 bytes, hexadecimal");
	}
	uint8_t *p = arena_alloc(r->a, n ? n : 1);
	if (!unhex(json_string_value(v), p, n))
		return bad(r, f->key, "hexadecimal");
	*(const uint8_t **)(void *)(base + f->off) = p;
	*(uint32_t *)(void *)(base + f->off2) = (uint32_t)n;
	return 0;
}

static int read_addr(struct reader *r, const struct shape_field *f, const json_t *v, void *p)
{
	const char *s = json_string_value(v);
	bool ok = s && (f->type == SHAPE_IP	? ip4_parse(s, p)
			: f->type == SHAPE_CIDR ? cidr_parse(s, p)
						: mac_parse(s, p));
	return ok ? 0 : bad(r, f->key, "an address");
}

static int read_enum(struct reader *r, const struct shape_field *f, const json_t *v, void *p)
{
	const char *s = json_string_value(v);
	for (unsigned i = 0; s && f->names[i]; i++)
		if (!strcmp(f->names[i], s)) {
			*(unsigned *)p = i;
			return 0;
		}
	return bad(r, f->key, "one of the known words");
}

static int read_hex64(struct reader *r, const struct shape_field *f, const json_t *v, void *p)
{
	const char *s = json_string_value(v);
	char *end;
	if (!s || strncmp(s, "0x", 2) || strlen(s) > 18)
		return bad(r, f->key, "a hexadecimal number");
	*(uint64_t *)p = strtoull(s + 2, &end, 16);
	return *end || !s[2] ? bad(r, f->key, "a hexadecimal number") : 0;
}

static int read_number(struct reader *r, const struct shape_field *f, const json_t *v, void *p)
{
	static const struct {
		json_int_t min, max;
	} range[] = {
		[SHAPE_INT] = {INT32_MIN, INT32_MAX}, [SHAPE_INDEX] = {-1, INT32_MAX},
		[SHAPE_U8] = {0, UINT8_MAX},	      [SHAPE_U16] = {0, UINT16_MAX},
		[SHAPE_U32] = {0, UINT32_MAX},	      [SHAPE_U64] = {0, INT64_MAX},
		[SHAPE_I64] = {INT64_MIN, INT64_MAX},
	};
	json_int_t n = json_integer_value(v);
	if (!json_is_integer(v) || n < range[f->type].min || n > range[f->type].max)
		return bad(r, f->key, "a number in its range");
	switch (f->type) {
	case SHAPE_U8:
		*(uint8_t *)p = (uint8_t)n;
		return 0;
	case SHAPE_U16:
		*(uint16_t *)p = (uint16_t)n;
		return 0;
	case SHAPE_U64:
	case SHAPE_I64:
		*(int64_t *)p = n;
		return 0;
	default:
		*(uint32_t *)p = (uint32_t)n;
		return 0;
	}
}

static int read_list(struct reader *r, const struct shape_field *f, const json_t *v, void *p)
{
	if (!json_is_array(v))
		return bad(r, f->key, "a list");
	size_t n = json_array_size(v);
	size_t size = f->type == SHAPE_STRS   ? sizeof(char *)
		      : f->type == SHAPE_INTS ? sizeof(int)
					      : f->of->size;
	struct any_vec *vec = p;
	vec->v = arena_calloc(r->a, n ? n : 1, size);
	for (size_t i = 0; i < n; i++) {
		const json_t *e = json_array_get(v, i);
		char *at = vec->v + i * size;
		if (f->type == SHAPE_LIST) {
			int k = read_obj(r, f->of, e, at);
			if (k < 0)
				return k;
		} else if (f->type == SHAPE_STRS) {
			if (!json_is_string(e))
				return bad(r, f->key, "a list of strings");
			*(char **)(void *)at = arena_strdup(r->a, json_string_value(e));
		} else {
			json_int_t x = json_integer_value(e);
			if (!json_is_integer(e) || x < 0 || x > INT32_MAX)
				return bad(r, f->key, "a list of indexes");
			*(int *)(void *)at = (int)x;
		}
	}
	vec->n = vec->cap = n;
	return 0;
}

static int read_absent(struct reader *r, const struct shape_field *f, char *base)
{
	void *p = base + f->off;
	switch (f->type) {
	case SHAPE_REQ:
		return bad(r, f->key, "there");
	case SHAPE_ENUM:
		return bad(r, f->key, "there");
	case SHAPE_INDEX:
		*(int *)p = -1;
		return 0;
	case SHAPE_I64:
		*(int64_t *)p = -1;
		return 0;
	case SHAPE_OBJ:
		/* An object that has to be there may be empty, but its indexes are still -1. */
		return f->off2 == SHAPE_ALWAYS ? bad(r, f->key, "there") : 0;
	default:
		return 0;
	}
}

static int read_field(struct reader *r, const struct shape_field *f, const json_t *v, char *base)
{
	void *p = base + f->off;
	switch (f->type) {
	case SHAPE_STR:
	case SHAPE_REQ:
		if (!json_is_string(v))
			return bad(r, f->key, "a string");
		*(const char **)p = arena_strdup(r->a, json_string_value(v));
		return 0;
	case SHAPE_BOOL:
		if (!json_is_boolean(v))
			return bad(r, f->key, "true or false");
		*(bool *)p = json_is_true(v);
		return 0;
	case SHAPE_IP:
	case SHAPE_CIDR:
	case SHAPE_MAC:
		return read_addr(r, f, v, p);
	case SHAPE_ENUM:
		return read_enum(r, f, v, p);
	case SHAPE_HEX:
		return read_hex64(r, f, v, p);
	case SHAPE_BYTES:
	case SHAPE_COOKIE:
		return read_bytes(r, f, v, base);
	case SHAPE_STRS:
	case SHAPE_INTS:
	case SHAPE_LIST:
		return read_list(r, f, v, p);
	case SHAPE_OBJ:
		if (f->off2 != SHAPE_ALWAYS)
			*(bool *)(void *)(base + f->off2) = true;
		return read_obj(r, f->of, v, p);
	default:
		return read_number(r, f, v, p);
	}
}

static int read_obj(struct reader *r, const struct shape *s, const json_t *o, char *base)
{
	if (!json_is_object(o))
		return err_set(r->err, -EINVAL,
			       "the recording holds something else than an object "
			       "where one belongs");
	for (const struct shape_field *f = s->fields; f->key; f++) {
		const json_t *v = json_object_get(o, f->key);
		int k = v && !json_is_null(v) ? read_field(r, f, v, base) : read_absent(r, f, base);
		if (k < 0)
			return k;
	}
	return 0;
}

static int read_recording(struct reader *rd, const json_t *o, struct recording **ret)
{
	const json_t *schema = json_object_get(o, "schema");
	if (!json_is_integer(schema))
		return err_set(rd->err, -EINVAL, "this is no recording: it has no schema number");
	if (json_integer_value(schema) != RECORDING_SCHEMA)
		return err_set(rd->err, -EPROTO, "the recording's schema is %lld, known here is %d",
			       (long long)json_integer_value(schema), RECORDING_SCHEMA);
	struct recording *r = recording_new(rd->a);
	int k = read_obj(rd, &shape_recording, o, (char *)r);
	if (k < 0)
		return k;
	if ((k = recording_check(r, rd->err)) < 0)
		return k;
	*ret = r;
	return 0;
}

int recording_from_json(struct arena *a, const json_t *o, struct recording **ret, struct err *err)
{
	struct reader rd = {a, err};
	struct recording *r = NULL;
	int k = read_recording(&rd, o, &r);
	const json_t *dns = json_object_get(o, "dns");
	if (k >= 0 && json_is_object(dns))
		k = read_recording(&rd, dns, &r->dns);
	if (k < 0)
		return k;
	*ret = r;
	return 0;
}
