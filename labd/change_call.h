/* SPDX-License-Identifier: MIT */
/* change_call: the calls "apply", "delete", "scale" and "diff" of docs/PROTOCOL.md. */
#ifndef LABD_CHANGE_CALL_H
#define LABD_CHANGE_CALL_H

#include "labd/session.h"

/* `lab` is the lab's name, found by the caller. */
int apply_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
	       struct err *err);
int delete_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
		struct err *err);
int scale_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
	       struct err *err);
int diff_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
	      struct err *err);

#endif
