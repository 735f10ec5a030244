/* SPDX-License-Identifier: MIT */
/* See carry.h. What starts and stops inside namespaces is in carry_programs.c. */
#include "labd/lab/carry.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "labd/kernel/ipvs.h"
#include "labd/kernel/net.h"
#include "labd/kernel/net_announce.h"
#include "labd/kernel/net_remove.h"
#include "labd/kernel/nfacct.h"
#include "labd/kernel/nft.h"
#include "labd/kernel/xt.h"
#include "labd/kernel/xt_save.h"
#include "labd/lab/carry_programs.h"
#include "labd/lab/drain.h"
#include "labd/lab/life.h"
#include "labd/lab/pace.h"
#include "labd/lab/pod_status.h"
#include "lib/base/cleanup.h"
#include "lib/base/log.h"

#define KILL_TIMEOUT_MS 10000
#define RESTORE_JOBS	2
/* What part of a change that makes many pods these are; what follows has no number. */
#define SHARE_FRESH 0.5
#define SHARE_LINKS 0.2

static const struct desired *plan(const struct carry *c)
{
	return c->site->lab.desired;
}

static int count(const struct carry *c)
{
	return (int)plan(c)->ns.n;
}

int carry_init(struct carry *c, struct arena *a, struct site *s, struct err *err)
{
	size_t n = s->lab.desired->ns.n;
	*c = (struct carry){.arena = a, .site = s};
	c->fresh = arena_new_array(a, bool, n + 1);
	c->delta = arena_new_array(a, struct delta, n + 1);
	return journal_read(s->lab.dir, a, &c->journal, err);
}

bool carry_alive(const struct carry *c, int i)
{
	const struct dns *ns = &plan(c)->ns.v[i];
	if (ns->kind == DNS_FABRIC || ns->kind == DNS_ROUTER)
		return true;
	const struct journal_proc *p = journal_proc_find(&c->journal, ns->name);
	return p && proc_alive(p->pid, p->starttime);
}

void carry_spread(struct carry *c)
{
	for (int i = 0; i < count(c); i++) {
		int parent = plan(c)->ns.v[i].parent;
		if (parent >= 0 && c->fresh[parent])
			c->fresh[i] = true;
	}
}

static bool touched(const struct carry *c, int i)
{
	return c->fresh[i] || !delta_empty(&c->delta[i]);
}

/* ---- making room ----------------------------------------------------------------------------- */

static const char *pin_of(const struct carry *c, const struct journal_pin *p)
{
	size_t n = strlen(c->site->lab.name);
	return strlen(p->name) > n ? p->name + n + 1 : "";
}

static int kill_ns(const struct carry *c, const char *ns, struct err *err)
{
	const struct journal_proc *p = journal_proc_find(&c->journal, ns);
	return p ? proc_kill(p->pid, p->starttime, KILL_TIMEOUT_MS, err) : 0;
}

/* The names of a namespace: its pins, on the host and inside its node (if that is at hand). */
static int unpin_ns(const struct carry *c, const char *ns, struct err *err)
{
	int r = 0;
	vec_foreach (const struct journal_pin, p, &c->journal.pins)
		if (r == 0 && strcmp(pin_of(c, p), ns) == 0)
			r = site_unpin(p, err);
	vec_foreach (const struct journal_inside, p, &c->journal.insides) {
		int node = desired_ns(plan(c), p->node);
		if (r == 0 && strcmp(p->ns, ns) == 0 && node >= 0 && c->site->procs[node].pid &&
		    !c->fresh[node])
			r = proc_unpin_inside(&c->site->procs[node], p->name, err);
	}
	return r;
}

/* The far ends of its devices, in namespaces that stay; they would go with it, but only in a while.
 */
static int clear_far_ends(const struct carry *c, int i, struct err *err)
{
	int r = 0;
	vec_foreach (const struct dlink, l, &plan(c)->ns.v[i].links) {
		if (l->kind != DLINK_VETH || l->peer_ns < 0 || r < 0 ||
		    c->site->netns[l->peer_ns] < 0 || c->fresh[l->peer_ns])
			continue;
		struct dlink far = {.name = l->peer_name};
		struct dns what = {.name = plan(c)->ns.v[l->peer_ns].name};
		*vec_push(c->arena, &what.links) = far;
		r = net_remove(c->site->netns[l->peer_ns], &what, err);
	}
	return r;
}

static bool known(const struct carry *c, const char *ns)
{
	vec_foreach (const struct journal_proc, p, &c->journal.procs)
		if (strcmp(p->ns, ns) == 0)
			return true;
	vec_foreach (const struct journal_pin, p, &c->journal.pins)
		if (strcmp(pin_of(c, p), ns) == 0)
			return true;
	return false;
}

/* What is left of one that is made anew. */
static int clear(const struct carry *c, int i, struct err *err)
{
	const char *name = plan(c)->ns.v[i].name;
	if (!known(c, name))
		return 0;
	int r = kill_ns(c, name, err);
	if (r == 0)
		r = unpin_ns(c, name, err);
	if (r == 0)
		r = clear_far_ends(c, i, err);
	return r;
}

int carry_clear(struct carry *c, struct err *err)
{
	int r = 0;
	for (int i = 0; r == 0 && i < count(c); i++)
		if (c->fresh[i])
			r = clear(c, i, err);
	return r;
}

/* What the node has about a pod's device went with the old one. */
static void again_on_node(const struct carry *c, int i)
{
	const struct dns *ns = &plan(c)->ns.v[i];
	if (ns->parent < 0 || c->fresh[ns->parent])
		return;
	const struct dns *node = &plan(c)->ns.v[ns->parent];
	struct delta *d = &c->delta[ns->parent];
	vec_foreach (const struct dlink, l, &ns->links)
		if (l->creates && l->peer_ns == ns->parent)
			vec_foreach (const struct droute, r, &node->routes)
				if (r->dev && strcmp(r->dev, l->peer_name) == 0)
					*vec_push(c->arena, &d->add.routes) = *r;
}

/* ---- steps ----------------------------------------------------------------------------------- */

/* Everything at hand that a step below may enter: all that stay, but pods only when touched. */
static int open_all(struct carry *c, struct err *err)
{
	for (int i = 0; i < count(c); i++) {
		const struct dns *ns = &plan(c)->ns.v[i];
		if (c->fresh[i] || (ns->kind == DNS_POD && !touched(c, i)))
			continue;
		int r = site_open(c->site, &c->journal, i, err);
		if (r < 0)
			return r;
		if (r == 0) {
			err_set(err, ESRCH, "lab \"%s\": %s is gone", c->site->lab.name, ns->name);
			return err_hint(err, "labctl diff --fix makes it anew; labctl down, up "
					     "all of it");
		}
	}
	return 0;
}

static int count_fresh(const struct carry *c)
{
	int n = 0;
	for (int i = 0; i < count(c); i++)
		n += c->fresh[i];
	return n;
}

static int make_fresh(struct carry *c, struct err *err)
{
	for (int i = 0; i < count(c); i++)
		if (c->fresh[i])
			again_on_node(c, i);
	int r = carry_clear(c, err);
	pace_step("namespaces", count_fresh(c), 0, SHARE_FRESH);
	for (int i = 0, done = 0; r == 0 && i < count(c); i++)
		if (c->fresh[i]) {
			r = site_make(c->site, i, err);
			pace_done(++done);
		}
	return r;
}

/* Of a namespace that stays only the links that are missing or wrong: to set the others again would
 * disturb them. */
static int some_links(const struct carry *c, int i, struct err *err)
{
	struct desired some = *plan(c);
	struct net_ctx x = {.d = &some, .netns = c->site->netns};
	some.ns.v = arena_new_array(c->arena, struct dns, some.ns.n);
	memcpy(some.ns.v, plan(c)->ns.v, some.ns.n * sizeof(struct dns));
	struct dns *ns = &some.ns.v[i];
	ns->links.v = c->delta[i].add.links.v;
	ns->links.n = ns->links.cap = c->delta[i].add.links.n;
	return net_links(&x, i, i + 1, err);
}

/* Bridges of nodes before the pods that become their ports. */
static int change_links(struct carry *c, struct err *err)
{
	struct net_ctx x = {.d = plan(c), .netns = c->site->netns};
	int r = 0;
	pace_step("links", count_fresh(c), SHARE_FRESH, SHARE_LINKS);
	for (int i = 0; r == 0 && i < count(c); i++)
		if (c->fresh[i])
			r = net_sysctls(&x, i, i + 1, true, err);
	for (int i = 0, done = 0; r == 0 && i < count(c); i++) {
		pace_done(done += c->fresh[i]);
		if (c->fresh[i])
			r = net_links(&x, i, i + 1, err);
		else if (c->delta[i].add.links.n)
			r = some_links(c, i, err);
	}
	return r;
}

/* A desired state of one namespace that holds only what is to be added. */
static int add_some(const struct carry *c, int i, struct err *err)
{
	const struct delta *d = &c->delta[i];
	struct desired some = {.arena = c->arena, .cluster = plan(c)->cluster};
	struct net_ctx x = {.d = &some, .netns = &c->site->netns[i]};
	*vec_push(c->arena, &some.ns) = d->add;
	int r = net_layer3(&x, 0, 1, err);
	if (r == 0 && d->add.sysctls.n)
		r = net_sysctls(&x, 0, 1, true, err);
	if (r == 0 && d->add.sysctls.n)
		r = net_sysctls(&x, 0, 1, false, err);
	if (r == 0 && d->add.ipsets.n)
		r = xt_ipsets(c->site->netns[i], &d->add, err);
	return r;
}

static int add_all(struct carry *c, struct err *err)
{
	struct net_ctx x = {.d = plan(c), .netns = c->site->netns};
	int r = 0;
	for (int i = 0; r == 0 && i < count(c); i++) {
		if (c->fresh[i]) {
			r = net_layer3(&x, i, i + 1, err);
			if (r == 0)
				r = net_sysctls(&x, i, i + 1, false, err);
			if (r == 0)
				r = nfacct_make(c->site->netns[i], &plan(c)->ns.v[i], err);
			if (r == 0)
				r = xt_ipsets(c->site->netns[i], &plan(c)->ns.v[i], err);
		} else if (!delta_empty(&c->delta[i])) {
			r = add_some(c, i, err);
		}
	}
	return r;
}

/* A pod made now may have the address of one that went. */
static int announce(struct carry *c, struct err *err)
{
	struct net_ctx x = {.d = plan(c), .netns = c->site->netns};
	int r = 0;
	for (int i = 0; r == 0 && i < count(c); i++)
		if (c->fresh[i] && plan(c)->ns.v[i].kind == DNS_POD)
			r = net_announce(&x, i, err);
	return r;
}

/* Virtual services and nftables of kube-proxy's other modes. */
static int change_services(struct carry *c, struct err *err)
{
	const strs *exclude = &plan(c)->cluster->proxy.exclude_cidrs;
	unsigned draining = 0;
	int r = 0;
	for (int i = 0; r == 0 && i < count(c); i++) {
		const struct dns *ns = &plan(c)->ns.v[i];
		if (c->fresh[i])
			r = ipvs_load(c->site->netns[i], ns, err);
		else if (c->delta[i].add.ipvs)
			r = ipvs_change(c->site->netns[i], ns, exclude, &draining, err);
		if (r == 0 && (c->fresh[i] || c->delta[i].add.nft))
			r = nft_load(c->site->netns[i], ns, err);
	}
	if (draining)
		drain_note(c->site->lab.dir);
	return r;
}

static int change_rules(struct carry *c, struct err *err)
{
	struct desired some = {.arena = c->arena, .cluster = plan(c)->cluster};
	for (int i = 0; i < count(c); i++) {
		const struct dns *ns = &plan(c)->ns.v[i];
		struct dns *to = vec_push(c->arena, &some.ns);
		*to = c->fresh[i] ? *ns : c->delta[i].add;
		to->name = ns->name;
	}
	int r = change_services(c, err);
	if (r == 0)
		r = xt_rules_all(&some, c->site->netns, store_backend(c->site->e, &c->site->lab),
				 c->site->lab.dir, RESTORE_JOBS, err);
	for (int i = 0; r >= 0 && c->stale.n && i < count(c); i++)
		if (plan(c)->ns.v[i].kind == DNS_NODE && !c->fresh[i])
			r = ct_clean_udp(c->site->netns[i], c->stale.v, c->stale.n, err);
	return r;
}

static int remove_some(struct carry *c, struct err *err)
{
	int r = 0;
	for (int i = 0; r == 0 && i < count(c); i++) {
		const struct dns *del = &c->delta[i].del;
		if (c->fresh[i] || c->site->netns[i] < 0)
			continue;
		if (del->links.n || del->addrs.n || del->routes.n || del->neighs.n || del->fdbs.n)
			r = net_remove(c->site->netns[i], del, err);
		vec_foreach (const struct dipset, s, &del->ipsets)
			if (r == 0)
				r = xt_ipset_destroy(c->site->netns[i], s->name, err);
	}
	return r;
}

int carry_out(struct carry *c, struct err *err)
{
	carry_spread(c);
	int r = open_all(c, err);
	if (r == 0)
		r = carry_programs_begin(c, err);
	if (r == 0)
		r = make_fresh(c, err);
	if (r == 0)
		r = change_links(c, err);
	if (r == 0)
		r = add_all(c, err);
	if (r == 0)
		r = carry_programs(c, err);
	if (r == 0)
		r = announce(c, err);
	if (r == 0)
		r = change_rules(c, err);
	if (r == 0)
		r = remove_some(c, err);
	return carry_programs_end(c, r, err);
}

/* Of a pod whose sandbox died and was made anew all containers were started again. A pod that is
 * another now has no past. */
static bool count_again(const struct carry *c, json_t *all, int i)
{
	const struct dns *ns = &plan(c)->ns.v[i];
	if (!c->fresh[i] || !journal_proc_find(&c->journal, ns->name))
		return false;
	if (ns->kind == DNS_POD && !c->delta[i].remake)
		pod_status_again(all, ns->name, time(NULL));
	else if (json_object_del(all, ns->name) < 0)
		return false;
	return true;
}

static void count_restarts(const struct carry *c)
{
	json_t *all = pod_status_load(c->site->lab.dir), *v;
	const char *name;
	void *next;
	struct err err;
	bool any = false;
	for (int i = 0; i < count(c); i++)
		any |= count_again(c, all, i);
	json_object_foreach_safe(all, next, name, v) if (desired_ns(plan(c), name) < 0) any |=
		json_object_del(all, name) == 0;
	if (any && pod_status_store(c->site->lab.dir, all, &err) < 0)
		log_warn("lab %s: %s", c->site->lab.name, err.text);
	json_decref(all);
}

/* ---- the end --------------------------------------------------------------------------------- */

static bool wanted(void *arg, const char *ns)
{
	return desired_ns(arg, ns) >= 0;
}

static int drop(struct carry *c, const char *ns, struct err *err)
{
	if (desired_ns(plan(c), ns) >= 0)
		return 0;
	int r = kill_ns(c, ns, err);
	if (r == 0)
		r = unpin_ns(c, ns, err);
	return r;
}

int carry_finish(struct carry *c, struct err *err)
{
	int r = 0;
	vec_foreach (const struct journal_proc, p, &c->journal.procs)
		if (r == 0)
			r = drop(c, p->ns, err);
	vec_foreach (const struct journal_pin, p, &c->journal.pins)
		if (r == 0)
			r = drop(c, pin_of(c, p), err);
	if (r == 0)
		r = store_promote(c->site->lab.dir, err);
	if (r == 0)
		r = journal_compact(c->site->lab.dir, c->site->lab.name, wanted, (void *)plan(c),
				    err);
	if (r == 0)
		count_restarts(c);
	return r;
}
