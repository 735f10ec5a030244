/* SPDX-License-Identifier: MIT */
/*
 * net_layer3: addresses, routes, neighbours and forwarding entries of a lab's namespaces; see
 * net.h. Everything is sent as "replace", so that doing it twice is success.
 */
#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <string.h>

#include "labd/kernel/net.h"
#include "labd/kernel/nlbatch.h"

#define REPLACE (NLM_F_CREATE | NLM_F_REPLACE)

static void put_ip(struct nlmsghdr *h, uint16_t type, ip4 a)
{
	mnl_attr_put_u32(h, type, htonl(a));
}

static void add_addr(struct nlbatch *b, const struct daddr *a)
{
	unsigned index = nlbatch_index(b, a->dev);
	struct nlmsghdr *h =
		nlbatch_msg(b, RTM_NEWADDR, REPLACE, "address %s dev %s", CIDR(a->addr), a->dev);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = a->addr.len;
	ifa->ifa_scope = a->host_scope ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE;
	ifa->ifa_index = index;
	put_ip(h, IFA_LOCAL, a->addr.addr);
	put_ip(h, IFA_ADDRESS, a->addr.addr);
	if (a->brd)
		put_ip(h, IFA_BROADCAST, a->brd);
	if (a->no_prefix_route)
		mnl_attr_put_u32(h, IFA_FLAGS, IFA_F_NOPREFIXROUTE);
	if (a->metric)
		mnl_attr_put_u32(h, IFA_RT_PRIORITY, a->metric);
}

static uint8_t route_scope(const struct droute *r)
{
	/* As ip-route(8): a unicast route without a gateway is a link route. */
	bool link = r->scope_link || (r->type == DROUTE_UNICAST && !r->via);
	return link ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;
}

static void add_route(struct nlbatch *b, const struct droute *r)
{
	unsigned index = r->dev ? nlbatch_index(b, r->dev) : 0;
	struct nlmsghdr *h = nlbatch_msg(b, RTM_NEWROUTE, REPLACE, "route %s%s%s%s%s", CIDR(r->dst),
					 r->via ? " via " : "", r->via ? IP4(r->via) : "",
					 r->dev ? " dev " : "", r->dev ? r->dev : "");
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = r->dst.len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_protocol = r->proto ? r->proto : RTPROT_BOOT;
	rtm->rtm_type = r->type == DROUTE_BLACKHOLE ? RTN_BLACKHOLE : RTN_UNICAST;
	rtm->rtm_scope = route_scope(r);
	rtm->rtm_flags = r->onlink ? RTNH_F_ONLINK : 0;
	put_ip(h, RTA_DST, r->dst.addr);
	if (r->via)
		put_ip(h, RTA_GATEWAY, r->via);
	if (index)
		mnl_attr_put_u32(h, RTA_OIF, index);
	if (r->src)
		put_ip(h, RTA_PREFSRC, r->src);
	if (r->metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
}

static struct nlmsghdr *begin_neigh(struct nlbatch *b, uint16_t flags, uint8_t family,
				    unsigned index, const char *what)
{
	struct nlmsghdr *h = nlbatch_msg(b, RTM_NEWNEIGH, flags, "%s", what);
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
	nd->ndm_family = family;
	nd->ndm_ifindex = (int)index;
	nd->ndm_state = NUD_PERMANENT;
	if (family == AF_BRIDGE) {
		nd->ndm_flags = NTF_SELF;
		nd->ndm_state |= NUD_NOARP; /* as bridge(8) sends it */
	}
	return h;
}

static void add_neigh(struct nlbatch *b, const struct dneigh *n)
{
	unsigned index = nlbatch_index(b, n->dev);
	char what[NLBATCH_WHAT];
	snprintf(what, sizeof(what), "neighbour %s dev %s", IP4(n->ip), n->dev);
	struct nlmsghdr *h = begin_neigh(b, REPLACE, AF_INET, index, what);
	put_ip(h, NDA_DST, n->ip);
	mnl_attr_put(h, NDA_LLADDR, sizeof(n->mac.b), n->mac.b);
}

static void add_fdb(struct nlbatch *b, const struct dfdb *f)
{
	unsigned index = nlbatch_index(b, f->dev);
	char what[NLBATCH_WHAT];
	snprintf(what, sizeof(what), "fdb %s dev %s dst %s", MAC(f->mac), f->dev, IP4(f->dst));
	/* The all-zero entry is a list of destinations: it cannot be replaced, only grown. */
	uint16_t flags = mac_is_zero(f->mac) ? NLM_F_CREATE | NLM_F_APPEND : REPLACE;
	struct nlmsghdr *h = begin_neigh(b, flags, AF_BRIDGE, index, what);
	mnl_attr_put(h, NDA_LLADDR, sizeof(f->mac.b), f->mac.b);
	if (f->dst)
		put_ip(h, NDA_DST, f->dst);
}

static int layer3_of(struct nlbatch *b, const struct dns *ns, struct err *err)
{
	vec_foreach (const struct daddr, a, &ns->addrs)
		add_addr(b, a);
	/* What makes gateways reachable comes before what goes through them. */
	vec_foreach (const struct droute, r, &ns->routes)
		if (!r->via)
			add_route(b, r);
	vec_foreach (const struct droute, r, &ns->routes)
		if (r->via)
			add_route(b, r);
	vec_foreach (const struct dneigh, n, &ns->neighs)
		add_neigh(b, n);
	vec_foreach (const struct dfdb, f, &ns->fdbs)
		add_fdb(b, f);
	return nlbatch_send(b, err);
}

int net_layer3(const struct net_ctx *x, int from, int to, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	_nlbatch_ struct nlbatch b;
	nlbatch_init(&b);
	for (int i = from; i < to; i++) {
		const struct dns *ns = &x->d->ns.v[i];
		if (!ns->addrs.n && !ns->routes.n && !ns->neighs.n && !ns->fdbs.n)
			continue;
		int r = nlns_enter(&home, x->netns[i], err);
		if (r < 0)
			return err_path(err, "%s", ns->name);
		r = nlbatch_open(&b, ns->name, err);
		if (r >= 0)
			r = layer3_of(&b, ns, err);
		if (r < 0)
			return r;
	}
	return 0;
}
