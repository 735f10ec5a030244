/* SPDX-License-Identifier: MIT */
/*
 * relay: what kube-proxy itself does in userspace mode: it listens on one port for each service
 * port and hands every connection (TCP) or client (UDP) on to an endpoint, in turn or by the
 * client's address. One process, poll, bounded tables. The rules that lead packets here are the
 * plan's (lib/plan/proxy_userspace.h).
 *
 * Behaviour, as pkg/proxy/userspace of Kubernetes 1.20: the list of endpoints is shuffled when it
 * changes and then taken in turn; dialling is given 250 ms, then 500 ms, 1 s and 2 s, each time
 *with the next endpoint; without endpoints a connection is accepted and closed; a UDP client's
 *socket is closed after 250 ms of silence.
 *
 * The configuration (argv[1] or /run/kube-proxy.conf, read again when it changes) has a line for
 *each service port: tcp|udp PORT AFFINITY-SECONDS IP:PORT..., and others for health.h.
 */
#ifndef INIT_RELAY_H
#define INIT_RELAY_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* A client that is bound to an endpoint. */
struct relay_sticky {
	struct in_addr client;
	struct sockaddr_in ep;
	int64_t until; /* ms */
};

struct relay_service {
	bool udp;
	uint16_t port;
	unsigned affinity; /* seconds; 0 none */
	int fd;		   /* -1: could not be opened */
	struct sockaddr_in *eps;
	size_t n_eps, next;
	struct relay_sticky *sticky;
	size_t n_sticky;
};

/* Milliseconds of the monotonic clock. */
int64_t relay_now(void);
/* The endpoint for a client: its own if it is bound to one (unless `reset`), else the next in turn.
 * false: there is none. */
bool relay_choose(struct relay_service *s, struct in_addr client, bool reset,
		  struct sockaddr_in *ret);

/* --- relay_conns.c: what is under way ----------------------------------------------------------
 */

struct pollfd;
/* A client is at the door of the service. */
void relay_accept(struct relay_service *s);
void relay_datagram(struct relay_service *s);
/* The services are about to go: what belongs to them ends (UDP) or goes on without (TCP). */
void relay_forget(void);
/* Fill p (room for relay_count()) with what is to be waited for; returns how many. */
size_t relay_count(void);
size_t relay_poll(struct pollfd *p);
/* What came of it, in the same order; and what is overdue. */
void relay_work(const struct pollfd *p, size_t n);

#endif
