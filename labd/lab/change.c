/* SPDX-License-Identifier: MIT */
/* See change.h. */
#include "labd/lab/change.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "labd/lab/carry.h"
#include "labd/lab/life.h"
#include "labd/lab/observe.h"
#include "labd/lab/replicas.h"
#include "labd/lab/ruleset.h"
#include "labd/lab/stale.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define CALM_MS	     1000
#define CALM_STEP_MS 100

/* ---- what differs between two desired states ------------------------------------------------- */

/* Nodes mostly share kube-proxy's rules, before and after (proxy_desired.c): then what is to be
 * done about them is the same, as long as it leaves the built-in chains alone, where others' rules
 * count. */
struct rules_memo {
	const char *old, *new, *text;
};

/* How many texts differ; *which is the last of them. */
static size_t rules_differ(const struct dns *a, const struct dns *b, size_t *which)
{
	size_t n = 0;
	*which = 0;
	if (a->rules.n != b->rules.n)
		return SIZE_MAX;
	for (size_t i = 0; i < a->rules.n; i++)
		if (strcmp(a->rules.v[i].text, b->rules.v[i].text) != 0) {
			*which = i;
			n++;
		}
	return n;
}

static const char *rules_text(struct arena *a, const struct dns *have, const struct dns *want)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	struct ruleset old = {.arena = a}, new = {.arena = a};
	ruleset_of(&old, have);
	ruleset_of(&new, want);
	ruleset_diff(&old, &new, RULESET_OWN, &text, NULL);
	return arena_strdup(a, strbuf_str(&text));
}

static void rules_delta(struct arena *a, const struct dns *have, const struct dns *want,
			struct delta *d, struct rules_memo *m)
{
	size_t k, n = rules_differ(have, want, &k);
	if (n == 0)
		return;
	const char *old = n == 1 ? have->rules.v[k].text : NULL;
	const char *new = n == 1 ? want->rules.v[k].text : NULL, *text;
	if (old && old == m->old && new == m->new) {
		text = m->text;
	} else {
		text = rules_text(a, have, want);
		if (old && !strstr(text, "\n-I ") && !strstr(text, "\n-D "))
			*m = (struct rules_memo){old, new, text};
	}
	if (*text)
		*vec_push(a, &d->add.rules) = (struct drules){.owner = "lab", .text = text};
}

/* What a running lab keeps: its machines, and the devices that they have for themselves. */
static int check_frame(const struct desired *old, const struct desired *new, struct carry *c,
		       struct err *err)
{
	const struct cluster *a = old->cluster, *b = new->cluster;
	const char *what = NULL;
	if (a->nodes.n != b->nodes.n)
		what = "nodes";
	else if (a->hosts.n != b->hosts.n)
		what = "outside hosts";
	else if (a->cni != b->cni || a->underlays.n != b->underlays.n)
		what = "network";
	else if (a->kubernetes != b->kubernetes)
		what = "version of Kubernetes";
	else if (a->proxy.mode != b->proxy.mode)
		what = "kube-proxy mode";
	for (size_t i = 0; !what && i < new->ns.n; i++)
		if (new->ns.v[i].kind != DNS_POD && c->fresh[i])
			what = "machines";
	if (!what)
		return 0;
	err_setc(err, EINVAL, ERR_USAGE, "a running lab keeps its %s", what);
	return err_hint(err, "labctl down, then up with the new files");
}

static int plan_deltas(struct carry *c, const struct desired *old, struct err *err)
{
	const struct desired *new = c->site->lab.desired;
	struct rules_memo memo = {0};
	for (int i = 0; i < (int)new->ns.n; i++) {
		const struct dns *want = &new->ns.v[i];
		int k = desired_ns(old, want->name);
		c->fresh[i] = k < 0;
		if (k < 0)
			continue;
		delta_build(c->arena, &old->ns.v[k], want, DELTA_PLAN, &c->delta[i]);
		rules_delta(c->arena, &old->ns.v[k], want, &c->delta[i], &memo);
		c->fresh[i] = c->delta[i].remake;
	}
	int r = check_frame(old, new, c, err);
	/* A controller also brings back what has died meanwhile. */
	for (int i = 0; r == 0 && i < (int)new->ns.n; i++)
		c->fresh[i] = c->fresh[i] || !carry_alive(c, i);
	return r;
}

/* ---- what differs from the kernel ------------------------------------------------------------ */

/* The host end of a pod that went a moment ago goes when the kernel cleans up behind it. */
static int observe_calm(struct carry *c, int i, struct err *err)
{
	struct timespec step = {.tv_nsec = CALM_STEP_MS * 1000000};
	int r = observe_ns(c->arena, c->site, i, &c->delta[i], err);
	for (int ms = 0; r == 0 && c->delta[i].stray && ms < CALM_MS; ms += CALM_STEP_MS) {
		nanosleep(&step, NULL);
		r = observe_ns(c->arena, c->site, i, &c->delta[i], err);
	}
	return r;
}

/* Those that have died, and those that hang on them; the others are at hand. */
static int find_fresh(struct carry *c, bool *any, struct err *err)
{
	int r = 0, n = (int)c->site->lab.desired->ns.n;
	*any = false;
	for (int i = 0; r >= 0 && i < n; i++) {
		r = carry_alive(c, i) ? site_open(c->site, &c->journal, i, err) : 0;
		c->fresh[i] = r == 0;
		*any |= c->fresh[i];
	}
	carry_spread(c);
	return r < 0 ? r : 0;
}

static int kernel_deltas(struct carry *c, struct err *err)
{
	int r = 0;
	for (int i = 0; r == 0 && i < (int)c->site->lab.desired->ns.n; i++)
		if (!c->fresh[i])
			r = observe_calm(c, i, err);
	return r;
}

static json_t *deltas_json(const struct carry *c, bool fix)
{
	const struct desired *d = c->site->lab.desired;
	json_t *list = json_array();
	for (size_t i = 0; i < d->ns.n; i++) {
		const char *where = d->ns.v[i].name;
		if (c->fresh[i])
			json_array_append_new(list, json_pack("{s:s, s:s, s:b}", "where", where,
							      "text", "its first process is gone",
							      "mended", fix));
		else
			vec_foreach (const struct delta_line, l, &c->delta[i].lines)
				json_array_append_new(
					list, json_pack("{s:s, s:s, s:b}", "where", where, "text",
							l->text, "mended", fix && !l->foreign));
	}
	return list;
}

/* ---- mending --------------------------------------------------------------------------------- */

static bool anything(const struct carry *c)
{
	for (size_t i = 0; i < c->site->lab.desired->ns.n; i++)
		if (c->fresh[i] || !delta_empty(&c->delta[i]))
			return true;
	return false;
}

/* What another desired state had and this one has not: it was begun, or left, by a change. */
static void undo_other(struct carry *c, const struct desired *other)
{
	const struct desired *d = c->site->lab.desired;
	for (size_t i = 0; i < d->ns.n; i++) {
		int k = desired_ns(other, d->ns.v[i].name);
		struct delta plan;
		if (k < 0 || c->fresh[i])
			continue;
		delta_build(c->arena, &other->ns.v[k], &d->ns.v[i], DELTA_PLAN, &plan);
		c->delta[i].del = plan.del;
	}
}

/* Bring the kernel to what s->lab says. other: the state that a change led from or to, or NULL. */
static int mend(struct site *s, const struct desired *other, bool fix, json_t **ret,
		struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct carry c;
	bool dead;
	int r = site_slots(s, err);
	if (r == 0)
		r = carry_init(&c, a, s, err);
	if (r == 0)
		r = find_fresh(&c, &dead, err);
	/* What they take along is to be seen now, not a moment later. */
	if (r == 0 && fix && dead)
		r = journal_add(s->lab.dir, err, "state changing");
	if (r == 0 && fix && dead)
		r = carry_clear(&c, err);
	if (r == 0)
		r = kernel_deltas(&c, err);
	if (r < 0)
		return r;
	if (ret)
		*ret = deltas_json(&c, fix);
	if (other)
		undo_other(&c, other);
	/* One that never began. */
	if (c.journal.state == LAB_UP)
		store_forget_next(s->lab.dir);
	if (!fix || (!anything(&c) && c.journal.state == LAB_UP))
		return 0;
	r = journal_add(s->lab.dir, err, "state changing");
	if (r == 0)
		r = carry_out(&c, err);
	return r < 0 ? r : carry_finish(&c, err);
}

int lab_finish(const struct engine *e, const char *name, struct err *err)
{
	struct stored old;
	struct site s;
	int r = store_load(e, name, &old, err);
	if (r < 0)
		return r;
	site_init(&s, e, name);
	if (store_load_next(e, name, &s.lab, err) < 0)
		r = store_load(e, name, &s.lab, err);
	if (r == 0)
		r = mend(&s, old.desired, true, NULL, err);
	site_free(&s);
	stored_free(&old);
	return r;
}

static int mend_stored(const struct engine *e, const char *name, const struct desired *other,
		       bool fix, json_t **ret, struct err *err)
{
	struct site s;
	site_init(&s, e, name);
	int r = store_load(e, name, &s.lab, err);
	if (r == 0)
		r = mend(&s, other, fix, ret, err);
	site_free(&s);
	return r;
}

int lab_diff(const struct engine *e, const char *name, bool fix, json_t **ret, struct err *err)
{
	_lab_lock_ struct lab_lock lock;
	int r = store_lock(&lock, e, name, true, err);
	if (r == 0)
		r = lab_settle(e, name, err);
	return r < 0 ? r : mend_stored(e, name, NULL, fix, ret, err);
}

/* ---- changing -------------------------------------------------------------------------------- */

struct change {
	const struct engine *e;
	struct stored old;
	struct site s; /* the lab as it will be */
	json_t *docs, *meta;
	struct edit edit;
};

static json_t *fault_json(const struct fault *f, const json_t *docs, const json_t *sent)
{
	int at = -1;
	if (f->doc >= 0 && sent) {
		struct doc_id id = doc_id(json_array_get(docs, (size_t)f->doc));
		at = docs_find(sent, id.kind, id.ns, id.name);
	}
	return json_pack("{s:i, s:s, s:s, s:s, s:s, s:s}", "doc", at, "at",
			 f->at == FAULT_KEY ? "key" : "value", "path", f->path, "object", f->object,
			 "text", f->text, "hint", f->hint);
}

/* Flows are documentation: one that names what is deleted now goes too. */
static bool drop_flows(json_t *docs, const struct faults *faults)
{
	bool only = faults->total == faults->list.n, any = false;
	vec_foreach (const struct fault, f, &faults->list)
		only = only && strncmp(f->path, "spec.flows[", 11) == 0;
	for (size_t i = faults->list.n; only && i-- > 0;) {
		const struct fault *f = &faults->list.v[i];
		json_t *spec = json_object_get(json_array_get(docs, (size_t)f->doc), "spec");
		any |= json_array_remove(json_object_get(spec, "flows"),
					 strtoul(f->path + 11, NULL, 10)) == 0;
	}
	return any;
}

/* Bind without keeping anything: for the controllers. */
static struct objects *bind(struct change *c, struct arena *a, struct faults *faults)
{
	json_t *copy = json_copy(c->docs);
	struct objects *o = objects_bind(a, copy, NULL, faults);
	json_decref(copy);
	store_mark_down(o, c->s.lab.down);
	return o;
}

static void controllers(struct change *c)
{
	_arena_ struct arena *a = arena_new();
	struct faults faults = {.arena = a};
	struct replicas r = {.before = c->old.cluster, .meta = c->meta, .edit = &c->edit};
	struct objects *o = bind(c, a, &faults);
	/* With faults there will be no change. */
	if (!faults.total)
		replicas_sync(&r, c->docs, o);
	objects_release(o);
	o = bind(c, a, &faults);
	if (!faults.total)
		replicas_endpoints(&r, c->docs, o);
	objects_release(o);
}

static int derive(struct change *c, const json_t *sent, struct change_result *ret, struct err *err)
{
	for (int try = 0;; try++) {
		struct faults faults = {.arena = c->s.lab.arena = arena_new()};
		int r = store_derive_faults(c->s.lab.name, c->docs, &c->s.lab, &faults, err);
		if (r == 0)
			return 0;
		if (try == 0 && drop_flows(c->docs, &faults)) {
			objects_release(c->s.lab.objects);
			arena_free(c->s.lab.arena);
			continue;
		}
		ret->faults = json_array();
		vec_foreach (const struct fault, f, &faults.list)
			json_array_append_new(ret->faults, fault_json(f, c->docs, sent));
		return r;
	}
}

/* The names that new namespaces get; one made anew has its own already. */
static int names_free(const struct change *c, const struct carry *w, struct err *err)
{
	const struct desired *new = c->s.lab.desired;
	int r = 0;
	for (int i = 0; r == 0 && i < (int)new->ns.n; i++)
		if (w->fresh[i] && desired_ns(c->old.desired, new->ns.v[i].name) < 0)
			r = site_name_free(&c->s, i, err);
	return r;
}

/* The new state is decided: from c->old to c->s.lab. */
static int carry_change(struct change *c, struct change_result *ret, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct carry w;
	int r = site_slots(&c->s, err);
	if (r == 0)
		r = carry_init(&w, a, &c->s, err);
	if (r == 0)
		r = plan_deltas(&w, c->old.desired, err);
	if (r == 0)
		r = names_free(c, &w, err);
	if (r < 0)
		return r;
	for (size_t i = 0; i < c->s.lab.desired->ns.n; i++)
		ret->made += w.fresh[i];
	vec_foreach (const struct dns, ns, &c->old.desired->ns)
		ret->gone += desired_ns(c->s.lab.desired, ns->name) < 0;
	stale_build(a, c->old.cluster, c->s.lab.cluster, &w);
	/* A copy: the objects at hand point into these. */
	json_t *fixed = json_deep_copy(c->docs);
	docs_fix(fixed, c->s.lab.cluster);
	json_object_set_new(c->meta, "documents", fixed);
	r = store_next(c->s.lab.dir, c->meta, err);
	if (r == 0)
		r = journal_add(c->s.lab.dir, err, "state changing");
	if (r == 0)
		r = carry_out(&w, err);
	if (r == 0)
		r = carry_finish(&w, err);
	if (r == 0)
		return 0;
	/* Back to what it was. */
	struct err more = {0};
	store_forget_next(c->s.lab.dir);
	if (mend_stored(c->e, c->s.lab.name, c->s.lab.desired, true, NULL, &more) < 0) {
		log_error("lab %s: taking a change back: %s", c->s.lab.name, more.text);
		journal_add(c->s.lab.dir, &more, "state up");
	}
	return r;
}

static int prepare(struct change *c, const char *name, struct err *err)
{
	int r = store_load(c->e, name, &c->old, err);
	if (r < 0)
		return r;
	site_init(&c->s, c->e, name);
	c->s.lab.nfacct = c->old.nfacct;
	c->s.lab.no_ipvs = c->old.no_ipvs;
	json_t *given = json_object_get(c->old.meta, "documents");
	c->meta = json_copy(c->old.meta);
	c->docs = docs_unfold(given);
	docs_fix(c->docs, c->old.cluster);
	if (!json_object_get(c->meta, "given"))
		json_object_set(c->meta, "given", given);
	/* Parts of it are counted up below: not those of the old one. */
	json_object_set_new(c->meta, "last",
			    json_deep_copy(json_object_get(c->old.meta, "last")) ?: json_object());
	return 0;
}

/* Pods that are down from now on: those the edit says, or of those before what is still there. */
static void set_down(struct change *c)
{
	json_t *down = c->edit.down ? json_incref(c->edit.down)
				    : json_copy(json_object_get(c->old.meta, "down")),
	       *v;
	const char *key;
	void *next;
	json_object_foreach_safe(down, next, key, v)
	{
		const char *slash = strchr(key, '/');
		char ns[MAX_NAME + 1];
		snprintf(ns, sizeof(ns), "%.*s", slash ? (int)(slash - key) : 0, key);
		if (!slash || docs_find(c->docs, "Pod", ns, slash + 1) < 0)
			json_object_del(down, key);
	}
	if (json_object_size(down))
		json_object_set(c->meta, "down", down);
	else
		json_object_del(c->meta, "down");
	json_decref(down);
	c->s.lab.down = json_object_get(c->meta, "down");
}

int lab_change_held(const struct engine *e, const char *name, edit_fn edit, void *arg,
		    const json_t *sent, struct change_result *ret, struct err *err)
{
	struct change c = {.e = e, .old = {.lock = -1}};
	*ret = (struct change_result){0};
	int r = prepare(&c, name, err);
	if (r < 0)
		return r;
	edit_init(&c.edit, time(NULL));
	r = edit(c.docs, &c.old, &c.edit, arg, err);
	if (r == 0) {
		set_down(&c);
		controllers(&c);
		r = derive(&c, sent, ret, err);
	}
	if (r == 0)
		r = carry_change(&c, ret, err);
	if (r == 0)
		ret->lines = json_incref(c.edit.lines);
	edit_free(&c.edit);
	json_decref(c.docs);
	json_decref(c.meta);
	site_free(&c.s);
	stored_free(&c.old);
	return r;
}

int lab_change(const struct engine *e, const char *name, edit_fn edit, void *arg,
	       const json_t *sent, struct change_result *ret, struct err *err)
{
	*ret = (struct change_result){0};
	_lab_lock_ struct lab_lock lock;
	int r = store_lock(&lock, e, name, true, err);
	if (r == 0)
		r = lab_settle(e, name, err);
	return r < 0 ? r : lab_change_held(e, name, edit, arg, sent, ret, err);
}
