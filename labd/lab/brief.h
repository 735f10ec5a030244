/* SPDX-License-Identifier: MIT */
/*
 * brief: what `ls` and the table of `get pods` say of a lab in which nothing happens, kept beside
 *it so that it is not decided anew for each question.
 *
 *	RUN/labs/NAME/brief	a key: which lab.json, journal and pods.json it was made from
 *				the lab as `ls` has it, a JSON object, on one line
 *				PID STARTTIME of each node's and host's first process, PID of each
 *pod's an empty line a row for each pod, its cells parted by tabs (docs/PROTOCOL.md "get") "end"
 *
 * It holds good while the three files are the same and all these processes run. A pod that dies is
 * made anew by labd, which changes the journal; so of pods only their numbers are looked at. What
 * has no brief (a pod that is not ready, a change under way) is told the long way.
 */
#ifndef LAB_BRIEF_H
#define LAB_BRIEF_H

#include "labd/lab/journal.h"
#include "labd/lab/store.h"
#include "lib/base/strbuf.h"

#define BRIEF_KEY 256

struct brief {
	struct strbuf text;
	const char *lab;  /* the JSON object */
	const char *rows; /* one line each */
};

/* True: it holds good, and is freed by brief_free(). */
bool brief_load(const struct engine *e, const char *name, struct brief *ret);
void brief_free(struct brief *b);

/* The key of the files as they are; before they are read. */
void brief_key(const struct engine *e, const char *name, char key[static BRIEF_KEY]);
/* Keep one, if there can be one. pods: all of them, as kobjects_list() gives them; lab: as for
 * `ls`. A failure is none. */
void brief_store(const struct stored *s, const char *key, const struct journal *j,
		 const json_t *pods, const json_t *lab);

#endif
