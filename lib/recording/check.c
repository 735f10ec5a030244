/* SPDX-License-Identifier: MIT */
/* check: the indexes of a recording that came from outside. */
#include "lib/recording/check.h"

#include <errno.h>

/* -1 (none) is within. */
static bool within(int i, size_t n)
{
	return i >= -1 && (i < 0 || (size_t)i < n);
}

static bool raw_ok(const struct recording *r)
{
	vec_foreach (const struct rec_sight, s, &r->sights)
		if (!within(s->ns, r->ns.n))
			return false;
	vec_foreach (const struct rec_match, m, &r->matches)
		if (!within(m->ns, r->ns.n))
			return false;
	vec_foreach (const struct rec_ct, c, &r->cts)
		if (!within(c->ns, r->ns.n))
			return false;
	vec_foreach (const struct rec_ipvs, v, &r->ipvs)
		if (!within(v->ns, r->ns.n))
			return false;
	vec_foreach (const struct rec_ask, q, &r->asks)
		if (!within(q->ns, r->ns.n))
			return false;
	vec_foreach (const struct rec_perf, p, &r->perfs)
		if (!within(p->sight, r->sights.n))
			return false;
	vec_foreach (const struct rec_ns, n, &r->ns)
		vec_foreach (const struct rec_if, i, &n->ifs)
			if (!within(i->peer_ns, r->ns.n))
				return false;
	return within(r->probe.from_ns, r->ns.n) && within(r->probe.relay.ns, r->ns.n);
}

static bool flight_ok(const struct recording *r, const struct rec_flight *f)
{
	if (f->first_step < 0 || f->n_steps < 0 || (size_t)f->first_step > r->steps.n ||
	    (size_t)f->n_steps > r->steps.n - (size_t)f->first_step)
		return false;
	vec_foreach (const int, i, &f->sights)
		if (*i < 0 || !within(*i, r->sights.n))
			return false;
	return true;
}

static bool made_ok(const struct recording *r)
{
	vec_foreach (const struct rec_flight, f, &r->flights)
		if (!flight_ok(r, f))
			return false;
	vec_foreach (const struct rec_step, s, &r->steps)
		if (!within(s->ns, r->ns.n) || !within(s->sight, r->sights.n) || s->flight < 0 ||
		    !within(s->flight, r->flights.n))
			return false;
	return within(r->verdict.ns, r->ns.n);
}

int recording_check(const struct recording *r, struct err *err)
{
	if (raw_ok(r) && made_ok(r))
		return 0;
	return err_set(err, -EINVAL, "the recording points at something that it does not hold");
}
