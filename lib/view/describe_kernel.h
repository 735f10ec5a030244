/* SPDX-License-Identifier: MIT */
/* describe_kernel: what the engine's call describe says of an object, as text behind the form of
 * describe.h. Pure. */
#ifndef VIEW_DESCRIBE_KERNEL_H
#define VIEW_DESCRIBE_KERNEL_H

#include <jansson.h>

#include "lib/base/strbuf.h"

/* kernel: the member of that name of the call's result. Places that have the same are told of once.
 * Nothing for a null. */
void view_kernel(const json_t *kernel, struct strbuf *out);
/* How many lines say that something differs. */
size_t view_kernel_drift(const json_t *kernel);

#endif
