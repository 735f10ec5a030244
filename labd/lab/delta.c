/* SPDX-License-Identifier: MIT */
/* See delta.h. One function a kind of thing; each compares by what makes two of them the same. */
#include "labd/lab/delta.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/strbuf.h"

#define PROTO_KERNEL 2
#define PROTO_BOOT   3

struct cmp {
	struct delta *d;
	const struct dns *have, *want;
	enum delta_how how;
};

void delta_say(struct delta *d, bool foreign, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	*vec_push(d->arena, &d->lines) =
		(struct delta_line){arena_vprintf(d->arena, fmt, ap), foreign};
	va_end(ap);
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

static bool same_mac(struct mac a, struct mac b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static bool same_cidr(struct cidr a, struct cidr b)
{
	return a.addr == b.addr && a.len == b.len;
}

/* What is not wanted: the plan's own from before goes, another's is told and stays. */
#define UNWANTED(c, member, item, ...)                                                             \
	do {                                                                                       \
		delta_say((c)->d, (c)->how == DELTA_KERNEL, __VA_ARGS__);                          \
		if ((c)->how == DELTA_PLAN)                                                        \
			*vec_push((c)->d->arena, &(c)->d->del.member) = *(item);                   \
	} while (0)

/* ---- links ----------------------------------------------------------------------------------- */

static const struct dlink *link_named(const struct dns *ns, const char *name)
{
	vec_foreach (const struct dlink, l, &ns->links)
		if (strcmp(l->name, name) == 0)
			return l;
	return NULL;
}

static const char *kind_str(enum dlink_kind k)
{
	static const char *const names[] = {
		[DLINK_LO] = "loopback", [DLINK_VETH] = "veth",	 [DLINK_BRIDGE] = "bridge",
		[DLINK_VXLAN] = "vxlan", [DLINK_TUNL0] = "ipip", [DLINK_IPIP] = "ipip",
		[DLINK_DUMMY] = "dummy"};
	return names[k];
}

static const char *on_off(bool on)
{
	return on ? "on" : "off";
}

/* What is there and what should be, in words. */
static void wrong(struct cmp *c, const struct dlink *l, const char *what, const char *is,
		  const char *should)
{
	delta_say(c->d, false, "link %s: %s%s%s, should be %s", l->name, what, *what ? " " : "", is,
		  should);
}

static const char *num(struct cmp *c, unsigned n)
{
	return arena_printf(c->d->arena, "%u", n);
}

static void conf_faults(struct cmp *c, const struct dlink *h, const struct dlink *w)
{
	const struct {
		int have, want;
		const char *name;
	} all[] = {
		{h->conf.forwarding, w->conf.forwarding, "forwarding"},
		{h->conf.proxy_arp, w->conf.proxy_arp, "proxy_arp"},
		{h->conf.rp_filter, w->conf.rp_filter, "rp_filter"},
		{h->conf.route_localnet, w->conf.route_localnet, "route_localnet"},
		{h->conf.arp_notify, w->conf.arp_notify, "arp_notify"},
		{h->conf.proxy_delay, w->conf.proxy_delay, "proxy_delay"},
	};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].want >= 0 && all[i].have != all[i].want)
			wrong(c, w, all[i].name, num(c, (unsigned)all[i].have),
			      num(c, (unsigned)all[i].want));
}

static const char *port_of(struct cmp *c, const char *master)
{
	return master ? arena_printf(c->d->arena, "port of %s", master) : "no port of a bridge";
}

static void vxlan_faults(struct cmp *c, const struct dlink *h, const struct dlink *w)
{
	if (h->vni != w->vni)
		wrong(c, w, "VNI", num(c, h->vni), num(c, w->vni));
	if (w->port && h->port != w->port)
		wrong(c, w, "UDP port", num(c, h->port), num(c, w->port));
}

/* What is wrong with a link that is there. Returns whether anything is. */
static bool link_faults(struct cmp *c, const struct dlink *h, const struct dlink *w)
{
	struct arena *a = c->d->arena;
	size_t said = c->d->lines.n;
	if (h->kind != w->kind) {
		wrong(c, w, "kind", kind_str(h->kind), kind_str(w->kind));
		return true;
	}
	if (h->up != w->up)
		wrong(c, w, "", h->up ? "up" : "down", w->up ? "up" : "down");
	if (w->mtu && h->mtu != w->mtu)
		wrong(c, w, "mtu", num(c, h->mtu), num(c, w->mtu));
	if (!mac_is_zero(w->mac) && w->kind != DLINK_LO && !same_mac(h->mac, w->mac))
		wrong(c, w, "address", arena_strdup(a, MAC(h->mac)), MAC(w->mac));
	if (!same_text(h->master, w->master))
		wrong(c, w, "", port_of(c, h->master), port_of(c, w->master));
	else if (w->master && h->hairpin != w->hairpin)
		wrong(c, w, "hairpin", on_off(h->hairpin), on_off(w->hairpin));
	if (w->kind == DLINK_VXLAN)
		vxlan_faults(c, h, w);
	if (w->local && h->local != w->local)
		wrong(c, w, "local", arena_strdup(a, IP4(h->local)), IP4(w->local));
	conf_faults(c, h, w);
	return c->d->lines.n > said;
}

/* The other end of a pair that another namespace makes: it comes and goes with that. */
static bool far_end(const struct dlink *l)
{
	return l->kind == DLINK_VETH && !l->creates;
}

/* To set a link's address again makes the kernel forget what it knows behind it. */
static void again_on(struct cmp *c, const char *dev)
{
	struct arena *a = c->d->arena;
	vec_foreach (const struct daddr, w, &c->want->addrs)
		if (same_text(w->dev, dev))
			*vec_push(a, &c->d->add.addrs) = *w;
	vec_foreach (const struct droute, w, &c->want->routes)
		if (same_text(w->dev, dev))
			*vec_push(a, &c->d->add.routes) = *w;
	vec_foreach (const struct dneigh, w, &c->want->neighs)
		if (same_text(w->dev, dev))
			*vec_push(a, &c->d->add.neighs) = *w;
	vec_foreach (const struct dfdb, w, &c->want->fdbs)
		if (same_text(w->dev, dev))
			*vec_push(a, &c->d->add.fdbs) = *w;
}

static void links(struct cmp *c)
{
	vec_foreach (const struct dlink, w, &c->want->links) {
		const struct dlink *h = link_named(c->have, w->name);
		if (h ? !link_faults(c, h, w) : far_end(w) && c->how == DELTA_PLAN)
			continue;
		if (!h)
			delta_say(c->d, false, "link %s is missing", w->name);
		if (h || !far_end(w)) {
			*vec_push(c->d->arena, &c->d->add.links) = *w;
			again_on(c, w->name);
		}
	}
	vec_foreach (const struct dlink, h, &c->have->links) {
		if (link_named(c->want, h->name) || h->kind == DLINK_LO || h->kind == DLINK_TUNL0 ||
		    (c->how == DELTA_PLAN && far_end(h)))
			continue;
		UNWANTED(c, links, h, "link %s was added by hand", h->name);
		c->d->stray |= h->kind == DLINK_VETH;
	}
}

/* ---- addresses ------------------------------------------------------------------------------- */

static const struct daddr *addr_like(const struct dns *ns, const struct daddr *a)
{
	vec_foreach (const struct daddr, b, &ns->addrs)
		if (same_cidr(a->addr, b->addr) && same_text(a->dev, b->dev))
			return b;
	return NULL;
}

static const char *addr_rest(struct cmp *c, const struct daddr *a)
{
	return arena_printf(c->d->arena, "%s%sscope %s", a->brd ? "brd " : "",
			    a->brd ? arena_printf(c->d->arena, "%s ", IP4(a->brd)) : "",
			    a->host_scope ? "host" : "global");
}

static void addrs(struct cmp *c)
{
	vec_foreach (const struct daddr, w, &c->want->addrs) {
		const struct daddr *h = addr_like(c->have, w);
		if (h && (!w->brd || h->brd == w->brd) && h->host_scope == w->host_scope)
			continue;
		*vec_push(c->d->arena, &c->d->add.addrs) = *w;
		if (h)
			delta_say(c->d, false, "address %s dev %s: %s, should be %s", CIDR(w->addr),
				  w->dev, addr_rest(c, h), addr_rest(c, w));
		else
			delta_say(c->d, false, "address %s dev %s is missing", CIDR(w->addr),
				  w->dev);
	}
	vec_foreach (const struct daddr, h, &c->have->addrs)
		if (!addr_like(c->want, h) && !(h->addr.addr >> 24 == 127))
			UNWANTED(c, addrs, h, "address %s dev %s was added by hand", CIDR(h->addr),
				 h->dev ? h->dev : "?");
}

/* ---- routes ---------------------------------------------------------------------------------- */

static const char *route_dst(struct arena *a, const struct droute *r)
{
	return r->dst.len || r->dst.addr ? arena_strdup(a, CIDR(r->dst)) : "default";
}

/* All but where to. */
static void add_way(struct strbuf *s, const struct droute *r)
{
	if (r->via)
		strbuf_addf(s, " via %s", IP4(r->via));
	if (r->dev)
		strbuf_addf(s, " dev %s", r->dev);
	if (r->src)
		strbuf_addf(s, " src %s", IP4(r->src));
	if (r->metric)
		strbuf_addf(s, " metric %u", r->metric);
	if (r->onlink)
		strbuf_adds(s, " onlink");
}

static const char *route_text(struct arena *a, const struct droute *r)
{
	_strbuf_ struct strbuf s = STRBUF_INIT;
	if (r->type == DROUTE_BLACKHOLE)
		strbuf_adds(&s, "blackhole ");
	strbuf_adds(&s, route_dst(a, r));
	add_way(&s, r);
	return arena_strdup(a, strbuf_str(&s));
}

static bool link_scope(const struct droute *r)
{
	return r->scope_link || (r->type == DROUTE_UNICAST && !r->via);
}

static uint8_t proto_of(const struct droute *r)
{
	return r->proto ? r->proto : PROTO_BOOT;
}

static bool same_route(const struct droute *h, const struct droute *w)
{
	return h->type == w->type && same_cidr(h->dst, w->dst) && h->via == w->via &&
	       same_text(h->dev, w->dev) && h->src == w->src && h->onlink == w->onlink &&
	       h->metric == w->metric && link_scope(h) == link_scope(w) &&
	       proto_of(h) == proto_of(w);
}

/* The way of r, with what of it `other` has otherwise. */
static const char *route_way(struct arena *a, const struct droute *r, const struct droute *other)
{
	_strbuf_ struct strbuf s = STRBUF_INIT;
	if (r->type != other->type)
		strbuf_adds(&s, r->type == DROUTE_BLACKHOLE ? " blackhole" : " unicast");
	add_way(&s, r);
	if (proto_of(r) != proto_of(other))
		strbuf_addf(&s, " proto %u", proto_of(r));
	if (link_scope(r) != link_scope(other))
		strbuf_addf(&s, " scope %s", link_scope(r) ? "link" : "global");
	return arena_strdup(a, strbuf_str(&s));
}

static const struct droute *route_to(const struct dns *ns, const struct droute *r)
{
	vec_foreach (const struct droute, q, &ns->routes)
		if (same_cidr(q->dst, r->dst) && q->metric == r->metric)
			return q;
	return NULL;
}

static bool has_route(const struct dns *ns, const struct droute *r)
{
	vec_foreach (const struct droute, q, &ns->routes)
		if (same_route(q, r))
			return true;
	return false;
}

/* The kernel's own route of an address, which goes when somebody deletes it. */
static void connected(struct cmp *c)
{
	vec_foreach (const struct daddr, a, &c->want->addrs) {
		struct droute r = {.dst = cidr_net(a->addr),
				   .dev = a->dev,
				   .src = a->addr.addr,
				   .scope_link = true,
				   .metric = a->metric,
				   .proto = PROTO_KERNEL};
		if (a->addr.len == 32 || a->no_prefix_route || !addr_like(c->have, a) ||
		    has_route(c->have, &r))
			continue;
		*vec_push(c->d->arena, &c->d->add.routes) = r;
		delta_say(c->d, false, "route %s is missing", route_text(c->d->arena, &r));
	}
}

static void routes(struct cmp *c)
{
	struct arena *a = c->d->arena;
	vec_foreach (const struct droute, w, &c->want->routes) {
		if (has_route(c->have, w))
			continue;
		const struct droute *h = route_to(c->have, w);
		*vec_push(a, &c->d->add.routes) = *w;
		if (h)
			delta_say(c->d, false, "route %s%s, should be%s", route_dst(a, w),
				  route_way(a, h, w), route_way(a, w, h));
		else
			delta_say(c->d, false, "route %s is missing", route_text(a, w));
	}
	vec_foreach (const struct droute, h, &c->have->routes)
		if (h->proto != PROTO_KERNEL && !route_to(c->want, h))
			UNWANTED(c, routes, h, "route %s was added by hand", route_text(a, h));
	if (c->how == DELTA_KERNEL)
		connected(c);
}

/* ---- neighbours and forwarding entries ------------------------------------------------------- */

static const struct dneigh *neigh_like(const struct dns *ns, const struct dneigh *n)
{
	vec_foreach (const struct dneigh, m, &ns->neighs)
		if (m->ip == n->ip && same_text(m->dev, n->dev))
			return m;
	return NULL;
}

static void neighs(struct cmp *c)
{
	vec_foreach (const struct dneigh, w, &c->want->neighs) {
		const struct dneigh *h = neigh_like(c->have, w);
		if (h && same_mac(h->mac, w->mac))
			continue;
		*vec_push(c->d->arena, &c->d->add.neighs) = *w;
		if (h)
			delta_say(c->d, false, "neighbour %s dev %s is %s, should be %s",
				  IP4(w->ip), w->dev, MAC(h->mac), MAC(w->mac));
		else
			delta_say(c->d, false, "neighbour %s dev %s lladdr %s is missing",
				  IP4(w->ip), w->dev, MAC(w->mac));
	}
	vec_foreach (const struct dneigh, h, &c->have->neighs)
		if (!neigh_like(c->want, h))
			UNWANTED(c, neighs, h, "neighbour %s dev %s was added by hand", IP4(h->ip),
				 h->dev ? h->dev : "?");
}

static const struct dfdb *fdb_like(const struct dns *ns, const struct dfdb *f, bool dst)
{
	vec_foreach (const struct dfdb, g, &ns->fdbs)
		if (same_mac(f->mac, g->mac) && same_text(f->dev, g->dev) &&
		    (!dst || f->dst == g->dst))
			return g;
	return NULL;
}

static void fdbs(struct cmp *c)
{
	vec_foreach (const struct dfdb, w, &c->want->fdbs) {
		const struct dfdb *h = fdb_like(c->have, w, mac_is_zero(w->mac));
		if (h && h->dst == w->dst)
			continue;
		*vec_push(c->d->arena, &c->d->add.fdbs) = *w;
		if (h)
			delta_say(c->d, false, "fdb %s dev %s leads to %s, should lead to %s",
				  MAC(w->mac), w->dev, IP4(h->dst), IP4(w->dst));
		else
			delta_say(c->d, false, "fdb %s dev %s dst %s is missing", MAC(w->mac),
				  w->dev, IP4(w->dst));
	}
	vec_foreach (const struct dfdb, h, &c->have->fdbs)
		if (!fdb_like(c->want, h, mac_is_zero(h->mac)))
			UNWANTED(c, fdbs, h, "fdb %s dev %s dst %s was added by hand", MAC(h->mac),
				 h->dev ? h->dev : "?", IP4(h->dst));
}

/* ---- sysctls, ipsets, files, programs -------------------------------------------------------- */

static void sysctls(struct cmp *c)
{
	vec_foreach (const struct dsysctl, w, &c->want->sysctls) {
		const char *is = NULL;
		vec_foreach (const struct dsysctl, h, &c->have->sysctls)
			if (strcmp(h->key, w->key) == 0)
				is = h->value;
		if (is ? strcmp(is, w->value) == 0 : c->how == DELTA_KERNEL)
			continue;
		*vec_push(c->d->arena, &c->d->add.sysctls) = *w;
		delta_say(c->d, false, "%s is %s, should be %s", w->key, is ? is : "unset",
			  w->value);
	}
}

static bool in_list(const strs *list, const char *s)
{
	for (size_t i = 0; i < list->n; i++)
		if (strcmp(list->v[i], s) == 0)
			return true;
	return false;
}

static const struct dipset *ipset_named(const struct dns *ns, const char *name)
{
	vec_foreach (const struct dipset, s, &ns->ipsets)
		if (strcmp(s->name, name) == 0)
			return s;
	return NULL;
}

static void ipsets(struct cmp *c)
{
	vec_foreach (const struct dipset, w, &c->want->ipsets) {
		const struct dipset *h = ipset_named(c->have, w->name);
		size_t said = c->d->lines.n;
		if (!h)
			delta_say(c->d, false, "ipset %s is missing", w->name);
		for (size_t i = 0; h && i < w->members.n; i++)
			if (!in_list(&h->members, w->members.v[i]))
				delta_say(c->d, false, "ipset %s lacks %s", w->name,
					  w->members.v[i]);
		for (size_t i = 0; h && i < h->members.n; i++)
			if (!in_list(&w->members, h->members.v[i]))
				delta_say(c->d, false, "ipset %s has %s, added by hand", w->name,
					  h->members.v[i]);
		if (c->d->lines.n > said)
			*vec_push(c->d->arena, &c->d->add.ipsets) = *w;
	}
	vec_foreach (const struct dipset, h, &c->have->ipsets)
		if (!ipset_named(c->want, h->name))
			UNWANTED(c, ipsets, h, "ipset %s was added by hand", h->name);
}

/* kube-proxy's other modes: their text is carried out as a whole (nft) or against what the kernel
 * has (ipvs). */
static void services(struct cmp *c)
{
	if (!same_text(c->have->nft, c->want->nft))
		c->d->add.nft = c->want->nft;
	if (!same_text(c->have->ipvs, c->want->ipvs))
		c->d->add.ipvs = c->want->ipvs;
}

static void files(struct cmp *c)
{
	vec_foreach (const struct dfile, w, &c->want->files) {
		const char *is = NULL;
		vec_foreach (const struct dfile, h, &c->have->files)
			if (strcmp(h->path, w->path) == 0)
				is = h->content;
		if (is && strcmp(is, w->content) == 0)
			continue;
		*vec_push(c->d->arena, &c->d->add.files) = *w;
		delta_say(c->d, false, "%s %s", w->path, is ? "has other contents" : "is missing");
	}
}

static const struct dproc *proc_named(const struct dns *ns, const char *name)
{
	vec_foreach (const struct dproc, p, &ns->procs)
		if (strcmp(p->name, name) == 0)
			return p;
	return NULL;
}

static bool same_argv(const strs *a, const strs *b)
{
	if (a->n != b->n)
		return false;
	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->v[i], b->v[i]) != 0)
			return false;
	return true;
}

/* A program whose configuration file is written anew must read it. */
static bool reads_changed_file(const struct delta *d, const struct dproc *p)
{
	vec_foreach (const struct dfile, f, &d->add.files)
		for (size_t i = 0; i < p->argv.n; i++)
			if (strstr(p->argv.v[i], f->path))
				return true;
	return false;
}

/* Environments are not compared: a running program keeps the one it was started with, as a
 * container does when Services come and go. */
static void programs(struct cmp *c)
{
	struct delta *d = c->d;
	vec_foreach (const struct dproc, w, &c->want->procs) {
		const struct dproc *h = proc_named(c->have, w->name);
		if (!h || !same_argv(&h->argv, &w->argv) || h->restart != w->restart ||
		    reads_changed_file(d, w))
			*vec_push(d->arena, &d->start) = w;
	}
	vec_foreach (const struct dproc, h, &c->have->procs)
		if (!proc_named(c->want, h->name))
			*vec_push(d->arena, &d->stop) = h->name;
}

/* ---- a namespace ----------------------------------------------------------------------------- */

/* What a pod is born with: kubelet would make a new sandbox. */
static bool other_pod(const struct cmp *c)
{
	const struct delta *d = c->d;
	return d->add.links.n || d->add.addrs.n || d->add.routes.n || d->del.addrs.n ||
	       d->del.routes.n || d->del.links.n ||
	       !same_text(c->have->hostname, c->want->hostname) ||
	       !same_text(c->have->cni_netns, c->want->cni_netns) ||
	       c->have->busybox_first != c->want->busybox_first;
}

void delta_build(struct arena *a, const struct dns *have, const struct dns *want,
		 enum delta_how how, struct delta *ret)
{
	*ret = (struct delta){.arena = a};
	struct cmp c = {.d = ret, .have = have, .want = want, .how = how};
	ret->add = ret->del = (struct dns){.kind = want->kind,
					   .name = want->name,
					   .hostname = want->hostname,
					   .node = want->node,
					   .pod = want->pod,
					   .parent = want->parent,
					   .busybox_first = want->busybox_first};
	links(&c);
	addrs(&c);
	routes(&c);
	neighs(&c);
	fdbs(&c);
	sysctls(&c);
	ipsets(&c);
	if (how == DELTA_PLAN) {
		services(&c);
		files(&c);
		programs(&c);
		ret->remake = want->kind == DNS_POD && (other_pod(&c) || ret->stop.n);
	}
}

bool delta_empty(const struct delta *d)
{
	const struct dns *a = &d->add, *r = &d->del;
	return !a->links.n && !d->remake && !d->start.n && !d->stop.n && !a->addrs.n &&
	       !a->routes.n && !a->neighs.n && !a->fdbs.n && !a->sysctls.n && !a->ipsets.n &&
	       !a->files.n && !a->rules.n && !a->nft && !a->ipvs && !r->links.n && !r->addrs.n &&
	       !r->routes.n && !r->neighs.n && !r->fdbs.n && !r->ipsets.n;
}
