/* SPDX-License-Identifier: MIT */
/*
 * net: carrying out the link and sysctl phases over a lab's namespaces; see net.h. What a single
 * device needs is in net_link.c, addresses and routes in net_layer3.c, reading in net_observe.c.
 *
 * A veth pair spans two namespaces. Its creating end makes both in place; the other end can only
 * be set afterwards, and often sits in a namespace earlier in the list (a node, for its pods). So
 * links are done in two passes: first everything that is created, in list order (which makes the
 * kernel's own interface numbers follow the plan), then the other ends, namespace by namespace.
 */
#include "labd/kernel/net.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <string.h>

#include "labd/kernel/net_link.h"
#include "labd/kernel/nlbatch.h"
#include "labd/kernel/sysctl.h"
#include "lib/base/arena.h"

/* What one call of net_links() works with. */
struct work {
	const struct net_ctx *x;
	int from, to;
	struct arena *a;
	bool **exists; /* [namespace][link]: was there before */
	struct nlns home;
	struct sysctl sysctl;
	struct nlbatch b;
};

static const struct dns *ns_at(const struct net_ctx *x, int i)
{
	return &x->d->ns.v[i];
}

static int enter(struct nlns *home, const struct net_ctx *x, int i, struct err *err)
{
	if (x->netns[i] < 0) {
		err_set(err, -ESRCH, "the namespace does not exist yet");
		return err_path(err, "%s", ns_at(x, i)->name);
	}
	int r = nlns_enter(home, x->netns[i], err);
	return r < 0 ? err_path(err, "%s", ns_at(x, i)->name) : 0;
}

/* Devices made from now on have no IPv6; lo, which exists, keeps its ::1. */
static int ip6_off(struct sysctl *s, struct err *err)
{
	return sysctl_set(s, "net/ipv6/conf/default/disable_ipv6", "1", true, err);
}

static int sysctls_of(struct sysctl *s, const struct dns *ns, bool early, struct err *err)
{
	int r = early && ns->ip6_off ? ip6_off(s, err) : 0;
	for (size_t k = 0; r >= 0 && k < ns->sysctls.n; k++) {
		const struct dsysctl *c = &ns->sysctls.v[k];
		if (c->early == early)
			r = sysctl_set(s, c->key, c->value, c->optional, err);
	}
	return r < 0 ? err_path(err, "%s", ns->name) : 0;
}

static bool has_sysctls(const struct dns *ns, bool early)
{
	if (early && ns->ip6_off)
		return true;
	vec_foreach (const struct dsysctl, c, &ns->sysctls)
		if (c->early == early)
			return true;
	return false;
}

int net_sysctls(const struct net_ctx *x, int from, int to, bool early, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	_sysctl_ struct sysctl s = SYSCTL_INIT;
	for (int i = from; i < to; i++) {
		if (!has_sysctls(ns_at(x, i), early))
			continue;
		int r = enter(&home, x, i, err);
		if (r < 0)
			return r;
		sysctl_next(&s);
		r = sysctls_of(&s, ns_at(x, i), early, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Index of a link by name in a namespace of the desired state, or -1. */
static int find_link(const struct dns *ns, const char *name)
{
	for (size_t k = 0; k < ns->links.n; k++)
		if (strcmp(ns->links.v[k].name, name) == 0)
			return (int)k;
	return -1;
}

/* The entry of a veth's other end; NULL when the plan has none. */
static const struct dlink *peer_of(const struct net_ctx *x, const struct dlink *l)
{
	if (l->peer_ns < 0 || !l->peer_name)
		return NULL;
	const struct dns *ns = ns_at(x, l->peer_ns);
	int k = find_link(ns, l->peer_name);
	return k < 0 ? NULL : &ns->links.v[k];
}

static int bad_pair(const struct dns *ns, const struct dlink *l, struct err *err)
{
	err_set(err, -EINVAL, "the other end (%s) is not in the plan",
		l->peer_name ? l->peer_name : "unnamed");
	return err_path(err, "%s: link %s", ns->name, l->name);
}

static int add_link(struct work *w, int i, size_t k, struct err *err)
{
	const struct dns *ns = ns_at(w->x, i);
	const struct dlink *l = &ns->links.v[k];
	bool *exists = &w->exists[i][k];
	if (l->kind == DLINK_LO) {
		link_set(&w->b, l, false, NULL);
	} else if (l->kind == DLINK_TUNL0) {
		link_set(&w->b, l, true, exists); /* here: "does not exist" */
	} else if (link_creates(l)) {
		const struct dlink *peer = peer_of(w->x, l);
		if (l->kind == DLINK_VETH && !peer)
			return bad_pair(ns, l, err);
		int fd = peer ? w->x->netns[l->peer_ns] : -1;
		link_create(&w->b, l, peer, fd, exists);
		link_tune(&w->b, l);
	}
	return 0;
}

/* Second thoughts about a link: it was there already, or tunl0 was not (a kernel told to make
 * fallback tunnels in the initial namespace only). */
static void mend_link(struct work *w, const struct dlink *l)
{
	if (l->kind == DLINK_TUNL0) {
		link_create(&w->b, l, NULL, -1, NULL);
		link_tune(&w->b, l);
	} else {
		link_set(&w->b, l, true, NULL);
	}
}

static int enter_for_links(struct work *w, int i, struct err *err)
{
	int r = enter(&w->home, w->x, i, err);
	if (r < 0)
		return r;
	sysctl_next(&w->sysctl);
	return nlbatch_open(&w->b, ns_at(w->x, i)->name, err);
}

static bool is_far_end(const struct dlink *l)
{
	return l->kind == DLINK_VETH && !l->creates;
}

/* Pass 1: everything a namespace has but the veth ends that others make. */
static int links_of(struct work *w, int i, struct err *err)
{
	const struct dns *ns = ns_at(w->x, i);
	if (!ns->links.n)
		return 0;
	int r = enter_for_links(w, i, err);
	for (size_t k = 0; r >= 0 && k < ns->links.n; k++)
		r = add_link(w, i, k, err);
	if (r < 0)
		return r;
	r = nlbatch_send(&w->b, err);
	for (size_t k = 0; r >= 0 && k < ns->links.n; k++)
		if (w->exists[i][k])
			mend_link(w, &ns->links.v[k]);
	if (r < 0 || (r = nlbatch_send(&w->b, err)) < 0)
		return r;
	for (size_t k = 0; r >= 0 && k < ns->links.n; k++)
		if (!is_far_end(&ns->links.v[k]))
			r = link_late(&w->b, &w->sysctl, &ns->links.v[k], err);
	return r < 0 ? r : nlbatch_send(&w->b, err);
}

/*
 * `ip link` in a node prints the pods of a real node as link-netnsid 0, 1, 2...: the kernel counts
 * namespaces in the order in which devices first lead there. The underlay's would come first, so
 * it gets a number out of the way.
 */
#define NSID_OF_UNDERLAY 1000

static bool leads_out(const struct net_ctx *x, const struct dns *ns, const struct dlink *l)
{
	return ns->kind == DNS_NODE && l->kind == DLINK_VETH && l->peer_ns >= 0 &&
	       ns_at(x, l->peer_ns)->kind != DNS_POD;
}

static int number_underlay(struct work *w, int i, struct err *err)
{
	const struct dns *ns = ns_at(w->x, i);
	bool open = false;
	vec_foreach (const struct dlink, l, &ns->links) {
		if (!leads_out(w->x, ns, l) || w->x->netns[l->peer_ns] < 0)
			continue;
		int r = open ? 0 : enter_for_links(w, i, err);
		if (r < 0)
			return r;
		open = true;
		struct nlmsghdr *h = nlbatch_msg(&w->b, RTM_NEWNSID, 0, "id of the underlay");
		nlbatch_pass(&w->b, EEXIST, NULL);
		mnl_nlmsg_put_extra_header(h, sizeof(struct rtgenmsg));
		mnl_attr_put_u32(h, NETNSA_NSID, (uint32_t)(NSID_OF_UNDERLAY + l->peer_ns));
		mnl_attr_put_u32(h, NETNSA_FD, (uint32_t)w->x->netns[l->peer_ns]);
	}
	return open ? nlbatch_send(&w->b, err) : 0;
}

enum far { FAR_SKIP, FAR_NEW, FAR_OLD, FAR_MAYBE };

/* What pass 2 has to do about a far end: nothing, finish one made in this call, set one that its
 * creator found in place, or set one whose creator is not part of this call (and may not have been
 * made yet). */
static enum far far_state(const struct work *w, int j, const struct dlink *l)
{
	if (!is_far_end(l) || l->peer_ns < 0 || !l->peer_name)
		return FAR_SKIP;
	if (l->peer_ns < w->from || l->peer_ns >= w->to)
		return j >= w->from && j < w->to ? FAR_MAYBE : FAR_SKIP;
	int k = find_link(ns_at(w->x, l->peer_ns), l->peer_name);
	if (k < 0)
		return FAR_SKIP;
	return w->exists[l->peer_ns][k] ? FAR_OLD : FAR_NEW;
}

/* Pass 2 for one namespace. */
static int far_ends_of(struct work *w, int j, struct err *err)
{
	const struct dns *ns = ns_at(w->x, j);
	enum far *state = arena_new_array(w->a, enum far, ns->links.n + 1);
	bool *gone = arena_new_array(w->a, bool, ns->links.n + 1);
	bool any = false;
	for (size_t k = 0; k < ns->links.n; k++) {
		state[k] = far_state(w, j, &ns->links.v[k]);
		any |= state[k] != FAR_SKIP;
	}
	if (!any)
		return 0;
	int r = enter_for_links(w, j, err);
	if (r < 0)
		return r;
	for (size_t k = 0; k < ns->links.n; k++)
		if (state[k] != FAR_SKIP)
			link_set(&w->b, &ns->links.v[k], state[k] != FAR_NEW,
				 state[k] == FAR_MAYBE ? &gone[k] : NULL);
	r = nlbatch_send(&w->b, err);
	for (size_t k = 0; r >= 0 && k < ns->links.n; k++)
		if (state[k] != FAR_SKIP && !gone[k])
			r = link_late(&w->b, &w->sysctl, &ns->links.v[k], err);
	return r < 0 ? r : nlbatch_send(&w->b, err);
}

/*
 * When both ends of a pair are up, each says so by IPv6 multicast reports within a second, which a
 * bridge copies to all its ports: the square of the pods. So far ends come up while the next pods
 * are made, and become ports of their bridge only in pass 2.
 */
#define RAISE_EVERY 32

/* Far ends of pairs that namespaces [from, to) have made. */
static int raise_far_ends(struct work *w, int from, int to, struct err *err)
{
	int r = 0;
	for (int j = 0; r >= 0 && j < (int)w->x->d->ns.n; j++) {
		bool open = false;
		vec_foreach (const struct dlink, l, &ns_at(w->x, j)->links) {
			if (!l->up || !l->master || l->peer_ns < from || l->peer_ns >= to ||
			    far_state(w, j, l) != FAR_NEW)
				continue;
			r = open ? 0 : enter_for_links(w, j, err);
			if (r < 0)
				return r;
			open = true;
			link_raise(&w->b, l);
		}
		r = open ? nlbatch_send(&w->b, err) : 0;
	}
	return r;
}

static int two_passes(struct work *w, struct err *err)
{
	int r = 0, n = (int)w->x->d->ns.n, raised = w->from;
	w->exists = arena_new_array(w->a, bool *, (size_t)n + 1);
	for (int i = w->from; r >= 0 && i < w->to; i++)
		r = number_underlay(w, i, err);
	for (int i = w->from; r >= 0 && i < w->to; i++) {
		w->exists[i] = arena_new_array(w->a, bool, ns_at(w->x, i)->links.n + 1);
		r = links_of(w, i, err);
		if (r < 0 || i + 1 < raised + RAISE_EVERY)
			continue;
		r = raise_far_ends(w, raised, i + 1, err);
		raised = i + 1;
	}
	for (int j = 0; r >= 0 && j < n; j++)
		r = far_ends_of(w, j, err);
	return r < 0 ? r : 0;
}

int net_links(const struct net_ctx *x, int from, int to, struct err *err)
{
	struct work w = {.x = x, .from = from, .to = to, .a = arena_new(), .home = NLNS_INIT};
	w.sysctl = SYSCTL_INIT;
	nlbatch_init(&w.b);
	int r = two_passes(&w, err);
	nlns_leave(&w.home);
	nlbatch_free(&w.b);
	sysctl_close(&w.sysctl);
	arena_free(w.a);
	return r;
}

int net_ifindex(int netns, const char *name, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_enter(&home, netns, err);
	if (r < 0)
		return r;
	unsigned index = if_nametoindex(name);
	return index ? (int)index : err_sys(err, errno, "no interface %s", name);
}
