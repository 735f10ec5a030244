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
