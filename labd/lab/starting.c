/* SPDX-License-Identifier: MIT */
/* See starting.h. */
#include "labd/lab/starting.h"

#include <string.h>

#include "lib/base/cleanup.h"

bool starting_early(const struct dns *ns)
{
	static const char *const patient[] = {"sleep", "nginx", "dnsmasq"};
	vec_foreach (const struct dproc, p, &ns->procs) {
		bool known = false;
		for (size_t i = 0; i < ARRAY_SIZE(patient); i++)
			known |= strcmp(p->argv.v[0], patient[i]) == 0;
		if (!known)
			return false;
	}
	return ns->kind == DNS_POD && ns->procs.n;
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
