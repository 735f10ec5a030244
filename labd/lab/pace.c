/* SPDX-License-Identifier: MIT */
/* See pace.h. */
#include "labd/lab/pace.h"

#include <stdint.h>
#include <time.h>

#define PACE_MS 40

static struct {
	pace_fn fn;
	void *arg;
	const char *name;
	int total;
	double before, share;
	int64_t told; /* when, in ms */
} p;

void pace_to(pace_fn fn, void *arg)
{
	p.fn = fn;
	p.arg = arg;
}

void pace_step(const char *name, int total, double before, double share)
{
	p.name = name;
	p.total = total;
	p.before = before;
	p.share = share;
	pace_done(0);
}

void pace_done(int done)
{
	struct timespec t;
	if (!p.fn || p.total <= 0)
		return;
	clock_gettime(CLOCK_MONOTONIC, &t);
	int64_t now = (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
	if (now - p.told < PACE_MS)
		return;
	p.told = now;
	p.fn(p.arg, p.name, done, p.total, p.before + p.share * done / p.total);
}
