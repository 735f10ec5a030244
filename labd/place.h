/* SPDX-License-Identifier: MIT */
/* place: the "where" of a call, resolved and opened, as exec and capture need it. */
#ifndef LABD_PLACE_H
#define LABD_PLACE_H

#include <jansson.h>

#include "labd/kernel/proc.h"
#include "labd/lab/store.h"
#include "labd/lab/where.h"

/* args: where, ns? (default "default"). */
int place_resolve(const struct stored *lab, const json_t *args, struct where *ret, struct err *err);
/* Open the running namespace; the caller closes ret->netns. -ESRCH when it does not run. */
int place_open(const struct stored *lab, const struct where *w, struct nsproc *ret,
	       struct err *err);

#endif
