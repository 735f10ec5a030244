/* SPDX-License-Identifier: MIT */
/* See carry_programs.h. */
#include "labd/lab/carry_programs.h"

#include <string.h>

#include "labd/lab/ready.h"
#include "labd/lab/starting.h"
#include "lib/base/cleanup.h"
#include "lib/kube/naming.h"

/* labd-init leaves a program alone whose bytes are the same. One that must read its configuration
 * again gets it by an environment variable that names the configuration. */
static struct dproc with_config(struct carry *c, int i, const struct dproc *p)
{
	struct dproc q = *p;
	char hex[17];
	q.env = (strs){0};
	for (size_t k = 0; k < p->env.n; k++)
		*vec_push(c->arena, &q.env) = p->env.v[k];
	vec_foreach (const struct dfile, f, &c->delta[i].add.files)
		for (size_t k = 0; k < p->argv.n; k++)
			if (strstr(p->argv.v[k], f->path)) {
				name_seeded_hex(hex, 16, "%s", f->content);
				*vec_push(c->arena, &q.env) =
					arena_printf(c->arena, "LABD_CONFIG=%s", hex);
			}
	return q;
}

/* There is no command to end a program: it is replaced by one that ends at once. */
static struct dproc ended(struct carry *c, const char *name)
{
	struct dproc q = {.name = name, .image = ""};
	*vec_push(c->arena, &q.argv) = "true";
	return q;
}

/* What is to be started in a namespace that stays. */
static struct dns changed(struct carry *c, int i)
{
	struct delta *d = &c->delta[i];
	struct dns ns = d->add;
	ns.procs.v = NULL;
	ns.procs.n = ns.procs.cap = 0;
	for (size_t k = 0; k < d->stop.n; k++)
		*vec_push(c->arena, &ns.procs) = ended(c, d->stop.v[k]);
	for (size_t k = 0; k < d->start.n; k++)
		*vec_push(c->arena, &ns.procs) = with_config(c, i, d->start.v[k]);
	return ns;
}

/* ---- starting -------------------------------------------------------------------------------- */

/* Programs that have been told to start, and what they are to listen on. */
struct carry_begun {
	struct starting starting;
	ready_ports ports;
	struct desired some; /* what is being started points into it */
};

static int tell(struct carry *c, struct carry_begun *b, const struct desired *d, int i,
		struct err *err)
{
	if (!d->ns.v[i].procs.n)
		return 0;
	ready_add(c->arena, c->site->lab.desired, i, c->site->procs[i].pid, !c->fresh[i],
		  &b->ports);
	return starting_tell(&b->starting, d, i, &c->site->procs[i], err);
}

int carry_programs_begin(struct carry *c, struct err *err)
{
	const struct desired *d = c->site->lab.desired;
	struct carry_begun *b = arena_new_type(c->arena, struct carry_begun);
	int r = 0, n = (int)d->ns.n;
	c->begun = b;
	/* All first: pointers into the list must stay. */
	for (int i = 0; i < n; i++) {
		struct dns *ns = vec_push(c->arena, &b->some.ns);
		*ns = (struct dns){.name = d->ns.v[i].name};
		if (!c->fresh[i])
			*ns = changed(c, i);
	}
	for (int i = 0; r == 0 && i < n; i++) {
		const struct dns *add = &c->delta[i].add;
		if (c->fresh[i])
			continue;
		if (add->files.n && c->site->procs[i].pid)
			r = proc_files(&c->site->procs[i], add->files.v, add->files.n, err);
		if (r == 0)
			r = tell(c, b, &b->some, i, err);
	}
	return r;
}

int carry_programs(struct carry *c, struct err *err)
{
	const struct desired *d = c->site->lab.desired;
	struct carry_begun fresh = {.ports = {0}};
	int r = 0;
	for (int i = 0; r == 0 && i < (int)d->ns.n; i++)
		if (c->fresh[i])
			r = tell(c, &fresh, d, i, err);
	r = starting_hear(&fresh.starting, r, err);
	if (r == 0)
		ready_wait(&fresh.ports);
	return r;
}

int carry_programs_end(struct carry *c, int r, struct err *err)
{
	if (!c->begun)
		return r;
	r = starting_hear(&c->begun->starting, r, err);
	if (r == 0)
		ready_wait(&c->begun->ports);
	return r;
}
