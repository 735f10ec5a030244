/* SPDX-License-Identifier: MIT */
/* agnhost's servers: one process, poll, a bounded table of connections. See agnhost.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labd/init/agnhost.h"

#define MAX_CONNS 256 /* when full, the one idle for longest gives way */
#define PEER_MAX  64
#define UDP_MAX	  2048

struct conn {
	int fd;		    /* -1: free */
	unsigned long used; /* order of the last use */
	size_t len;
	char peer[PEER_MAX];
	char in[AGN_HEAD_MAX];
};

struct server {
	const struct agn_serve *s;
	char hostname[256];
	int http, tcp, udp;
	unsigned long clock;
	struct conn conns[MAX_CONNS];
};

/* A v4 address inside v6 is printed as v4, as Go does. */
static void peer_text(const struct sockaddr_storage *sa, char *out)
{
	char ip[INET6_ADDRSTRLEN];
	if (sa->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const void *)sa;
		inet_ntop(AF_INET, &in->sin_addr, ip, sizeof(ip));
		snprintf(out, PEER_MAX, "%s:%u", ip, ntohs(in->sin_port));
		return;
	}
	const struct sockaddr_in6 *in6 = (const void *)sa;
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], ip, sizeof(ip));
		snprintf(out, PEER_MAX, "%s:%u", ip, ntohs(in6->sin6_port));
	} else {
		inet_ntop(AF_INET6, &in6->sin6_addr, ip, sizeof(ip));
		snprintf(out, PEER_MAX, "[%s]:%u", ip, ntohs(in6->sin6_port));
	}
}

static int bind_to(int family, int type, int port)
{
	int fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, off = 0, r;
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (family == AF_INET6) {
		struct sockaddr_in6 sa = {.sin6_family = AF_INET6,
					  .sin6_port = htons((uint16_t)port)};
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
		r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	} else {
		struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
		r = bind(fd, (struct sockaddr *)&sa, sizeof(sa));
	}
	if (r == 0 && type == SOCK_STREAM)
		r = listen(fd, 128);
	if (r < 0) {
		r = -errno;
		close(fd);
		return r;
	}
	return fd;
}

/* Both families at once where there is IPv6, else IPv4. */
static int serve_on(int type, int port)
{
	if (port < 0)
		return -1;
	int fd = bind_to(AF_INET6, type, port);
	if (fd == -EAFNOSUPPORT || fd == -EADDRNOTAVAIL)
		fd = bind_to(AF_INET, type, port);
	if (fd < 0) {
		agn_log("listen %s :%d: bind: %s", type == SOCK_STREAM ? "tcp" : "udp", port,
			agn_error(-fd));
		exit(1);
	}
	return fd;
}

static void drop(struct conn *c)
{
	close(c->fd);
	c->fd = -1;
	c->len = 0;
}

static struct conn *free_conn(struct server *v)
{
	struct conn *oldest = &v->conns[0];
	for (size_t i = 0; i < MAX_CONNS; i++) {
		if (v->conns[i].fd < 0)
			return &v->conns[i];
		if (v->conns[i].used < oldest->used)
			oldest = &v->conns[i];
	}
	drop(oldest);
	return oldest;
}

static void take_connection(struct server *v, int listener)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	int fd = accept4(listener, (struct sockaddr *)&sa, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	char peer[PEER_MAX];
	peer_text(&sa, peer);
	if (listener == v->tcp) {
		agn_log("TCP request from %s", peer);
		if (send(fd, v->hostname, strlen(v->hostname), MSG_NOSIGNAL) < 0)
			agn_log("answering %s: %s", peer, agn_error(errno));
		close(fd);
		return;
	}
	struct conn *c = free_conn(v);
	c->fd = fd;
	c->len = 0;
	c->used = ++v->clock;
	memcpy(c->peer, peer, sizeof(c->peer));
}

struct serving {
	struct server *v;
	struct conn *c;
};

static bool answer(void *arg, const struct agn_request *r)
{
	struct server *v = ((struct serving *)arg)->v;
	struct conn *c = ((struct serving *)arg)->c;
	static struct agn_answer a;
	static char out[sizeof(a.body) + 512];
	bool keep = r->keep_alive && !r->body && !v->s->close;
	if (v->s->look == AGN_NETEXEC) {
		agn_netexec(r, v->hostname, c->peer, v->udp >= 0, &a);
	} else {
		agn_log("HTTP request from %s", c->peer);
		a.status = 200;
		a.exit_code = -1;
		snprintf(a.body, sizeof(a.body), "%s", v->hostname);
	}
	if (a.exit_code >= 0)
		exit(a.exit_code);
	size_t len = agn_format(r, &a, keep, out, sizeof(out));
	/* One that does not take its answers is not waited for. */
	return send(c->fd, out, len, MSG_NOSIGNAL) == (ssize_t)len && keep;
}

bool agn_hear(int fd, char *in, size_t *len, agn_answer_fn *fn, void *arg)
{
	static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; "
				  "charset=utf-8\r\nConnection: close\r\n\r\n400 Bad Request";
	static struct agn_request r;
	ssize_t n = recv(fd, in + *len, AGN_HEAD_MAX - *len, 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return true;
	if (n <= 0)
		return false;
	*len += (size_t)n;
	for (int got; (got = agn_parse(in, *len, &r)) != 0;) {
		if (got < 0)
			(void)!send(fd, bad, sizeof(bad) - 1, MSG_NOSIGNAL);
		if (got < 0 || !fn(arg, &r)) {
			shutdown(fd, SHUT_WR);
			return false;
		}
		*len -= r.length;
		memmove(in, in + r.length, *len);
	}
	return true;
}

static void serve_http(struct server *v, struct conn *c)
{
	struct serving on = {v, c};
	c->used = ++v->clock;
	if (!agn_hear(c->fd, c->in, &c->len, answer, &on))
		drop(c);
}

static void lower(char *s)
{
	for (; *s; s++) {
		if (*s >= 'A' && *s <= 'Z')
			*s |= 0x20;
	}
}

/* What netexec answers to a datagram: lower-cased and trimmed text; NULL for nothing. */
static const char *udp_answer(struct server *v, char *text, const char *peer)
{
	if (v->s->look == AGN_SERVE_HOSTNAME)
		return v->hostname;
	size_t n = strlen(text);
	while (n && strchr(" \t\r\n", text[n - 1]))
		text[--n] = '\0';
	text += strspn(text, " \t\r\n");
	lower(text);
	if (!strcmp(text, "hostname"))
		return v->hostname;
	if (!strcmp(text, "clientip"))
		return peer;
	if (!strncmp(text, "echo ", 5))
		return text + 5;
	if (*text)
		agn_log("Unknown UDP command received from %s: %s", peer, text);
	return NULL;
}

static void serve_udp(struct server *v)
{
	struct sockaddr_storage sa;
	socklen_t len = sizeof(sa);
	char text[UDP_MAX + 1], peer[PEER_MAX];
	ssize_t n = recvfrom(v->udp, text, UDP_MAX, 0, (struct sockaddr *)&sa, &len);
	if (n < 0)
		return;
	text[n] = '\0';
	peer_text(&sa, peer);
	const char *reply = udp_answer(v, text, peer);
	if (reply && sendto(v->udp, reply, strlen(reply), 0, (struct sockaddr *)&sa, len) < 0)
		agn_log("answering %s: %s", peer, agn_error(errno));
}

_Noreturn void agn_serve(const struct agn_serve *s)
{
	static struct server v;
	v.s = s;
	gethostname(v.hostname, sizeof(v.hostname) - 1);
	for (size_t i = 0; i < MAX_CONNS; i++)
		v.conns[i].fd = -1;
	v.udp = serve_on(SOCK_DGRAM, s->udp_port);
	v.tcp = serve_on(SOCK_STREAM, s->tcp_port);
	v.http = serve_on(SOCK_STREAM, s->http_port);
	if (s->look == AGN_NETEXEC)
		agn_log("Started HTTP server on port %d", s->http_port);
	else
		agn_log("Serving on port %d.", s->http_port >= 0  ? s->http_port
					       : s->tcp_port >= 0 ? s->tcp_port
								  : s->udp_port);
	for (;;) {
		struct pollfd p[3 + MAX_CONNS] = {{.fd = v.http, .events = POLLIN},
						  {.fd = v.tcp, .events = POLLIN},
						  {.fd = v.udp, .events = POLLIN}};
		for (size_t i = 0; i < MAX_CONNS; i++)
			p[3 + i] = (struct pollfd){.fd = v.conns[i].fd, .events = POLLIN};
		if (poll(p, 3 + MAX_CONNS, -1) < 0)
			continue;
		for (size_t i = 0; i < MAX_CONNS; i++) {
			if (p[3 + i].revents)
				serve_http(&v, &v.conns[i]);
		}
		if (p[0].revents)
			take_connection(&v, v.http);
		if (p[1].revents)
			take_connection(&v, v.tcp);
		if (p[2].revents)
			serve_udp(&v);
	}
}
