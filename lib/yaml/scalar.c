/* SPDX-License-Identifier: MIT */
/* See scalar.h. */
#include "lib/yaml/scalar.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/cleanup.h"

#define NUMBER_MAX 40 /* longer digit strings are no number to us */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Is s one of the words, all lower case, Capitalised or UPPER CASE? */
static bool is_word(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (strcasecmp(s, words[i]) != 0)
			continue;
		bool rest_lower = true, rest_upper = true;
		for (const char *p = s + 1; *p; p++) {
			rest_lower &= !isupper((unsigned char)*p);
			rest_upper &= !islower((unsigned char)*p);
		}
		return rest_lower || (rest_upper && isupper((unsigned char)s[0]));
	}
	return false;
}

static bool is_null(const char *s, size_t len)
{
	static const char *const words[] = {"null"};
	return len == 0 || strcmp(s, "~") == 0 || is_word(s, words, ARRAY_SIZE(words));
}

/* 1 true, 0 false, -1 neither. */
static int as_bool(const char *s, size_t len)
{
	static const char *const yes[] = {"true", "yes", "on", "y"};
	static const char *const no[] = {"false", "no", "off", "n"};
	if (len > 5)
		return -1;
	return is_word(s, yes, ARRAY_SIZE(yes)) ? 1 : is_word(s, no, ARRAY_SIZE(no)) ? 0 : -1;
}

/* Decimal without leading zeros, 0x or 0o, with or without a sign; within 64 bits. */
static bool as_int(const char *s, size_t len, json_int_t *ret)
{
	const char *digits = *s == '-' || *s == '+' ? s + 1 : s;
	int base = 10;
	if (len > NUMBER_MAX || !is_digit(*digits))
		return false;
	char prefix = digits[0] == '0' ? digits[1] : 'd';
	if (prefix == 'x' || prefix == 'o') {
		base = prefix == 'x' ? 16 : 8;
		digits += 2;
	} else if (prefix != 'd' && prefix != '\0') {
		return false;
	}
	char text[NUMBER_MAX + 2];
	snprintf(text, sizeof(text), "%s%s", *s == '-' ? "-" : "", digits);
	if (!isxdigit((unsigned char)*digits))
		return false;
	char *end;
	errno = 0;
	*ret = strtoll(text, &end, base);
	return errno == 0 && *end == '\0';
}

static size_t count_digits(const char *s)
{
	return strspn(s, "0123456789");
}

/* [-+] digits [. digits] [e [-+] digits], a digit at least. Integers too. */
static bool is_decimal(const char *s)
{
	if (*s == '-' || *s == '+')
		s++;
	size_t whole = count_digits(s), part = 0;
	s += whole;
	if (*s == '.') {
		part = count_digits(s + 1);
		s += 1 + part;
	}
	if (whole + part == 0)
		return false;
	if (*s == 'e' || *s == 'E') {
		s++;
		if (*s == '-' || *s == '+')
			s++;
		if (!is_digit(*s))
			return false;
		s += count_digits(s);
	}
	return *s == '\0';
}

void real_to_text(double v, char buf[static REAL_TEXT_MAX])
{
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(buf, REAL_TEXT_MAX, "%.*g", digits, v);
		if (strtod(buf, NULL) == v)
			return;
	}
}

/* A decimal fraction that is written just as it would be printed again. */
static bool as_real(const char *s, size_t len, double *ret)
{
	if (len >= REAL_TEXT_MAX || !is_decimal(s))
		return false;
	char *end;
	*ret = strtod(s, &end);
	if (*end || !isfinite(*ret))
		return false;
	char text[REAL_TEXT_MAX];
	real_to_text(*ret, text);
	return strchr(text, '.') && strcmp(text, s) == 0;
}

json_t *scalar_resolve(const char *s, size_t len)
{
	json_int_t i;
	double d;
	/* Most scalars are names: their first letter tells. */
	if (len > 5 && isalpha((unsigned char)*s))
		return json_stringn_nocheck(s, len);
	if (is_null(s, len))
		return json_null();
	int b = as_bool(s, len);
	if (b >= 0)
		return json_boolean(b);
	if (as_int(s, len, &i))
		return json_integer(i);
	if (as_real(s, len, &d))
		return json_real(d);
	return json_stringn_nocheck(s, len);
}

/* 2021-01-31, alone or followed by a time. */
static bool is_date(const char *s)
{
	if (count_digits(s) != 4 || s[4] != '-')
		return false;
	size_t month = count_digits(s + 5);
	const char *day = s + 5 + month + 1;
	if (month < 1 || month > 2 || day[-1] != '-')
		return false;
	size_t n = count_digits(day);
	return (n == 1 || n == 2) &&
	       (day[n] == '\0' || (strchr("Tt ", day[n]) && is_digit(day[n + 1])));
}

/* 12:34:56: a number to the base of 60 in YAML 1.1. */
static bool is_base60(const char *s)
{
	s += strspn(s, "0123456789_");
	if (*s != ':')
		return false;
	while (*s == ':') {
		size_t n = count_digits(s + 1);
		if (n < 1 || n > 2 || (n == 2 && s[1] > '5'))
			return false;
		s += 1 + n;
	}
	return *s == '\0' || (*s == '.' && s[1 + strspn(s + 1, "0123456789_")] == '\0');
}

/* Spellings that one YAML version or another reads as a number: 1_000, 0755, 0b11, 12:34. */
static bool is_odd_number(const char *s)
{
	bool sign = *s == '-' || *s == '+';
	s += sign;
	if (!is_digit(*s) && !(sign && *s == '_' && is_digit(s[1])))
		return false;
	if (s[0] == '0' && s[1] && strchr("bBoOxX", s[1]) && isxdigit((unsigned char)s[2]))
		return s[2 + strspn(s + 2, "0123456789abcdefABCDEF_")] == '\0';
	size_t n = strspn(s, "0123456789_");
	bool fraction = s[n] == '.' && s[n + 1 + strspn(s + n + 1, "0123456789_")] == '\0';
	return s[n] == '\0' || fraction || is_base60(s);
}

bool scalar_looks_typed(const char *s, size_t len)
{
	static const char *const specials[] = {".inf", "+.inf", "-.inf", ".nan"};
	if (is_null(s, len) || as_bool(s, len) >= 0 || strcmp(s, "<<") == 0)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(specials); i++) {
		if (strcasecmp(s, specials[i]) == 0)
			return true;
	}
	return is_decimal(s) || is_odd_number(s) || is_date(s);
}
