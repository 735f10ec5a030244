/* SPDX-License-Identifier: MIT */
/*
 * pcapng: a recording as a capture file: one interface per namespace and device, a comment per
 * frame that says where on its way it is, and the same packet id for the same packet wherever it
 * was seen. Format: draft-ietf-opsawg-pcapng. Pure: the file's bytes are appended to a buffer.
 */
#ifndef VIEW_PCAPNG_H
#define VIEW_PCAPNG_H

#include "lib/base/strbuf.h"
#include "lib/recording/recording.h"
#include "lib/view/lang.h"

struct pcapng_count {
	size_t interfaces, frames;
};

/* Frames of timing runs are left out. The name's own query (r->dns) comes in a section of its own,
 * first. */
struct pcapng_count pcapng_write(const struct recording *r, enum view_lang l, struct strbuf *out);

#endif
