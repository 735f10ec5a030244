/* SPDX-License-Identifier: MIT */
/* obj: reading fields of Kubernetes objects in JSON, and the texts kubectl makes of labels and
 * selectors. Nothing here fails: what is missing, or of another type, is NULL, 0, false or "". */
#ifndef VIEW_OBJ_H
#define VIEW_OBJ_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/strbuf.h"

/* The member at a dotted path ("status.nodeInfo.osImage", "spec.containers.0.image"), or NULL. Not
 * for keys that hold a dot. */
const json_t *obj_at(const json_t *o, const char *path);
/* A text there, or otherwise def. */
const char *obj_str(const json_t *o, const char *path, const char *def);
json_int_t obj_int(const json_t *o, const char *path, json_int_t def);
/* metadata.name, or "". */
const char *obj_name(const json_t *o);
/* The element of an array of objects whose "type" is this, or NULL. */
const json_t *obj_of_type(const json_t *array, const char *type);
/* The keys of an object in sorted order: malloc'ed array of borrowed texts; *n is their number. */
const char **obj_sorted_keys(const json_t *o, size_t *n);
/* A scalar as text: strings as they are, numbers, true, false, "" for null. */
void obj_scalar(const json_t *v, struct strbuf *out);

/* "a=b,c=d" with sorted keys, or "<none>". */
void obj_labels(const json_t *labels, const char *sep, struct strbuf *out);
/* A label selector with matchLabels and matchExpressions as kubectl writes it, or "<none>". */
void obj_selector(const json_t *sel, struct strbuf *out);
/* Addresses of an Endpoints' subsets: "10.0.0.1:80,10.0.0.2:80 + 2 more...", or "<none>". A port
 * name limits it to that port; NULL takes all. */
void obj_endpoints(const json_t *endpoints, const char *port_name, struct strbuf *out);
/* "control-plane" or "<none>". */
void obj_node_roles(const json_t *node, struct strbuf *out);

#endif
