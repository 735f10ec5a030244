/* SPDX-License-Identifier: MIT */
/* describe: one object in the form of `kubectl describe`. Pure. Kinds that kubectl has no form of
 * its own for are printed field by field, as it does. */
#ifndef VIEW_DESCRIBE_H
#define VIEW_DESCRIBE_H

#include <jansson.h>

#include "lib/base/strbuf.h"
#include "lib/view/kube.h"

/* Append the description of o. `related` is what the form needs besides: of a Service its Endpoints
 * object, of a Node the array of all Pods; else, or when there is none, NULL. */
void view_describe(const struct view_kind *k, const json_t *o, const json_t *related,
		   struct strbuf *out);

#endif
