/* SPDX-License-Identifier: MIT */
/* reach_call: the call "reach" of docs/PROTOCOL.md. Private to labd/. */
#ifndef LABD_REACH_CALL_H
#define LABD_REACH_CALL_H

#include <jansson.h>

#include "labd/session.h"

/* Try every pair of the lab. Result in *ret: "checks" and "note". */
int reach_call(struct session *s, const struct stored *lab, json_t **ret, struct err *err);

#endif
