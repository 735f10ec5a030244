/* SPDX-License-Identifier: MIT */
/*
 * nftable: the table `inet labd_trace` of one namespace, whose rules say "if this is the probe,
 * report its way through the rules". The bit it sets drives both worlds: nf_tables rulesets report
 * over NFTRACE, legacy tables over nf_log. Also the handles that nf_tables' reports speak of.
 */
#ifndef TRACE_NFTABLE_H
#define TRACE_NFTABLE_H

#include "labd/trace/marker.h"
#include "labd/trace/nfstream.h"

/* Make it, for n markers, in the namespace that s was opened in. With *owned the kernel removes it
 * when s is closed, however that comes (Linux 5.12). Err has class ERR_UNSUPPORTED where the kernel
 * has no nf_tables (for this). */
int nftable_add(struct nfstream *s, const struct marker *m, unsigned n, uint16_t vxlan_port,
		bool *owned, struct err *err);
/* Remove it: by its owner s; or (s NULL) one without an owner, in the calling thread's namespace. A
 * missing one is success; so is a
 * kernel without nf_tables. */
int nftable_remove(struct nfstream *s, struct err *err);

/* Has the calling thread's namespace any table? *native: one that iptables would not make. */
bool nftable_any(bool *native);
/* Give the rules of ns from index `from` on (as iptables-nft-save printed them) their handles. */
void nftable_handles(struct rec_ns *ns, size_t from);

#endif
