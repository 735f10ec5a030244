/* SPDX-License-Identifier: MIT */
/* See net_link.h. */
#include "labd/kernel/net_link.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_bridge.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>

#define USER_HZ 100 /* unit of net.ipv4.neigh.DEV.proxy_delay: 1/USER_HZ s, the same everywhere */

static const char *const kinds[] = {
	[DLINK_VETH] = "veth",	[DLINK_BRIDGE] = "bridge", [DLINK_VXLAN] = "vxlan",
	[DLINK_TUNL0] = "ipip", [DLINK_IPIP] = "ipip",	   [DLINK_DUMMY] = "dummy",
};

bool link_creates(const struct dlink *l)
{
	switch (l->kind) {
	case DLINK_LO:
	case DLINK_TUNL0:
		return false;
	case DLINK_VETH:
		return l->creates;
	default:
		return true;
	}
}

/* The index of a device that may have been made by a message not yet sent. */
static unsigned index_of(struct nlbatch *b, const char *name)
{
	if (!b->last_index || strcmp(b->last_name, name) != 0)
		nlbatch_send(b, NULL);
	return nlbatch_index(b, name);
}

static void put_properties(struct nlmsghdr *h, const struct dlink *l)
{
	if (!mac_is_zero(l->mac))
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(l->mac.b), l->mac.b);
	if (l->mtu)
		mnl_attr_put_u32(h, IFLA_MTU, l->mtu);
	if (l->zero_txqlen)
		mnl_attr_put_u32(h, IFLA_TXQLEN, 0);
}

/* One queue each way: the default of one per possible CPU costs two RCU grace periods to shrink. */
static void put_queues(struct nlmsghdr *h)
{
	mnl_attr_put_u32(h, IFLA_NUM_TX_QUEUES, 1);
	mnl_attr_put_u32(h, IFLA_NUM_RX_QUEUES, 1);
}

static void put_peer(struct nlmsghdr *h, const struct dlink *peer, int peer_netns)
{
	struct nlattr *nest = mnl_attr_nest_start(h, VETH_INFO_PEER);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(
		h, sizeof(*ifi)); /* the header of the nested "message" */
	ifi->ifi_index = peer->ifindex;
	mnl_attr_put_strz(h, IFLA_IFNAME, peer->name);
	put_properties(h, peer);
	put_queues(h);
	mnl_attr_put_u32(h, IFLA_NET_NS_FD, (uint32_t)peer_netns);
	mnl_attr_nest_end(h, nest);
}

static void put_vxlan(struct nlmsghdr *h, const struct dlink *l, unsigned lower)
{
	mnl_attr_put_u32(h, IFLA_VXLAN_ID, l->vni);
	mnl_attr_put_u8(h, IFLA_VXLAN_LEARNING, 0);
	if (l->local)
		mnl_attr_put_u32(h, IFLA_VXLAN_LOCAL, htonl(l->local));
	if (lower)
		mnl_attr_put_u32(h, IFLA_VXLAN_LINK, lower);
	/* Without it the module's default: 8472, as flannel leaves it. */
	if (l->port)
		mnl_attr_put_u16(h, IFLA_VXLAN_PORT, htons((uint16_t)l->port));
}

static void put_ipip(struct nlmsghdr *h, const struct dlink *l, unsigned lower)
{
	if (l->local)
		mnl_attr_put_u32(h, IFLA_IPTUN_LOCAL, htonl(l->local));
	if (lower)
		mnl_attr_put_u32(h, IFLA_IPTUN_LINK, lower);
	if (l->kind != DLINK_TUNL0)
		return;
	/* As the fallback device is: DF is the inner packet's, any protocol inside. */
	mnl_attr_put_u8(h, IFLA_IPTUN_PMTUDISC, 0);
	mnl_attr_put_u8(h, IFLA_IPTUN_PROTO, 0);
}

/* IFLA_LINKINFO: the kind and its own parameters. */
static void put_kind(struct nlmsghdr *h, const struct dlink *l, unsigned lower,
		     const struct dlink *peer, int peer_netns)
{
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kinds[l->kind]);
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (peer)
		put_peer(h, peer, peer_netns);
	else if (l->kind == DLINK_BRIDGE)
		mnl_attr_put_u32(h, IFLA_BR_STP_STATE, 0);
	else if (l->kind == DLINK_VXLAN)
		put_vxlan(h, l, lower);
	else if (l->kind == DLINK_IPIP || l->kind == DLINK_TUNL0)
		put_ipip(h, l, lower);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

static bool has_conf(const struct dlink *l)
{
	const struct dconf *c = &l->conf;
	return c->forwarding >= 0 || c->proxy_arp >= 0 || c->rp_filter >= 0 ||
	       c->route_localnet >= 0 || c->arp_notify >= 0;
}

/* Per-device IPv4 sysctls without /proc. The kernel takes them for existing devices only. */
static void put_conf(struct nlmsghdr *h, const struct dconf *c)
{
	const struct {
		uint16_t type;
		int value;
	} set[] = {
		{IPV4_DEVCONF_FORWARDING, c->forwarding},
		{IPV4_DEVCONF_PROXY_ARP, c->proxy_arp},
		{IPV4_DEVCONF_RP_FILTER, c->rp_filter},
		{IPV4_DEVCONF_ROUTE_LOCALNET, c->route_localnet},
		{IPV4_DEVCONF_ARP_NOTIFY, c->arp_notify},
	};
	struct nlattr *spec = mnl_attr_nest_start(h, IFLA_AF_SPEC);
	struct nlattr *inet = mnl_attr_nest_start(h, AF_INET);
	struct nlattr *conf = mnl_attr_nest_start(h, IFLA_INET_CONF);
	for (size_t i = 0; i < sizeof(set) / sizeof(set[0]); i++)
		if (set[i].value >= 0)
			mnl_attr_put_u32(h, set[i].type, (uint32_t)set[i].value);
	mnl_attr_nest_end(h, conf);
	mnl_attr_nest_end(h, inet);
	mnl_attr_nest_end(h, spec);
}

static struct nlmsghdr *begin(struct nlbatch *b, const struct dlink *l, uint16_t flags, bool up,
			      bool change)
{
	struct nlmsghdr *h = nlbatch_msg(b, RTM_NEWLINK, flags, "link %s", l->name);
	struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
	ifi->ifi_flags = up ? IFF_UP : 0;
	ifi->ifi_change = change ? IFF_UP : 0;
	if (flags & NLM_F_CREATE)
		ifi->ifi_index = l->ifindex;
	mnl_attr_put_strz(h, IFLA_IFNAME, l->name);
	return h;
}

void link_create(struct nlbatch *b, const struct dlink *l, const struct dlink *peer, int peer_netns,
		 bool *exists)
{
	unsigned lower = l->lower ? index_of(b, l->lower) : 0;
	unsigned master = l->master ? index_of(b, l->master) : 0;
	struct nlmsghdr *h = begin(b, l, NLM_F_CREATE | NLM_F_EXCL, l->up, l->up);
	nlbatch_pass(b, EEXIST, exists);
	put_properties(h, l);
	if (l->kind == DLINK_VETH)
		put_queues(h);
	if (master)
		mnl_attr_put_u32(h, IFLA_MASTER, master);
	put_kind(h, l, lower, peer, peer_netns);
}

static void set_hairpin(struct nlbatch *b, const struct dlink *l, bool *gone)
{
	struct nlmsghdr *h = nlbatch_msg(b, RTM_NEWLINK, 0, "bridge port %s", l->name);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	if (gone)
		nlbatch_pass(b, ENODEV, NULL);
	mnl_attr_put_strz(h, IFLA_IFNAME, l->name);
	struct nlattr *info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_SLAVE_KIND, "bridge");
	struct nlattr *data = mnl_attr_nest_start(h, IFLA_INFO_SLAVE_DATA);
	mnl_attr_put_u8(h, IFLA_BRPORT_MODE, l->hairpin);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
}

/* In a message of its own: VXLAN refuses its parameters together with an MTU, the same or not. */
static void set_kind(struct nlbatch *b, const struct dlink *l, unsigned lower)
{
	struct nlmsghdr *h = begin(b, l, 0, false, false);
	put_kind(h, l, lower, NULL, -1);
}

void link_set(struct nlbatch *b, const struct dlink *l, bool full, bool *gone)
{
	unsigned lower = full && l->lower ? index_of(b, l->lower) : 0;
	unsigned master = l->master ? index_of(b, l->master) : 0;
	struct nlmsghdr *h = begin(b, l, 0, l->up, l->up || full);
	if (gone)
		nlbatch_pass(b, ENODEV, gone);
	if (full)
		put_properties(h, l);
	if (master)
		mnl_attr_put_u32(h, IFLA_MASTER, master);
	if (has_conf(l))
		put_conf(h, &l->conf);
	if (full && (l->kind == DLINK_BRIDGE || l->kind == DLINK_VXLAN || l->kind == DLINK_IPIP))
		set_kind(b, l, lower);
	if (l->master && (full || l->hairpin))
		set_hairpin(b, l, gone);
}

void link_raise(struct nlbatch *b, const struct dlink *l)
{
	begin(b, l, 0, true, true);
}

void link_tune(struct nlbatch *b, const struct dlink *l)
{
	if (has_conf(l)) {
		struct nlmsghdr *h = begin(b, l, 0, false, false);
		put_conf(h, &l->conf);
	}
	if (l->master && l->hairpin)
		set_hairpin(b, l, NULL);
}

static void set_proxy_delay(struct nlbatch *b, const struct dlink *l)
{
	unsigned index = nlbatch_index(b, l->name);
	struct nlmsghdr *h = nlbatch_msg(b, RTM_SETNEIGHTBL, 0, "proxy_delay of %s", l->name);
	struct ndtmsg *ndt = mnl_nlmsg_put_extra_header(h, sizeof(*ndt));
	ndt->ndtm_family = AF_INET;
	mnl_attr_put_strz(h, NDTA_NAME, "arp_cache");
	struct nlattr *parms = mnl_attr_nest_start(h, NDTA_PARMS);
	mnl_attr_put_u32(h, NDTPA_IFINDEX, index);
	mnl_attr_put_u64(h, NDTPA_PROXY_DELAY,
			 (uint64_t)l->conf.proxy_delay * 1000 / USER_HZ); /* milliseconds */
	mnl_attr_nest_end(h, parms);
}

int link_late(struct nlbatch *b, struct sysctl *s, const struct dlink *l, struct err *err)
{
	if (l->conf.proxy_delay >= 0)
		set_proxy_delay(b, l);
	if (l->conf.accept_ra6 < 0)
		return 0;
	char key[64], value[16];
	snprintf(key, sizeof(key), "net/ipv6/conf/%s/accept_ra", l->name);
	snprintf(value, sizeof(value), "%d", l->conf.accept_ra6);
	/* A kernel without IPv6 accepts no router advertisements either. */
	int r = sysctl_set(s, key, value, true, err);
	return r < 0 ? err_path(err, "%s: link %s", b->ns, l->name) : 0;
}
