/* SPDX-License-Identifier: MIT */
/*
 * json_mutate: for targets whose input is JSON: instead of bytes, values are changed, moved,
 * doubled and taken over from another input, so that most of what is tried is JSON of the right
 * kind.
 */
#include <jansson.h>

#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutate.h"

#define NODES_MAX 4096

struct place {
	json_t *in; /* object or array */
	const char *key;
	size_t index;
};

struct nodes {
	struct place v[NODES_MAX];
	size_t n;
};

static uint64_t seed;
static struct nodes mine, theirs;

static uint32_t rnd(uint32_t n)
{
	seed = seed * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(seed >> 33) % (n ? n : 1);
}

static void walk(struct nodes *l, json_t *v)
{
	const char *key;
	json_t *e;
	size_t i;
	json_object_foreach (v, key, e) {
		if (l->n < NODES_MAX)
			l->v[l->n++] = (struct place){v, key, 0};
		walk(l, e);
	}
	json_array_foreach (v, i, e) {
		if (l->n < NODES_MAX)
			l->v[l->n++] = (struct place){v, NULL, i};
		walk(l, e);
	}
}

static json_t *get(const struct place *p)
{
	return p->key ? json_object_get(p->in, p->key) : json_array_get(p->in, p->index);
}

/* Takes the reference. */
static void set(const struct place *p, json_t *v)
{
	if (p->key)
		json_object_set_new(p->in, p->key, v);
	else
		json_array_set_new(p->in, p->index, v);
}

static json_t *some_number(json_int_t old)
{
	static const json_int_t edges[] = {0,
					   -1,
					   1,
					   2,
					   31,
					   32,
					   33,
					   64,
					   255,
					   256,
					   1023,
					   32767,
					   32768,
					   65535,
					   65536,
					   2147483647,
					   -2147483648LL,
					   4294967295LL,
					   4294967296LL,
					   9223372036854775807LL};
	switch (rnd(4)) {
	case 0:
		return json_integer((json_int_t)((uint64_t)old + 1));
	case 1:
		return json_integer((json_int_t)((uint64_t)old - 1));
	case 2:
		return json_real((double)old + 0.5);
	default:
		return json_integer(edges[rnd(sizeof(edges) / sizeof(edges[0]))]);
	}
}

static json_t *some_text(const char *old)
{
	static const char *const edges[] = {"",
					    "0",
					    "-1",
					    "default",
					    "node01",
					    "10.244.0.0/16",
					    "0.0.0.0",
					    "::1",
					    "10.96.0.0/0",
					    "10.96.0.1",
					    "a\nb",
					    "\x7f\xc3\xa4 %s",
					    "2001:db8::/64",
					    "99999999999999999999",
					    "true",
					    "255.255.255.255/32"};
	uint8_t buf[512];
	size_t n = strlen(old);
	if (rnd(3) == 0)
		return json_string(edges[rnd(sizeof(edges) / sizeof(edges[0]))]);
	if (n > sizeof(buf) / 2)
		n = sizeof(buf) / 2;
	memcpy(buf, old, n);
	n = LLVMFuzzerMutate(buf, n, sizeof(buf));
	json_t *v = json_stringn((const char *)buf, n);
	return v ? v : json_string("x");
}

static json_t *other_value(const json_t *old)
{
	if (json_is_integer(old) && rnd(4))
		return some_number(json_integer_value(old));
	if (json_is_string(old) && rnd(4))
		return some_text(json_string_value(old));
	if (json_is_boolean(old) && rnd(4))
		return json_boolean(!json_is_true(old));
	switch (rnd(7)) {
	case 0:
		return json_null();
	case 1:
		return json_object();
	case 2:
		return json_array();
	case 3:
		return some_number(1);
	case 4:
		return some_text("");
	case 5:
		return json_boolean(rnd(2));
	default:
		return json_pack("[O]", old); /* wrapped */
	}
}

static void mutate(json_t *root)
{
	mine.n = 0;
	walk(&mine, root);
	if (!mine.n)
		return;
	const struct place *p = &mine.v[rnd((uint32_t)mine.n)];
	const struct place *q = &mine.v[rnd((uint32_t)mine.n)];
	switch (rnd(8)) {
	case 0:
		if (p->key)
			json_object_del(p->in, p->key);
		else
			json_array_remove(p->in, p->index);
		break;
	case 1: /* one value in the place of another */
		set(p, json_deep_copy(get(q)));
		break;
	case 2:
		if (json_is_array(p->in))
			json_array_append_new(p->in, json_deep_copy(get(p)));
		else if (json_is_object(get(q)))
			json_object_set_new(get(q), p->key, json_deep_copy(get(p)));
		break;
	default:
		set(p, other_value(get(p)));
		break;
	}
}

static size_t written(json_t *root, uint8_t *out, size_t max)
{
	size_t n = root ? json_dumpb(root, NULL, 0, JSON_COMPACT) : 0;
	if (n == 0 || n > max)
		return 0;
	json_dumpb(root, (char *)out, n, JSON_COMPACT);
	return n;
}

size_t json_mutate(uint8_t *data, size_t size, size_t max, unsigned s)
{
	seed = s;
	json_t *root = rnd(20) ? json_loadb((const char *)data, size, 0, NULL) : NULL;
	if (!root)
		return LLVMFuzzerMutate(data, size, max);
	for (uint32_t n = 1 + rnd(4); n > 0; n--)
		mutate(root);
	size_t n = written(root, data, max);
	json_decref(root);
	return n ? n : LLVMFuzzerMutate(data, size, max);
}

size_t json_cross_over(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
		       uint8_t *out, size_t max, unsigned s)
{
	json_t *a = json_loadb((const char *)data1, size1, 0, NULL);
	json_t *b = json_loadb((const char *)data2, size2, 0, NULL);
	size_t n = 0;
	seed = s;
	mine.n = theirs.n = 0;
	if (a && b) {
		walk(&mine, a);
		walk(&theirs, b);
	}
	if (mine.n && theirs.n) {
		const struct place *q = &theirs.v[rnd((uint32_t)theirs.n)];
		const struct place *p = &mine.v[rnd((uint32_t)mine.n)];
		for (int i = 0; i < 8 && q->key && p->key && strcmp(p->key, q->key) != 0; i++)
			p = &mine.v[rnd((uint32_t)mine.n)]; /* rather one of the same name */
		if (json_is_array(p->in) && rnd(2))
			json_array_append_new(p->in, json_deep_copy(get(q)));
		else if (q->key && json_is_object(p->in))
			json_object_set_new(p->in, q->key, json_deep_copy(get(q)));
		else
			set(p, json_deep_copy(get(q)));
		n = written(a, out, max);
	}
	json_decref(a);
	json_decref(b);
	return n;
}
