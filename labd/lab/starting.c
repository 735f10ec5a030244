/* SPDX-License-Identifier: MIT */
/* See starting.h. */
#include "labd/lab/starting.h"

bool starting_early(const struct dns *ns)
{
	static const char *const patient[] = {"sleep", "nginx", "dnsmasq", NULL};
	return ns->procs.n && desired_pod_of(ns, patient);
}

static int hear_one(struct starting *s, struct err *err)
{
	struct proc_starting *oldest = &s->told[s->first];
	s->first = (s->first + 1) % STARTING_MAX;
	s->n--;
	return proc_start_wait(oldest, err);
}

int starting_tell(struct starting *s, const struct desired *d, int i, struct nsproc *p,
		  struct err *err)
{
	int r = s->n == STARTING_MAX ? hear_one(s, err) : 0;
	if (r == 0)
		r = proc_start_send(d, i, p, &s->told[(s->first + s->n) % STARTING_MAX], err);
	s->n += r == 0;
	return r;
}

int starting_hear(struct starting *s, int r, struct err *err)
{
	while (s->n) {
		int r1 = hear_one(s, r == 0 ? err : NULL);
		r = r < 0 ? r : r1;
	}
	return r;
}
