/* SPDX-License-Identifier: MIT */
/*
 * fault: what is wrong with a lab's objects. All faults of a lab are found in one pass and kept in
 * a list; each names the document and the path inside it, from which the client finds the place in
 * the YAML file. Nothing here knows files. Beside them stand notes, about what is allowed and may
 * not be what was meant.
 *
 * A path is written as in jq without the leading dot: `spec.ports[0].nodePort`; keys that hold a
 * dot or a slash are quoted: `metadata.labels["app.kubernetes.io/name"]`. "" is the document
 * itself.
 */
#ifndef KUBE_FAULT_H
#define KUBE_FAULT_H

#include <stdarg.h>
#include <stdbool.h>

#include "lib/base/arena.h"

enum fault_at {
	FAULT_VALUE, /* underline the value at the path */
	FAULT_KEY    /* underline the key at the path (unknown field) */
};

struct fault {
	int doc; /* index into the documents as sent, from 0; -1: the lab as a whole */
	enum fault_at at;
	const char *path;
	const char *object;	/* "Pod default/busybox1", or "" when it has no name yet */
	const char *text;	/* one line, no final stop */
	const char *hint;	/* "did you mean `nodePort`?", or "" */
	const char *first_path; /* of what may be there once only: where the first of it stands, in
				   document first_doc; else NULL */
	int first_doc;
};

struct faults {
	struct arena *arena;
	vec_of(struct fault) list; /* at most MAX_FAULTS; `total` counts on */
	unsigned total;
	vec_of(struct fault) notes; /* the first MAX_FAULTS */
};

/* Record a fault. path, object, hint may be NULL (""). Strings are copied. */
void fault_add(struct faults *f, int doc, enum fault_at at, const char *object, const char *path,
	       const char *hint, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* Record a note: nothing fails for it. Otherwise as fault_add(). */
void fault_note(struct faults *f, int doc, enum fault_at at, const char *object, const char *path,
		const char *hint, const char *fmt, ...) __attribute__((format(printf, 7, 8)));

/* The fault just added is about a second of something: path in document doc is the first. */
void fault_first(struct faults *f, int doc, const char *path);

/* The nearest of n words to s by edit distance, for "did you mean"; NULL when none is near
 * (distance over 1/3 of the length, at least 1). Case differences count half. */
const char *nearest_word(const char *s, const char *const *words, unsigned n);

#endif
