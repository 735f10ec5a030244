/* SPDX-License-Identifier: MIT */
/* health: ports and connections. See health.h. A table of connections with a bound: when it is
 * full, the next one is closed at once, as a load balancer's next probe will come anyway. */
#include "labd/init/health.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labd/init/agnhost.h"
#include "labd/init/relay.h"

#define HEALTHZ_PORT 10256
#define METRICS_PORT 10249
#define MAX_PORTS    4096
#define MAX_CONNS    64
#define IDLE_MS	     30000

struct conn {
	int fd; /* -1: free */
	size_t port;
	int64_t used;
	size_t len;
	char in[AGN_HEAD_MAX];
};

static struct health_conf conf, next_conf;
static struct health_port *ports, *next;
static size_t n_ports, n_next;
static struct conn conns[MAX_CONNS];
static int64_t started;

static void add(const struct health_port *p)
{
	struct health_port *grown = realloc(next, (n_next + 1) * sizeof(*next));
	if (!grown)
		return;
	next = grown;
	next[n_next] = *p;
	next[n_next++].fd = -1;
}

/* ---- configuration --------------------------------------------------------------------------- */

void health_begin(void)
{
	if (!started) {
		started = relay_now();
		for (size_t i = 0; i < MAX_CONNS; i++)
			conns[i].fd = -1;
	}
	next_conf = (struct health_conf){.mode = ""};
	next = NULL;
	n_next = 0;
}

bool health_line(const char *line)
{
	struct health_port p = {.kind = HEALTH_SERVICE};
	if (sscanf(line, "version 1.%u", &next_conf.minor) == 1 ||
	    sscanf(line, "mode %15s", next_conf.mode) == 1)
		return true;
	if (sscanf(line, "health %hu %u %253s %253s", &p.port, &p.endpoints, p.ns, p.name) != 4)
		return false;
	if (n_next < MAX_PORTS)
		add(&p);
	return true;
}

static int listen_on(const struct health_port *p)
{
	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(p->port)};
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (p->kind == HEALTH_METRICS)
		sa.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 || listen(fd, 128) < 0) {
		fprintf(stderr, "port %u: %s\n", p->port, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

static void drop(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->len = 0;
}

void health_end(void)
{
	conf = next_conf;
	if (conf.mode[0]) {
		add(&(struct health_port){.kind = HEALTH_PROXY, .port = HEALTHZ_PORT});
		add(&(struct health_port){.kind = HEALTH_METRICS, .port = METRICS_PORT});
	}
	for (size_t i = 0; i < n_next; i++) {
		for (size_t k = 0; k < n_ports && next[i].fd < 0; k++)
			if (ports[k].port == next[i].port && ports[k].kind == next[i].kind) {
				next[i].fd = ports[k].fd;
				ports[k].fd = -1;
			}
		if (next[i].fd < 0)
			next[i].fd = listen_on(&next[i]);
	}
	/* Connections know their port by its place in the table: they end with the table. */
	for (size_t i = 0; i < MAX_CONNS; i++)
		if (conns[i].fd >= 0)
			drop(&conns[i]);
	for (size_t k = 0; k < n_ports; k++)
		if (ports[k].fd >= 0)
			close(ports[k].fd);
	free(ports);
	ports = next;
	n_ports = n_next;
	next = NULL;
	n_next = 0;
}

/* ---- serving --------------------------------------------------------------------------------- */

static void take(size_t port)
{
	size_t i = 0;
	int64_t now = relay_now();
	int fd = accept4(ports[port].fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	while (i < MAX_CONNS && conns[i].fd >= 0 && now - conns[i].used < IDLE_MS)
		i++;
	if (i == MAX_CONNS) {
		close(fd);
		return;
	}
	if (conns[i].fd >= 0)
		drop(&conns[i]);
	conns[i].fd = fd;
	conns[i].port = port;
	conns[i].used = now;
	conns[i].len = 0;
}

static bool answer(void *arg, const struct agn_request *r)
{
	struct conn *c = arg;
	char out[AGN_HEAD_MAX];
	struct timespec now;
	bool keep = r->keep_alive && !r->body;
	clock_gettime(CLOCK_REALTIME, &now);
	size_t n = health_answer(&conf, &ports[c->port], r, keep, &now,
				 (double)(relay_now() - started) / 1000, out, sizeof(out));
	return send(c->fd, out, n, MSG_NOSIGNAL) == (ssize_t)n && keep;
}

static void serve(struct conn *c)
{
	c->used = relay_now();
	if (!agn_hear(c->fd, c->in, &c->len, answer, c))
		drop(c);
}

size_t health_count(void)
{
	return n_ports + MAX_CONNS;
}

size_t health_poll(struct pollfd *p)
{
	size_t n = 0;
	for (size_t i = 0; i < n_ports; i++)
		p[n++] = (struct pollfd){.fd = ports[i].fd, .events = POLLIN};
	for (size_t i = 0; i < MAX_CONNS; i++)
		p[n++] = (struct pollfd){.fd = started ? conns[i].fd : -1, .events = POLLIN};
	return n;
}

void health_work(const struct pollfd *p, size_t n)
{
	for (size_t i = 0; i < MAX_CONNS && n_ports + i < n; i++)
		if (p[n_ports + i].revents && conns[i].fd == p[n_ports + i].fd)
			serve(&conns[i]);
	for (size_t i = 0; i < n_ports && i < n; i++)
		if (p[i].revents)
			take(i);
}
