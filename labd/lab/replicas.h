/* SPDX-License-Identifier: MIT */
/*
 * replicas: what controllers do after an edit of a lab's documents: Deployments get or lose pods,
 * endpoints that a controller owns follow the pods. Pure.
 */
#ifndef LAB_REPLICAS_H
#define LAB_REPLICAS_H

#include "labd/lab/docs.h"

struct replicas {
	const struct cluster *before; /* its addresses are not given again at once */
	json_t *meta; /* lab.json: "serial" counts made pods, "last" has each node's last address */
	const struct edit *edit;
};

/* Bring the pods of every Deployment to its number: surplus ones go, the newest first; missing ones
 * are made with a new name and address, on the node that has fewest of them. o is docs bound. */
void replicas_sync(struct replicas *r, json_t *docs, const struct objects *o);

/* Endpoints and slices in the file of a Service with a selector are the controller's: they go when
 * its pods have changed, unless this edit gave them. Returns whether any went. */
bool replicas_endpoints(const struct replicas *r, json_t *docs, const struct objects *now);

#endif
