/* SPDX-License-Identifier: MIT */
/* selector: label selectors in kubectl's words: "app=web,tier!=db,env in (a,b),zone notin
 * (c),!old". (Selectors inside objects are lib/kube's.) Pure. */
#ifndef VIEW_SELECTOR_H
#define VIEW_SELECTOR_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"

/* -EINVAL of class usage when it is none. */
int selector_check(const char *text, struct err *err);
/* Do these labels (an object, or NULL) meet all of it? text has passed the check. */
bool selector_match(const char *text, const json_t *labels);

#endif
