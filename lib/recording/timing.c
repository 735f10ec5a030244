/* SPDX-License-Identifier: MIT */
/* timing: how long after the step before, in the evidence run, and the median of clean runs. */
#include <stdlib.h>
#include <string.h>

#include "lib/recording/reduce.h"

static int by_time(const void *pa, const void *pb, void *arg)
{
	const struct recording *r = arg;
	const int *a = pa, *b = pb;
	uint64_t ta = r->sights.v[*a].t, tb = r->sights.v[*b].t;
	return ta < tb ? -1 : ta > tb ? 1 : *a - *b;
}

static int by_size(const void *pa, const void *pb)
{
	const int64_t *a = pa, *b = pb;
	return *a < *b ? -1 : *a > *b;
}

/* Steps without a sighting have no time of their own. */
static void deltas(struct recording *r, const struct rec_flight *f)
{
	uint64_t last = 0;
	for (int i = f->first_step; i < f->first_step + f->n_steps; i++) {
		struct rec_step *s = &r->steps.v[i];
		if (!s->t)
			continue;
		if (last && s->t >= last)
			s->delta_ns = (int64_t)(s->t - last);
		last = s->t;
	}
}

static bool same_place(const struct rec_sight *a, const struct rec_sight *b)
{
	return a->ns == b->ns && a->ifindex == b->ifindex && a->tx == b->tx;
}

/* The same kind of packet: opening, answer to it ... */
static bool same_sort(const struct pkt *a, const struct pkt *b)
{
	if (a->h.inner.proto != b->h.inner.proto || a->h.encap != b->h.encap)
		return false;
	if (a->h.inner.proto == PROTO_TCP)
		return a->h.tcp_flags == b->h.tcp_flags && !a->payload == !b->payload;
	return a->h.ip_len == b->h.ip_len;
}

struct clean {
	struct red *d;
	int *order; /* sightings of the timing runs by time */
	size_t n;
	int64_t *took;
};

/* The sighting of the same packet just before this one: one run comes after the other. */
static int before(const struct clean *c, size_t at, const struct rec_sight *where)
{
	for (size_t i = at; i-- > 0;) {
		int k = c->order[i];
		if (c->d->pk[k].key == c->d->pk[c->order[at]].key &&
		    same_place(&c->d->r->sights.v[k], where))
			return k;
	}
	return -1;
}

static int64_t median(const struct clean *c, int prev, int cur)
{
	const struct recording *r = c->d->r;
	size_t n = 0;
	for (size_t i = 0; i < c->n; i++) {
		int k = c->order[i];
		if (!same_place(&r->sights.v[k], &r->sights.v[cur]) ||
		    !same_sort(&c->d->pk[k], &c->d->pk[cur]))
			continue;
		int p = before(c, i, &r->sights.v[prev]);
		if (p >= 0)
			c->took[n++] = (int64_t)(r->sights.v[k].t - r->sights.v[p].t);
	}
	if (!n)
		return -1;
	qsort(c->took, n, sizeof(*c->took), by_size);
	return c->took[n / 2];
}

static void medians(const struct clean *c, const struct rec_flight *f)
{
	int prev = -1;
	for (int i = f->first_step; i < f->first_step + f->n_steps; i++) {
		struct rec_step *s = &c->d->r->steps.v[i];
		if (s->sight < 0)
			continue;
		if (prev >= 0)
			s->median_ns = median(c, prev, s->sight);
		prev = s->sight;
	}
}

void reduce_times(struct red *d)
{
	struct recording *r = d->r;
	struct clean c = {d, arena_new_array(d->a, int, r->sights.n + 1), 0,
			  arena_new_array(d->a, int64_t, r->sights.n + 1)};
	for (size_t i = 0; i < r->sights.n; i++)
		if (r->sights.v[i].timing_run && d->pk[i].ok)
			c.order[c.n++] = (int)i;
	qsort_r(c.order, c.n, sizeof(*c.order), by_time, r);
	vec_foreach (const struct rec_flight, f, &r->flights) {
		deltas(r, f);
		if (c.n)
			medians(&c, f);
	}
}
