/* SPDX-License-Identifier: MIT */
/*
 * host: see host.h. States: booting (clients wait in a list), up (a channel each), ending. What
 * ends it is always the warden's end, whoever caused it; then the reason is put together and told.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <systemd/sd-event.h>

#include "labd/guest/console.h"
#include "labd/guest/host.h"
#include "labd/guest/init.h"
#include "labd/guest/pump.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/wire/wire.h"

#define SEC	    1000000ull
#define STOP_USEC   ((GUEST_STOP_SECS + 3) * SEC) /* between the wish and the kill */
#define PING_USEC   (15 * SEC)
#define PINGS_LOST  4 /* so many unanswered: the guest hangs */
#define FAREWELL_MS 500

struct host {
	const struct guest_opts *o;
	sd_event *e;
	struct boot boot;
	struct pump *pump;
	struct console console;
	sd_event_source *listen_src, *log_src, *warden_src, *timer;
	int waiting[MAX_CLIENTS]; /* clients during the boot */
	size_t n_waiting;
	int farewell[MAX_CLIENTS + 1]; /* told, not yet closed */
	size_t n_farewell;
	unsigned pings;
	bool up;
	bool stopping; /* on a signal */
	bool over;
	struct err why; /* code != 0: what ended it, in our own words */
};

/* --- the end --------------------------------------------------------------------------------- */

/* End everything, now; the warden's end then ends the loop. */
static void kill_guest(struct host *h)
{
	if (h->boot.life >= 0)
		close(h->boot.life);
	h->boot.life = -1;
}

static int on_stop_timeout(sd_event_source *src, uint64_t usec, void *arg)
{
	(void)src;
	(void)usec;
	kill_guest(arg);
	return 0;
}

static void set_timer(struct host *h, uint64_t usec, sd_event_time_handler_t fn)
{
	h->timer = sd_event_source_disable_unref(h->timer);
	sd_event_add_time_relative(h->e, &h->timer, CLOCK_MONOTONIC, usec, 0, fn, h);
}

static int on_signal(sd_event_source *src, const struct signalfd_siginfo *si, void *arg)
{
	struct host *h = arg;

	(void)src;
	(void)si;
	if (h->stopping || !h->up) {
		h->stopping = true;
		kill_guest(h);
		return 0;
	}
	h->stopping = true;
	mux_poweroff(pump_mux(h->pump));
	pump_flush(h->pump);
	set_timer(h, STOP_USEC, on_stop_timeout);
	return 0;
}

static int on_warden(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct host *h = arg;

	(void)src;
	(void)fd;
	(void)revents;
	h->over = true;
	return 0;
}

/* --- clients --------------------------------------------------------------------------------- */

/*
 * Where in a protocol frame is a client? 0: between two. Else (header bytes seen) << 32 | length so
 * far, and with the header whole (5 bytes): 5 << 32 | bytes of the payload still to come.
 */
static uint64_t track_frame(uint64_t state, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint32_t seen = (uint32_t)(state >> 32), value = (uint32_t)state;

	while (len) {
		if (seen < 4) {
			value = value << 8 | *p;
			seen++;
			p++;
			len--;
			continue;
		}
		if (seen == 4) { /* the type */
			seen++;
			p++;
			len--;
		}
		size_t n = value < len ? value : len;

		value -= (uint32_t)n;
		p += n;
		len -= n;
		if (!value)
			seen = 0;
	}
	return (uint64_t)seen << 32 | value;
}

/* Say why and hang up; fd is ours. In the middle of a frame nothing can be said. */
static void tell_client(struct host *h, int fd, uint64_t state, const struct err *why)
{
	struct timeval patience = {1, 0};
	struct wire w;

	if (state == 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
		wire_init(&w, fd);
		wire_send_json(&w, json_pack("{s:o}", "error", wire_err_to_json(why)), NULL);
	}
	shutdown(fd, SHUT_WR);
	if (h->n_farewell < ARRAY_SIZE(h->farewell))
		h->farewell[h->n_farewell++] = fd;
	else
		close(fd);
}

/*
 * Closing a socket with unread bytes in it makes the client's next write fail before it has read
 * our reply. So read and forget what it sends until it hangs up, but not for long.
 */
static void farewells(struct host *h)
{
	struct pollfd pfd[ARRAY_SIZE(h->farewell)];
	size_t open = h->n_farewell;
	struct timespec start, now;
	int left = FAREWELL_MS;
	char buf[4096];

	clock_gettime(CLOCK_MONOTONIC, &start);
	for (size_t i = 0; i < h->n_farewell; i++)
		pfd[i] = (struct pollfd){.fd = h->farewell[i], .events = POLLIN};
	while (open && left > 0 && poll(pfd, h->n_farewell, left) > 0) {
		for (size_t i = 0; i < h->n_farewell; i++) {
			if (!pfd[i].revents || recv(pfd[i].fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
				continue;
			pfd[i].fd = -1;
			open--;
		}
		clock_gettime(CLOCK_MONOTONIC, &now);
		left = FAREWELL_MS - (int)((now.tv_sec - start.tv_sec) * 1000 +
					   (now.tv_nsec - start.tv_nsec) / 1000000);
	}
	for (size_t i = 0; i < h->n_farewell; i++)
		close(h->farewell[i]);
	h->n_farewell = 0;
}

static void add_client(struct host *h, int fd)
{
	struct ucred cred;
	socklen_t len = sizeof(cred);
	struct err busy;
	int r = -EMFILE;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0) {
		close(fd);
		return;
	}
	if (!h->up && h->n_waiting < MAX_CLIENTS) {
		h->waiting[h->n_waiting++] = fd;
		return;
	}
	if (h->up && mux_channels(pump_mux(h->pump)) < MAX_CLIENTS)
		r = pump_add(h->pump, fd, cred.uid, cred.gid);
	if (r == 0)
		return;
	err_sys(&busy, r, "guest: no more than %d connections", MAX_CLIENTS);
	tell_client(h, fd, 0, &busy);
	farewells(h);
}

static int on_connect(sd_event_source *src, int listen_fd, uint32_t revents, void *arg)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);

	(void)src;
	(void)revents;
	if (fd >= 0)
		add_client(arg, fd);
	return 0;
}

/* --- the guest ------------------------------------------------------------------------------- */

static int on_ping_time(sd_event_source *src, uint64_t usec, void *arg)
{
	struct host *h = arg;

	(void)src;
	(void)usec;
	if (h->pings >= PINGS_LOST) {
		err_set(&h->why, ETIMEDOUT, "the guest has not answered for %llu s",
			PINGS_LOST * PING_USEC / SEC);
		kill_guest(h);
		return 0;
	}
	h->pings++;
	mux_ping(pump_mux(h->pump), NULL, 0);
	pump_flush(h->pump);
	set_timer(h, PING_USEC, on_ping_time);
	return 0;
}

static void on_pong(struct pump *p, void *arg)
{
	struct host *h = arg;

	(void)p;
	h->pings = 0;
}

static void on_ready(struct pump *p, void *arg)
{
	struct host *h = arg;

	(void)p;
	h->up = true;
	if (h->o->ready)
		h->o->ready(h->o->arg);
	for (size_t i = 0; i < h->n_waiting; i++)
		add_client(h, h->waiting[i]);
	h->n_waiting = 0;
	set_timer(h, PING_USEC, on_ping_time);
}

static void on_dead(struct pump *p, const struct err *why, void *arg)
{
	struct host *h = arg;

	(void)p;
	/* A pipe that merely ended is the kernel's end, about which the warden will know more. */
	if (why->code != -EPIPE && why->code != -ECONNRESET && !h->why.code)
		h->why = *why;
	if (why->code == -EPROTO)
		kill_guest(h);
	else
		set_timer(h, STOP_USEC, on_stop_timeout);
}

static int on_boot_timeout(sd_event_source *src, uint64_t usec, void *arg)
{
	struct host *h = arg;

	(void)src;
	(void)usec;
	err_set(&h->why, ETIMEDOUT, "the guest did not come up in %u s",
		h->o->timeout_s ? h->o->timeout_s : boot_timeout());
	kill_guest(h);
	return 0;
}

static int on_log(sd_event_source *src, int fd, uint32_t revents, void *arg)
{
	struct host *h = arg;

	(void)revents;
	if (console_read(&h->console, fd) == 0)
		sd_event_source_set_enabled(src, SD_EVENT_OFF);
	return 0;
}

static const struct pump_ops ops = {
	.ready = on_ready,
	.pong = on_pong,
	.track = track_frame,
	.dead = on_dead,
};

/* --- life ------------------------------------------------------------------------------------ */

static int add_signals(struct host *h)
{
	static const int sigs[] = {SIGTERM, SIGINT, SIGHUP};
	sigset_t set;
	int r = 0;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(sigs); i++)
		sigaddset(&set, sigs[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; r >= 0 && i < ARRAY_SIZE(sigs); i++)
		r = sd_event_add_signal(h->e, NULL, sigs[i], on_signal, h);
	return r;
}

static int add_sources(struct host *h, struct err *err)
{
	unsigned timeout = h->o->timeout_s ? h->o->timeout_s : boot_timeout();
	int r;

	h->pump = pump_new(h->e, h->boot.wire, MUX_HOST, &ops, h);
	r = h->pump ? 0 : -ENOMEM;
	if (r >= 0)
		r = sd_event_add_io(h->e, &h->warden_src, h->boot.warden_fd, EPOLLIN, on_warden, h);
	if (r >= 0)
		r = sd_event_add_io(h->e, &h->log_src, h->boot.log, EPOLLIN, on_log, h);
	if (r >= 0)
		r = sd_event_add_io(h->e, &h->listen_src, h->o->listen_fd, EPOLLIN, on_connect, h);
	if (r < 0)
		return err_sys(err, r, "guest: event loop");
	set_timer(h, timeout * SEC, on_boot_timeout);
	return 0;
}

static int boot(struct host *h, struct err *err)
{
	struct boot_opts b = {
		.labd = h->o->labd,
		.helpers = h->o->helpers,
		.args = h->o->args,
		.mem_mib = h->o->mem_mib,
		.socket_path = h->o->socket_path,
	};
	char exe[PATH_MAX];
	ssize_t n;

	if (!b.labd) {
		n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
		if (n < 0)
			return err_sys(err, errno, "/proc/self/exe");
		exe[n] = '\0';
		b.labd = exe;
	}
	return boot_start(&b, &h->boot, err);
}

/* What the clients and the caller are told; called when the warden is gone and the log complete. */
static void find_reason(struct host *h, bool clean)
{
	char words[CONSOLE_WORDS_MAX];

	while (console_read(&h->console, h->boot.log) > 0)
		;
	if (h->stopping || (clean && !h->why.code)) {
		err_set(&h->why, ESHUTDOWN, "the guest engine has ended");
		err_hint(&h->why, "try again: a new one will be started");
		return;
	}
	if (!h->why.code)
		err_set(&h->why, EPIPE, h->up ? "the guest died" : "the guest did not come up");
	console_words(&h->console, words);
	if (words[0])
		snprintf(h->why.text + strlen(h->why.text),
			 sizeof(h->why.text) - strlen(h->why.text), "; its last words: %s", words);
}

static void drained(int fd, uint64_t state, void *arg)
{
	struct host *h = arg;

	tell_client(h, fd, state, &h->why);
}

static void tell_all(struct host *h)
{
	int fd;

	if (h->pump)
		pump_drain(h->pump, drained, h);
	for (size_t i = 0; i < h->n_waiting; i++)
		tell_client(h, h->waiting[i], 0, &h->why);
	h->n_waiting = 0;
	fcntl(h->o->listen_fd, F_SETFL, O_NONBLOCK);
	while ((fd = accept4(h->o->listen_fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
		tell_client(h, fd, 0, &h->why);
	farewells(h);
}

static int run(struct host *h, struct err *err)
{
	int r = sd_event_new(&h->e);

	if (r >= 0)
		r = add_signals(h);
	if (r < 0)
		return err_sys(err, r, "guest: event loop");
	if (boot(h, err) || add_sources(h, err))
		return err->code;
	while (!h->over) {
		r = sd_event_run(h->e, UINT64_MAX);
		if (r < 0)
			return err_sys(err, r, "guest: event loop");
	}
	return 0;
}

static void host_free(struct host *h)
{
	pump_free(h->pump);
	sd_event_source_disable_unref(h->timer);
	sd_event_source_disable_unref(h->listen_src);
	sd_event_source_disable_unref(h->log_src);
	sd_event_source_disable_unref(h->warden_src);
	sd_event_unref(h->e);
	if (h->boot.log >= 0)
		close(h->boot.log);
	console_close(&h->console);
}

int guest_engine_run(const struct guest_opts *o, struct err *err)
{
	struct host h = {.o = o, .boot = BOOT_INIT};
	struct stat socket = {0}, now;
	bool clean, failed;

	if (o->socket_path)
		stat(o->socket_path, &socket);
	console_open(&h.console, getenv("LABD_GUEST_LOG"));
	failed = run(&h, &h.why) < 0;
	h.warden_src = sd_event_source_disable_unref(h.warden_src);
	clean = boot_end(&h.boot) && !failed;
	if (!failed)
		find_reason(&h, clean);
	if (o->socket_path && stat(o->socket_path, &now) == 0 && now.st_ino == socket.st_ino &&
	    now.st_dev == socket.st_dev)
		unlink(o->socket_path);
	tell_all(&h);
	if (err)
		*err = h.why;
	host_free(&h);
	return h.why.code == -ESHUTDOWN ? 0 : h.why.code;
}
