/* SPDX-License-Identifier: MIT */
/*
 * nfmsg: messages of netfilter over netlink (rule traces of nf_tables, packets logged by legacy
 * TRACE, conntrack entries and events) turned into the recording's form. Pure.
 */
#ifndef TRACE_NFMSG_H
#define TRACE_NFMSG_H

#include <libmnl/libmnl.h>

#include "lib/recording/recording.h"

#define NFMSG_TABLE "labd_trace" /* our own table; what it reports of itself is left out */

enum nfmsg_kind { NFMSG_OTHER, NFMSG_MATCH, NFMSG_CT };

/* One message. ns and seq are put into what comes out. Text and bytes are copied into a. */
enum nfmsg_kind nfmsg_parse(struct arena *a, const struct nlmsghdr *h, int ns, unsigned seq,
			    struct rec_match *match, struct rec_ct *ct);

/* Append CTA_TUPLE_ORIG (or _REPLY) for a question about an entry. */
void nfmsg_put_tuple(struct nlmsghdr *h, uint16_t type, const struct rec_tuple *t);

bool tuple_eq(const struct rec_tuple *a, const struct rec_tuple *b);
/* The tuple of the packets that go back. */
struct rec_tuple tuple_back(const struct rec_tuple *t);

#endif
