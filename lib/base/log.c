/* SPDX-License-Identifier: MIT */
/* See log.h. */
#include "lib/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/file.h"

static int max_level = LOG_INFO;
static bool prefix;

void log_set_level(int level)
{
	max_level = level;
}

void log_set_prefix(bool on)
{
	prefix = on;
}

void log_at(int level, const char *fmt, ...)
{
	if (level > max_level)
		return;
	char line[2048];
	int n = prefix ? snprintf(line, sizeof(line), "<%d>", level)
		       : snprintf(line, sizeof(line), "labd: ");
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(line + n, sizeof(line) - (size_t)n - 1, fmt, ap);
	va_end(ap);
	size_t len = strlen(line);
	line[len++] = '\n';
	(void)write_all(2, line, len); /* nowhere to report a failure to */
}
