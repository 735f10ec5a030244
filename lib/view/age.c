/* SPDX-License-Identifier: MIT */
/* See age.h. */
#include "lib/view/age.h"

#include <ctype.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/cleanup.h"

bool time_parse(const char *s, time_t *ret)
{
	struct tm tm = {0};
	const char *p = s ? strptime(s, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!p)
		return false;
	if (*p == '.') {
		do {
			p++;
		} while (isdigit((unsigned char)*p));
	}
	long offset = 0;
	if (*p == '+' || *p == '-') {
		unsigned h, m;
		int n = 0;
		if (sscanf(p + 1, "%2u:%2u%n", &h, &m, &n) != 2 || n != 5 || p[6])
			return false;
		offset = (*p == '-' ? -1 : 1) * (long)(h * 3600 + m * 60);
	} else if (*p != 'Z' || p[1]) {
		return false;
	}
	*ret = timegm(&tm) - offset;
	return true;
}

#define MINUTE 60
#define HOUR   (60 * MINUTE)
#define DAY    (24 * HOUR)
#define YEAR   (365 * DAY)

/* Up to `below` seconds (exclusive): in whole `unit`s, and the rest in `minor` unless that is 0. */
static const struct step {
	int64_t below, unit, minor;
	char unit_name, minor_name;
} steps[] = {
	{2 * MINUTE, 1, 0, 's', 0},	     {10 * MINUTE, MINUTE, 1, 'm', 's'},
	{3 * HOUR, MINUTE, 0, 'm', 0},	     {8 * HOUR, HOUR, MINUTE, 'h', 'm'},
	{48 * HOUR, HOUR, 0, 'h', 0},	     {8 * DAY, DAY, HOUR, 'd', 'h'},
	{2 * (int64_t)YEAR, DAY, 0, 'd', 0}, {8 * (int64_t)YEAR, YEAR, DAY, 'y', 'd'},
	{INT64_MAX, YEAR, 0, 'y', 0},
};

const char *age_str(int64_t seconds, char buf[static AGE_LEN])
{
	if (seconds < -1) {
		snprintf(buf, AGE_LEN, "<invalid>");
		return buf;
	}
	if (seconds < 0)
		seconds = 0;
	const struct step *st = steps;
	while (seconds >= st->below && st < steps + ARRAY_SIZE(steps) - 1)
		st++;
	long long major = seconds / st->unit;
	long long minor = st->minor ? seconds % st->unit / st->minor : 0;
	if (minor)
		snprintf(buf, AGE_LEN, "%lld%c%lld%c", major, st->unit_name, minor, st->minor_name);
	else
		snprintf(buf, AGE_LEN, "%lld%c", major, st->unit_name);
	return buf;
}

const char *age_since(const char *stamp, time_t now, char buf[static AGE_LEN])
{
	time_t t;
	if (time_parse(stamp, &t))
		return age_str((int64_t)now - (int64_t)t, buf);
	snprintf(buf, AGE_LEN, "<unknown>");
	return buf;
}
