/* SPDX-License-Identifier: MIT */
/*
 * health: what kube-proxy answers over HTTP on a node: the health-check ports of Services (load
 * balancers ask them which nodes have a pod), its own health on 0.0.0.0:10256 (/healthz, /livez),
 * and on 127.0.0.1:10249 its mode (/proxyMode). No metrics. Which ports and how many endpoints is
 * the plan's (lib/plan/proxy_health.h) and stands in kube-proxy's configuration file, in lines
 *
 *	version 1.32		mode iptables		health PORT ENDPOINTS NAMESPACE NAME
 *
 * Source: Kubernetes pkg/proxy/healthcheck/{service_health,proxier_health,proxy_health}.go and
 * cmd/kube-proxy/app/server.go of 1.20, 1.23 and 1.32; 1.36 is as 1.32.
 */
#ifndef INIT_HEALTH_H
#define INIT_HEALTH_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

struct agn_request;

#define HEALTH_NAME_MAX 254

enum health_kind { HEALTH_SERVICE, HEALTH_PROXY, HEALTH_METRICS };

/* One listening port and what it tells. */
struct health_port {
	enum health_kind kind;
	unsigned short port;
	unsigned endpoints; /* HEALTH_SERVICE */
	char ns[HEALTH_NAME_MAX], name[HEALTH_NAME_MAX];
	int fd; /* -1: not open */
};

struct health_conf {
	unsigned minor; /* of Kubernetes: 32 */
	char mode[16];
};

/* --- health_http.c, without I/O -------------------------------------------------------------- */

/* The whole answer of a port to a request, as Go's server writes it; its length. `running` are the
 * seconds since the process began. */
size_t health_answer(const struct health_conf *c, const struct health_port *p,
		     const struct agn_request *r, bool keep_alive, const struct timespec *now,
		     double running, char *out, size_t size);

/* --- health.c -------------------------------------------------------------------------------- */

/* The configuration is read anew, line by line. A line that is not for us is false. */
void health_begin(void);
bool health_line(const char *line);
void health_end(void);

struct pollfd;
/* Fill p (room for health_count()) with what is to be waited for; returns how many. */
size_t health_count(void);
size_t health_poll(struct pollfd *p);
/* What came of it, in the same order. */
void health_work(const struct pollfd *p, size_t n);

#endif
