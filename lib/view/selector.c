/* SPDX-License-Identifier: MIT */
/* See selector.h. The grammar is that of k8s.io/apimachinery's labels.Parse, but for "<" and ">".
 */
#include "lib/view/selector.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "lib/base/cleanup.h"

struct slice {
	const char *s;
	size_t n;
};

enum op { EXISTS, MISSING, EQUALS, DIFFERS, IN, NOT_IN };

struct requirement {
	struct slice key;
	enum op op;
	struct slice values; /* one, or those between the parentheses */
};

static const char *skip(const char *s)
{
	while (isspace((unsigned char)*s))
		s++;
	return s;
}

static struct slice word(const char **at)
{
	const char *s = *at = skip(*at);
	size_t n = strcspn(s, " \t=!<>,()");
	*at = s + n;
	return (struct slice){s, n};
}

static bool is(struct slice w, const char *text)
{
	return w.n == strlen(text) && memcmp(w.s, text, w.n) == 0;
}

static bool list(const char **at, struct slice *ret)
{
	const char *s = skip(*at), *end = strchr(s, ')');
	if (*s != '(' || !end)
		return false;
	*ret = (struct slice){s + 1, (size_t)(end - s - 1)};
	*at = end + 1;
	return true;
}

static bool after_key(const char **at, struct requirement *r)
{
	const char *s = *at = skip(*at);
	if (*s == '!' && s[1] == '=') {
		r->op = DIFFERS;
		*at = s + 2;
	} else if (*s == '=') {
		r->op = EQUALS;
		*at = s + 1 + (s[1] == '=');
	} else if (!*s || *s == ',') {
		r->op = EXISTS;
		return true;
	} else {
		struct slice verb = word(at);
		r->op = is(verb, "in") ? IN : NOT_IN;
		return (is(verb, "in") || is(verb, "notin")) && list(at, &r->values);
	}
	r->values = word(at);
	return true;
}

/* 1: one requirement; 0: the end; -1: nonsense. */
static int next(const char **at, struct requirement *r)
{
	*r = (struct requirement){.op = MISSING};
	*at = skip(*at);
	if (!**at)
		return 0;
	bool not = **at == '!';
	*at += not ;
	r->key = word(at);
	if (r->key.n == 0 || (!not &&!after_key(at, r)))
		return -1;
	*at = skip(*at);
	if (**at && **at != ',')
		return -1;
	if (**at == ',' && !*skip(*at + 1))
		return -1;
	*at += **at == ',';
	return 1;
}

int selector_check(const char *text, struct err *err)
{
	struct requirement r;
	const char *at = text;
	int got;
	while ((got = next(&at, &r)) == 1)
		;
	if (got == 0)
		return 0;
	err_setc(err, EINVAL, ERR_USAGE, "\"%.100s\" is no label selector", text);
	return err_hint(err, "app=web,tier!=db, or 'env in (a,b)', or !old");
}

static bool has(struct slice values, const char *value)
{
	for (const char *at = values.s, *end = values.s + values.n; at <= end; at++) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		const char *stop = comma ? comma : end, *last = stop;
		at = skip(at);
		while (last > at && isspace((unsigned char)last[-1]))
			last--;
		if (last >= at && is((struct slice){at, (size_t)(last - at)}, value))
			return true;
		at = stop;
	}
	return false;
}

static bool meets(const struct requirement *r, const json_t *labels)
{
	char key[512];
	if (r->key.n >= sizeof(key))
		return false;
	memcpy(key, r->key.s, r->key.n);
	key[r->key.n] = '\0';
	const char *value = json_string_value(json_object_get(labels, key));
	switch (r->op) {
	case EXISTS:
		return value;
	case MISSING:
		return !value;
	case EQUALS:
		return value && is(r->values, value);
	case DIFFERS:
		return !value || !is(r->values, value);
	case IN:
		return value && has(r->values, value);
	case NOT_IN:
		return !value || !has(r->values, value);
	}
	return false;
}

bool selector_match(const char *text, const json_t *labels)
{
	struct requirement r;
	while (next(&text, &r) == 1)
		if (!meets(&r, labels))
			return false;
	return true;
}
