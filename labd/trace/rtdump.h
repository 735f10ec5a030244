/* SPDX-License-Identifier: MIT */
/*
 * rtdump: rtnetlink questions of a trace: a namespace's links, addresses, routes, neighbours and
 * forwarding entries as the recording holds them, and single route lookups, with texts as `ip`
 * prints them. All in the calling thread's network namespace. (net_observe() of labd/kernel reads
 * the state that a lab wants; a trace wants all there is, also what a student broke.)
 */
#ifndef TRACE_RTDUMP_H
#define TRACE_RTDUMP_H

#include "lib/recording/recording.h"

/* Fill ns->ifs, addrs, routes, neighs, fdbs. */
int rtdump_all(struct arena *a, struct rec_ns *ns, struct err *err);
/* Only neighbours and forwarding entries, anew; ifs must be there. */
int rtdump_neighs(struct arena *a, struct rec_ns *ns, struct err *err);

struct rt_question {
	ip4 dst, src;
	int iif; /* 0: as a packet of its own */
	uint32_t mark;
	uint8_t tos;
	bool fibmatch; /* the entry that matches, not the resolved next hop */
};
struct rt_answer {
	const char *text;
	ip4 via;
	int oif;
	bool local; /* delivered in this namespace */
};
/* 0, or the negative errno that the kernel answers: -ENETUNREACH no route, -EINVAL blackhole,
 * -EACCES prohibit, -EHOSTUNREACH unreachable. */
int rtdump_route(struct arena *a, const struct rec_ns *ns, const struct rt_question *q,
		 struct rt_answer *ret);

const char *rtdump_ifname(const struct rec_ns *ns, int ifindex);

#endif
