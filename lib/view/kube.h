/* SPDX-License-Identifier: MIT */
/* kube: the kinds of objects that `labctl get` knows and their tables, column by column as kubectl
 * prints them. Pure: time and objects come in, text goes out. */
#ifndef VIEW_KUBE_H
#define VIEW_KUBE_H

#include <jansson.h>
#include <stdbool.h>
#include <time.h>

#include "lib/base/strbuf.h"

struct view_kind {
	const char *plural;   /* what the protocol calls it: "pods" */
	const char *singular; /* before the slash of `-o name`: "pod", "deployment" */
	const char *aliases;  /* "po", several parted by a blank */
	const char *kind;     /* "Pod" */
	const char *group;    /* "apps"; "" for the core */
	bool namespaced;
	bool in_all;	     /* part of `get all` */
	const char *columns; /* headings between NAME and AGE, each ended by a tab */
	const char *wide;    /* further headings of `-o wide`, each led by a tab */
	bool no_age;
	/* Append the cells of `columns`, each followed by a tab, and of `wide`, each led by one. */
	void (*cells)(const json_t *o, time_t now, struct strbuf *out);
	void (*wide_cells)(const json_t *o, struct strbuf *out);
};

/* All kinds; *n is their number. */
const struct view_kind *view_kinds(size_t *n);
/* By plural, singular or alias in any case; also with the group behind a dot; NULL: unknown. */
const struct view_kind *view_kind_find(const char *word);

struct view_list {
	bool wide, namespaces, no_headers;
	bool labels; /* a last column LABELS */
	bool prefix; /* "pod/NAME" in the NAME column, for several kinds at once */
	time_t now;
};

/* The table of some objects of one kind. */
void view_list_print(const struct view_kind *k, const json_t *items, const struct view_list *v,
		     struct strbuf *out);

/* The same of pods that come as rows (docs/PROTOCOL.md "get"), of one namespace or (NULL) of all.
 * Returns how many there are. */
size_t view_pod_rows(const char *rows, const char *ns, const struct view_list *v,
		     struct strbuf *out);

/* "pod/NAME", "deployment.apps/NAME". */
void view_full_name(const struct view_kind *k, const json_t *o, struct strbuf *out);

#endif
