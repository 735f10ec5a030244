/* SPDX-License-Identifier: MIT */
/* trace_bytes: the frame of a step, byte by byte, a row per header. Pure. */
#ifndef VIEW_TRACE_BYTES_H
#define VIEW_TRACE_BYTES_H

#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"
#include "lib/view/lang.h"

/* Append lines of at most indent + 76 columns that begin with `indent` blanks. A step that was not
 * seen at a device says so. */
void trace_bytes(const struct recording *r, const struct rec_step *s, enum view_lang l,
		 size_t indent, struct strbuf *out);

#endif
