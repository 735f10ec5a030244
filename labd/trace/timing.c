/* SPDX-License-Identifier: MIT */
/* See timing.h. */
#include "labd/trace/timing.h"

#include <stdlib.h>
#include <string.h>

#define RUNS_MAX 100

/* What makes a sighting the same in another run of the same probe. Without holes: compared as
 * bytes. */
struct key {
	int ns, ifindex;
	uint32_t rel; /* TCP: how far into our sequence numbers */
	uint16_t len, tx;
	uint8_t flags, proto, back, zero;
};

static struct key key_of(const struct rec_sight *s, uint32_t isn)
{
	struct rec_hdr h;
	struct key k = {.ns = s->ns, .ifindex = s->ifindex, .tx = s->tx};
	if (!packet_parse(s->data, s->caplen, s->hatype, &h))
		return k;
	k.proto = h.inner.proto;
	k.flags = h.tcp_flags;
	k.len = h.ip_len;
	if (k.proto == 6) {
		k.back = h.seq - isn >= MARKER_WINDOW;
		k.rel = (k.back ? h.ack : h.seq) - isn;
	}
	return k;
}

/* The sighting with this key, the nth such; NULL: none. */
static const struct rec_sight *find(const struct timing_run *run, const struct key *k, int nth)
{
	vec_foreach (const struct rec_sight, s, &run->sights) {
		struct key other = key_of(s, run->isn);
		if (memcmp(k, &other, sizeof(other)) == 0 && nth-- == 0)
			return s;
	}
	return NULL;
}

static int by_number(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
	return x < y ? -1 : x > y;
}

static bool median(const struct timing_run *runs, size_t n, const struct key *k, int nth,
		   uint64_t *ret)
{
	uint64_t times[RUNS_MAX];
	size_t found = 0;
	for (size_t i = 0; i < n && i < RUNS_MAX; i++) {
		const struct rec_sight *s = find(&runs[i], k, nth);
		if (s)
			times[found++] = s->t - runs[i].sights.v[0].t;
	}
	if (found * 2 <= n)
		return false; /* most runs went another way: another endpoint, no retransmission */
	qsort(times, found, sizeof(*times), by_number);
	*ret = times[found / 2];
	return true;
}

void timing_medians(struct recording *r, const struct timing_run *runs, size_t n)
{
	size_t evidence = r->sights.n;
	struct key *keys = arena_new_array(r->arena, struct key, evidence + 1);
	for (size_t i = 0; i < evidence; i++) {
		int nth = 0;
		keys[i] = key_of(&r->sights.v[i], r->probe.isn);
		for (size_t k = 0; k < i; k++)
			nth += memcmp(&keys[k], &keys[i], sizeof(*keys)) == 0;
		uint64_t t;
		if (!median(runs, n, &keys[i], nth, &t))
			continue;
		struct rec_sight s = r->sights.v[i];
		s.timing_run = true;
		s.t = r->sights.v[0].t + t;
		*vec_push(r->arena, &r->sights) = s;
	}
}

/* ---- totals ----------------------------------------------------------------------------------
 */

#define TCP_SYN 0x02
#define TCP_PSH 0x08
#define TCP_ACK 0x10

/* From the first sighting of a run to what is asked for; 0 when it was not seen. */
struct totals {
	uint64_t there, back, answer;
};

static struct totals totals_of(const struct recording *r, const struct timing_run *run)
{
	struct totals t = {0, 0, 0};
	uint64_t start = run->sights.v[0].t;
	vec_foreach (const struct rec_sight, s, &run->sights) {
		struct key k = key_of(s, run->isn);
		bool tcp = k.proto == 6, home = !s->tx && s->ns == r->probe.from_ns;
		uint64_t took = s->t > start ? s->t - start : 1;
		if (tcp && !k.back && (k.flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
			t.there = took;
		else if (tcp && home && (k.flags & TCP_SYN) && !t.back)
			t.back = took;
		else if (tcp && home && (k.flags & TCP_PSH) && !t.answer)
			t.answer = took;
		else if (!tcp && home)
			t.back = took;
	}
	return t;
}

/* The value at p of 100; -1: there are none. */
static int64_t percentile(uint64_t *v, size_t n, unsigned p)
{
	if (!n)
		return -1;
	qsort(v, n, sizeof(*v), by_number);
	size_t i = n * p / 100;
	return (int64_t)v[i < n ? i : n - 1];
}

void timing_totals(struct recording *r, const struct timing_run *runs, size_t n)
{
	uint64_t there[RUNS_MAX], back[RUNS_MAX], answer[RUNS_MAX];
	size_t nt = 0, nb = 0, na = 0;
	for (size_t i = 0; i < n && i < RUNS_MAX; i++) {
		struct totals t = totals_of(r, &runs[i]);
		if (!t.back)
			continue;
		back[nb++] = t.back;
		if (t.there)
			there[nt++] = t.there;
		if (t.answer)
			answer[na++] = t.answer;
	}
	r->timed = nb > 0;
	r->timing = (struct rec_timing){.runs = (unsigned)nb,
					.there = percentile(there, nt, 50),
					.there_p90 = percentile(there, nt, 90),
					.back = percentile(back, nb, 50),
					.back_p90 = percentile(back, nb, 90),
					.answer = percentile(answer, na, 50),
					.answer_p90 = percentile(answer, na, 90)};
}
