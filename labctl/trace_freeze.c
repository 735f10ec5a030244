/* SPDX-License-Identifier: MIT */
/* trace_freeze: `trace --freeze`: says where the packet stands, and lets it go on, key by key. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "labctl/trace.h"
#include "lib/base/cleanup.h"
#include "lib/view/obj.h"
#include "lib/view/term.h"

#define SILENCE_S 120 /* without any message for so long the engine is given up */
#define TICK_MS	  500

struct ice {
	struct wire w;
	bool keys;	/* standard input is a terminal */
	bool countdown; /* standard error is one */
	bool deaf;	/* nothing more is read from standard input */
	bool held;
	unsigned stop;	      /* how often it was held */
	int64_t until, heard; /* ms */
	char first;	      /* of the line that is being read */
	struct termios before;
	sigset_t mask;
	int signals;
};

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* ---- the terminal ---- */

static int begin(struct ice *x, struct err *err)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	x->signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (x->signals < 0)
		return err_sys(err, errno, "signalfd");
	sigprocmask(SIG_BLOCK, &set, &x->mask);
	x->countdown = isatty(STDERR_FILENO);
	x->keys = isatty(STDIN_FILENO) && tcgetattr(STDIN_FILENO, &x->before) == 0;
	if (x->keys) {
		struct termios t = x->before;
		t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		t.c_cc[VMIN] = 1;
		t.c_cc[VTIME] = 0;
		t.c_cc[VSUSP] = _POSIX_VDISABLE;
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &t);
	}
	return 0;
}

static void clear_line(const struct ice *x)
{
	if (x->countdown)
		fputs("\r\033[K", stderr);
}

static void end(struct ice *x)
{
	if (x->signals < 0)
		return;
	clear_line(x);
	if (x->keys)
		tcsetattr(STDIN_FILENO, TCSAFLUSH, &x->before);
	sigprocmask(SIG_SETMASK, &x->mask, NULL);
	close(x->signals);
}

/* ---- what is shown ---- */

static void show_left(const struct ice *x)
{
	int64_t left = (x->until - now_ms() + 999) / 1000;
	if (x->held && x->countdown)
		fprintf(stderr,
			"\r\033[K   goes on by itself in %d s   Enter: go on   q: let it run",
			left > 0 ? (int)left : 0);
}

static void line(const char *before, const char *text)
{
	_strbuf_ struct strbuf safe = STRBUF_INIT;
	term_safe(text, &safe);
	fprintf(stderr, "%s%s\n", before, strbuf_str(&safe));
}

static void show_frozen(struct ice *x, const json_t *f)
{
	_strbuf_ struct strbuf where = STRBUF_INIT;
	int left = (int)json_integer_value(json_object_get(f, "left_s"));
	x->held = true;
	x->until = now_ms() + (int64_t)left * 1000;
	clear_line(x);
	strbuf_addf(&where, "%u. stands in %s, before %s %s: %s", ++x->stop,
		    obj_str(f, "node", "?"), obj_str(f, "table", "?"), obj_str(f, "hook", "?"),
		    obj_str(f, "packet", "?"));
	line("", strbuf_str(&where));
	line("   TRY in another terminal: ", obj_str(f, "try", ""));
	if (!x->countdown)
		fprintf(stderr, "   goes on by itself in %d s; a line: go on, q: let it run\n",
			left);
	show_left(x);
}

/* ---- the conversation ---- */

static void let_run(struct ice *x)
{
	x->deaf = true;
	x->held = false;
	clear_line(x);
	shutdown(x->w.fd, SHUT_WR);
}

static int go_on(struct ice *x, struct err *err)
{
	x->held = false;
	clear_line(x);
	return wire_send_json(&x->w, json_pack("{s:b}", "go", true), err);
}

/* One byte of standard input is there, or its end. */
static int take_key(struct ice *x, struct err *err)
{
	char c = 'q';
	ssize_t n = read(STDIN_FILENO, &c, 1);
	if (n < 0 && errno == EINTR)
		return 0;
	if (n <= 0 || (x->keys && (c == 'q' || c == 4))) {
		let_run(x);
		return 0;
	}
	if (x->keys)
		return strchr("\r\n n", c) ? go_on(x, err) : 0;
	if (c != '\n') {
		x->first = x->first ? x->first : c;
		return 0;
	}
	c = x->first;
	x->first = '\0';
	if (c == 'q') {
		let_run(x);
		return 0;
	}
	return go_on(x, err);
}

/* 1: the result came. */
static int take_message(struct ice *x, json_t **result, struct err *err)
{
	json_t *m = NULL, *v;
	int r = wire_recv_json(&x->w, &m, err);
	if (r < 0)
		return r;
	if (r == 0)
		return err_set(err, EPIPE, "the engine has gone away without an answer");
	x->heard = now_ms();
	r = 0;
	if ((v = json_object_get(m, "error"))) {
		wire_err_from_json(v, err);
		r = err->code;
	} else if ((v = json_object_get(m, "result"))) {
		*result = json_incref(v);
		r = 1;
	} else if ((v = json_object_get(json_object_get(m, "progress"), "frozen")) && !x->deaf) {
		show_frozen(x, v);
	}
	json_decref(m);
	return r;
}

static int turn(struct ice *x, json_t **result, struct err *err)
{
	struct pollfd p[] = {
		{.fd = x->w.fd, .events = POLLIN},
		{.fd = x->signals, .events = POLLIN},
		{.fd = x->held && !x->deaf ? STDIN_FILENO : -1, .events = POLLIN},
	};
	if (wire_pending(&x->w))
		return take_message(x, result, err);
	if (poll(p, ARRAY_SIZE(p), TICK_MS) < 0 && errno != EINTR)
		return err_sys(err, errno, "poll");
	if (p[1].revents)
		return err_set(err, EINTR, "interrupted; the packet is let go");
	if (p[0].revents)
		return take_message(x, result, err);
	if (p[2].revents)
		return take_key(x, err);
	show_left(x);
	if (now_ms() - x->heard > SILENCE_S * 1000)
		return err_set(err, ETIMEDOUT, "the engine has not answered for %d s", SILENCE_S);
	return 0;
}

int trace_freeze(enum engine_kind k, json_t *args, json_t **result, struct err *err)
{
	struct ice x = {.signals = -1, .heard = now_ms()};
	int r = client_connect(k, &x.w, err);
	if (r < 0) {
		json_decref(args);
		return r;
	}
	r = client_send(&x.w, "trace", args, err);
	if (r == 0)
		r = begin(&x, err);
	while (r == 0)
		r = turn(&x, result, err);
	end(&x);
	wire_close(&x.w);
	return r < 0 ? r : 0;
}
