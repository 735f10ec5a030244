/* SPDX-License-Identifier: MIT */
/*
 * net_observe: a namespace's links, addresses, routes, neighbours and forwarding entries read back
 * into the form of the desired state; see net.h. libnl asks, receives, and reads addresses, routes
 * and neighbours into its caches. Links are read here (nlread.h), of the dump itself: libnl's know
 * nothing of hairpin and accept_ra, and its parsers of link types read NULL when a message has
 * statistics but no data of a type. So are an address's metric, proxy_delay, and the FDB.
 */
#include "labd/kernel/nlbatch.h" /* first: libc's net/if.h, to which the kernel's headers give way */

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/neighbour.h>
#include <netlink/cache.h>
#include <netlink/netlink.h>
#include <netlink/route/addr.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/route.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/net.h"
#include "labd/kernel/nlread.h"
#include "lib/base/cleanup.h"

#define USER_HZ 100 /* unit of proxy_delay */
#define TRIES	5   /* while somebody changes what we list */

/* A link of any kind: its name, and what it names by an index that may be listed after it. */
struct nic {
	int index, master, lower;
	const char *name;
	size_t link; /* of dns.links, or NO_LINK */
};
#define NO_LINK SIZE_MAX

struct seen {
	struct arena *a;
	struct dns *ns;
	struct nl_sock *sk;
	vec_of(struct nic) nics;
};

static const struct nic *nic_of(const struct seen *s, int index)
{
	vec_foreach (const struct nic, n, &s->nics)
		if (n->index == index)
			return n;
	return NULL;
}

static const char *dev_name(const struct seen *s, int index)
{
	const struct nic *n = nic_of(s, index);
	return n ? n->name : NULL;
}

static struct dlink *link_by_index(const struct seen *s, int index)
{
	const struct nic *n = nic_of(s, index);
	return n && n->link != NO_LINK ? &s->ns->links.v[n->link] : NULL;
}

static ip4 ip_of(struct nl_addr *a)
{
	if (!a || nl_addr_get_family(a) != AF_INET || nl_addr_get_len(a) != sizeof(uint32_t))
		return 0;
	uint32_t v;
	memcpy(&v, nl_addr_get_binary_addr(a), sizeof(v));
	return ntohl(v);
}

/* An IPv4 prefix has 32 bits at most, whatever a message says. */
static uint8_t prefix_of(int len)
{
	return len < 0 ? 0 : len < 32 ? (uint8_t)len : 32;
}

static struct cidr cidr_of(struct nl_addr *a)
{
	return (struct cidr){ip_of(a), a ? prefix_of((int)nl_addr_get_prefixlen(a)) : 0};
}

/* Of its bytes; NULL: none. */
static struct mac mac_of(const void *bytes)
{
	struct mac m = {{0}};
	if (bytes)
		memcpy(m.b, bytes, sizeof(m.b));
	return m;
}

/* ---- links ---- */

static bool kind_of(const struct ifinfomsg *ifi, const struct nlattr *type, const char *name,
		    enum dlink_kind *ret)
{
	static const struct {
		const char *type;
		enum dlink_kind kind;
	} kinds[] = {
		{"veth", DLINK_VETH}, {"bridge", DLINK_BRIDGE}, {"vxlan", DLINK_VXLAN},
		{"ipip", DLINK_IPIP}, {"dummy", DLINK_DUMMY},
	};
	if (!type) {
		*ret = DLINK_LO;
		return ifi->ifi_flags & IFF_LOOPBACK;
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!nlread_is(type, kinds[i].type))
			continue;
		*ret = kinds[i].kind;
		if (*ret == DLINK_IPIP && strcmp(name, "tunl0") == 0)
			*ret = DLINK_TUNL0;
		return true;
	}
	return false;
}

static struct dconf conf_of(const struct nlattr *spec)
{
	struct dconf c = DCONF_NONE;
	const struct nlattr *v4 = nlread_in(nlread_in(spec, AF_INET), IFLA_INET_CONF);
	const struct nlattr *v6 = nlread_in(nlread_in(spec, AF_INET6), IFLA_INET6_CONF);
	const struct {
		unsigned id;
		int *value;
	} get[] = {
		{IPV4_DEVCONF_FORWARDING, &c.forwarding},
		{IPV4_DEVCONF_PROXY_ARP, &c.proxy_arp},
		{IPV4_DEVCONF_RP_FILTER, &c.rp_filter},
		{IPV4_DEVCONF_ROUTE_LOCALNET, &c.route_localnet},
		{IPV4_DEVCONF_ARP_NOTIFY, &c.arp_notify},
	};
	for (size_t i = 0; i < ARRAY_SIZE(get); i++)
		*get[i].value = nlread_s32_at(v4, get[i].id - 1, *get[i].value);
	c.accept_ra6 = nlread_s32_at(v6, DEVCONF_ACCEPT_RA, c.accept_ra6);
	return c;
}

static void read_tunnel(const struct nlattr *data, struct dlink *d, struct nic *n)
{
	struct nlattrs v;
	nlread_by_type(nlread_nest(data), &v);
	if (d->kind == DLINK_VXLAN) {
		d->vni = nlread_u32(v.v[IFLA_VXLAN_ID]);
		d->port = nlread_be16(v.v[IFLA_VXLAN_PORT]);
		d->local = nlread_be32(v.v[IFLA_VXLAN_LOCAL]);
		n->lower = (int)nlread_u32(v.v[IFLA_VXLAN_LINK]);
	} else if (d->kind == DLINK_IPIP) {
		d->local = nlread_be32(v.v[IFLA_IPTUN_LOCAL]);
		n->lower = (int)nlread_u32(v.v[IFLA_IPTUN_LINK]);
	}
}

static int see_link_message(struct nl_msg *m, void *arg)
{
	struct seen *s = arg;
	const struct ifinfomsg *ifi = nlread_fixed(nlmsg_hdr(m), sizeof(*ifi));
	struct nlattrs at, info;
	enum dlink_kind kind;
	if (!ifi)
		return NL_OK;
	nlread_by_type(nlread_attrs(nlmsg_hdr(m), sizeof(*ifi)), &at);
	nlread_by_type(nlread_nest(at.v[IFLA_LINKINFO]), &info);
	const char *name = nlread_str(s->a, at.v[IFLA_IFNAME]);
	const struct nlattr *ll = at.v[IFLA_ADDRESS];
	const void *mac = nlread_len(ll) == sizeof(struct mac) ? nlread_data(ll) : NULL;
	if (!*name)
		return NL_OK;
	struct nic *n = vec_push(s->a, &s->nics);
	*n = (struct nic){.index = ifi->ifi_index, .name = name, .link = NO_LINK};
	if (!kind_of(ifi, info.v[IFLA_INFO_KIND], name, &kind))
		return NL_OK; /* nothing a lab makes */
	n->link = s->ns->links.n;
	n->master = (int)nlread_u32(at.v[IFLA_MASTER]);
	struct dlink *d = vec_push(s->a, &s->ns->links);
	*d = (struct dlink){
		.kind = kind,
		.name = name,
		.mtu = nlread_u32(at.v[IFLA_MTU]),
		.ifindex = ifi->ifi_index,
		.up = ifi->ifi_flags & IFF_UP,
		.zero_txqlen = kind == DLINK_VETH && nlread_u32(at.v[IFLA_TXQLEN]) == 0,
		.hairpin = nlread_u8(nlread_in(info.v[IFLA_INFO_SLAVE_DATA], IFLA_BRPORT_MODE)),
		.peer_ns = -1,
		.conf = conf_of(at.v[IFLA_AF_SPEC]),
	};
	if (kind != DLINK_LO && kind != DLINK_TUNL0 && kind != DLINK_IPIP)
		d->mac = mac_of(mac);
	read_tunnel(info.v[IFLA_INFO_DATA], d, n);
	return NL_OK;
}

static void name_others(struct seen *s)
{
	vec_foreach (const struct nic, n, &s->nics) {
		if (n->link == NO_LINK)
			continue;
		struct dlink *d = &s->ns->links.v[n->link];
		d->master = n->master ? dev_name(s, n->master) : NULL;
		d->lower = n->lower ? dev_name(s, n->lower) : NULL;
		d->hairpin &= d->master != NULL;
	}
}

static int see_neightbl_message(struct nl_msg *m, void *arg)
{
	struct seen *s = arg;
	struct nlattrs at, in;
	uint64_t ms;
	nlread_by_type(nlread_attrs(nlmsg_hdr(m), sizeof(struct ndtmsg)), &at);
	nlread_by_type(nlread_nest(at.v[NDTA_PARMS]), &in);
	const struct nlattr *index = in.v[NDTPA_IFINDEX], *delay = in.v[NDTPA_PROXY_DELAY];
	struct dlink *l = index ? link_by_index(s, (int)nlread_u32(index)) : NULL;
	if (l && nlread_len(delay) >= sizeof(ms)) {
		memcpy(&ms, nlread_data(delay), sizeof(ms));
		l->conf.proxy_delay = (int)(ms * USER_HZ / 1000);
	}
	return NL_OK;
}

/* ---- addresses, routes, neighbours ---- */

static void see_addr(struct nl_object *o, void *arg)
{
	struct seen *s = arg;
	struct rtnl_addr *a = (struct rtnl_addr *)o;
	if (rtnl_addr_get_family(a) != AF_INET)
		return;
	struct daddr *d = vec_push(s->a, &s->ns->addrs);
	*d = (struct daddr){
		.dev = dev_name(s, rtnl_addr_get_ifindex(a)),
		.addr = cidr_of(rtnl_addr_get_local(a)),
		.brd = ip_of(rtnl_addr_get_broadcast(a)),
		.host_scope = rtnl_addr_get_scope(a) == RT_SCOPE_HOST,
		.no_prefix_route = rtnl_addr_get_flags(a) & IFA_F_NOPREFIXROUTE,
	};
	d->addr.len = prefix_of(rtnl_addr_get_prefixlen(a));
}

static int see_addr_message(struct nl_msg *m, void *arg)
{
	struct seen *s = arg;
	const struct ifaddrmsg *ifa = nlread_fixed(nlmsg_hdr(m), sizeof(*ifa));
	const struct dlink *l = ifa ? link_by_index(s, (int)ifa->ifa_index) : NULL;
	struct nlattrs at;
	if (!l)
		return NL_OK;
	nlread_by_type(nlread_attrs(nlmsg_hdr(m), sizeof(*ifa)), &at);
	const struct nlattr *metric = at.v[IFA_RT_PRIORITY], *local = at.v[IFA_LOCAL];
	if (!metric || !local)
		return NL_OK;
	vec_foreach (struct daddr, d, &s->ns->addrs)
		if (d->addr.addr == nlread_be32(local) && d->dev && strcmp(d->dev, l->name) == 0)
			d->metric = nlread_u32(metric);
	return NL_OK;
}

static void see_route(struct nl_object *o, void *arg)
{
	struct seen *s = arg;
	struct rtnl_route *r = (struct rtnl_route *)o;
	uint8_t type = rtnl_route_get_type(r);
	/* What the kernel learned of a single destination (a path's MTU) is no route of a table. */
	if (rtnl_route_get_flags(r) & RTM_F_CLONED)
		return;
	if (rtnl_route_get_family(r) != AF_INET || rtnl_route_get_table(r) != RT_TABLE_MAIN ||
	    (type != RTN_UNICAST && type != RTN_BLACKHOLE))
		return;
	struct droute *d = vec_push(s->a, &s->ns->routes);
	*d = (struct droute){
		.type = type == RTN_BLACKHOLE ? DROUTE_BLACKHOLE : DROUTE_UNICAST,
		.dst = cidr_of(rtnl_route_get_dst(r)),
		.src = ip_of(rtnl_route_get_pref_src(r)),
		.scope_link = rtnl_route_get_scope(r) == RT_SCOPE_LINK,
		.metric = rtnl_route_get_priority(r),
		.proto = rtnl_route_get_protocol(r),
	};
	struct rtnl_nexthop *nh = rtnl_route_nexthop_n(r, 0);
	if (type == RTN_BLACKHOLE || !nh)
		return;
	d->via = ip_of(rtnl_route_nh_get_gateway(nh));
	d->dev = dev_name(s, rtnl_route_nh_get_ifindex(nh));
	d->onlink = rtnl_route_nh_get_flags(nh) & RTNH_F_ONLINK;
}

static void see_neigh(struct nl_object *o, void *arg)
{
	struct seen *s = arg;
	struct rtnl_neigh *n = (struct rtnl_neigh *)o;
	if (rtnl_neigh_get_family(n) != AF_INET || !(rtnl_neigh_get_state(n) & NUD_PERMANENT))
		return;
	const struct nl_addr *ll = rtnl_neigh_get_lladdr(n);
	bool mac = ll && nl_addr_get_len(ll) == sizeof(struct mac);
	*vec_push(s->a, &s->ns->neighs) =
		(struct dneigh){.dev = dev_name(s, rtnl_neigh_get_ifindex(n)),
				.ip = ip_of(rtnl_neigh_get_dst(n)),
				.mac = mac_of(mac ? nl_addr_get_binary_addr(ll) : NULL)};
}

/* Only permanent entries with a remote address: a bridge's own have none. */
static int see_fdb_message(struct nl_msg *m, void *arg)
{
	struct seen *s = arg;
	const struct ndmsg *nd = nlread_fixed(nlmsg_hdr(m), sizeof(*nd));
	struct nlattrs at;
	if (!nd || !(nd->ndm_state & NUD_PERMANENT))
		return NL_OK;
	nlread_by_type(nlread_attrs(nlmsg_hdr(m), sizeof(*nd)), &at);
	const struct nlattr *mac = at.v[NDA_LLADDR], *dst = at.v[NDA_DST];
	if (nlread_len(mac) == sizeof(struct mac) && nlread_len(dst) == sizeof(uint32_t))
		*vec_push(s->a, &s->ns->fdbs) = (struct dfdb){
			dev_name(s, nd->ndm_ifindex), mac_of(nlread_data(mac)), nlread_be32(dst)};
	return NL_OK;
}

/* ---- order ---- */

static int cmp_u32(uint32_t a, uint32_t b)
{
	return a < b ? -1 : a > b;
}

static int cmp_name(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "");
}

static int cmp_link(const void *a, const void *b)
{
	return cmp_name(((const struct dlink *)a)->name, ((const struct dlink *)b)->name);
}

static int cmp_addr(const void *pa, const void *pb)
{
	const struct daddr *a = pa, *b = pb;
	int r = cmp_name(a->dev, b->dev);
	return r ? r : cmp_u32(a->addr.addr, b->addr.addr);
}

static int cmp_route(const void *pa, const void *pb)
{
	const struct droute *a = pa, *b = pb;
	int r = cmp_u32(a->dst.addr, b->dst.addr);
	r = r ? r : a->dst.len - b->dst.len;
	r = r ? r : cmp_u32(a->metric, b->metric);
	return r ? r : cmp_name(a->dev, b->dev);
}

static int cmp_neigh(const void *pa, const void *pb)
{
	const struct dneigh *a = pa, *b = pb;
	int r = cmp_name(a->dev, b->dev);
	return r ? r : cmp_u32(a->ip, b->ip);
}

static int cmp_fdb(const void *pa, const void *pb)
{
	const struct dfdb *a = pa, *b = pb;
	int r = cmp_name(a->dev, b->dev);
	r = r ? r : memcmp(a->mac.b, b->mac.b, sizeof(a->mac.b));
	return r ? r : cmp_u32(a->dst, b->dst);
}

#define SORT(vec, cmp)                                                                             \
	do {                                                                                       \
		if ((vec).n > 1)                                                                   \
			qsort((vec).v, (vec).n, sizeof(*(vec).v), cmp);                            \
	} while (0)

static void sort_all(struct dns *ns)
{
	SORT(ns->links, cmp_link);
	SORT(ns->addrs, cmp_addr);
	SORT(ns->routes, cmp_route);
	SORT(ns->neighs, cmp_neigh);
	SORT(ns->fdbs, cmp_fdb);
}

/* ---- the whole ---- */

static int nl_failed(struct err *err, int code, const char *what)
{
	/* Something changed while it was being listed: the caller tries again. */
	int num = code == -NLE_DUMP_INTR ? -EAGAIN : -EIO;
	return err_set(err, num, "cannot read %s: %s", what, nl_geterror(code));
}

/* hdr is the request's family header; its first byte is the family. */
static int dump(struct seen *s, int type, const void *hdr, size_t size, nl_recvmsg_msg_cb_t cb,
		const char *what, struct err *err)
{
	int r = nl_socket_modify_cb(s->sk, NL_CB_VALID, NL_CB_CUSTOM, cb, s);
	if (r >= 0)
		r = nl_send_simple(s->sk, type, NLM_F_DUMP, (void *)(uintptr_t)hdr, size);
	if (r >= 0)
		r = nl_recvmsgs_default(s->sk);
	return r < 0 ? nl_failed(err, r, what) : 0;
}

static int see_cache(struct seen *s, int code, struct nl_cache *c,
		     void (*see)(struct nl_object *, void *), const char *what, struct err *err)
{
	if (code < 0)
		return nl_failed(err, code, what);
	nl_cache_foreach(c, see, s);
	return 0;
}

/* The dump has the parameters of the devices of all namespaces gone through, so it is only asked
 * for where one of them means something. */
static bool answers_for_others(const struct seen *s)
{
	vec_foreach (const struct dlink, l, &s->ns->links)
		if (l->conf.proxy_arp > 0)
			return true;
	return false;
}

static int see_links(struct seen *s, struct err *err)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	const struct ndtmsg table = {.ndtm_family = AF_INET};
	int r = dump(s, RTM_GETLINK, &link, sizeof(link), see_link_message, "links", err);
	name_others(s);
	if (r >= 0 && answers_for_others(s))
		r = dump(s, RTM_GETNEIGHTBL, &table, sizeof(table), see_neightbl_message,
			 "neighbour tables", err);
	return r;
}

static int see_layer3(struct seen *s, struct err *err)
{
	const struct ifaddrmsg addr = {.ifa_family = AF_INET};
	/* With a shorter header the kernel lists nothing. */
	const struct ndmsg fdb = {.ndm_family = AF_BRIDGE};
	struct nl_cache *addrs = NULL, *routes = NULL, *neighs = NULL;
	int r = rtnl_addr_alloc_cache(s->sk, &addrs);
	r = see_cache(s, r, addrs, see_addr, "addresses", err);
	if (r >= 0) {
		/* In two steps: libnl loses what it has read so far when filling fails. */
		r = rtnl_route_alloc_cache(NULL, AF_INET, 0, &routes);
		r = r < 0 ? r : nl_cache_refill(s->sk, routes);
		r = see_cache(s, r, routes, see_route, "routes", err);
	}
	if (r >= 0) {
		r = rtnl_neigh_alloc_cache(s->sk, &neighs);
		r = see_cache(s, r, neighs, see_neigh, "neighbours", err);
	}
	nl_cache_free(addrs);
	nl_cache_free(routes);
	nl_cache_free(neighs);
	if (r >= 0)
		r = dump(s, RTM_GETADDR, &addr, sizeof(addr), see_addr_message, "addresses", err);
	if (r >= 0)
		r = dump(s, RTM_GETNEIGH, &fdb, sizeof(fdb), see_fdb_message, "forwarding entries",
			 err);
	return r;
}

static int see_all(struct seen *s, struct err *err)
{
	s->sk = nl_socket_alloc();
	if (!s->sk)
		return err_set(err, -ENOMEM, "cannot open a netlink socket: no memory");
	int r = nl_connect(s->sk, NETLINK_ROUTE);
	r = r < 0 ? nl_failed(err, r, "the namespace") : see_links(s, err);
	if (r >= 0)
		r = see_layer3(s, err);
	nl_socket_free(s->sk);
	return r;
}

int net_observe(struct arena *a, int netns, struct dns *ret, struct err *err)
{
	_nlns_ struct nlns home = NLNS_INIT;
	int r = nlns_enter(&home, netns, err);
	if (r < 0)
		return r;
	r = -EAGAIN;
	for (int i = 0; r == -EAGAIN && i < TRIES; i++) {
		*ret = (struct dns){.node = -1, .pod = -1, .parent = -1};
		struct seen s = {.a = a, .ns = ret};
		r = see_all(&s, err);
	}
	if (r >= 0)
		sort_all(ret);
	return r < 0 ? r : 0;
}
