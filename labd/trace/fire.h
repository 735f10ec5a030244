/* SPDX-License-Identifier: MIT */
/*
 * fire: the probe itself: one TCP connection with a small HTTP request, one UDP datagram, one DNS
 * query or one ping, from a socket that was made in the namespace of FROM. Nothing blocks, so that
 * the recording can be drained meanwhile.
 */
#ifndef TRACE_FIRE_H
#define TRACE_FIRE_H

#include <stdbool.h>

#include "labd/trace/marker.h"
#include "labd/trace/target.h"
#include "lib/recording/recording.h"

#define FIRE_QUERY_MAX 300
#define FIRE_COOKIE_AT 24 /* "GET / HTTP/1.0", line end, "X-Labd: " */

struct fire {
	int fd; /* -1: none */
	enum { FIRE_IDLE, FIRE_CONNECTING, FIRE_WAITING, FIRE_DONE } state;
	struct rec_probe *p; /* what happens is written here */
	struct arena *a;
	const char *host;
	uint8_t query[FIRE_QUERY_MAX]; /* DNS, when query_len */
	unsigned query_len;
	unsigned received;
	bool relayed;  /* expected: the request of a TCP probe carries p->cookie, FIRE_COOKIE_AT
			* bytes behind its start */
	unsigned size; /* of the biggest packet to be sent, as IP counts it; 0: as it comes */
	ip4 resolved;  /* DNS: the first address of the answer */
};

/* Decide how the probe will be told from others (p->isn, p->cookie; f->query when it is for port
 * 53/udp, with p->dns_name or a name that every cluster has) and return that. p->proto, dst, dport
 * are set. No socket yet. */
struct marker fire_prepare(struct fire *f, struct arena *a, struct rec_probe *p, const char *host);
/* The same probe for the nth time more, told by the same marker: *p, a copy of first->p, gets an
 * ISN of its own within the marker's window. No socket yet. */
void fire_again(struct fire *f, const struct fire *first, struct rec_probe *p, unsigned n);
/* Make the socket in the calling thread's network namespace and find p->src and p->sport. */
int fire_open(struct fire *f, struct err *err);
/* Send. What goes wrong from here on is an outcome, not an error. */
void fire_start(struct fire *f);
/* The socket is ready, or it is time to look; ends in state FIRE_DONE. */
void fire_step(struct fire *f);
/* No answer in time. */
void fire_give_up(struct fire *f);
/* All is said: end the connection, as a client does. The kernel goes on repeating what has not been
 * acknowledged, until fire_close. */
void fire_finish(struct fire *f);
/* Nothing of the probe is sent any more: what has not been acknowledged by now is given up. */
void fire_close(struct fire *f);

/* A DNS query for the A record of a name into buf; its length, 0 when it is no name. Pure. */
unsigned dns_query(const char *name, uint16_t id, uint8_t *buf, unsigned size);
/* The first A record of an answer (0: none) and the response code. False: no DNS answer. Pure. */
bool dns_answer(const uint8_t *buf, unsigned len, ip4 *ret, unsigned *rcode);

#endif
