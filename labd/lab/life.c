/* SPDX-License-Identifier: MIT */
/* See life.h. What is decided is in lib/plan; what is done to the kernel is in labd/kernel. */
#include "labd/lab/life.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/ipvs.h"
#include "labd/kernel/net.h"
#include "labd/kernel/nfacct.h"
#include "labd/kernel/nft.h"
#include "labd/kernel/probe.h"
#include "labd/kernel/proc.h"
#include "labd/kernel/xt.h"
#include "labd/lab/change.h"
#include "labd/lab/journal.h"
#include "labd/lab/pace.h"
#include "labd/lab/ready.h"
#include "labd/lab/reap.h"
#include "labd/lab/site.h"
#include "labd/lab/starting.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define RESTORE_JOBS 2

/* What part of an up of 500 pods each step is. */
#define SHARE_NS       0.60
#define SHARE_NET      0.15
#define SHARE_RULES    0.05
#define SHARE_PROGRAMS 0.20

/* A lab while it is being built. */
struct build {
	const struct lab_up *u;
	struct site s;
	struct starting starting;
};

static const char *const phases[] = {"namespaces", "links", "routes", "rules", "programs"};
#define N_PHASES ((int)ARRAY_SIZE(phases))

static int check_cancel(const struct build *b, struct err *err)
{
	if (b->u->cancelled && b->u->cancelled(b->u->arg))
		return err_set(err, ECANCELED, "lab \"%s\": interrupted, everything is undone",
			       b->s.lab.name);
	return 0;
}

static void tell(const struct build *b, const struct dns *ns, int done)
{
	if (b->u->progress)
		b->u->progress(b->u->arg, ns->name, phases[done < N_PHASES ? done : N_PHASES - 1],
			       done, N_PHASES);
}

/* All nodes and hosts have done `done` phases. */
static int phase_done(const struct build *b, int done, struct err *err)
{
	vec_foreach (struct dns, ns, &b->s.lab.desired->ns)
		if (ns->kind == DNS_NODE || ns->kind == DNS_HOST)
			tell(b, ns, done);
	return check_cancel(b, err);
}

static int make_all_ns(struct build *b, struct err *err)
{
	int r = 0, n = (int)b->s.lab.desired->ns.n;
	pace_step("namespaces", n, 0, SHARE_NS);
	for (int i = 0; r == 0 && i < n; i++) {
		r = site_make(&b->s, i, err);
		pace_done(i + 1);
		if (r == 0 && starting_early(&b->s.lab.desired->ns.v[i]))
			r = starting_tell(&b->starting, b->s.lab.desired, i, &b->s.procs[i], err);
		if (r == 0)
			r = check_cancel(b, err);
	}
	return r < 0 ? r : phase_done(b, 1, err);
}

static int make_network(struct build *b, struct err *err)
{
	struct net_ctx x = {.d = b->s.lab.desired, .netns = b->s.netns};
	int n = (int)b->s.lab.desired->ns.n;
	pace_step("links and routes", 1, SHARE_NS, SHARE_NET);
	int r = net_sysctls(&x, 0, n, true, err);
	if (r == 0)
		r = net_links(&x, 0, n, err);
	if (r == 0)
		r = phase_done(b, 2, err);
	if (r == 0)
		r = net_layer3(&x, 0, n, err);
	if (r == 0)
		r = net_sysctls(&x, 0, n, false, err);
	return r < 0 ? r : phase_done(b, 3, err);
}

static int make_rules(struct build *b, struct err *err)
{
	const struct desired *d = b->s.lab.desired;
	int r = 0;
	pace_step("rules", 1, SHARE_NS + SHARE_NET, SHARE_RULES);
	for (int i = 0; r == 0 && i < (int)d->ns.n; i++)
		if (d->ns.v[i].ipsets.n)
			r = xt_ipsets(b->s.netns[i], &d->ns.v[i], err);
	for (int i = 0; r == 0 && i < (int)d->ns.n; i++)
		r = nfacct_make(b->s.netns[i], &d->ns.v[i], err);
	for (int i = 0; r == 0 && i < (int)d->ns.n; i++)
		r = ipvs_load(b->s.netns[i], &d->ns.v[i], err);
	for (int i = 0; r == 0 && i < (int)d->ns.n; i++)
		r = nft_load(b->s.netns[i], &d->ns.v[i], err);
	if (r == 0)
		r = xt_rules_all(d, b->s.netns, store_backend(b->s.e, &b->s.lab), b->s.lab.dir,
				 RESTORE_JOBS, err);
	return r < 0 ? r : phase_done(b, 4, err);
}

static int start_programs(struct build *b, struct err *err)
{
	const struct desired *d = b->s.lab.desired;
	int n = (int)d->ns.n, r = 0;
	ready_ports ports = {0};
	pace_step("programs", n, 1 - SHARE_PROGRAMS, SHARE_PROGRAMS);
	for (int i = 0; r == 0 && i < n; i++) {
		if (starting_early(&d->ns.v[i]))
			continue;
		r = starting_tell(&b->starting, d, i, &b->s.procs[i], err);
		pace_done(i);
		if (r == 0)
			r = check_cancel(b, err);
	}
	r = starting_hear(&b->starting, r, err);
	for (int i = 0; r == 0 && i < n; i++)
		ready_add(b->s.lab.arena, d, i, b->s.procs[i].pid, false, &ports);
	ready_wait(&ports);
	return r < 0 ? r : phase_done(b, N_PHASES, err);
}

static int build(struct build *b, struct err *err)
{
	/* So that the client shows every node from the start: the first phase is the longest. */
	vec_foreach (struct dns, ns, &b->s.lab.desired->ns)
		if (ns->kind == DNS_NODE || ns->kind == DNS_HOST)
			tell(b, ns, 0);
	int r = site_slots(&b->s, err);
	if (r == 0)
		r = make_all_ns(b, err);
	if (r == 0)
		r = make_network(b, err);
	if (r == 0)
		r = make_rules(b, err);
	if (r == 0)
		r = start_programs(b, err);
	else
		starting_hear(&b->starting, r, NULL);
	if (r == 0)
		r = journal_add(b->s.lab.dir, err, "state up");
	return r;
}

/* Take away everything the journal names. After a failure as little as possible stays, and the
 * lab's directory, for the next try; else it is hidden, and reap_all() does the rest. */
static int take_away(const struct engine *e, const char *name, struct err *err)
{
	char dir[300];
	snprintf(dir, sizeof(dir), "%s/labs/%s", e->run, name);
	_arena_ struct arena *a = arena_new();
	struct journal j;
	int r = journal_read(dir, a, &j, err);
	if (r < 0)
		return r;
	r = journal_add(dir, err, "state removing");
	if (r < 0 && r != -ENOSPC) /* a full disk must not keep a lab alive */
		return r;
	r = reap_begin(&j, err);
	return r < 0 ? r : reap_hide(e, name, err);
}

static int undo(const struct engine *e, const char *name, struct err *err)
{
	int r = take_away(e, name, err);
	if (r == 0)
		reap_all(e);
	return r;
}

int lab_settle(const struct engine *e, const char *name, struct err *err)
{
	char dir[300];
	snprintf(dir, sizeof(dir), "%s/labs/%s", e->run, name);
	if (access(dir, F_OK) < 0)
		return 0;
	_arena_ struct arena *a = arena_new();
	struct journal j;
	int r = journal_read(dir, a, &j, err);
	if (r < 0)
		return r;
	bool alive = j.procs.n == 0;
	vec_foreach (struct journal_proc, p, &j.procs)
		if (proc_alive(p->pid, p->starttime))
			alive = true;
	if (j.state == LAB_UP && alive)
		return 1;
	if (j.state == LAB_CHANGING && alive) {
		log_info("lab %s was left changing: finishing that", name);
		r = lab_finish(e, name, err);
		if (r < 0) {
			log_error("lab %s: finishing a change: %s", name, err->text);
			r = journal_add(dir, err, "state up");
		}
		return r < 0 ? r : 1;
	}
	log_info("lab %s was left %s: taking it away", name, lab_state_str(j.state));
	return undo(e, name, err);
}

/* Is the running lab what the caller wants? */
static int compare(const struct engine *e, const struct lab_up *u, struct err *err)
{
	char path[320];
	snprintf(path, sizeof(path), "%s/labs/%s/lab.json", e->run, u->name);
	json_error_t je;
	json_t *meta = json_load_file(path, 0, &je);
	json_t *given = json_object_get(meta, "given"); /* it has been changed since */
	bool same = meta &&
		    json_equal(given ? given : json_object_get(meta, "documents"), u->documents);
	json_decref(meta);
	if (same)
		return 0;
	err_setc(err, EEXIST, ERR_FAILED, "lab \"%s\" is already up with other contents", u->name);
	return err_hint(err, "labctl down %s first, or give this one another name with --name",
			u->name);
}

static int create(struct build *b, struct err *err)
{
	json_t *meta = json_pack(
		"{s:s, s:I, s:s, s:s, s:b, s:b, s:O}", "name", b->u->name, "created",
		(json_int_t)time(NULL), "source", b->u->source, "backend",
		store_backend(b->s.e, &b->s.lab) == IPT_NFT ? "nft" : "legacy", "nfacct",
		b->s.lab.nfacct, "no_ipvs", b->s.lab.no_ipvs, "documents", b->u->documents);
	if (!meta)
		return err_sys(err, ENOMEM, "lab \"%s\"", b->u->name);
	b->s.lab.meta = meta;
	b->s.lab.created = (time_t)json_integer_value(json_object_get(meta, "created"));
	int r = store_create(b->s.e, b->u->name, meta, err);
	return r < 0 ? r : journal_add(b->s.lab.dir, err, "state building");
}

/* Before anything is built. */
static int names_free(const struct build *b, struct err *err)
{
	int r = 0;
	for (int i = 0; r == 0 && i < (int)b->s.lab.desired->ns.n; i++)
		r = site_name_free(&b->s, i, err);
	return r;
}

static int derive(struct build *b, struct err *err)
{
	struct stored *s = &b->s.lab;
	s->arena = arena_new();
	s->nfacct = b->s.e->probe->nfacct;
	int r = store_derive(b->u->name, b->u->documents, s, err);
	if (r < 0 || !probe_falls_back(b->s.e->probe, s->desired))
		return r;
	s->no_ipvs = true;
	objects_release(s->objects);
	return store_derive(b->u->name, b->u->documents, s, err);
}

int lab_up(const struct engine *e, const struct lab_up *u, struct stored *ret, bool *ret_already,
	   struct err *err)
{
	struct build b = {.u = u};
	site_init(&b.s, e, u->name);
	*ret_already = false;
	*ret = (struct stored){.lock = -1};
	_lab_lock_ struct lab_lock lock;
	int r = store_lock(&lock, e, u->name, false, err);
	if (r == 0)
		r = lab_settle(e, u->name, err);
	if (r < 0)
		return r;
	if (r == 1) {
		*ret_already = true;
		r = compare(e, u, err);
		return r < 0 ? r : store_load(e, u->name, ret, err);
	}
	r = derive(&b, err);
	if (r == 0)
		r = probe_suits(e->probe, b.s.lab.desired, err);
	if (r == 0)
		r = names_free(&b, err);
	if (r == 0) {
		r = create(&b, err);
		if (r == 0)
			r = build(&b, err);
		if (r < 0) {
			struct err more = {0};
			if (undo(e, u->name, &more) < 0)
				log_error("lab %s: undoing: %s", u->name, more.text);
		}
	}
	if (r == 0)
		*ret = site_take(&b.s);
	site_free(&b.s);
	return r;
}

int lab_down(const struct engine *e, const char *name, bool *ret_was, struct err *err)
{
	char dir[300];
	*ret_was = false;
	_lab_lock_ struct lab_lock lock;
	int r = store_lock(&lock, e, name, true, err);
	if (r < 0)
		return r;
	snprintf(dir, sizeof(dir), "%s/labs/%s", e->run, name);
	if (access(dir, F_OK) < 0)
		return 0;
	*ret_was = true;
	return take_away(e, name, err);
}

int lab_recover(const struct engine *e, const char *name, struct err *err)
{
	_lab_lock_ struct lab_lock lock;
	int r = store_lock(&lock, e, name, false, err);
	if (r < 0)
		return r == -EBUSY ? 0 : r;
	return lab_settle(e, name, err);
}

void lab_recover_all(const struct engine *e)
{
	json_t *names = store_list(e), *v;
	size_t i;
	json_array_foreach (names, i, v) {
		struct err err = {0};
		if (lab_recover(e, json_string_value(v), &err) < 0)
			log_error("lab %s: %s", json_string_value(v), err.text);
	}
	json_decref(names);
	reap_all(e);
	store_sweep(e);
}
