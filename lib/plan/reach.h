/* SPDX-License-Identifier: MIT */
/*
 * reach: who must reach whom in a cluster, and who must not, decided from the objects alone: every
 * pod to every pod, to every Service port and to the DNS, every outside host to every node port of
 * every node. Pure. What sends the packets is labd/trace/reach_run.c; this says what has to come of
 * them, so that a packet that gets through although nobody lets it is found as well as one that is
 * lost.
 *
 * What decides: kube-proxy's plan of the node where the packet is translated (proxy_plan.h), the
 * NetworkPolicies where Calico enforces them (reach_policy.h), and what listens (reach_listen.h).
 */
#ifndef PLAN_REACH_H
#define PLAN_REACH_H

#include "lib/plan/desired.h"

/* Pods to pods, pods to Service ports, pods to names, each; of larger labs each pod tries some.
 * Pods of one node find each other by ARP, and the kernel has one neighbour table of 1024 entries
 * for all namespaces together (net.ipv4.neigh.default.gc_thresh3). */
#define REACH_PAIRS_MAX 400

/* Refusals by ICMP that one place insists on; where there are more, silence is right for the
 * others. The kernel says "port unreachable" to one address six times, then once a second
 * (net.ipv4.icmp_ratelimit), and a redirect sets its count back to none. */
#define REACH_ICMP_MAX 3

enum reach_how { REACH_PING, REACH_TCP, REACH_UDP, REACH_NAME, REACH_HTTP };

enum reach_want {
	REACH_OPEN,    /* it is answered */
	REACH_REFUSED, /* a reset or "port unreachable", at once */
	REACH_DROPPED, /* silence */
	REACH_CLOSED,  /* one of these two */
	REACH_EITHER   /* endpoints differ: it depends on which one is chosen */
};

/* A TCP port that an endpoint is asked for from its own namespace, because nothing says whether
 * anything listens there. */
struct reach_listener {
	int ns; /* index into desired.ns */
	ip4 ip;
	uint16_t port;
};

struct reach {
	const char *kind; /* "pod" "service" "nodeport" "dns" "health" */
	int from;	  /* index into desired.ns */
	const char *from_name, *to;
	enum reach_how how;
	ip4 ip;
	uint16_t port;
	const char *name;    /* REACH_NAME, and REACH_UDP to a DNS server: what is asked for */
	vec_of(ip4) answers; /* of REACH_NAME: the right ones; none: the name must not exist */
	unsigned status;     /* of REACH_HTTP */
	enum reach_want want;
	bool by_icmp;	 /* REACH_REFUSED by a message of which there are few: send it early */
	const char *why; /* of all but REACH_OPEN; else NULL */
	vec_of(int) listeners; /* refused is right too where one of these is refused */
};

struct reach_list {
	vec_of(struct reach) v;
	vec_of(struct reach_listener) listeners;
	const char *note; /* what is left out, or NULL */
};

/* Memory is the arena's; names point into the desired state. */
void reach_build(struct arena *a, const struct desired *d, struct reach_list *ret);

enum reach_got {
	GOT_NOTHING, /* not tried */
	GOT_ANSWER,
	GOT_WRONG, /* answered, but not with what is right: the text says what */
	GOT_REFUSED,
	GOT_CLOSED, /* taken, and closed without a word (userspace mode without endpoints) */
	GOT_SILENCE,
	GOT_ERROR /* unreachable and the like: the text says what */
};

/* Is that what had to come? *ret_text says what was found, "" where nothing needs saying.
 * not_listening: one of its listeners was refused by itself. */
bool reach_judge(struct arena *a, const struct reach *r, enum reach_got got, const char *text,
		 bool not_listening, const char **ret_text);

#endif
