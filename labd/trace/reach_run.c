/* SPDX-License-Identifier: MIT */
/*
 * See reach_run.h. A window of probes is under way; one that ends makes room for the next. What has
 * to be answered gets time for a lost SYN to be sent again; what has to be dropped is given up as
 * soon as it has been silent for several times as long as the slowest answer took: a packet that
 * does get through is as fast as the others. What has to be refused by ICMP goes first: the
 * kernel sends few of these, and they are for those.
 */
#include "labd/trace/reach_run.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/nlbatch.h"
#include "labd/lab/pace.h"
#include "labd/lab/life.h"
#include "labd/trace/fire.h"
#include "lib/base/cleanup.h"

#define WINDOW	      128
#define ANSWER_MS     3500 /* at least; a SYN that was lost goes out again after 1 and 3 s */
#define ANSWER_FACTOR 8	   /* times the slowest answer so far */
#define SILENT_MS     300  /* at least, of what must not be answered */
#define SILENT_FACTOR 4
#define WAIT_MAX_MS   5000
#define AGAIN_US      1000000 /* a datagram is sent again, as TCP does it by itself */
#define TICK_MS	      20
#define TELL_US	      1000000

struct slot {
	struct fire fire; /* fd -1: free */
	struct rec_probe probe;
	const struct reach *check; /* NULL: a listener */
	struct reach_result *result;
	int64_t start_us, sent_us;
};

struct run {
	const struct stored *lab;
	const struct reach_list *list;
	struct arena *a;
	struct reach_result *results, *listeners;
	size_t next, total; /* listeners first */
	size_t *order;	    /* of the checks */
	struct nlns home;
	int in; /* namespace the thread is in; -1: home */
	double slowest_ms;
	struct slot slots[WINDOW];
};

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- starting -------------------------------------------------------------------------------- */

static int enter(struct run *x, int ns, struct err *err)
{
	char name[300], path[320];
	if (x->in == ns)
		return 0;
	lab_pin_name(x->lab->name, x->lab->desired->ns.v[ns].name, name, sizeof(name));
	snprintf(path, sizeof(path), "/run/netns/%s", name);
	_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_set(err, errno, "%s is gone", x->lab->desired->ns.v[ns].name);
	int r = nlns_enter(&x->home, fd, err);
	x->in = r < 0 ? -1 : ns;
	return r;
}

static const char *proto_of(enum reach_how how)
{
	if (how == REACH_PING)
		return "icmp";
	return how == REACH_UDP || how == REACH_NAME ? "udp" : "tcp";
}

/* agnhost answers this; a DNS server is asked for a name. */
static void set_question(struct fire *f, const struct reach *r)
{
	static const char hostname[] = "hostname";
	if (!r || r->how != REACH_UDP)
		return;
	f->query_len =
		r->name ? dns_query(r->name, (uint16_t)now_us(), f->query, sizeof(f->query)) : 0;
	if (f->query_len)
		return;
	memcpy(f->query, hostname, sizeof(hostname) - 1);
	f->query_len = sizeof(hostname) - 1;
}

/* A datagram that a rule of the sender's own namespace drops is an error of the send itself. That
 * it was refused is still to be heard then, or nothing. */
static void send_it(struct slot *s)
{
	s->sent_us = now_us();
	fire_start(&s->fire);
	if (s->fire.state == FIRE_DONE && s->probe.error == EPERM)
		s->fire.state = FIRE_WAITING;
}

static void begin(struct run *x, struct slot *s, size_t n)
{
	size_t n_listeners = x->list->listeners.n;
	bool listener = n < n_listeners;
	const struct reach_listener *l = listener ? &x->list->listeners.v[n] : NULL;
	size_t check = listener ? 0 : x->order[n - n_listeners];
	const struct reach *r = listener ? NULL : &x->list->v.v[check];
	struct err err = {0};

	s->check = r;
	s->result = listener ? &x->listeners[n] : &x->results[check];
	*s->result = (struct reach_result){.got = GOT_NOTHING};
	s->probe = (struct rec_probe){.proto = listener ? "tcp" : proto_of(r->how),
				      .dst = listener ? l->ip : r->ip,
				      .dport = listener ? l->port : r->port,
				      .dns_name = listener ? NULL : r->name};
	fire_prepare(&s->fire, x->a, &s->probe, NULL);
	set_question(&s->fire, r);
	if (enter(x, listener ? l->ns : r->from, &err) < 0 || fire_open(&s->fire, &err) < 0) {
		s->result->text = arena_strdup(x->a, err.text);
		fire_close(&s->fire);
		return;
	}
	s->start_us = now_us();
	send_it(s);
}

/* ---- ending ---------------------------------------------------------------------------------- */

static bool is_right(const struct reach *r, ip4 ip)
{
	vec_foreach (const ip4, want, &r->answers)
		if (*want == ip)
			return true;
	return false;
}

/* Was it answered with the right thing? */
static enum reach_got answer_of(const struct run *x, struct slot *s)
{
	const struct reach *r = s->check;
	const char *text = s->probe.answer;
	s->result->text = text;
	if (r && r->how == REACH_NAME) {
		bool none = !s->fire.resolved && strcmp(text, "NXDOMAIN") == 0;
		bool ok = r->answers.n ? is_right(r, s->fire.resolved) : none;
		return ok ? GOT_ANSWER : GOT_WRONG;
	}
	if (r && r->how == REACH_HTTP) {
		unsigned status = 0;
		sscanf(text, "HTTP/%*s %u", &status);
		return status == r->status ? GOT_ANSWER : GOT_WRONG;
	}
	bool relayed = x->lab->cluster->proxy.mode == PROXY_USERSPACE;
	if (r && r->how == REACH_TCP && relayed && s->probe.dport != 53 && !s->fire.received &&
	    s->fire.fd >= 0 && strcmp(text, "connected") == 0 && s->probe.error == 0)
		return GOT_CLOSED;
	return GOT_ANSWER;
}

static void end(struct run *x, struct slot *s)
{
	const char *outcome = s->probe.outcome ? s->probe.outcome : "error";
	struct reach_result *res = s->result;
	res->ms = (double)(now_us() - s->start_us) / 1000;
	if (strcmp(outcome, "answered") == 0)
		res->got = answer_of(x, s);
	else if (strcmp(outcome, "refused") == 0)
		res->got = GOT_REFUSED;
	else if (s->probe.error == ECONNRESET) /* by a relay that had nobody to hand it to */
		res->got = GOT_CLOSED;
	else if (strcmp(outcome, "timeout") == 0)
		res->got = GOT_SILENCE;
	else
		res->got = GOT_ERROR;
	if (res->got == GOT_ERROR)
		res->text = s->probe.answer;
	if (res->got == GOT_ANSWER && res->ms > x->slowest_ms)
		x->slowest_ms = res->ms;
	fire_close(&s->fire);
}

/* A connection that stands is an answer. Only in userspace mode it may be the relay's alone, and
 * HTTP has to say more. */
static bool enough(const struct run *x, const struct slot *s)
{
	const struct fire *f = &s->fire;
	if (f->state == FIRE_DONE)
		return true;
	if (f->state != FIRE_WAITING || strcmp(s->probe.proto, "tcp") != 0)
		return false;
	if (f->received)
		return true;
	return !(s->check && s->check->how == REACH_HTTP) &&
	       x->lab->cluster->proxy.mode != PROXY_USERSPACE;
}

static int64_t patience_us(const struct run *x, const struct slot *s)
{
	bool silent = s->check && s->check->want != REACH_OPEN && s->check->want != REACH_REFUSED;
	double least = silent ? SILENT_MS : ANSWER_MS;
	double ms = (silent ? SILENT_FACTOR : ANSWER_FACTOR) * x->slowest_ms;
	ms = ms > least ? ms : least;
	return (int64_t)((ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS) * 1000);
}

static void look(struct run *x, struct slot *s, bool ready)
{
	if (ready)
		fire_step(&s->fire);
	if (s->fire.state == FIRE_WAITING && strcmp(s->probe.proto, "udp") == 0 &&
	    now_us() - s->sent_us > AGAIN_US)
		send_it(s);
	if (!enough(x, s) && now_us() - s->start_us > patience_us(x, s))
		fire_give_up(&s->fire);
	if (enough(x, s))
		end(x, s);
}

static void set_order(struct run *x)
{
	size_t n = 0;
	x->order = arena_new_array(x->a, size_t, x->list->v.n + 1);
	for (int pass = 0; pass < 2; pass++)
		for (size_t i = 0; i < x->list->v.n; i++)
			if (x->list->v.v[i].by_icmp == !pass)
				x->order[n++] = i;
}

void reach_run(const struct stored *lab, const struct reach_list *list, struct arena *a,
	       struct reach_result *results, struct reach_result *listeners,
	       const struct reach_tell *tell)
{
	struct run *x = arena_new_type(a, struct run);
	struct pollfd p[WINDOW];
	int64_t told = now_us();
	*x = (struct run){.lab = lab,
			  .list = list,
			  .a = a,
			  .results = results,
			  .listeners = listeners,
			  .total = list->listeners.n + list->v.n,
			  .home = NLNS_INIT,
			  .in = -1};
	set_order(x);
	for (size_t i = 0; i < WINDOW; i++)
		x->slots[i].fire.fd = -1;
	pace_step("pairs", (int)x->total, 0, 1);
	for (size_t busy = 1; busy || x->next < x->total;) {
		pace_done((int)x->next);
		busy = 0;
		for (size_t i = 0; i < WINDOW; i++) {
			struct slot *s = &x->slots[i];
			while (s->fire.fd < 0 && x->next < x->total)
				begin(x, s, x->next++);
			busy += s->fire.fd >= 0;
			p[i] = (struct pollfd){.fd = s->fire.state == FIRE_DONE ? -1 : s->fire.fd,
					       .events = s->fire.state == FIRE_CONNECTING ? POLLOUT
											  : POLLIN};
		}
		if (!busy || poll(p, WINDOW, TICK_MS) < 0)
			continue;
		for (size_t i = 0; i < WINDOW; i++)
			if (x->slots[i].fire.fd >= 0)
				look(x, &x->slots[i], p[i].fd >= 0 && p[i].revents);
		if (now_us() - told > TELL_US) {
			told = now_us();
			tell->fn(tell->arg, x->next, x->total);
		}
	}
	nlns_leave(&x->home);
}
