/* SPDX-License-Identifier: MIT */
/* capture: the verb capture: packets of a place in the lab as pcapng, while they come. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labctl/exec.h"
#include "labctl/verbs.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/strbuf.h"
#include "lib/view/pcapng_blocks.h"

#define MAX_DEVICES 65536

struct device {
	int index;
	unsigned hatype;
};

struct capture {
	struct wire w;
	int signals, out;
	const char *place;   /* what the interfaces' names begin with */
	struct device *devs; /* in the order of their blocks */
	size_t n_devs;
	struct strbuf text;
	bool ended;
	json_int_t packets, lost;
};

/* ---- the filter: tcpdump compiles it ----------------------------------------------------------
 */

/* What tcpdump -ddd prints: a number of lines, then "code jt jf k" on each. */
static json_t *read_program(const char *text)
{
	json_t *list = json_array();
	char *end;
	long n = strtol(text, &end, 10);
	for (long i = 0; i < n; i++) {
		json_t *one = json_array();
		for (int k = 0; k < 4; k++)
			json_array_append_new(one,
					      json_integer((json_int_t)strtoul(end, &end, 10)));
		json_array_append_new(list, one);
	}
	return list;
}

static void become_tcpdump(const char *link, const char *filter, int out)
{
	const char *const argv[] = {"tcpdump", "-ddd", "-y", link, "--", filter, NULL};
	int null = open("/dev/null", O_RDONLY);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
	    dup2(out, STDERR_FILENO) < 0)
		_exit(127);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

static int refused(int status, struct strbuf *said, struct err *err)
{
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
		err_setc(err, ENOENT, ERR_UNSUPPORTED,
			 "tcpdump, which compiles filters, is not installed");
		return err_hint(err, "apt-get install tcpdump, or leave --filter out");
	}
	const char *text = strbuf_str(said), *prefix = "tcpdump: ";
	if (strncmp(text, prefix, strlen(prefix)) == 0)
		text += strlen(prefix);
	err_setc(err, EINVAL, ERR_USAGE, "--filter: %.*s", (int)strcspn(text, "\n"), text);
	return err_hint(err, "the language is pcap-filter(7): --filter 'udp port 4789'");
}

static int compile(const char *link, const char *filter, json_t **ret, struct err *err)
{
	_strbuf_ struct strbuf said = STRBUF_INIT;
	int fds[2], status = 0, r;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	pid_t pid = fork();
	if (pid == 0)
		become_tcpdump(link, filter, fds[1]);
	close(fds[1]);
	r = pid < 0 ? err_sys(err, errno, "fork") : 0;
	for (ssize_t n = 1; r == 0 && n > 0 && said.len < MAX_FRAME_BYTES;) {
		n = read(fds[0], strbuf_reserve(&said, 4096), 4096);
		said.len += n > 0 ? (size_t)n : 0;
	}
	close(fds[0]);
	if (r == 0)
		waitpid(pid, &status, 0);
	if (r == 0 && status != 0)
		r = refused(status, &said, err);
	if (r == 0)
		*ret = read_program(strbuf_str(&said));
	return r;
}

static int compile_both(const char *filter, json_t **ret, struct err *err)
{
	json_t *ethernet = NULL, *ip = NULL;
	int r = compile("EN10MB", filter, &ethernet, err);
	if (r == 0 && compile("RAW", filter, &ip, NULL) < 0)
		ip = json_pack("[[i, i, i, i]]", 6, 0, 0,
			       0); /* "arp": nothing of a device without Ethernet */
	if (r == 0)
		*ret = json_pack("{s:o, s:o}", "ethernet", ethernet, "ip", ip);
	return r;
}

/* ---- what comes ------------------------------------------------------------------------------ */

static int flush(struct capture *c, struct err *err)
{
	int r = write_all(c->out, strbuf_str(&c->text), c->text.len);
	strbuf_reset(&c->text);
	return r < 0 ? err_sys(err, r, "writing the capture") : 0;
}

static void add_device(struct capture *c, const json_t *d)
{
	const char *name = json_string_value(json_object_get(d, "name"));
	const char *mac = json_string_value(json_object_get(d, "mac"));
	_strbuf_ struct strbuf full = STRBUF_INIT;
	struct pcapng_if i = {.hatype = (unsigned)json_integer_value(json_object_get(d, "hatype"))};
	struct device *grown =
		c->n_devs < MAX_DEVICES ? realloc(c->devs, (c->n_devs + 1) * sizeof(*grown)) : NULL;
	if (!grown)
		return;
	c->devs = grown;
	c->devs[c->n_devs++] =
		(struct device){(int)json_integer_value(json_object_get(d, "index")), i.hatype};
	strbuf_addf(&full, "%s/%s", c->place, name ? name : "?");
	i.name = strbuf_str(&full);
	if (!mac || !mac_parse(mac, &i.mac))
		i.mac = (struct mac){{0}};
	pcapng_interface(&c->text, &i);
}

static void add_packets(struct capture *c, const struct wire_frame *f)
{
	const char *at = f->data;
	size_t left = f->len;
	struct wire_packet p;
	while (wire_packet_next(&at, &left, &p)) {
		size_t i = 0;
		while (i < c->n_devs && c->devs[i].index != p.ifindex)
			i++;
		if (i == c->n_devs)
			continue; /* a device that we were not told of */
		pcapng_frame(&c->text, &(struct pcapng_frame){.iface = (uint32_t)i,
							      .t = p.t,
							      .data = p.data,
							      .caplen = p.caplen,
							      .len = p.len,
							      .outbound = p.outbound});
	}
}

static int on_message(struct capture *c, const struct wire_frame *f, struct err *err)
{
	json_t *m = json_loadb(f->data, f->len, 0, NULL), *v, *d;
	int r = 0;
	if ((v = json_object_get(m, "error"))) {
		wire_err_from_json(v, err);
		r = err->code;
	} else if ((v = json_object_get(m, "result"))) {
		c->packets = json_integer_value(json_object_get(v, "packets"));
		c->lost = json_integer_value(json_object_get(v, "lost"));
		c->ended = true;
	} else if ((d = json_object_get(json_object_get(m, "progress"), "device"))) {
		add_device(c, d);
	} else if (json_is_true(json_object_get(json_object_get(m, "progress"), "started"))) {
		fprintf(stderr, "listening in %s; Ctrl-C ends\n", c->place);
	} else if (!m) {
		r = err_set(err, EPROTO, "bad message from the engine");
	}
	json_decref(m);
	return r;
}

/* All complete frames; reads from the connection at most once. */
static int from_engine(struct capture *c, struct err *err)
{
	do {
		struct wire_frame f;
		int r = wire_recv(&c->w, &f, err);
		if (r == 0)
			return err_set(err, EPIPE, "the engine has gone away");
		if (r > 0)
			r = f.type == WIRE_PACKETS ? (add_packets(c, &f), 0)
						   : on_message(c, &f, err);
		if (r < 0)
			return r;
	} while (!c->ended && wire_pending(&c->w));
	return flush(c, err);
}

static int run(struct capture *c, struct err *err)
{
	int r = 0;
	while (r == 0 && !c->ended) {
		struct pollfd p[2] = {{c->w.fd, POLLIN, 0}, {c->signals, POLLIN, 0}};
		if (poll(p, 2, -1) < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (p[1].revents) {
			struct signalfd_siginfo si;
			if (read(c->signals, &si, sizeof(si)) < 0 && errno != EAGAIN)
				return err_sys(err, errno, "signals");
			shutdown(c->w.fd,
				 SHUT_WR); /* the engine sends what it has, then the result */
		}
		if (p[0].revents)
			r = from_engine(c, err);
	}
	return r;
}

/* ---- the verb -------------------------------------------------------------------------------- */

static int open_signals(void)
{
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static int open_output(const char *path, int *ret, struct err *err)
{
	if (path && strcmp(path, "-") != 0) {
		*ret = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
		return *ret < 0 ? err_sys(err, errno, "%s", path) : 0;
	}
	if (isatty(STDOUT_FILENO)) {
		err_setc(err, EINVAL, ERR_USAGE, "a capture is not for reading on a terminal");
		return err_hint(err, "-w FILE, or | tshark -r -, or | wireshark -k -i -");
	}
	*ret = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
	return *ret < 0 ? err_sys(err, errno, "standard output") : 0;
}

static int read_count(const char *text, long *ret, struct err *err)
{
	char *end;
	*ret = text ? strtol(text, &end, 10) : 0;
	if (text && (*end || *ret < 1))
		return err_setc(err, EINVAL, ERR_USAGE, "--count %s: it is a number from 1", text);
	return 0;
}

static int begin(struct capture *c, const struct opts *o, const struct exec_where *at,
		 struct err *err)
{
	const char *filter = o->val[FLAG_FILTER];
	json_t *program = NULL;
	long count;
	int r = read_count(o->val[FLAG_PACKETS], &count, err);
	if (r == 0 && filter)
		r = compile_both(filter, &program, err);
	if (r == 0)
		r = client_connect(at->engine, &c->w, err);
	if (r == 0)
		r = open_output(o->val[FLAG_WRITE], &c->out, err);
	if (r < 0) {
		json_decref(program);
		return r;
	}
	c->signals = open_signals();
	pcapng_section(&c->text, &(struct pcapng_section){.program = "labctl capture"});
	return client_send(&c->w, "capture",
			   json_pack("{s:s*, s:s, s:s*, s:s*, s:I, s:o*}", "lab", at->lab, "where",
				     at->where, "ns", at->ns, "dev",
				     o->n_args > 1 ? o->args[1] : NULL, "count", (json_int_t)count,
				     "filter", program),
			   err);
}

int verb_capture(const struct opts *o, struct err *err)
{
	struct capture c = {.w = {.fd = -1}, .out = -1, .signals = -1, .text = STRBUF_INIT};
	struct exec_where at;
	json_t *place = NULL;
	int r = exec_find(o, &at, err);
	if (r == 0)
		r = exec_place(&at, &place, err);
	if (r < 0)
		return r;
	c.place = json_string_value(json_object_get(place, "name"));
	r = begin(&c, o, &at, err);
	if (r == 0)
		r = run(&c, err);
	if (r == 0)
		fprintf(stderr,
			"%" JSON_INTEGER_FORMAT " packets captured, %" JSON_INTEGER_FORMAT
			" lost\n",
			c.packets, c.lost);
	if (c.w.fd >= 0)
		wire_close(&c.w);
	if (c.out >= 0)
		close(c.out);
	if (c.signals >= 0)
		close(c.signals);
	strbuf_free(&c.text);
	free(c.devs);
	json_decref(place);
	return r;
}
