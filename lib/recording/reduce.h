/* SPDX-License-Identifier: MIT */
/*
 * reduce: what the parts of recording_reduce() share. The order of work: packets (ident.c), flights
 * (flights.c), visits to netfilter hooks (visits.c) and their places (place.c), then per flight its
 * steps (steps.c and what it calls), at last the verdict (verdict.c) and times (timing.c).
 */
#ifndef RECORDING_REDUCE_H
#define RECORDING_REDUCE_H

#include "lib/recording/recording.h"

#define PROTO_ICMP 1
#define PROTO_IPIP 4
#define PROTO_TCP  6
#define PROTO_UDP  17

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_ACK 0x10

#define ICMP_ECHO_REPLY	  0
#define ICMP_UNREACHABLE  3
#define ICMP_ECHO_REQUEST 8
#define ICMP_EXCEEDED	  11

#define ISN_WINDOW 65536u /* of initial sequence numbers that mark the probe */

enum hook { HOOK_NONE, HOOK_PREROUTING, HOOK_INPUT, HOOK_FORWARD, HOOK_OUTPUT, HOOK_POSTROUTING };

/* One parsed packet: a sighting's, or the one in a rule trace message. */
struct pkt {
	bool ok;
	bool tunnel; /* outer packet only, inside unknown */
	struct rec_hdr h;
	uint64_t key; /* identity: the same from end to end, through NAT and tunnels */
	uint16_t ip_id, outer_id;
	bool df;	  /* don't fragment, of the innermost IP header */
	unsigned payload; /* bytes behind the transport header */
	struct mac inner_smac, inner_dmac;
	/* an ICMP error: */
	bool quotes;
	struct rec_tuple quoted; /* the packet it is about */
};

/* One pass of one packet through one base chain. */
struct visit {
	int ns;
	const char *table;
	enum hook hook;
	vec_of(int) matches; /* indexes */
	struct pkt pkt;	     /* on entry; !ok when no message carried it */
	bool outer;
	bool ended;
	uint64_t trace_id;
	int iif, oif, physin, physout;
	uint32_t mark_in; /* of the packet on entry; nf_tables tells it only behind a rule: hooks.c
			   */
	uint32_t mark;	  /* and at the end */
	int flight;	  /* -1: none */
	int pos;	  /* after that sighting of the flight; -1: before the first */
};

/* A flight while it is made. Its index is that in r->flights. */
struct fly {
	uint64_t key;
	uint16_t ip_id;
	unsigned payload;
	bool error;   /* an ICMP error */
	bool steps;   /* is told step by step */
	bool arrived; /* reached a namespace that has its destination */
};

struct red {
	struct recording *r;
	struct arena *a;
	struct pkt *pk; /* per sighting */
	vec_of(struct visit) visits;
	vec_of(struct fly) fly;
	bool *ct_told;	       /* per conntrack event: said in a step already */
	int lost;	       /* the flight that the verdict says did not arrive; -1 none */
	vec_of(ip4) lost_asks; /* routes that show why */
};

/* ident.c */
void pkt_read(const uint8_t *data, uint32_t len, int hatype, struct pkt *ret);
bool same_tuple(const struct rec_tuple *a, const struct rec_tuple *b);
struct rec_tuple tuple_turned(const struct rec_tuple *t);
/* "10.244.1.2:38770 > 10.107.254.44:80" */
const char *tuple_str(struct arena *a, const struct rec_tuple *t);
const char *ip_proto_str(uint8_t proto);

/* flights.c */
void reduce_flights(struct red *d);
/* A new flight without sightings yet; its index. */
int add_flight(struct red *d, const struct pkt *p, unsigned attempt);
/* Which flights are told step by step. */
void choose_flights(struct red *d);

/* relay.c: does the packet go to the pod on a relay's connection? Which flights are on it. The
 * flight that goes to the pod: that of the relay, or `forward` where there is none. */
bool relay_is_forward(const struct rec_probe *p, const struct pkt *k);
void relay_legs(struct red *d);
int relay_last(const struct red *d, int forward);

/* visits.c, place.c */
void reduce_visits(struct red *d);
void place_visits(struct red *d);
enum hook hook_of(const struct rec_ns *n, const char *table, const char *chain, int num);
const char *hook_str(enum hook h); /* "PREROUTING" */

/* steps.c */
void reduce_steps(struct red *d, int flight);

/* verdict.c */
void reduce_verdict(struct red *d);

/* timing.c: median_ns of the steps from the timing runs, delta_ns of all. */
void reduce_times(struct red *d);

#endif
