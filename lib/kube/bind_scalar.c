/* SPDX-License-Identifier: MIT */
/*
 * Single values: strings, numbers, words, names, addresses, durations. Each function is a bind_fn
 * of bind.h: it stores a value or records why it cannot.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/base/strbuf.h"
#include "lib/kube/bind.h"

const struct name_arg arg_label = {NAME_LABEL, false};
const struct name_arg arg_subdomain = {NAME_SUBDOMAIN, false};
const struct name_arg arg_label_opt = {NAME_LABEL, true};
const struct name_arg arg_subdomain_opt = {NAME_SUBDOMAIN, true};
const struct range range_port = {1, 65535};
const struct range range_port_0 = {0, 65535};

static const struct word protos[] = {
	{"TCP", PROTO_TCP}, {"UDP", PROTO_UDP}, {"SCTP", PROTO_SCTP}, {NULL, 0}};
const struct words words_proto = {.list = protos};
const struct list_of list_of_strs = {.item = bind_str, .size = sizeof(const char *)};

/* The text of a string value, or NULL after recording a fault. A bare number where text is wanted
 * most often lacks its quotes. */
static const char *text_of(struct binder *b, const struct at *at, const json_t *v)
{
	if (json_is_string(v))
		return json_string_value(v);
	if (json_is_number(v) || json_is_boolean(v))
		bind_fault(b, at, "put it in quotes", "expected a string, found %s",
			   json_is_number(v) ? "a number"
			   : json_is_true(v) ? "`true`"
					     : "`false`");
	else
		bind_wrong_type(b, at, v, "a string");
	return NULL;
}

bool bind_str(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const char *s = text_of(b, at, v);
	(void)arg;
	if (!s)
		return false;
	*(const char **)dst = arena_strdup(b->arena, s);
	return true;
}

bool bind_str_opt(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	if (json_is_string(v) && json_string_length(v) == 0)
		return false;
	return bind_str(b, at, v, dst, arg);
}

bool bind_bool(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	(void)arg;
	if (!json_is_boolean(v)) {
		const char *s = json_string_value(v);
		if (s && (strcmp(s, "true") == 0 || strcmp(s, "false") == 0))
			return bind_fault(b, at, "write it without quotes",
					  "expected `true` or `false`, found a string");
		return bind_wrong_type(b, at, v, "`true` or `false`");
	}
	*(bool *)dst = json_is_true(v);
	return true;
}

static bool all_digits(const char *s)
{
	return *s && s[strspn(s, "0123456789")] == '\0';
}

static bool number_in(struct binder *b, const struct at *at, const json_t *v,
		      const struct range *range, long long *ret)
{
	if (json_is_string(v) && all_digits(json_string_value(v)))
		return bind_fault(b, at, "write it without quotes",
				  "expected a number, found a string");
	if (json_is_real(v))
		return bind_fault(b, at, NULL, "%.12g is not a whole number", json_real_value(v));
	if (!json_is_integer(v))
		return bind_wrong_type(b, at, v, "a number");
	long long n = json_integer_value(v);
	if (n < range->min || n > range->max)
		return bind_fault(b, at, NULL, "%lld is not between %lld and %lld", n, range->min,
				  range->max);
	*ret = n;
	return true;
}

bool bind_uint(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	long long n;
	if (!number_in(b, at, v, arg, &n))
		return false;
	*(unsigned *)dst = (unsigned)n;
	return true;
}

bool bind_u16(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	long long n;
	if (!number_in(b, at, v, arg, &n))
		return false;
	*(uint16_t *)dst = (uint16_t)n;
	return true;
}

/* "Always, CrossSubnet, Never" for a message. */
static const char *word_list(struct binder *b, const struct words *words)
{
	_strbuf_ struct strbuf list = STRBUF_INIT;
	for (const struct word *w = words->list; w->word; w++)
		if (*w->word)
			strbuf_addf(&list, "%s%s", list.len ? ", " : "", w->word);
	return arena_strdup(b->arena, strbuf_str(&list));
}

bool bind_int32(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	long long n;
	if (!number_in(b, at, v, arg, &n))
		return false;
	*(int32_t *)dst = (int32_t)n;
	return true;
}

bool bind_word(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const struct words *words = arg;
	const char *s = text_of(b, at, v);
	if (!s)
		return false;
	size_t n = 0;
	for (const struct word *w = words->list; w->word; w++, n++)
		if (strcmp(w->word, s) == 0) {
			memcpy(dst, &w->value, sizeof(w->value));
			return true;
		}
	const char **names = arena_new_array(b->arena, const char *, n);
	for (size_t i = 0; i < n; i++)
		names[i] = words->list[i].word;
	return bind_fault(b, at, words->no_guess ? NULL : did_you_mean(b->arena, s, names, n),
			  "`%s` is not one of %s", s, word_list(b, words));
}

static bool label_chars(const char *s, size_t len)
{
	if (!isalnum((unsigned char)s[0]) || !isalnum((unsigned char)s[len - 1]))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!(s[i] >= 'a' && s[i] <= 'z') && !(s[i] >= '0' && s[i] <= '9') && s[i] != '-')
			return false;
	return true;
}

static bool subdomain_chars(const char *s)
{
	for (;;) {
		size_t len = strcspn(s, ".");
		if (len == 0 || !label_chars(s, len))
			return false;
		if (!s[len])
			return true;
		s += len + 1;
	}
}

bool name_ok(const char *s, enum name_rule rule, const char **ret_why)
{
	static const char *const whys[] = {
		[NAME_NONE] = "",
		[NAME_LABEL] = "a name has up to 63 lower-case letters, digits and `-`, and starts "
			       "and ends with a letter or digit",
		[NAME_SUBDOMAIN] = "a name has up to 253 lower-case letters, digits, `-` and `.`, "
				   "and starts and ends with a letter or digit",
		[NAME_LAB] = "a lab's name has up to 40 lower-case letters, digits and `-`, and "
			     "starts and ends with a letter or digit",
		[NAME_PORT] = "a port's name has up to 15 lower-case letters, digits and `-`, and "
			      "at least one letter",
	};
	static const size_t max[] = {[NAME_NONE] = SIZE_MAX,
				     [NAME_LABEL] = MAX_LABEL,
				     [NAME_SUBDOMAIN] = MAX_NAME,
				     [NAME_LAB] = MAX_LAB_NAME,
				     [NAME_PORT] = 15};
	_Static_assert(MAX_LAB_NAME == 40 && MAX_LABEL == 63 && MAX_NAME == 253,
		       "the texts above say these numbers");
	size_t len = strlen(s);
	*ret_why = whys[rule];
	if (rule == NAME_NONE)
		return true;
	if (len == 0 || len > max[rule])
		return false;
	if (rule == NAME_SUBDOMAIN)
		return subdomain_chars(s);
	if (rule == NAME_PORT && (strstr(s, "--") || !strpbrk(s, "abcdefghijklmnopqrstuvwxyz")))
		return false;
	return label_chars(s, len);
}

bool bind_name(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const struct name_arg *how = arg;
	const char *why, *s = text_of(b, at, v);
	if (!s || (how->empty_ok && !*s))
		return false;
	if (!name_ok(s, how->rule, &why))
		return bind_fault(b, at, why, "`%s` is not a valid name", s);
	*(const char **)dst = arena_strdup(b->arena, s);
	return true;
}

bool bind_ip(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const char *s = text_of(b, at, v);
	(void)arg;
	if (!s || !*s || is_ip6(s))
		return false;
	if (!ip4_parse(s, dst))
		return bind_fault(b, at, NULL, "`%s` is not an IP address", s);
	return true;
}

bool bind_cidr(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	const char *s = text_of(b, at, v);
	(void)arg;
	if (!s || !*s)
		return false;
	/* The API takes blanks around loadBalancerSourceRanges. */
	char *t = arena_strdup(b->arena, s + strspn(s, " "));
	for (size_t len = strlen(t); len > 0 && t[len - 1] == ' '; len--)
		t[len - 1] = '\0';
	if (is_ip6(t) && strchr(t, '/'))
		return false;
	if (!cidr_parse(t, dst))
		return bind_fault(b, at, NULL, "`%s` is not a CIDR such as 10.244.0.0/16", s);
	return true;
}

bool bind_cidr_text(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	struct cidr c;
	const char *s = text_of(b, at, v);
	(void)arg;
	if (!s)
		return false;
	if (!cidr_parse(s, &c) && !(is_ip6(s) && strchr(s, '/')))
		return bind_fault(b, at, NULL, "`%s` is not a CIDR such as 10.244.0.0/16", s);
	*(const char **)dst = arena_strdup(b->arena, s);
	return true;
}

/* Seconds in one unit of Go's time.ParseDuration; 0 for an unknown unit. */
static double unit_seconds(const char *s, size_t len)
{
	static const struct {
		const char *unit;
		double seconds;
	} units[] = {{"h", 3600},  {"m", 60},	 {"s", 1},    {"ms", 1e-3},
		     {"us", 1e-6}, {"µs", 1e-6}, {"ns", 1e-9}};
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strlen(units[i].unit) == len && memcmp(units[i].unit, s, len) == 0)
			return units[i].seconds;
	return 0;
}

/* A non-negative Go duration such as "24h0m0s", "1.5s" or "0". */
static bool parse_duration(const char *s, double *ret)
{
	double sum = 0;
	if (strcmp(s, "0") == 0) {
		*ret = 0;
		return true;
	}
	if (!*s)
		return false;
	while (*s) {
		double value = 0, scale = 1;
		size_t digits = strspn(s, "0123456789");
		size_t n = digits, fraction = s[n] == '.' ? strspn(s + n + 1, "0123456789") : 0;
		if (digits + fraction == 0 || digits + fraction > 18)
			return false;
		for (size_t i = 0; i < digits; i++)
			value = value * 10 + (s[i] - '0');
		for (size_t i = 0; i < fraction; i++)
			value += (s[n + 1 + i] - '0') * (scale /= 10);
		s += n + (s[n] == '.' ? fraction + 1 : 0);
		size_t len = strcspn(s, "0123456789.");
		double unit = unit_seconds(s, len);
		if (unit == 0)
			return false;
		sum += value * unit;
		s += len;
	}
	*ret = sum;
	return true;
}

bool bind_duration(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	double seconds;
	const char *s = text_of(b, at, v);
	(void)arg;
	if (!s)
		return false;
	const char *rest = s + (*s == '-' || *s == '+');
	if (!parse_duration(rest, &seconds) || seconds > 9e9)
		return bind_fault(b, at, NULL, "`%s` is not a duration such as 30s or 1h0m0s", s);
	if (*s == '-' && seconds > 0)
		return bind_fault(b, at, NULL, "`%s` is less than 0", s);
	*(long long *)dst = (long long)(seconds * 1e9 + 0.5);
	return true;
}

bool bind_ifname(struct binder *b, const struct at *at, json_t *v, void *dst, const void *arg)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789_-.";
	const char *s = text_of(b, at, v);
	(void)arg;
	if (!s || !*s)
		return false;
	if (strlen(s) > 15)
		return bind_fault(b, at, NULL,
				  "`%s` has %zu characters; a device's name has at most 15", s,
				  strlen(s));
	if (s[strspn(s, allowed)] || *s == '-' || strcmp(s, ".") == 0 || strcmp(s, "..") == 0)
		return bind_fault(b, at,
				  "letters, digits, `_`, `.` and `-`, and no `-` at the start",
				  "`%s` is not a name for a device", s);
	*(const char **)dst = arena_strdup(b->arena, s);
	return true;
}

bool bind_port_or_name(struct binder *b, const struct at *at, json_t *v, uint16_t *ret_port,
		       const char **ret_name)
{
	static const struct name_arg port_name = {NAME_PORT, false};
	if (!json_is_string(v))
		return bind_u16(b, at, v, ret_port, &range_port);
	if (all_digits(json_string_value(v)))
		return bind_fault(b, at, "write it without quotes",
				  "a port given as text must be the name of a container's port");
	return bind_name(b, at, v, ret_name, &port_name);
}
