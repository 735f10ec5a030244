/* SPDX-License-Identifier: MIT */
/* describe_call: the call "describe" of docs/PROTOCOL.md. Private to labd/. */
#ifndef LABD_DESCRIBE_CALL_H
#define LABD_DESCRIBE_CALL_H

#include <jansson.h>

#include "labd/session.h"

/* What became of an object of a lab in the kernel. */
int describe_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
		  struct err *err);

#endif
