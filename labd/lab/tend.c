/* SPDX-License-Identifier: MIT */
/* See tend.h. */
#include "labd/lab/tend.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "labd/kernel/proc.h"
#include "labd/lab/change.h"
#include "labd/lab/journal.h"
#include "labd/lab/life.h"
#include "labd/lab/pod_status.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

/* A look at a lab. */
struct look {
	struct journal j;
	json_t *pods; /* pod_status.h */
	json_t *dead; /* {NAMESPACE: true}: pods without their sandbox */
	bool news;
};

/* ---- looking --------------------------------------------------------------------------------- */

static bool node_lives(const struct look *l, const struct journal_proc *p)
{
	const struct journal_proc *n = p->node ? journal_proc_find(&l->j, p->node) : NULL;
	return n && proc_alive(n->pid, n->starttime) && !proc_ending(n->pid);
}

static bool is_in(uint32_t id, const uint32_t *ids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Sandboxes are many, and each is a file of /proc: they are gone through only when one has died. */
static void look(struct look *l, const uint32_t *ids, size_t n)
{
	struct program_status v[PROC_PROGRAMS_MAX];
	bool all = n == 0, sandboxes = all || is_in(0, ids, n);
	vec_foreach (const struct journal_proc, p, &l->j.procs) {
		bool inside = all || is_in((uint32_t)p->pid, ids, n);
		if (!inside && !sandboxes)
			continue;
		if (!proc_alive(p->pid, p->starttime)) {
			if (!journal_is_node(p) && journal_proc_last(&l->j, p) && node_lives(l, p))
				json_object_set_new(l->dead, p->ns, json_true());
		} else if (inside) {
			l->news |= pod_status_see(l->pods, p->ns, v,
						  proc_programs(p->pid, v, PROC_PROGRAMS_MAX));
		}
	}
}

/* ---- what follows ---------------------------------------------------------------------------- */

/* Its document says that it has ended, and how: it is no pod of the cluster any more. */
static void end_pod(json_t *docs, const struct stored *lab, const struct cpod *p,
		    const json_t *entry, const char *phase)
{
	int at = docs_find(docs, "Pod", p->ns, p->name);
	json_t *doc = json_array_get(docs, at < 0 ? json_array_size(docs) : (size_t)at);
	json_t *status = doc_sub(doc, "status");
	json_object_set_new(status, "containerStatuses",
			    pod_status_containers(entry, p, lab->created, false));
	json_object_set_new(status, "phase", json_string(phase));
}

static void judge_by(json_t *docs, const struct stored *lab, struct edit *e, const struct cpod *p,
		     const json_t *entry)
{
	enum pod_condition is = pod_status_condition(entry);
	char key[MAX_NAME * 2 + 2];
	if (is == POD_SUCCEEDED || is == POD_FAILED) {
		end_pod(docs, lab, p, entry, is == POD_FAILED ? "Failed" : "Succeeded");
	} else if (is == POD_NOT_READY) {
		snprintf(key, sizeof(key), "%s/%s", p->ns, p->name);
		json_object_set_new(e->down, key, json_true());
	}
}

static void judge(json_t *docs, const struct stored *lab, struct edit *e, const struct look *l,
		  const struct dns *ns)
{
	const struct cpod *p = &lab->cluster->pods.v[ns->pod];
	bool dead = json_object_get(l->dead, ns->name) != NULL;
	if (dead && p->obj->spec.restart == RESTART_NEVER)
		vec_foreach (const struct container, c, &p->obj->spec.containers)
			pod_status_killed(l->pods, ns->name, c->name, time(NULL));
	else if (dead)
		return; /* it will run again */
	judge_by(docs, lab, e, p, json_object_get(l->pods, ns->name));
}

/* hostNetwork pods of a node. */
static void judge_node(json_t *docs, const struct stored *lab, struct edit *e, const struct look *l,
		       const struct dns *ns)
{
	const json_t *node = json_object_get(l->pods, ns->name);
	vec_foreach (const struct cpod, p, &lab->cluster->pods) {
		if (!node || !p->host_network || p->node != ns->node)
			continue;
		json_t *entry = pod_status_of_host(node, p);
		judge_by(docs, lab, e, p, entry);
		json_decref(entry);
	}
}

/* An edit_fn. */
static int edit(json_t *docs, const struct stored *before, struct edit *e, void *arg,
		struct err *err)
{
	(void)err;
	e->down = json_object();
	vec_foreach (const struct dns, ns, &before->desired->ns)
		if (ns->kind == DNS_POD)
			judge(docs, before, e, arg, ns);
		else if (ns->kind == DNS_NODE)
			judge_node(docs, before, e, arg, ns);
	return 0;
}

static int store(const char *dir, json_t *pods, struct err *err)
{
	return json_object_size(pods) ? pod_status_store(dir, pods, err) : 0;
}

static int follow(const struct engine *e, const char *name, const char *dir, struct look *l,
		  struct err *err)
{
	struct change_result res;
	int r = lab_change_held(e, name, edit, l, NULL, &res, err);
	json_decref(res.lines);
	json_decref(res.faults);
	if (r < 0)
		return r;
	log_info("lab %s: %u made anew", name, res.made);
	json_decref(l->pods);
	l->pods = pod_status_load(dir);
	pod_status_told(l->pods);
	r = store(dir, l->pods, err);
	return r < 0 ? r : 1;
}

static int tend(const struct engine *e, const char *name, const char *dir, struct look *l,
		const uint32_t *ids, size_t n, struct err *err)
{
	look(l, ids, n);
	int r = l->news ? store(dir, l->pods, err) : 0;
	if (r < 0 || (!json_object_size(l->dead) && !pod_status_untold(l->pods)))
		return r;
	return follow(e, name, dir, l, err);
}

int lab_tend(const struct engine *e, const char *name, const uint32_t *ids, size_t n,
	     struct err *err)
{
	char dir[300];
	_lab_lock_ struct lab_lock lock = {.fd = -1};
	snprintf(dir, sizeof(dir), "%s/labs/%s", e->run, name);
	if (!path_exists(dir))
		return 0;
	int r = store_lock(&lock, e, name, false, err);
	if (r == 0)
		r = lab_settle(e, name, err);
	if (r <= 0)
		return r;
	_arena_ struct arena *a = arena_new();
	struct look l = {0};
	r = journal_read(dir, a, &l.j, err);
	if (r < 0)
		return r;
	l.pods = pod_status_load(dir);
	l.dead = json_object();
	r = tend(e, name, dir, &l, ids, n, err);
	json_decref(l.pods);
	json_decref(l.dead);
	return r;
}
