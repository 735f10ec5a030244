/* SPDX-License-Identifier: MIT */
/* reduce: the raw part of a recording made to flights, steps and a verdict. */
#include "lib/recording/reduce.h"

#include <string.h>

static void reduce_one(struct recording *r)
{
	struct arena *a = arena_new();
	struct red d = {.r = r, .a = a, .lost = -1};
	r->flights.n = r->steps.n = 0;
	d.ct_told = arena_new_array(a, bool, r->cts.n + 1);
	reduce_flights(&d);
	relay_legs(&d);
	reduce_visits(&d);
	choose_flights(&d);
	place_visits(&d);
	reduce_verdict(&d);
	place_visits(&d); /* the verdict may have picked one more flight to tell */
	for (size_t k = 0; k < d.fly.n; k++)
		if (d.fly.v[k].steps)
			reduce_steps(&d, (int)k);
	reduce_times(&d);
	arena_free(a);
}

void recording_reduce(struct recording *r)
{
	reduce_one(r);
	if (r->dns)
		reduce_one(r->dns);
}
