/* SPDX-License-Identifier: MIT */
/*
 * arm: switching the rule trace on in all namespaces of a lab that have rules, and off again,
 * whatever happens. What outlives a killed process (a setting, rules of legacy iptables, a table
 * without an owner) is written to LAB/trace.armed before it is done; whoever traces next, or the
 * engine when it starts, takes it back. The file is also the lock that lets one trace at a time
 * into a lab.
 */
#ifndef TRACE_ARM_H
#define TRACE_ARM_H

#include "labd/lab/store.h"
#include "labd/trace/marker.h"
#include "labd/trace/nfstream.h"

#define ARM_FILE "trace.armed"

enum arm_world {
	ARM_NONE,
	ARM_NFT,   /* a table of our own marks the probe */
	ARM_LEGACY /* no nf_tables: rules in legacy iptables' raw table do */
};

struct arm_ns {
	struct nfstream s;
	enum arm_world world;
	bool owned;	    /* the kernel removes our table when the stream is closed */
	char log_old[32];   /* what nf_log.2 was; "" unchanged */
	bool raw;	    /* our rules are in the raw table */
	const char *freeze; /* our rules send the probe to a queue: "legacy" or "nft"; NULL: none */
};

struct arm {
	const struct stored *lab;
	const int *netns;
	struct arm_ns *v; /* one per namespace */
	size_t n;
	int file; /* trace.armed, locked */
};

/* Take the lock (waiting some seconds for another trace) and take back what a killed one left. */
int arm_begin(struct arm *x, const struct stored *lab, const int *netns, struct err *err);
/* Switch it on for these markers. What a kernel cannot do is said in r->missing, not an error. */
int arm_on(struct arm *x, const struct marker *m, unsigned n, uint16_t vxlan_port,
	   struct recording *r, struct err *err);
/* Send packets with this marker to the queues of freeze.h, in every node, on top of arm_on(). `how`
 * is the iptables to use: "legacy" or "nft". */
int arm_freeze(struct arm *x, const struct marker *m, uint16_t vxlan_port, const char *how,
	       const struct recording *r, struct err *err);
/* Read all streams; how many messages there were. cts: see nfstream.h. */
int arm_read(struct arm *x, struct recording *r, rec_cts *cts);
uint64_t arm_lost(const struct arm *x);
/* Switch everything off; never fails (what cannot be taken back stays in the file). Rules of ours
 * that come first in tables' chains are counted by TRACE too: arm_mend() takes them out of r. */
void arm_off(struct arm *x);
void arm_mend(const struct arm *x, struct recording *r);
void arm_end(struct arm *x);

/* Take back what a killed trace left in this lab; nothing if one is running. */
int trace_disarm_stale(const struct stored *lab, struct err *err);

#endif
