/* SPDX-License-Identifier: MIT */
/*
 * See exec.h. A poll loop over the connection, the program's output and its end. Input that the
 * program does not take yet is kept in a bounded buffer; while that is full the connection is not
 * read.
 */
#include "labd/exec.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/limits.h"

#define CHUNK	  32768
#define HANGUP_MS 500

struct relay {
	struct wire *w;
	struct proc_child *c;
	int pidfd;
	bool tty, ended, gone;
	bool in_open, in_eof; /* program's stdin still open; client has ended it */
	struct strbuf in;     /* for the program */
	int status;
};

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void set_nonblock(int fd)
{
	int fl = fd >= 0 ? fcntl(fd, F_GETFL) : -1;
	if (fl >= 0)
		fcntl(fd, F_SETFL, fl | O_NONBLOCK);
}

static void close_input(struct relay *x)
{
	if (x->tty) { /* end of input on a terminal is a character */
		static const char eot = 4;
		if (x->in_open && write(x->c->in, &eot, 1) < 0)
			x->in_open = false;
	}
	shut(&x->c->in);
	x->in_open = false;
}

static void flush_input(struct relay *x)
{
	while (x->in_open && x->in.len) {
		ssize_t n = write(x->c->in, x->in.s, x->in.len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) { /* the program has closed its input */
			strbuf_reset(&x->in);
			shut(&x->c->in);
			x->in_open = false;
			return;
		}
		strbuf_consume(&x->in, (size_t)n);
	}
	if (x->in_open && x->in_eof && x->in.len == 0)
		close_input(x);
}

static void resize(struct relay *x, const unsigned char *d)
{
	struct winsize ws = {.ws_row = (unsigned short)(d[0] << 8 | d[1]),
			     .ws_col = (unsigned short)(d[2] << 8 | d[3])};
	ioctl(x->c->out, TIOCSWINSZ, &ws);
}

static int on_frame(struct relay *x, const struct wire_frame *f, struct err *err)
{
	const unsigned char *d = f->data;
	switch (f->type) {
	case WIRE_STDIN:
		if (f->len == 0)
			x->in_eof = true;
		else if (x->in_open)
			strbuf_add(&x->in, f->data, f->len);
		flush_input(x);
		return 0;
	case WIRE_RESIZE:
		if (f->len == 4 && x->tty)
			resize(x, d);
		return 0;
	case WIRE_SIGNAL:
		if (f->len == 1 && d[0] > 0 && d[0] < NSIG)
			kill(x->c->pid, d[0]);
		return 0;
	case WIRE_JSON:
	case WIRE_STDOUT:
	case WIRE_STDERR:
	case WIRE_PACKETS:
		break;
	}
	return err_set(err, EPROTO, "unexpected frame of type %d during exec", (int)f->type);
}

/* All frames that have arrived. */
static int on_client(struct relay *x, struct err *err)
{
	do {
		struct wire_frame f;
		int r = wire_recv(x->w, &f, err);
		if (r == 0)
			return err_set(err, EPIPE, "the client is gone");
		if (r > 0)
			r = on_frame(x, &f, err);
		if (r < 0)
			return r;
	} while (wire_pending(x->w));
	return 0;
}

/* One chunk of output; closes the descriptor at its end. */
static int on_output(struct relay *x, int *fd, enum wire_type type, struct err *err)
{
	char buf[CHUNK];
	ssize_t n = read(*fd, buf, sizeof(buf));
	if (n > 0)
		return wire_send(x->w, type, buf, (size_t)n, err);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	shut(fd); /* end, or EIO from a terminal whose other side is closed */
	return 0;
}

static void reap(struct relay *x)
{
	int st;
	if (waitpid(x->c->pid, &st, WNOHANG) != x->c->pid)
		return;
	x->ended = true;
	x->status = WIFSIGNALED(st) ? 128 + WTERMSIG(st) : WEXITSTATUS(st);
}

static int step(struct relay *x, struct err *err)
{
	enum { CLIENT, OUT, ERR, END, IN, N };
	bool room = x->in.len < MAX_FRAME_BYTES;
	struct pollfd p[N] = {
		[CLIENT] = {x->w->fd, room ? POLLIN : 0, 0},
		[OUT] = {x->c->out, POLLIN, 0},
		[ERR] = {x->tty ? -1 : x->c->errfd, POLLIN, 0},
		[END] = {x->ended ? -1 : x->pidfd, POLLIN, 0},
		[IN] = {x->in.len && x->in_open ? x->c->in : -1, POLLOUT, 0},
	};
	/* A program's end closes its side; what children of it still hold open is not waited for.
	 */
	int n = poll(p, N, x->ended ? 20 : -1);
	if (n < 0)
		return errno == EINTR ? 0 : err_sys(err, errno, "poll");
	if (n == 0 && x->ended) {
		shut(&x->c->out);
		shut(&x->c->errfd);
		return 0;
	}
	int r = 0;
	if (p[IN].revents)
		flush_input(x);
	if (r == 0 && x->c->out >= 0 && p[OUT].revents)
		r = on_output(x, &x->c->out, WIRE_STDOUT, err);
	if (r == 0 && !x->tty && x->c->errfd >= 0 && p[ERR].revents)
		r = on_output(x, &x->c->errfd, WIRE_STDERR, err);
	if (p[END].revents)
		reap(x);
	if (r == 0 && p[CLIENT].revents)
		r = on_client(x, err);
	return r;
}

/* The client is gone: hang up, wait a little, end it. */
static void hang_up(struct relay *x)
{
	if (x->ended)
		return;
	kill(x->c->pid, SIGHUP);
	shut(&x->c->in);
	shut(&x->c->out);
	shut(&x->c->errfd);
	struct pollfd p = {x->pidfd, POLLIN, 0};
	if (poll(&p, 1, HANGUP_MS) == 0)
		kill(x->c->pid, SIGKILL);
	waitpid(x->c->pid, NULL, 0);
}

int exec_relay(struct wire *w, struct proc_child *child, bool tty, bool with_stdin, int *ret_status,
	       struct err *err)
{
	struct relay x = {.w = w, .c = child, .tty = tty, .in_open = true, .in = STRBUF_INIT};
	x.pidfd = pidfd_open(child->pid, 0);
	set_nonblock(child->in);
	set_nonblock(child->out);
	set_nonblock(child->errfd);
	if (!with_stdin && !tty)
		close_input(&x);
	int r = x.pidfd < 0 ? err_sys(err, errno, "pidfd_open") : 0;
	while (r == 0 && !(x.ended && child->out < 0 && (tty || child->errfd < 0)))
		r = step(&x, err);
	if (r < 0)
		hang_up(&x);
	*ret_status = x.status;
	shut(&child->in);
	shut(&child->out);
	shut(&child->errfd);
	shut(&x.pidfd);
	strbuf_free(&x.in);
	return r;
}
