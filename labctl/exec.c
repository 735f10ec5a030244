/* SPDX-License-Identifier: MIT */
/* exec: the verbs exec and shell: a program in the lab on our own standard streams. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "labctl/client.h"
#include "labctl/exec.h"
#include "labctl/verbs.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

#define CHUNK                                                                                      \
	16384 /* of stdin in one frame: fits a writable socket, so that sending never blocks */

struct session {
	struct wire w;
	bool tty, stdin_open, started;
	bool heard;	    /* anything of the engine */
	const char *engine; /* its name, for messages */
	int signals;	    /* signalfd */
	int exit;	    /* of the program; -1: it still runs */
};

static struct termios saved;
static bool raw;

static void leave_raw(void)
{
	if (raw)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	raw = false;
}

static void enter_raw(void)
{
	struct termios t;
	if (raw || tcgetattr(STDIN_FILENO, &saved) < 0)
		return;
	t = saved;
	cfmakeraw(&t);
	raw = tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

static void window_size(uint16_t *rows, uint16_t *cols)
{
	struct winsize ws = {0};
	*rows = 24;
	*cols = 80;
	for (int fd = 0; fd < 3; fd++) {
		if (ioctl(fd, TIOCGWINSZ, &ws) == 0 && ws.ws_row && ws.ws_col) {
			*rows = ws.ws_row;
			*cols = ws.ws_col;
			return;
		}
	}
}

static int send_size(struct session *s, struct err *err)
{
	uint16_t v[2];
	window_size(&v[0], &v[1]);
	v[0] = htons(v[0]);
	v[1] = htons(v[1]);
	return wire_send(&s->w, WIRE_RESIZE, v, sizeof(v), err);
}

static int on_message(struct session *s, const struct wire_frame *f, struct err *err)
{
	json_t *m = json_loadb(f->data, f->len, 0, NULL), *v;
	int r = 0;
	client_tell_fault(m);
	if ((v = json_object_get(m, "error"))) {
		wire_err_from_json(v, err);
		r = err->code;
	} else if ((v = json_object_get(m, "result"))) {
		s->exit = (int)json_integer_value(json_object_get(v, "exit")) & 0xff;
	} else if (json_is_true(json_object_get(json_object_get(m, "progress"), "started"))) {
		s->started = true;
		if (s->tty)
			enter_raw();
	} else if (!m) {
		r = err_set(err, EPROTO, "bad message from the engine");
	}
	json_decref(m);
	return r;
}

/* Take all complete frames; reads from the connection at most once. */
static int from_engine(struct session *s, struct err *err)
{
	do {
		struct wire_frame f;
		int r = wire_recv(&s->w, &f, err);
		if (r == 0 || r == -ECONNRESET) {
			err_set(err, r ? ECONNRESET : EPIPE, "the %s engine has gone away",
				s->engine);
			return err_hint(err, "labctl engine status");
		}
		if (r < 0)
			return r;
		s->heard = true;
		if (f.type == WIRE_JSON)
			r = on_message(s, &f, err);
		else if (f.type == WIRE_STDOUT || f.type == WIRE_STDERR)
			r = write_all(f.type == WIRE_STDOUT ? STDOUT_FILENO : STDERR_FILENO, f.data,
				      f.len);
		if (r < 0 && err->code == 0)
			err_sys(err, r, "standard output");
		if (r < 0 || s->exit >= 0)
			return r < 0 ? r : 0;
	} while (wire_pending(&s->w));
	return 0;
}

static int from_stdin(struct session *s, struct err *err)
{
	char buf[CHUNK];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf));
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		s->stdin_open = false;
		n = 0;
	}
	return wire_send(&s->w, WIRE_STDIN, buf, (size_t)n, err);
}

static int from_signal(struct session *s, struct err *err)
{
	struct signalfd_siginfo si;
	if (read(s->signals, &si, sizeof(si)) != (ssize_t)sizeof(si))
		return 0;
	if (si.ssi_signo == SIGWINCH)
		return s->tty ? send_size(s, err) : 0;
	uint8_t sig = (uint8_t)si.ssi_signo;
	return wire_send(&s->w, WIRE_SIGNAL, &sig, 1, err);
}

static int run(struct session *s, struct err *err)
{
	int r = 0;
	while (r == 0 && s->exit < 0) {
		/* stdin is read only while its bytes can go on at once: else both sides could wait
		 * for each other with full buffers. */
		bool take = s->stdin_open && s->started;
		struct pollfd p[3] = {{.fd = s->w.fd, .events = POLLIN},
				      {.fd = s->signals, .events = POLLIN},
				      {.fd = take ? STDIN_FILENO : -1, .events = POLLIN}};
		if (poll(p, 3, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (p[1].revents)
			r = from_signal(s, err);
		if (r == 0 && p[0].revents)
			r = from_engine(s, err);
		if (r < 0 || s->exit >= 0 || !p[2].revents)
			continue;
		struct pollfd out = {.fd = s->w.fd, .events = POLLOUT | POLLIN};
		if (poll(&out, 1, -1) > 0 && out.revents & POLLOUT)
			r = from_stdin(s, err);
	}
	return r;
}

static int catch_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGQUIT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGWINCH);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* Connect, call, carry bytes to and fro until the command ends; args' reference is borrowed. */
static int exec_once(struct session *s, enum engine_kind k, json_t *args, struct err *err)
{
	int r = client_connect(k, &s->w, err);
	if (r < 0)
		return r;
	r = client_send(&s->w, "exec", json_incref(args), err);
	if (r == 0)
		r = run(s, err);
	leave_raw();
	wire_close(&s->w);
	return r;
}

int exec_in(const struct exec_where *wh, json_t *argv, json_t *env, bool in, bool tty,
	    struct err *err)
{
	uint16_t rows, cols;
	window_size(&rows, &cols);
	json_t *args = json_pack("{s:s*, s:s, s:s*, s:o, s:o, s:b, s:b, s:i, s:i}", "lab", wh->lab,
				 "where", wh->where, "ns", wh->ns, "argv", argv, "env", env, "tty",
				 tty, "stdin", in, "rows", rows, "cols", cols);
	struct session s = {
		.tty = tty, .stdin_open = in, .engine = engine_name(wh->engine), .exit = -1};
	if (!args)
		return err_setc(err, EINVAL, ERR_USAGE, "the command is not UTF-8");
	s.signals = catch_signals();
	int r = exec_once(&s, wh->engine, args, err);
	for (int i = 0; r == -ECONNRESET && !s.heard && client_next(wh->engine, i); i++)
		r = exec_once(&s, wh->engine, args, err);
	close(s.signals);
	json_decref(args);
	return r < 0 ? r : s.exit;
}

static json_t *environment(bool tty)
{
	json_t *env = json_array();
	const char *term = getenv("TERM");
	char text[128];
	if (tty && term && snprintf(text, sizeof(text), "TERM=%s", term) < (int)sizeof(text))
		json_array_append_new(env, json_string(text));
	return env;
}

int exec_find(const struct opts *o, struct exec_where *ret, struct err *err)
{
	*ret = (struct exec_where){.where = o->args[0], .ns = o->val[FLAG_NAMESPACE]};
	return client_lab(o, &ret->engine, &ret->lab, err);
}

int exec_place(const struct exec_where *wh, json_t **ret, struct err *err)
{
	struct call c = {.name = "where",
			 .args = json_pack("{s:s*, s:s, s:s*}", "lab", wh->lab, "where", wh->where,
					   "ns", wh->ns),
			 .timeout_s = 30};
	return client_call(wh->engine, &c, ret, err);
}

int verb_exec(const struct opts *o, struct err *err)
{
	struct exec_where wh;
	bool in = o->val[FLAG_STDIN], tty = o->val[FLAG_TTY];
	int r = exec_find(o, &wh, err);
	if (r < 0)
		return r;
	if (tty && !isatty(STDIN_FILENO)) { /* kubectl's words and doing */
		fputs("Unable to use a TTY - input is not a terminal or the right kind of file\n",
		      stderr);
		tty = false;
	}
	json_t *argv = json_array();
	for (int i = 0; i < o->n_command; i++)
		json_array_append_new(argv, json_string(o->command[i]));
	if (json_array_size(argv) != (size_t)o->n_command) {
		json_decref(argv);
		return err_setc(err, EINVAL, ERR_USAGE, "the command is not UTF-8");
	}
	return exec_in(&wh, argv, environment(tty), in, tty, err);
}

/* ---- shell ----------------------------------------------------------------------------------- */

/* bash where there is one (nodes, hosts), without start files that would set another prompt; a pod
 * has a busybox sh, which takes PS1 from the environment. */
static json_t *shell_argv(bool busybox)
{
	static const char script[] = "command -v bash >/dev/null && exec bash --norc --noprofile; "
				     "exec sh";
	return busybox ? json_pack("[s]", "sh") : json_pack("[s, s, s]", "sh", "-c", script);
}

int verb_shell(const struct opts *o, struct err *err)
{
	struct exec_where wh;
	json_t *place = NULL;
	int r = exec_find(o, &wh, err);
	if (r < 0)
		return r;
	r = exec_place(&wh, &place, err);
	if (r < 0)
		return r;
	const char *name = json_string_value(json_object_get(place, "name"));
	const char *lab = json_string_value(json_object_get(place, "lab"));
	bool busybox = json_is_true(json_object_get(place, "busybox"));
	_strbuf_ struct strbuf ps1 = STRBUF_INIT;
	strbuf_addf(&ps1, "PS1=[%s] %s:%s# ", lab ? lab : "lab", name ? name : wh.where, "\\w");
	bool tty = isatty(STDIN_FILENO);
	json_t *env = environment(tty);
	json_array_append_new(env, json_string(strbuf_str(&ps1)));
	r = exec_in(&wh, shell_argv(busybox), env, true, tty, err);
	json_decref(place);
	return r;
}
