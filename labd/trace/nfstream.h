/* SPDX-License-Identifier: MIT */
/*
 * nfstream: what netfilter says during a trace, one netlink socket per namespace. On it come the
 * rule traces of nf_tables (NFTRACE), packets logged by legacy TRACE (NFLOG group 0) and conntrack
 * events, in causal order, because one socket carries all three. (A single socket that listens to
 * all namespaces needs an nsid for each, which would stay, and cannot carry NFLOG.)
 *
 * The socket also owns the table of nftable.h, so that the kernel removes it when we die.
 */
#ifndef TRACE_NFSTREAM_H
#define TRACE_NFSTREAM_H

#include <libmnl/libmnl.h>

#include "lib/recording/recording.h"

struct nfstream {
	struct mnl_socket *sk; /* NULL: closed */
	int ns;
	unsigned seq;
	uint64_t lost; /* overruns: each stands for an unknown number of messages */
};

/* Open it in the calling thread's network namespace, not listening yet. */
int nfstream_open(struct nfstream *s, int ns, struct err *err);
/* Listen: to NFTRACE with `nft`, to conntrack always, to NFLOG group 0 with `log`. */
int nfstream_listen(struct nfstream *s, bool nft, bool log, struct err *err);
/* Read what is there without waiting; adds to r->matches and to cts (kept apart: most are not the
 * probe's). Returns the number of rule messages and events read. */
typedef vec_of(struct rec_ct) rec_cts;
int nfstream_read(struct nfstream *s, struct recording *r, rec_cts *cts);
void nfstream_close(struct nfstream *s);

/* Begin a message to a subsystem of nfnetlink (NFNL_SUBSYS_ULOG, NFNL_SUBSYS_QUEUE) in buf:
 * NLM_F_REQUEST and flags, sequence number 1; res_id is the group or queue. Attributes can be put
 * behind it. */
struct nlmsghdr *nfstream_msg(char *buf, unsigned subsys, unsigned type, uint16_t flags,
			      uint16_t res_id);

/* Send one or more messages (the last with NLM_F_ACK) over a socket that listens to nothing yet and
 * wait for the answers. 0 or the first negative errno among them. */
int nfstream_ask(struct mnl_socket *sk, const void *msgs, size_t len, uint32_t last_seq);

/* Ask the namespace of the calling thread for the entry of a tuple. 0 and *ret, or -ENOENT. */
int nfstream_ct_get(struct arena *a, const struct rec_tuple *t, struct rec_ct *ret);

#endif
