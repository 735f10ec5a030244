/* SPDX-License-Identifier: MIT */
/* objects: the operands of get and describe (KIND NAME, KIND/NAME, KIND,KIND, all) and fetching
 * what they name. */
#ifndef LABCTL_OBJECTS_H
#define LABCTL_OBJECTS_H

#include <jansson.h>

#include "labctl/client.h"
#include "lib/view/kube.h"

#define MAX_ASKED 64

struct asked {
	const struct view_kind *kind;
	const char *name; /* NULL: all of the kind */
};

struct ask {
	struct asked v[MAX_ASKED];
	size_t n;
	bool one_kind, one_object;
};

struct source {
	enum engine_kind engine;
	const char *lab; /* or NULL */
	const char *ns;	 /* NULL: all namespaces */
};

/* Operands to what is asked for. Errors: class usage, an unknown kind with a suggestion. */
int objects_parse(const struct opts *o, struct ask *ret, struct err *err);
/* Which lab and namespace the command line means. */
int objects_source(const struct opts *o, struct source *ret, struct err *err);
/* All objects of a kind, in the source's namespace if the kind has one; a new array. */
int objects_fetch(const struct source *s, const struct view_kind *k, json_t **items,
		  struct err *err);
/* The elements of items that are asked for: a new array, empty if there is none. With
 * `beginnings`, a name that fits none exactly is the beginning of names. */
json_t *objects_named(const json_t *items, const char *name, bool beginnings);
/* Of these objects only what has these labels stays. */
void objects_keep_labelled(json_t *items, const char *selector);
/* Fetched, and of them those of this name (NULL: all) and with these labels (NULL: any); a new
 * array. */
int objects_select(const struct source *s, const struct asked *a, const char *selector,
		   json_t **items, struct err *err);
/* Print kubectl's line for what is not there, and what may have been meant. */
void objects_not_found(const struct view_kind *k, const char *name, const json_t *items);

#endif
