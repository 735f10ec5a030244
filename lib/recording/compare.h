/* SPDX-License-Identifier: MIT */
/*
 * compare: what is worth comparing of one recording: one column of `labctl compare`. Pure, made of
 * the steps; what only the raw part tells is left open when a recording in its short form has none.
 * Not for finding where two recordings part (recording_diff()), nor for how a table looks
 * (lib/view/compare.h).
 */
#ifndef RECORDING_COMPARE_H
#define RECORDING_COMPARE_H

#include "lib/recording/recording.h"

/* One direction: the packet that opens the connection, or the first answer. */
struct compare_side {
	const char *title; /* "SYN" "query" ...; NULL: there was none */
	unsigned devices;  /* sightings, without the network between the machines */
	unsigned routings; /* times a route was looked up for it, or for its outer packet */
	unsigned hooks;	   /* steps through netfilter's rules */
	unsigned rules;	   /* rules that matched */
	int tried;	   /* rules that were evaluated, matching or not; -1 not known */
	rec_strs rewrites; /* "DNAT (iptables)" "ip_vs rr" "SNAT (nft)" "conntrack" */
	unsigned ttl;	   /* where it arrived */
};

struct compare_hop {
	const char *ns;	  /* "node01" */
	const char *what; /* "flannel.1", "+VXLAN", "DNAT" */
};

struct compare_col {
	const char *lab, *engine, *kernel;
	const char *from, *to;	       /* as asked */
	const char *result;	       /* "delivered" "dropped: rule-drop" ... */
	const char *server, *node;     /* who got it, and on which node; NULL nobody */
	bool relayed;		       /* the connection ended at a relay and went on as another */
	bool same_node;		       /* client and server share a node */
	const char *tunnel;	       /* "VXLAN 1" "IPIP"; NULL: none */
	unsigned overhead;	       /* bytes of the tunnel's headers */
	unsigned ip_bytes, wire_bytes; /* IP packet that opens it: as sent, and with the tunnel's */
	unsigned mtu_pod, mtu_tunnel, mtu_wire; /* 0 none of the sort was passed */
	unsigned mss;				/* largest TCP payload by mtu_pod */
	unsigned entries;			/* conntrack entries made, over all nodes */
	struct compare_side there, back;
	vec_of(struct compare_hop) way; /* there */
	struct rec_timing timing;	/* all -1 without timing runs */
};

/* Memory is the arena's; texts may be the recording's. */
void compare_recording(struct arena *a, const struct recording *r, struct compare_col *ret);

#endif
