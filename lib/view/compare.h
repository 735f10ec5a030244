/* SPDX-License-Identifier: MIT */
/* compare: columns of `labctl compare` as a table, and as data. Not for what they say
 * (lib/recording/compare.h). */
#ifndef VIEW_COMPARE_H
#define VIEW_COMPARE_H

#include <jansson.h>

#include "lib/base/strbuf.h"
#include "lib/recording/compare.h"

/* width: columns of the terminal, 0: 80. Never wider; more labs than fit come in further tables. A
 * star marks the rows that differ (in bold with `colour`). */
void compare_table(const char *flow, const struct compare_col *v, size_t n, size_t width,
		   bool colour, struct strbuf *out);

/* The same as data; a new reference. Times are in nanoseconds; what is not known is left out. */
json_t *compare_json(const char *flow, const struct compare_col *v, size_t n);

#endif
