/* SPDX-License-Identifier: MIT */
/*
 * freeze: holding the probe's opening packet in the nodes' netfilter queues, hook by hook, until
 * somebody lets it go on. Rules that arm_freeze() puts first into raw PREROUTING and OUTPUT and
 * into mangle INPUT, FORWARD and POSTROUTING send it there, which is the order of a packet's own
 * way, routed or sent from here; this is the reader of the queues, one per node.
 *
 * Whoever dies, traffic flows: the rules pass what has no reader (--queue-bypass), the queues what
 * they cannot keep (fail-open). A packet that is let go is given back to the same hook (NF_REPEAT)
 * with a mark that the rules take off again, so that it sees all rules of that hook, as without us.
 */
#ifndef TRACE_FREEZE_H
#define TRACE_FREEZE_H

#include <libmnl/libmnl.h>

#include "labd/trace/marker.h"
#include "lib/recording/recording.h"

#define FREEZE_QUEUE	1957  /* number of the queue in each node's namespace */
#define FREEZE_MARK	0x1u  /* set between a queue and the rules that take it off */
#define FREEZE_TOTAL_MS 55000 /* all holds together; SYNs are retried for at least 63 s */
#define FREEZE_DUPS_MAX 64

/* Where it stands. */
struct freeze_at {
	const char *node, *hook, *table; /* "node01" "PREROUTING" "raw" */
	const char *packet;		 /* "10.244.1.2:38770 > 10.107.254.44:80 SYN" */
	const char *try;		 /* a command to look around with */
	unsigned left_s;		 /* when it goes on by itself */
};

enum freeze_key { FREEZE_HOLD, FREEZE_GO, FREEZE_GO_ALL };

/* Who watches. */
struct freezer {
	void (*frozen)(void *arg, const struct freeze_at *at);
	enum freeze_key (*key)(void *arg); /* does not block */
	void *arg;
};

struct freeze {
	const struct freezer *who; /* NULL: nothing is held */
	struct mnl_socket **sk;	   /* one per namespace; NULL: none there */
	uint16_t *seen;		   /* one per namespace: bits of the places where it has stood */
	size_t n;
	bool holds, off; /* off: all is let go from now on */
	int ns;		 /* what is held */
	uint32_t id, mark;
	int64_t since, spent; /* ms */
	unsigned n_dups;
	uint16_t dups[FREEZE_DUPS_MAX]; /* IP ids of retransmissions that were thrown away */
};

/* What to tell the opening packet by: a TCP SYN or an echo request, no answer to it. */
struct marker freeze_marker(const struct rec_probe *p, const struct marker *m);
/* Open a queue in every node; netns and r->ns have n entries. */
int freeze_open(struct freeze *f, const struct freezer *who, const int *netns,
		const struct recording *r, struct err *err);
/* Read the queues, ask the watcher. True while the packet stands. */
bool freeze_step(struct freeze *f, const struct recording *r);
/* Take the retransmissions that were thrown away out of a recording. */
void freeze_mend(const struct freeze *f, struct recording *r);
/* Let go what is held and close the queues; never fails. */
void freeze_close(struct freeze *f);

#endif
