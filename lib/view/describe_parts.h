/* SPDX-License-Identifier: MIT */
/* describe_parts: the pieces that the forms of describe.c and describe_work.c are put together
 * from. All append text with tabs, which view_describe() lines up at the end. Not for other files.
 */
#ifndef VIEW_DESCRIBE_PARTS_H
#define VIEW_DESCRIBE_PARTS_H

#include <jansson.h>

#include "lib/base/strbuf.h"

/* "Name:", "Namespace:" if it has one. */
void part_name(const json_t *o, struct strbuf *out);
/* "HEADING:\ta=b\n\tc=d\n", or <none>. */
void part_labels(const char *heading, const json_t *labels, struct strbuf *out);
/* The same with "key: value"; leaves out kubectl's own last-applied-configuration. */
void part_annotations(const json_t *o, struct strbuf *out);
/* part_name(), labels and annotations. */
void part_head(const json_t *o, struct strbuf *out);
/* "HEADING:\tMon, 02 Jan 2006 15:04:05 +0000\n" from RFC 3339. */
void part_time(const char *heading, const char *stamp, struct strbuf *out);
void part_events(struct strbuf *out);

void describe_pod(const json_t *o, const json_t *related, struct strbuf *out);
void describe_deployment(const json_t *o, const json_t *related, struct strbuf *out);
void describe_node(const json_t *o, const json_t *related, struct strbuf *out);
void describe_service(const json_t *o, const json_t *related, struct strbuf *out);

#endif
