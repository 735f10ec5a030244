/* SPDX-License-Identifier: MIT */
/*
 * internal: what the files of lib/yaml share behind yaml.h. Nobody else includes it.
 */
#ifndef YAML_INTERNAL_H
#define YAML_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/strbuf.h"
#include "lib/yaml/places.h"

/* A text that was read. Its name is what messages call it. */
struct source {
	const char *name;
	struct strbuf text; /* freed by yaml_files_free() */
};

/* A document that is in `json` at the same index. */
struct document {
	uint32_t source;
	uint32_t root; /* index into places */
};

/* What is wrong with the YAML itself. */
struct syntax_fault {
	uint32_t source;
	bool placed; /* false: the file as a whole */
	struct place where;
	const char *text, *hint;
};

struct yaml_files {
	struct arena *arena; /* names and messages */
	vec_of(struct source) sources;
	vec_of(struct document) docs;
	vec_of(struct syntax_fault) faults; /* at most MAX_FAULTS */
	unsigned total_faults;
	size_t total_bytes;
	struct places places;
	json_t *json; /* array of documents */
};

/* Record a syntax fault; where and hint may be NULL. */
void syntax_fault_add(struct yaml_files *f, uint32_t source, const struct place *where,
		      const char *hint, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/* Parse the source's text (checked with text_check()): appends its documents, places and faults.
 * Behind a syntax error it goes on with the next `---`. */
void yaml_parse_source(struct yaml_files *f, uint32_t source);

/* Find a path below the value that the text of a scalar means, when that is a block scalar (`|`)
 * with YAML in it. text is the source's, *ret a place in it. */
bool inner_find(const struct strbuf *text, const struct place *scalar, const char *path,
		enum fault_at at, struct place *ret);

#endif
