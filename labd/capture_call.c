/* SPDX-License-Identifier: MIT */
/* See capture_call.h. Packets are sent on in batches: as many as came in one turn, or as fit into a
 * frame of the protocol. */
#include "labd/capture_call.h"

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "labd/place.h"
#include "labd/trace/sniff.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

#define BATCH_BYTES (MAX_FRAME_BYTES / 2)
#define PACKET_MAX  (MAX_FRAME_BYTES / 4) /* kept of one packet; a segment of GSO has 64 KiB */
#define ENOUGH	    1

struct capture {
	struct session *s;
	struct sniff from;
	struct strbuf batch;
	vec_of(int) known; /* devices that the client has been told of */
	struct arena *arena;
	json_int_t count, sent; /* count 0: no end */
	struct err *err;
};

static int send_batch(struct capture *c)
{
	int r = 0;
	if (c->batch.len)
		r = wire_send(&c->s->w, WIRE_PACKETS, strbuf_str(&c->batch), c->batch.len, c->err);
	strbuf_reset(&c->batch);
	return r;
}

static void tell_device(struct capture *c, const struct sniffed *p)
{
	char name[IFNAMSIZ], gone[24], mac[MAC_STRLEN];
	struct mac m;
	vec_foreach (const int, k, &c->known)
		if (*k == p->ifindex)
			return;
	*vec_push(c->arena, &c->known) = p->ifindex;
	/* Gone already, or a name that root of the node chose and JSON can not carry. */
	json_t *text = sniff_device(&c->from, p->ifindex, name, &m) ? json_string(name) : NULL;
	snprintf(gone, sizeof(gone), "if%d", p->ifindex);
	session_progress(c->s, json_pack("{s:{s:i, s:o, s:s, s:i}}", "device", "index", p->ifindex,
					 "name", text ? text : json_string(gone), "mac",
					 mac_str(m, mac), "hatype", (int)p->hatype));
}

static int on_packet(void *arg, const struct sniffed *p)
{
	struct capture *c = arg;
	int r = 0;
	tell_device(c, p);
	wire_packet_add(
		&c->batch,
		&(struct wire_packet){.t = p->t,
				      .ifindex = p->ifindex,
				      .hatype = p->hatype,
				      .outbound = p->outbound,
				      .len = p->len,
				      .data = p->data,
				      .caplen = p->caplen < PACKET_MAX ? p->caplen : PACKET_MAX});
	c->sent++;
	if (c->batch.len >= BATCH_BYTES)
		r = send_batch(c);
	return r < 0 ? r : c->count && c->sent >= c->count ? ENOUGH : 0;
}

/* One turn. 0: go on; ENOUGH; or an error. */
static int turn(struct capture *c, int wait_ms, bool *stopped)
{
	struct pollfd p[2] = {{c->from.fd, POLLIN, 0}, {*stopped ? -1 : c->s->w.fd, POLLIN, 0}};
	if (poll(p, 2, wait_ms) < 0 && errno != EINTR)
		return err_sys(c->err, errno, "poll");
	int r = sniff_read(&c->from, on_packet, c);
	int sent = send_batch(c);
	if (p[1].revents) {
		struct wire_frame f;
		*stopped = wire_recv(&c->s->w, &f, NULL) <= 0;
	}
	return sent < 0 ? sent : r;
}

static int run(struct capture *c)
{
	bool stopped = false;
	int r = 0;
	session_progress(c->s, json_pack("{s:b}", "started", true));
	while (r == 0 && !stopped)
		r = turn(c, -1, &stopped);
	if (r == 0) /* what still lies in the ring; an arrival ends the wait early, so twice */
		r = turn(c, 2 * SNIFF_DELAY_MS, &stopped);
	if (r == 0)
		r = turn(c, SNIFF_DELAY_MS, &stopped);
	return r < 0 ? r : 0;
}

/* [[code, jt, jf, k], ...] */
static int read_program(struct arena *a, const json_t *list, const struct sock_filter **ret,
			size_t *ret_n, struct err *err)
{
	size_t n = json_array_size(list);
	if (n == 0 || n > SNIFF_FILTER_MAX)
		return err_setc(err, EINVAL, ERR_USAGE,
				"the filter has %zu instructions, of 1 to %d", n, SNIFF_FILTER_MAX);
	struct sock_filter *v = arena_new_array(a, struct sock_filter, n);
	for (size_t i = 0; i < n; i++) {
		json_int_t f[4];
		for (size_t k = 0; k < 4; k++) {
			f[k] = json_integer_value(json_array_get(json_array_get(list, i), k));
			if (f[k] < 0 || f[k] > (k == 0	 ? UINT16_MAX
						: k == 3 ? UINT32_MAX
							 : UINT8_MAX))
				return err_setc(err, EINVAL, ERR_USAGE, "the filter is malformed");
		}
		v[i] = (struct sock_filter){(uint16_t)f[0], (uint8_t)f[1], (uint8_t)f[2],
					    (uint32_t)f[3]};
	}
	*ret = v;
	*ret_n = n;
	return 0;
}

static int read_filter(struct arena *a, const json_t *args, struct sniff_filter *f, struct err *err)
{
	const json_t *o = json_object_get(args, "filter");
	if (!o)
		return 0;
	int r = read_program(a, json_object_get(o, "ethernet"), &f->ethernet, &f->n_ethernet, err);
	return r < 0 ? r : read_program(a, json_object_get(o, "ip"), &f->ip, &f->n_ip, err);
}

int capture_call(struct session *s, const struct stored *lab, const json_t *args, json_t **ret,
		 struct err *err)
{
	struct capture c = {.s = s,
			    .batch = STRBUF_INIT,
			    .arena = lab->arena,
			    .count = json_integer_value(json_object_get(args, "count")),
			    .err = err};
	struct sniff_filter f = {0};
	struct where w;
	struct nsproc p;
	int r = place_resolve(lab, args, &w, err);
	if (r == 0)
		r = read_filter(lab->arena, args, &f, err);
	if (r == 0)
		r = place_open(lab, &w, &p, err);
	if (r < 0)
		return r;
	r = sniff_open(&c.from, p.netns, json_string_value(json_object_get(args, "dev")), &f, err);
	close(p.netns);
	if (r < 0)
		return r;
	r = run(&c);
	strbuf_free(&c.batch);
	if (r == 0)
		*ret = json_pack("{s:I, s:i}", "packets", c.sent, "lost", (int)sniff_lost(&c.from));
	sniff_close(&c.from);
	return r;
}
