/* SPDX-License-Identifier: MIT */
/*
 * docs: a lab's documents (JSON, as sent) as a set of objects that is edited: apply, delete, scale;
 * and fixed: what was decided (addresses, nodes, node ports, pods of Deployments) written into them
 * as an API server would have it, so that a later change leaves it alone. Pure. Controllers, which
 * make objects because of others, are in replicas.h.
 */
#ifndef LAB_DOCS_H
#define LAB_DOCS_H

#include <jansson.h>
#include <time.h>

#include "lib/base/err.h"
#include "lib/plan/cluster.h"

struct doc_id {
	const char *kind, *ns, *name; /* ns "" for kinds without; borrowed from the document */
};

struct doc_id doc_id(const json_t *doc);
/* Index of an object, or -1. */
int docs_find(const json_t *docs, const char *kind, const char *ns, const char *name);
/* A string at a path of keys ("spec.clusterIP"), or NULL. */
const char *doc_str(const json_t *doc, const char *path);
/* The object at a path of keys, made when missing. */
json_t *doc_sub(json_t *doc, const char *path);

/* A deep copy with Lists unfolded; a new reference. */
json_t *docs_unfold(const json_t *docs);

/* The cluster's decisions written into its documents; pods that it made become documents. In place;
 * docs must be unfolded and those that c was made of. Doing it twice changes nothing. */
void docs_fix(json_t *docs, const struct cluster *c);

/* What an edit did: a line for the user each, and what the controllers must know. */
struct edit {
	json_t *lines;	/* [{"kind", "ns", "name", "done": "created"}] */
	json_t *rolled; /* {"NS/DEPLOYMENT": true}: its template is another now */
	json_t *slices; /* {"NS/SERVICE": true}: its endpoints were given by hand in this edit */
	json_t *down;	/* pods that are down from now on, as in store.h; NULL: those that were */
	bool changed;
	char now[32]; /* metadata.creationTimestamp of what it makes */
};
void edit_init(struct edit *e, time_t now);
void edit_free(struct edit *e);

/* Add or replace objects by kind, namespace and name. What the new document leaves open stays as it
 * was decided (clusterIP, node ports, replicas, a pod's node and address); creationTimestamp is
 * ours. */
int docs_apply(json_t *docs, const json_t *sent, struct edit *e, struct err *err);
/* Remove an object and what goes with it. ERR_NOT_FOUND when there is none. c: the cluster before;
 * tells which pods are a Deployment's. */
int docs_delete(json_t *docs, const struct cluster *c, const char *kind, const char *ns,
		const char *name, struct edit *e, struct err *err);
int docs_scale(json_t *docs, const char *ns, const char *name, unsigned replicas, struct edit *e,
	       struct err *err);

#endif
