/* SPDX-License-Identifier: MIT */
/* See net_remove.h. */
#include "labd/kernel/net_remove.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <net/if.h>

#include "labd/kernel/nlbatch.h"

static void put_ip(struct nlmsghdr *h, uint16_t type, ip4 a)
{
	mnl_attr_put_u32(h, type, htonl(a));
}

static void del_link(struct nlbatch *b, const struct dlink *l)
{
	struct nlmsghdr *h = nlbatch_msg(b, RTM_DELLINK, 0, "link %s", l->name);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	nlbatch_pass(b, ENODEV, NULL);
	mnl_attr_put_strz(h, IFLA_IFNAME, l->name);
}

static void del_addr(struct nlbatch *b, const struct daddr *a, unsigned index)
{
	struct nlmsghdr *h =
		nlbatch_msg(b, RTM_DELADDR, 0, "address %s dev %s", CIDR(a->addr), a->dev);
	struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(h, sizeof(*ifa));
	nlbatch_pass(b, EADDRNOTAVAIL, NULL);
	ifa->ifa_family = AF_INET;
	ifa->ifa_prefixlen = a->addr.len;
	ifa->ifa_index = index;
	put_ip(h, IFA_LOCAL, a->addr.addr);
}

static void del_route(struct nlbatch *b, const struct droute *r, unsigned index)
{
	struct nlmsghdr *h = nlbatch_msg(b, RTM_DELROUTE, 0, "route %s", CIDR(r->dst));
	struct rtmsg *rtm = mnl_nlmsg_put_extra_header(h, sizeof(*rtm));
	nlbatch_pass(b, ESRCH, NULL);
	rtm->rtm_family = AF_INET;
	rtm->rtm_dst_len = r->dst.len;
	rtm->rtm_table = RT_TABLE_MAIN;
	rtm->rtm_scope = RT_SCOPE_NOWHERE; /* of any scope */
	rtm->rtm_type = r->type == DROUTE_BLACKHOLE ? RTN_BLACKHOLE : RTN_UNICAST;
	put_ip(h, RTA_DST, r->dst.addr);
	if (r->via)
		put_ip(h, RTA_GATEWAY, r->via);
	if (index)
		mnl_attr_put_u32(h, RTA_OIF, index);
	if (r->metric)
		mnl_attr_put_u32(h, RTA_PRIORITY, r->metric);
}

static void del_neigh(struct nlbatch *b, uint8_t family, unsigned index, ip4 ip,
		      const struct mac *mac)
{
	struct nlmsghdr *h = nlbatch_msg(b, RTM_DELNEIGH, 0, "neighbour entry of %s", IP4(ip));
	struct ndmsg *nd = mnl_nlmsg_put_extra_header(h, sizeof(*nd));
	nlbatch_pass(b, ENOENT, NULL);
	nd->ndm_family = family;
	nd->ndm_ifindex = (int)index;
	if (family == AF_BRIDGE) {
		nd->ndm_flags = NTF_SELF;
		mnl_attr_put(h, NDA_LLADDR, sizeof(mac->b), mac->b);
	}
	if (ip)
		put_ip(h, NDA_DST, ip);
}

/* The index of a device; 0: it is gone, and what was on it too. */
static unsigned index_of(const char *dev)
{
	return dev ? if_nametoindex(dev) : 0;
}

static void remove_all(struct nlbatch *b, const struct dns *w)
{
	unsigned i;
	vec_foreach (const struct dfdb, f, &w->fdbs)
		if ((i = index_of(f->dev)))
			del_neigh(b, AF_BRIDGE, i, f->dst, &f->mac);
	vec_foreach (const struct dneigh, n, &w->neighs)
		if ((i = index_of(n->dev)))
			del_neigh(b, AF_INET, i, n->ip, NULL);
	vec_foreach (const struct droute, r, &w->routes)
		if ((i = index_of(r->dev)) || !r->dev)
			del_route(b, r, i);
	vec_foreach (const struct daddr, a, &w->addrs)
		if ((i = index_of(a->dev)))
			del_addr(b, a, i);
	vec_foreach (const struct dlink, l, &w->links)
		del_link(b, l);
}

int net_remove(int netns, const struct dns *what, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	_nlbatch_ struct nlbatch b;
	nlbatch_init(&b);
	int r = nlns_enter(&home, netns, err);
	if (r >= 0)
		r = nlbatch_open(&b, what->name, err);
	if (r < 0)
		return r;
	remove_all(&b, what);
	r = nlbatch_send(&b, err);
	return r < 0 ? r : 0;
}
