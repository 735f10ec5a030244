/* SPDX-License-Identifier: MIT */
/* For tests of lib/kube: documents from JSON written with ' for ", and faults as text. */
#ifndef TESTS_KUBE_FAULTS_H
#define TESTS_KUBE_FAULTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/strbuf.h"
#include "lib/kube/objects.h"

struct bound {
	struct arena *arena;
	struct faults faults;
	struct objects *o;
};

/* The array of documents; ' is read as ". */
static inline json_t *docs_from(const char *text)
{
	json_error_t why;
	char *copy = strdup(text);
	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	json_t *docs = json_loads(copy, 0, &why);
	if (!docs)
		fail_msg("test data is not JSON: line %d: %s: %s", why.line, why.text, copy);
	free(copy);
	return docs;
}

static inline struct bound bind_docs(const char *text, yaml_fn yaml)
{
	struct bound b = {.arena = arena_new()};
	json_t *docs = docs_from(text);
	b.faults.arena = b.arena;
	b.o = objects_bind(b.arena, docs, yaml, &b.faults);
	json_decref(docs);
	return b;
}

static inline void bound_free(struct bound *b)
{
	objects_release(b->o);
	arena_free(b->arena);
}

/* "OBJECT: PATH: TEXT (HINT)" a line; "key PATH" where the key is meant. */
static inline void faults_text(const struct faults *f, struct strbuf *out)
{
	vec_foreach (struct fault, x, &f->list) {
		strbuf_addf(out, "%s%s: %s%s: %s", out->len ? "\n" : "", x->object,
			    x->at == FAULT_KEY ? "key " : "", x->path, x->text);
		if (x->first_path)
			strbuf_addf(out, "; the first is document %d", x->first_doc + 1);
		if (*x->hint)
			strbuf_addf(out, " (%s)", x->hint);
	}
}

/* The notes in the same form. */
static inline void expect_notes(const char *docs, const char *want)
{
	_strbuf_ struct strbuf got = STRBUF_INIT;
	struct bound b = bind_docs(docs, NULL);
	struct faults notes = {0};
	objects_check(b.o, &b.faults);
	assert_int_equal(b.faults.total, 0);
	memcpy(&notes.list, &b.faults.notes, sizeof(notes.list));
	faults_text(&notes, &got);
	bound_free(&b);
	if (strcmp(strbuf_str(&got), want) != 0) {
		fprintf(stderr, "for %s\n  want: %s\n  got:  %s\n", docs, want, strbuf_str(&got));
		fail();
	}
}

/* Bind (and check) the documents and hold the faults against the text; "" for none. */
static inline void expect_faults(const char *docs, bool check, const char *want)
{
	_strbuf_ struct strbuf got = STRBUF_INIT;
	struct bound b = bind_docs(docs, NULL);
	if (check)
		objects_check(b.o, &b.faults);
	faults_text(&b.faults, &got);
	bound_free(&b);
	if (strcmp(strbuf_str(&got), want) != 0) {
		/* Longer than cmocka prints. */
		fprintf(stderr, "for %s\n  want: %s\n  got:  %s\n", docs, want, strbuf_str(&got));
		fail();
	}
}

#endif
