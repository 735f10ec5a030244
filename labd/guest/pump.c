/* SPDX-License-Identifier: MIT */
/*
 * pump: moves bytes between a mux, its pipe and the channels' sockets. The rules of the channels
 * are mux.c's; here are the rules of the sockets:
 *
 * - A socket is read only while mux_room() says that the bytes can go on at once, so nothing is
 * kept.
 * - What came for a socket that is full is kept in rx, at most MUX_WINDOW bytes by the mux's
 * credit.
 * - Read of 0 bytes: the client ended its direction (EOF is sent). Hang-up after that: it is gone
 *   altogether (CLOSE), so that the other end's socket hangs up too, as with a direct connection.
 * - A failed write: nobody reads any more; rx is thrown away, reading goes on up to the end.
 * - epoll reports a hang-up unasked; a source that waits for credit only is switched off, else it
 * spins.
 */
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include <utlist.h>

#include "labd/guest/pump.h"
#include "lib/base/strbuf.h"

#define READ_SIZE (16 * 1024)

struct conn {
	struct pump *p;
	struct conn *prev, *next;
	uint32_t ch;
	int fd;
	sd_event_source *src;
	struct strbuf rx; /* for fd, not yet written */
	uint64_t state;	  /* ops->track's */
	bool in_done;	  /* fd gave its end of file */
	bool out_dead;	  /* writing to fd failed */
	bool peer_eof;	  /* the other side ended its direction */
	bool peer_closed; /* the other side sent CLOSE */
	bool shut;	  /* shutdown(SHUT_WR) done */
};

struct pump {
	sd_event *e;
	int wire;
	sd_event_source *wire_src;
	struct mux *m;
	const struct pump_ops *ops;
	void *arg;
	struct conn *conns;
	bool dead;
};

static void pump_die(struct pump *p, const struct err *why)
{
	if (p->dead)
		return;
	p->dead = true;
	sd_event_source_set_enabled(p->wire_src, SD_EVENT_OFF);
	for (struct conn *c = p->conns; c; c = c->next)
		sd_event_source_set_enabled(c->src, SD_EVENT_OFF);
	if (p->ops->dead)
		p->ops->dead(p, why, p->arg);
}

static void conn_free(struct conn *c)
{
	DL_DELETE(c->p->conns, c);
	sd_event_source_disable_unref(c->src);
	if (c->fd >= 0)
		close(c->fd);
	strbuf_free(&c->rx);
	free(c);
}

static struct conn *conn_find(struct pump *p, uint32_t ch)
{
	struct conn *c;

	DL_SEARCH_SCALAR(p->conns, c, ch, ch);
	return c;
}

/* Ask epoll for what can go on now; see the last rule at the top. */
static void conn_arm(struct conn *c)
{
	uint32_t want = 0;

	if (!c->in_done && !c->peer_closed && mux_room(c->p->m, c->ch))
		want |= EPOLLIN;
	if (c->rx.len)
		want |= EPOLLOUT;
	sd_event_source_set_io_events(c->src, want);
	/* With in_done only the hang-up is awaited. */
	sd_event_source_set_enabled(c->src, want || c->in_done ? SD_EVENT_ON : SD_EVENT_OFF);
}

static void conn_write(struct conn *c)
{
	while (c->rx.len && !c->out_dead) {
		ssize_t n = send(c->fd, c->rx.s, c->rx.len, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			c->out_dead = true;
			break;
		}
		if (c->p->ops->track)
			c->state = c->p->ops->track(c->state, c->rx.s, (size_t)n);
		strbuf_consume(&c->rx, (size_t)n);
		mux_ack(c->p->m, c->ch, (size_t)n);
	}
	if (c->out_dead && c->rx.len) {
		mux_ack(c->p->m, c->ch, c->rx.len);
		strbuf_reset(&c->rx);
	}
	if (!c->rx.len && c->peer_eof && !c->shut) {
		c->shut = true;
		shutdown(c->fd, SHUT_WR);
	}
}

/* After anything happened: deliver, end, or wait again. May free c. */
static void conn_go_on(struct conn *c)
{
	conn_write(c);
	if (c->peer_closed && !c->rx.len) {
		mux_close(c->p->m, c->ch, NULL);
		conn_free(c);
		return;
	}
	conn_arm(c);
}

static void conn_read(struct conn *c)
{
	uint8_t buf[READ_SIZE];
	size_t room = mux_room(c->p->m, c->ch);

	if (!room)
		return;
	ssize_t n = recv(c->fd, buf, room < sizeof(buf) ? room : sizeof(buf), MSG_DONTWAIT);

	if (n > 0) {
		mux_send(c->p->m, c->ch, buf, (size_t)n);
	} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
		c->in_done = true;
		mux_eof(c->p->m, c->ch);
	}
}

static int on_conn(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct conn *c = arg;
	struct pump *p = c->p;

	(void)src;
	(void)fd;
	if (p->dead)
		return 0;
	if (c->in_done && (revents & (EPOLLHUP | EPOLLERR))) {
		mux_close(p->m, c->ch, NULL);
		conn_free(c);
	} else {
		if (!c->in_done && !c->peer_closed && (revents & ~(uint32_t)EPOLLOUT))
			conn_read(c);
		conn_go_on(c);
	}
	pump_flush(p);
	return 0;
}

static int conn_new(struct pump *p, int fd, uint32_t ch)
{
	struct conn *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->p = p;
	c->ch = ch;
	c->fd = fd;
	r = sd_event_add_io(p->e, &c->src, fd, EPOLLIN, on_conn, c);
	if (r < 0) {
		free(c);
		return r;
	}
	DL_APPEND(p->conns, c);
	return 0;
}

/* --- the mux's events ------------------------------------------------------------------------ */

static void m_ready(void *arg)
{
	struct pump *p = arg;

	if (p->ops->ready)
		p->ops->ready(p, p->arg);
}

static int m_open(uint32_t ch, uint32_t uid, uint32_t gid, void *arg)
{
	struct pump *p = arg;
	int fd = p->ops->open ? p->ops->open(p, uid, gid, p->arg) : -ENOTSUP;
	int r;

	if (fd < 0)
		return fd;
	r = conn_new(p, fd, ch);
	if (r < 0)
		close(fd);
	return r;
}

static void m_data(uint32_t ch, const void *data, size_t len, void *arg)
{
	struct conn *c = conn_find(arg, ch);

	if (!c)
		return;
	strbuf_add(&c->rx, data, len);
	conn_go_on(c);
}

static void m_eof(uint32_t ch, void *arg)
{
	struct conn *c = conn_find(arg, ch);

	if (!c)
		return;
	c->peer_eof = true;
	conn_go_on(c);
}

static void m_close(uint32_t ch, const char *reason, void *arg)
{
	struct conn *c = conn_find(arg, ch);

	(void)reason;
	if (!c)
		return;
	c->peer_closed = true;
	conn_go_on(c);
}

static void m_credit(uint32_t ch, void *arg)
{
	struct conn *c = conn_find(arg, ch);

	if (c)
		conn_arm(c);
}

static void m_poweroff(void *arg)
{
	struct pump *p = arg;

	if (p->ops->poweroff)
		p->ops->poweroff(p, p->arg);
}

static void m_pong(const void *data, size_t len, void *arg)
{
	struct pump *p = arg;

	(void)data;
	(void)len;
	if (p->ops->pong)
		p->ops->pong(p, p->arg);
}

static const struct mux_ops mux_ops = {
	.ready = m_ready,
	.open = m_open,
	.data = m_data,
	.eof = m_eof,
	.close = m_close,
	.credit = m_credit,
	.poweroff = m_poweroff,
	.pong = m_pong,
};

/* --- the pipe -------------------------------------------------------------------------------- */

static void pipe_failed(struct pump *p, int code)
{
	struct err why;

	if (code)
		err_sys(&why, code, "guest pipe");
	else
		err_set(&why, EPIPE, "guest pipe: the other side is gone");
	pump_die(p, &why);
}

static void pipe_read(struct pump *p)
{
	uint8_t buf[READ_SIZE];
	ssize_t n = read(p->wire, buf, sizeof(buf));
	struct err why;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		pipe_failed(p, n < 0 ? errno : 0);
		return;
	}
	if (mux_input(p->m, buf, (size_t)n, &why))
		pump_die(p, &why);
}

void pump_flush(struct pump *p)
{
	const void *data;
	size_t len;
	bool was_full = mux_queued(p->m) >= MUX_OUT_MAX;

	while (!p->dead && (len = mux_output(p->m, &data)) > 0) {
		ssize_t n = write(p->wire, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno != EAGAIN) {
			pipe_failed(p, errno);
			return;
		}
		if (n <= 0)
			break;
		mux_sent(p->m, (size_t)n);
	}
	if (p->dead)
		return;
	len = mux_output(p->m, &data);
	sd_event_source_set_io_events(p->wire_src, EPOLLIN | (len ? EPOLLOUT : 0));
	if (!was_full || mux_queued(p->m) >= MUX_OUT_MAX)
		return;
	for (struct conn *c = p->conns; c; c = c->next)
		conn_arm(c);
}

static int on_wire(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct pump *p = arg;

	(void)src;
	(void)fd;
	if (revents & ~(uint32_t)EPOLLOUT)
		pipe_read(p);
	if (!p->dead)
		pump_flush(p);
	return 0;
}

/* --- life ------------------------------------------------------------------------------------ */

struct pump *pump_new(sd_event *e, int wire, enum mux_role role, const struct pump_ops *ops,
		      void *arg)
{
	struct pump *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->e = sd_event_ref(e);
	p->wire = wire;
	p->ops = ops;
	p->arg = arg;
	p->m = mux_new(role, &mux_ops, p);
	fcntl(wire, F_SETFL, fcntl(wire, F_GETFL) | O_NONBLOCK);
	if (!p->m || sd_event_add_io(e, &p->wire_src, wire, EPOLLIN, on_wire, p) < 0) {
		pump_free(p);
		return NULL;
	}
	pump_flush(p);
	return p;
}

void pump_free(struct pump *p)
{
	struct conn *c, *tmp;

	if (!p)
		return;
	DL_FOREACH_SAFE(p->conns, c, tmp)
	conn_free(c);
	sd_event_source_disable_unref(p->wire_src);
	mux_free(p->m);
	sd_event_unref(p->e);
	free(p);
}

struct mux *pump_mux(struct pump *p)
{
	return p->m;
}

int pump_add(struct pump *p, int fd, uint32_t uid, uint32_t gid)
{
	uint32_t ch;
	int r = p->dead ? -EPIPE : mux_open(p->m, uid, gid, &ch);

	if (r < 0)
		return r;
	r = conn_new(p, fd, ch);
	if (r < 0)
		mux_close(p->m, ch, NULL);
	pump_flush(p);
	return r;
}

void pump_drain(struct pump *p, void (*fn)(int fd, uint64_t state, void *arg), void *arg)
{
	struct conn *c, *tmp;

	DL_FOREACH_SAFE(p->conns, c, tmp)
	{
		int fd = c->fd;

		sd_event_source_disable_unref(c->src);
		c->src = NULL;
		c->fd = -1;
		fn(fd, c->state, arg);
		conn_free(c);
	}
}
