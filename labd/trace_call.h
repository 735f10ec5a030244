/* SPDX-License-Identifier: MIT */
/* trace_call: the call "trace" of docs/PROTOCOL.md. */
#ifndef LABD_TRACE_CALL_H
#define LABD_TRACE_CALL_H

#include "labd/lab/store.h"
#include "labd/session.h"

/* args: lab?, from, to, ns?, dns (default true), timing (repeats). lab is loaded by the caller. */
int trace_call(struct session *s, const struct stored *lab, const json_t *args, json_t **ret,
	       struct err *err);
/* Take back what killed traces left in any lab; logs, never fails. */
void trace_disarm_all(const struct engine *e);

#endif
