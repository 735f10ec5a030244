/* SPDX-License-Identifier: MIT */
/* get_call: the calls that only tell: `ls` and `get` (docs/PROTOCOL.md). */
#ifndef LABD_GET_CALL_H
#define LABD_GET_CALL_H

#include "labd/session.h"

/* A lab as `ls` and `up` answer it; a new reference. new: it has just come up. */
json_t *lab_json(const struct session *s, const struct stored *l, bool new);

int ls_call(const struct session *s, json_t **ret);
int get_call(struct session *s, const char *lab, const json_t *args, json_t **ret, struct err *err);

#endif
