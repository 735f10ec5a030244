/* SPDX-License-Identifier: MIT */
/* relay_conns: connections and UDP clients under way. See relay.h. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labd/init/relay.h"

#define MAX_CONNS   2048
#define BUF_SIZE    16384
#define UDP_IDLE_MS 250

static const int dial_ms[] = {250, 500, 1000, 2000};
#define N_DIALS (sizeof(dial_ms) / sizeof(dial_ms[0]))

/* One direction of a connection. */
struct flow {
	char *buf;
	size_t from, len; /* what is not written yet */
	bool ended;	  /* nothing more comes in */
	bool shut;	  /* and the other side was told */
};

struct conn {
	bool udp;
	struct relay_service *s; /* NULL: gone since */
	struct sockaddr_in peer;
	int client, up; /* UDP: client is the service's own socket, not ours to close */
	size_t dial;	/* TCP: how often it was dialled */
	bool dialling;
	int64_t until; /* of dialling, or a UDP client's silence; 0 none */
	struct flow in, out;
};

static struct conn *conns[MAX_CONNS];
static size_t n_conns;

static void drop(struct conn *c)
{
	for (size_t i = 0; i < n_conns; i++)
		if (conns[i] == c)
			conns[i] = conns[--n_conns];
	if (!c->udp && c->client >= 0)
		close(c->client);
	if (c->up >= 0)
		close(c->up);
	free(c->in.buf);
	free(c->out.buf);
	free(c);
}

static struct conn *add(struct relay_service *s, int client, const struct sockaddr_in *peer)
{
	struct conn *c = n_conns < MAX_CONNS ? calloc(1, sizeof(*c)) : NULL;
	if (!c)
		return NULL;
	*c = (struct conn){.udp = s->udp, .s = s, .peer = *peer, .client = client, .up = -1};
	conns[n_conns++] = c;
	return c;
}

void relay_forget(void)
{
	for (size_t i = n_conns; i-- > 0;) {
		if (conns[i]->udp)
			drop(conns[i]);
		else
			conns[i]->s = NULL;
	}
}

/* TCP ------------------------------------------------------------------------------------------ */

/* Dial the next endpoint; after the last try the client's connection is closed. A service that went
 * meanwhile has none. */
static void dial(struct conn *c)
{
	struct sockaddr_in ep;
	for (;;) {
		if (c->up >= 0)
			close(c->up);
		c->up = -1;
		if (c->dial == N_DIALS || !c->s ||
		    !relay_choose(c->s, c->peer.sin_addr, c->dial > 0, &ep)) {
			drop(c);
			return;
		}
		c->until = relay_now() + dial_ms[c->dial++];
		c->up = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
		if (c->up >= 0 && (connect(c->up, (struct sockaddr *)&ep, sizeof(ep)) == 0 ||
				   errno == EINPROGRESS))
			break;
	}
	c->dialling = true;
}

void relay_accept(struct relay_service *s)
{
	struct sockaddr_in peer;
	socklen_t len = sizeof(peer);
	int fd = accept4(s->fd, (struct sockaddr *)&peer, &len, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return;
	struct conn *c = add(s, fd, &peer);
	if (!c) {
		close(fd);
		return;
	}
	c->in.buf = malloc(BUF_SIZE);
	c->out.buf = malloc(BUF_SIZE);
	if (c->in.buf && c->out.buf)
		dial(c);
	else
		drop(c);
}

/* Read what there is, if all that came before is written. -1: the connection is broken. */
static int fill(struct flow *f, int fd)
{
	if (f->len || f->ended)
		return 0;
	ssize_t n = recv(fd, f->buf, BUF_SIZE, 0);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -1;
	f->from = 0;
	f->len = (size_t)n;
	f->ended = n == 0;
	return 0;
}

static int empty(struct flow *f, int fd)
{
	while (f->len) {
		ssize_t n = send(fd, f->buf + f->from, f->len, MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR ? 0 : -1;
		f->from += (size_t)n;
		f->len -= (size_t)n;
	}
	if (f->ended && !f->shut) {
		shutdown(fd, SHUT_WR);
		f->shut = true;
	}
	return 0;
}

static void pump(struct conn *c)
{
	if (fill(&c->in, c->client) < 0 || empty(&c->in, c->up) < 0 || fill(&c->out, c->up) < 0 ||
	    empty(&c->out, c->client) < 0 || (c->in.shut && c->out.shut))
		drop(c);
}

static void dialled(struct conn *c)
{
	int why = 0;
	socklen_t len = sizeof(why);
	if (getsockopt(c->up, SOL_SOCKET, SO_ERROR, &why, &len) < 0 || why) {
		dial(c);
		return;
	}
	c->dialling = false;
	c->until = 0;
	pump(c);
}

/* UDP ------------------------------------------------------------------------------------------ */

static struct conn *udp_client(struct relay_service *s, const struct sockaddr_in *peer)
{
	struct sockaddr_in ep;
	for (size_t i = 0; i < n_conns; i++)
		if (conns[i]->s == s && conns[i]->udp &&
		    memcmp(&conns[i]->peer, peer, sizeof(*peer)) == 0)
			return conns[i];
	struct conn *c = relay_choose(s, peer->sin_addr, false, &ep) ? add(s, s->fd, peer) : NULL;
	if (!c)
		return NULL;
	c->up = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (c->up < 0 || connect(c->up, (struct sockaddr *)&ep, sizeof(ep)) < 0) {
		drop(c);
		return NULL;
	}
	return c;
}

void relay_datagram(struct relay_service *s)
{
	static char buf[65536];
	struct sockaddr_in peer = {0};
	socklen_t len = sizeof(peer);
	ssize_t n = recvfrom(s->fd, buf, sizeof(buf), 0, (struct sockaddr *)&peer, &len);
	struct conn *c = n >= 0 ? udp_client(s, &peer) : NULL;
	if (!c)
		return;
	c->until = relay_now() + UDP_IDLE_MS;
	if (send(c->up, buf, (size_t)n, MSG_NOSIGNAL) < 0 && errno != EAGAIN)
		drop(c);
}

static void udp_answer(struct conn *c)
{
	static char buf[65536];
	ssize_t n = recv(c->up, buf, sizeof(buf), 0);
	if (n < 0 && errno != EAGAIN) {
		drop(c);
		return;
	}
	c->until = relay_now() + UDP_IDLE_MS;
	if (n >= 0)
		sendto(c->client, buf, (size_t)n, 0, (struct sockaddr *)&c->peer, sizeof(c->peer));
}

/* Waiting -------------------------------------------------------------------------------------- */

size_t relay_count(void)
{
	return 2 * n_conns;
}

static short wants(const struct flow *from, const struct flow *to)
{
	short events = from->len || from->ended ? 0 : POLLIN;
	return (short)(events | (to->len ? POLLOUT : 0));
}

size_t relay_poll(struct pollfd *p)
{
	for (size_t i = 0; i < n_conns; i++) {
		struct conn *c = conns[i];
		struct pollfd *client = &p[2 * i], *up = &p[2 * i + 1];
		*client = *up = (struct pollfd){.fd = -1};
		up->fd = c->up;
		up->events = c->udp ? POLLIN : c->dialling ? POLLOUT : wants(&c->out, &c->in);
		/* A client's fd without events would wake us for its end again and again. */
		if (!c->udp && !c->dialling && (client->events = wants(&c->in, &c->out)) != 0)
			client->fd = c->client;
		if (!up->events)
			up->fd = -1;
	}
	return 2 * n_conns;
}

void relay_work(const struct pollfd *p, size_t n)
{
	int64_t now = relay_now();
	/* Backwards: a connection that goes gives its place to the last one, which is done. */
	for (size_t i = n / 2; i-- > 0;) {
		struct conn *c = conns[i];
		short client = p[2 * i].revents, up = p[2 * i + 1].revents;
		if (c->udp && up)
			udp_answer(c);
		else if (c->dialling && up)
			dialled(c);
		else if (c->dialling && c->until <= now)
			dial(c);
		else if (!c->udp && !c->dialling && (client || up))
			pump(c);
		else if (c->udp && c->until <= now)
			drop(c);
	}
}
