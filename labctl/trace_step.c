/* SPDX-License-Identifier: MIT */
/* trace_step: `trace --step`: the terminal's side of lib/view/trace_walk.h. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

#include "labctl/trace.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/view/trace_walk.h"

#define ENTER_SCREEN "\033[?1049h\033[?25l"
#define LEAVE_SCREEN "\033[?25h\033[?1049l"
#define ESC_WAIT_MS  40 /* between ESC and the rest of a key's sequence */

struct screen {
	struct termios before;
	sigset_t mask;
	int signals;
	struct trace_walk *walk;
};

size_t trace_width(void)
{
	struct winsize ws;
	if (!isatty(STDOUT_FILENO))
		return 0;
	return ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col > 0 ? ws.ws_col : 80;
}

static void draw(struct screen *s)
{
	_strbuf_ struct strbuf text = STRBUF_INIT, out = STRBUF_INIT;
	struct winsize ws;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_row > 0 && ws.ws_col > 0) {
		s->walk->height = ws.ws_row;
		s->walk->style.width = ws.ws_col;
	}
	trace_walk_screen(s->walk, &text);
	strbuf_adds(&out, "\033[H\033[2J");
	for (const char *p = strbuf_str(&text); *p; p++)
		strbuf_adds(&out, *p == '\n' ? "\r\n" : (char[]){*p, '\0'});
	write_all(STDOUT_FILENO, out.s, out.len);
}

/* The next byte, or -1 when none comes within ms (-1: for ever) or a signal is there. */
static int byte_in(struct screen *s, int ms)
{
	struct pollfd p[] = {{.fd = STDIN_FILENO, .events = POLLIN},
			     {.fd = s->signals, .events = POLLIN}};
	unsigned char c;
	if (poll(p, ARRAY_SIZE(p), ms) <= 0 || !p[0].revents)
		return -1;
	return read(STDIN_FILENO, &c, 1) == 1 ? c : 'q'; /* a terminal that is gone: leave */
}

/* What stands behind ESC: "[A", "OA", "[1~". */
static int sequence(struct screen *s)
{
	static const struct {
		int last, key;
	} keys[] = {{'A', WALK_UP},   {'B', WALK_DOWN}, {'C', WALK_RIGHT},
		    {'D', WALK_LEFT}, {'H', WALK_HOME}, {'F', WALK_END}};
	int c = byte_in(s, ESC_WAIT_MS), digit = 0;
	if (c != '[' && c != 'O')
		return 0;
	c = byte_in(s, ESC_WAIT_MS);
	for (int i = 0; i < 8 && ((c >= '0' && c <= '9') || c == ';'); i++) {
		digit = digit ? digit : c;
		c = byte_in(s, ESC_WAIT_MS);
	}
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (keys[i].last == c)
			return keys[i].key;
	if (c == '~' && digit == '5')
		return WALK_LEFT; /* page up */
	if (c == '~' && digit == '6')
		return WALK_RIGHT;
	return c == '~' && (digit == '1' || digit == '7')   ? WALK_HOME
	       : c == '~' && (digit == '4' || digit == '8') ? WALK_END
							    : 0;
}

/* A signal's number, 0: none is there. */
static int signal_in(struct screen *s)
{
	struct signalfd_siginfo si;
	struct pollfd p = {.fd = s->signals, .events = POLLIN};
	if (poll(&p, 1, 0) <= 0 || read(s->signals, &si, sizeof(si)) != sizeof(si))
		return 0;
	return (int)si.ssi_signo;
}

/* Until the user leaves (0) or a signal ends us (its number). */
static int loop(struct screen *s)
{
	for (;;) {
		draw(s);
		int c = byte_in(s, -1), sig = signal_in(s);
		if (sig && sig != SIGWINCH)
			return sig;
		if (c < 0)
			continue;
		if (!trace_walk_key(s->walk, c == '\033' ? sequence(s) : c))
			return 0;
	}
}

int trace_step(const struct recording *r, const struct trace_style *style, struct err *err)
{
	struct trace_walk walk;
	struct screen s = {.walk = &walk};
	sigset_t set;
	trace_walk_init(&walk, r, style);
	if (tcgetattr(STDIN_FILENO, &s.before) < 0)
		return err_sys(err, errno, "terminal");
	sigemptyset(&set);
	sigaddset(&set, SIGWINCH);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	s.signals = signalfd(-1, &set, SFD_CLOEXEC);
	if (s.signals < 0)
		return err_sys(err, errno, "signalfd");
	sigprocmask(SIG_BLOCK, &set, &s.mask);
	struct termios raw = s.before;
	cfmakeraw(&raw);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	write_all(STDOUT_FILENO, ENTER_SCREEN, strlen(ENTER_SCREEN));
	int sig = loop(&s);
	write_all(STDOUT_FILENO, LEAVE_SCREEN, strlen(LEAVE_SCREEN));
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &s.before);
	sigprocmask(SIG_SETMASK, &s.mask, NULL);
	close(s.signals);
	if (sig)
		raise(sig);
	return 0;
}
