/* SPDX-License-Identifier: MIT */
/* capture_call: the call "capture" of docs/PROTOCOL.md. */
#ifndef LABD_CAPTURE_CALL_H
#define LABD_CAPTURE_CALL_H

#include "labd/lab/store.h"
#include "labd/session.h"

/* args: where, ns?, dev?, count?, filter?. Until the client half-closes, or count packets are sent.
 */
int capture_call(struct session *s, const struct stored *lab, const json_t *args, json_t **ret,
		 struct err *err);

#endif
