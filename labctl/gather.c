/* SPDX-License-Identifier: MIT */
/* See gather.h. One connection for each program, a window of them open. */
#include "labctl/gather.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "lib/base/cleanup.h"

#define AT_ONCE 8

struct slot {
	struct wire w;
	struct gather *job; /* NULL: free */
};

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static void end(struct slot *s)
{
	wire_close(&s->w);
	s->job = NULL;
}

static void begin(struct slot *s, enum engine_kind k, const char *lab, struct gather *g)
{
	g->exit = -1;
	json_t *args =
		json_pack("{s:s*, s:s, s:s*, s:[s, s, s], s:b, s:b}", "lab", lab, "where", g->where,
			  "ns", g->ns, "argv", "sh", "-c", g->script, "tty", 0, "stdin", 0);
	if (client_connect(k, &s->w, &g->err) < 0) {
		json_decref(args);
		return;
	}
	s->job = g;
	if (client_send(&s->w, "exec", args, &g->err) < 0)
		end(s);
}

static void on_message(struct slot *s, const struct wire_frame *f)
{
	json_t *m = json_loadb(f->data, f->len, 0, NULL), *v;
	struct gather *g = s->job;
	if ((v = json_object_get(m, "result")))
		g->exit = (int)json_integer_value(json_object_get(v, "exit"));
	else if ((v = json_object_get(m, "error")))
		wire_err_from_json(v, &g->err);
	if (v)
		end(s);
	json_decref(m);
}

/* Take all complete frames; reads from the connection at most once. */
static void take(struct slot *s)
{
	do {
		struct wire_frame f;
		struct gather *g = s->job;
		int r = wire_recv(&s->w, &f, &g->err);
		if (r == 0)
			err_set(&g->err, EPIPE, "the engine has gone away");
		if (r <= 0) {
			end(s);
			return;
		}
		if (f.type == WIRE_STDOUT && g->out.len + f.len <= GATHER_OUT_MAX)
			strbuf_add(&g->out, f.data, f.len);
		else if (f.type == WIRE_JSON)
			on_message(s, &f);
	} while (s->job && wire_pending(&s->w));
}

void gather(enum engine_kind k, const char *lab, struct gather *jobs, size_t n, int timeout_s)
{
	struct slot slots[AT_ONCE] = {0};
	int64_t deadline = now_ms() + timeout_s * 1000LL;
	size_t next = 0;
	for (;;) {
		struct pollfd p[AT_ONCE];
		bool busy = false;
		for (size_t i = 0; i < AT_ONCE; i++) {
			while (!slots[i].job && next < n)
				begin(&slots[i], k, lab, &jobs[next++]);
			p[i] = (struct pollfd){.fd = slots[i].job ? slots[i].w.fd : -1,
					       .events = POLLIN};
			busy |= slots[i].job != NULL;
		}
		int64_t left = deadline - now_ms();
		if (!busy || left <= 0)
			break;
		if (poll(p, AT_ONCE, (int)left) < 0 && errno != EINTR)
			break;
		for (size_t i = 0; i < AT_ONCE; i++)
			if (slots[i].job && p[i].revents)
				take(&slots[i]);
	}
	for (size_t i = 0; i < AT_ONCE; i++)
		if (slots[i].job) {
			err_set(&slots[i].job->err, ETIMEDOUT, "no end within %d s", timeout_s);
			end(&slots[i]);
		}
	for (; next < n; next++) {
		jobs[next].exit = -1;
		err_set(&jobs[next].err, ETIMEDOUT, "not begun within %d s", timeout_s);
	}
}
