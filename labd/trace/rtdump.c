/* SPDX-License-Identifier: MIT */
/* See rtdump.h. */
#include "labd/trace/rtdump.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/ip.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/nlread.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"

#define DUMP_BYTES 65536

struct dump {
	struct arena *a;
	struct rec_ns *ns;
	struct mnl_socket *sk;
	char *buf;
};

static ip4 ip_of(const struct nlattr *attr)
{
	return ntohl(nlread_u32(attr));
}

static struct mac mac_of(const struct nlattr *attr)
{
	struct mac m = {{0}};
	if (nlread_len(attr) == sizeof(m.b))
		memcpy(m.b, nlread_data(attr), sizeof(m.b));
	return m;
}

static const struct rec_if *if_of(const struct rec_ns *ns, int ifindex)
{
	vec_foreach (const struct rec_if, i, &ns->ifs)
		if (i->ifindex == ifindex)
			return i;
	return NULL;
}

const char *rtdump_ifname(const struct rec_ns *ns, int ifindex)
{
	const struct rec_if *i = if_of(ns, ifindex);
	return i ? i->name : NULL;
}

/* ---- one dump ---------------------------------------------------------------------------------
 */

static int run(struct dump *d, int type, const void *hdr, size_t size, uint16_t flags,
	       void (*fn)(struct dump *d, const struct nlmsghdr *h), struct err *err)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(d->buf);
	h->nlmsg_type = (uint16_t)type;
	h->nlmsg_flags = NLM_F_REQUEST | flags;
	memcpy(mnl_nlmsg_put_extra_header(h, size), hdr, size);
	if (mnl_socket_sendto(d->sk, h, h->nlmsg_len) < 0)
		return err_sys(err, errno, "asking the kernel");
	for (;;) {
		ssize_t n = recv(mnl_socket_get_fd(d->sk), d->buf, DUMP_BYTES, MSG_DONTWAIT);
		if (n <= 0)
			return err_sys(err, n < 0 ? errno : EPROTO, "reading the kernel's state");
		struct nlread in = nlread_datagram(d->buf, n);
		const struct nlmsghdr *m;
		while ((m = nlread_msg(&in))) {
			if (m->nlmsg_type == NLMSG_DONE || m->nlmsg_type == NLMSG_ERROR)
				return 0;
			if (nlread_fixed(m, size))
				fn(d, m);
		}
	}
}

static void see_tunnel(const struct nlattr *data, struct rec_if *i)
{
	struct nlattrs v;
	nlread_by_type(nlread_nest(data), &v);
	if (strcmp(i->kind, "vxlan") == 0) {
		i->vni = nlread_u32(v.v[IFLA_VXLAN_ID]);
		i->local = ip_of(v.v[IFLA_VXLAN_LOCAL]);
		if (v.v[IFLA_VXLAN_PORT])
			i->vxlan_port = nlread_be16(v.v[IFLA_VXLAN_PORT]);
	} else if (strcmp(i->kind, "ipip") == 0) {
		i->local = ip_of(v.v[IFLA_IPTUN_LOCAL]);
	}
}

static void see_link(struct dump *d, const struct nlmsghdr *h)
{
	const struct ifinfomsg *ifi = nlread_fixed(h, sizeof(*ifi));
	struct nlattrs at, info;
	nlread_by_type(nlread_attrs(h, sizeof(*ifi)), &at);
	nlread_by_type(nlread_nest(at.v[IFLA_LINKINFO]), &info);
	const struct nlattr *kind = info.v[IFLA_INFO_KIND];
	const struct nlattr *conf =
		nlread_in(nlread_in(at.v[IFLA_AF_SPEC], AF_INET), IFLA_INET_CONF);
	struct rec_if *i = vec_push(d->a, &d->ns->ifs);
	*i = (struct rec_if){
		.ifindex = ifi->ifi_index,
		.name = nlread_str(d->a, at.v[IFLA_IFNAME]),
		.kind = kind				? nlread_str(d->a, kind)
			: ifi->ifi_flags & IFF_LOOPBACK ? "lo"
							: "",
		.mac = mac_of(at.v[IFLA_ADDRESS]),
		.mtu = nlread_u32(at.v[IFLA_MTU]),
		.up = ifi->ifi_flags & IFF_UP,
		.peer_ns = -1,
		.peer_ifindex = (int)nlread_u32(at.v[IFLA_LINK]),
		.rp_filter = nlread_s32_at(conf, IPV4_DEVCONF_RP_FILTER - 1, -1),
		.proxy_arp = nlread_s32_at(conf, IPV4_DEVCONF_PROXY_ARP - 1, -1),
		.forwarding = nlread_s32_at(conf, IPV4_DEVCONF_FORWARDING - 1, -1),
	};
	/* for the time being; see name_masters() */
	if (at.v[IFLA_MASTER])
		i->master = arena_printf(d->a, "%u", nlread_u32(at.v[IFLA_MASTER]));
	see_tunnel(info.v[IFLA_INFO_DATA], i);
}

static void name_masters(struct rec_ns *ns)
{
	vec_foreach (struct rec_if, i, &ns->ifs)
		if (i->master)
			i->master = rtdump_ifname(ns, atoi(i->master));
}

static void see_addr(struct dump *d, const struct nlmsghdr *h)
{
	const struct ifaddrmsg *ifa = nlread_fixed(h, sizeof(*ifa));
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(*ifa)), &at);
	if (ifa->ifa_family == AF_INET)
		*vec_push(d->a, &d->ns->addrs) = (struct rec_addr){
			(int)ifa->ifa_index, {ip_of(at.v[IFA_LOCAL]), ifa->ifa_prefixlen}};
}

static const char *neigh_state(uint16_t state)
{
	static const struct {
		uint16_t bit;
		const char *name;
	} states[] = {{NUD_PERMANENT, "PERMANENT"},   {NUD_REACHABLE, "REACHABLE"},
		      {NUD_NOARP, "NOARP"},	      {NUD_STALE, "STALE"},
		      {NUD_DELAY, "DELAY"},	      {NUD_PROBE, "PROBE"},
		      {NUD_INCOMPLETE, "INCOMPLETE"}, {NUD_FAILED, "FAILED"}};
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (state & states[i].bit)
			return states[i].name;
	return "NONE";
}

static void see_neigh(struct dump *d, const struct nlmsghdr *h)
{
	const struct ndmsg *nd = nlread_fixed(h, sizeof(*nd));
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(*nd)), &at);
	if (nd->ndm_family == AF_INET)
		*vec_push(d->a, &d->ns->neighs) =
			(struct rec_neigh){nd->ndm_ifindex, ip_of(at.v[NDA_DST]),
					   mac_of(at.v[NDA_LLADDR]), neigh_state(nd->ndm_state)};
}

/* An entry of a vxlan device has a remote; one of a bridge is told for the port it is behind. */
static void see_fdb(struct dump *d, const struct nlmsghdr *h)
{
	const struct ndmsg *nd = nlread_fixed(h, sizeof(*nd));
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(*nd)), &at);
	const struct rec_if *dev = if_of(d->ns, nd->ndm_ifindex);
	struct rec_fdb f = {.ifindex = nd->ndm_ifindex,
			    .mac = mac_of(at.v[NDA_LLADDR]),
			    .dst = ip_of(at.v[NDA_DST]),
			    .permanent = nd->ndm_state & NUD_PERMANENT};
	if (nd->ndm_family != AF_BRIDGE || mac_is_zero(f.mac) || f.mac.b[0] & 1)
		return;
	if (!f.dst && !(nd->ndm_flags & NTF_SELF) && dev && dev->master) {
		vec_foreach (const struct rec_if, br, &d->ns->ifs)
			if (strcmp(br->name, dev->master) == 0)
				f.ifindex = br->ifindex;
		f.port = nd->ndm_ifindex;
	} else if (!f.dst) {
		return;
	}
	*vec_push(d->a, &d->ns->fdbs) = f;
}

/* ---- routes -----------------------------------------------------------------------------------
 */

static const char *rt_name(const char *const *names, size_t n, unsigned v, char buf[static 16])
{
	if (v < n && names[v])
		return names[v];
	snprintf(buf, 16, "%u", v);
	return buf;
}

static const char *type_name(unsigned type, char buf[static 16])
{
	static const char *const names[] = {"none",	"unicast",   "local",	  "broadcast",
					    "anycast",	"multicast", "blackhole", "unreachable",
					    "prohibit", "throw",     "nat"};
	return rt_name(names, ARRAY_SIZE(names), type, buf);
}

static const char *proto_name(unsigned proto, char buf[static 16])
{
	static const char *const names[] = {
		[RTPROT_REDIRECT] = "redirect", [RTPROT_KERNEL] = "kernel",
		[RTPROT_STATIC] = "static",	[RTPROT_RA] = "ra",
		[RTPROT_BIRD] = "bird",		[RTPROT_DHCP] = "dhcp"};
	return rt_name(names, ARRAY_SIZE(names), proto, buf);
}

static void put_dst(struct strbuf *b, const struct rtmsg *rt, ip4 dst)
{
	char buf[16];
	if (rt->rtm_type != RTN_UNICAST)
		strbuf_addf(b, "%s ", type_name(rt->rtm_type, buf));
	if (!rt->rtm_dst_len && !(rt->rtm_flags & RTM_F_CLONED))
		strbuf_adds(b, "default");
	else if (rt->rtm_dst_len == 32)
		strbuf_adds(b, IP4(dst));
	else
		strbuf_adds(b, CIDR(((struct cidr){dst, rt->rtm_dst_len})));
}

/* As `ip route show` prints it. table: with the table's name when it is not main. */
static const char *route_text(struct arena *a, const struct rec_ns *ns, const struct nlmsghdr *h,
			      bool with_table)
{
	const struct rtmsg *rt = nlread_fixed(h, sizeof(*rt));
	struct nlattrs at;
	char buf[16];
	nlread_by_type(nlread_attrs(h, sizeof(*rt)), &at);
	_strbuf_ struct strbuf b = STRBUF_INIT;
	put_dst(&b, rt, ip_of(at.v[RTA_DST]));
	if (at.v[RTA_GATEWAY])
		strbuf_addf(&b, " via %s", IP4(ip_of(at.v[RTA_GATEWAY])));
	if (at.v[RTA_OIF]) {
		const char *dev = rtdump_ifname(ns, (int)nlread_u32(at.v[RTA_OIF]));
		strbuf_addf(&b, " dev %s", dev ? dev : "?");
	}
	uint32_t table = at.v[RTA_TABLE] ? nlread_u32(at.v[RTA_TABLE]) : rt->rtm_table;
	if (with_table && table == RT_TABLE_LOCAL)
		strbuf_adds(&b, " table local");
	else if (with_table && table != RT_TABLE_MAIN)
		strbuf_addf(&b, " table %u", table);
	bool resolved = rt->rtm_flags & RTM_F_CLONED; /* a next hop, not an entry of a table */
	if (!resolved && rt->rtm_protocol != RTPROT_BOOT)
		strbuf_addf(&b, " proto %s", proto_name(rt->rtm_protocol, buf));
	if (!resolved && rt->rtm_scope == RT_SCOPE_LINK)
		strbuf_adds(&b, " scope link");
	else if (!resolved && rt->rtm_scope == RT_SCOPE_HOST)
		strbuf_adds(&b, " scope host");
	if (at.v[RTA_PREFSRC])
		strbuf_addf(&b, " src %s", IP4(ip_of(at.v[RTA_PREFSRC])));
	if (at.v[RTA_PRIORITY])
		strbuf_addf(&b, " metric %u", nlread_u32(at.v[RTA_PRIORITY]));
	if (rt->rtm_flags & RTNH_F_ONLINK)
		strbuf_adds(&b, " onlink");
	return arena_strdup(a, strbuf_str(&b));
}

static void see_route(struct dump *d, const struct nlmsghdr *h)
{
	const struct rtmsg *rt = nlread_fixed(h, sizeof(*rt));
	if (rt->rtm_family == AF_INET && !(rt->rtm_flags & RTM_F_CLONED))
		*vec_push(d->a, &d->ns->routes) = route_text(d->a, d->ns, h, true);
}

static void main_table_first(rec_strs *routes, struct arena *a)
{
	rec_strs sorted = {0};
	for (int pass = 0; pass < 2; pass++)
		vec_foreach (const char *, r, routes)
			if ((strstr(*r, " table ") != NULL) == pass)
				*vec_push(a, &sorted) = *r;
	routes->v = sorted.v;
	routes->n = sorted.n;
	routes->cap = sorted.cap;
}

/* ---- exported ---------------------------------------------------------------------------------
 */

static int dump_open(struct dump *d, struct arena *a, struct rec_ns *ns, struct err *err)
{
	int one = 1;
	*d = (struct dump){.a = a, .ns = ns, .buf = malloc(DUMP_BYTES)};
	d->sk = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	if (!d->buf || !d->sk || mnl_socket_bind(d->sk, 0, MNL_SOCKET_AUTOPID) < 0)
		return err_sys(err, errno, "cannot open a netlink socket");
	setsockopt(mnl_socket_get_fd(d->sk), SOL_NETLINK, NETLINK_GET_STRICT_CHK, &one,
		   sizeof(one));
	return 0;
}

static void dump_close(struct dump *d)
{
	if (d->sk)
		mnl_socket_close(d->sk);
	free(d->buf);
}

static int dump_neighs(struct dump *d, struct err *err)
{
	const struct ndmsg neigh = {.ndm_family = AF_INET}, fdb = {.ndm_family = AF_BRIDGE};
	d->ns->neighs.n = 0;
	d->ns->fdbs.n = 0;
	int r = run(d, RTM_GETNEIGH, &neigh, sizeof(neigh), NLM_F_DUMP, see_neigh, err);
	return r < 0 ? r : run(d, RTM_GETNEIGH, &fdb, sizeof(fdb), NLM_F_DUMP, see_fdb, err);
}

int rtdump_all(struct arena *a, struct rec_ns *ns, struct err *err)
{
	const struct ifinfomsg link = {.ifi_family = AF_UNSPEC};
	const struct ifaddrmsg addr = {.ifa_family = AF_INET};
	const struct rtmsg route = {.rtm_family = AF_INET};
	struct dump d;
	int r = dump_open(&d, a, ns, err);
	if (r == 0)
		r = run(&d, RTM_GETLINK, &link, sizeof(link), NLM_F_DUMP, see_link, err);
	name_masters(ns);
	if (r == 0)
		r = run(&d, RTM_GETADDR, &addr, sizeof(addr), NLM_F_DUMP, see_addr, err);
	if (r == 0)
		r = run(&d, RTM_GETROUTE, &route, sizeof(route), NLM_F_DUMP, see_route, err);
	if (r == 0)
		r = dump_neighs(&d, err);
	dump_close(&d);
	main_table_first(&ns->routes, a);
	return r;
}

int rtdump_neighs(struct arena *a, struct rec_ns *ns, struct err *err)
{
	struct dump d;
	int r = dump_open(&d, a, ns, err);
	if (r == 0)
		r = dump_neighs(&d, err);
	dump_close(&d);
	return r;
}

static void put_question(struct nlmsghdr *h, const struct rt_question *q)
{
	struct rtmsg *rt = mnl_nlmsg_put_extra_header(h, sizeof(*rt));
	*rt = (struct rtmsg){.rtm_family = AF_INET,
			     .rtm_dst_len = 32,
			     .rtm_src_len = q->src ? 32 : 0,
			     .rtm_tos = q->tos,
			     .rtm_flags = q->fibmatch ? RTM_F_FIB_MATCH : 0};
	mnl_attr_put_u32(h, RTA_DST, htonl(q->dst));
	if (q->src)
		mnl_attr_put_u32(h, RTA_SRC, htonl(q->src));
	if (q->iif)
		mnl_attr_put_u32(h, RTA_IIF, (uint32_t)q->iif);
	if (q->mark)
		mnl_attr_put_u32(h, RTA_MARK, q->mark);
}

int rtdump_route(struct arena *a, const struct rec_ns *ns, const struct rt_question *q,
		 struct rt_answer *ret)
{
	struct dump d;
	*ret = (struct rt_answer){0};
	int r = dump_open(&d, a, NULL, NULL);
	if (r < 0) {
		dump_close(&d);
		return r;
	}
	struct nlmsghdr *h = mnl_nlmsg_put_header(d.buf);
	h->nlmsg_type = RTM_GETROUTE;
	h->nlmsg_flags = NLM_F_REQUEST;
	put_question(h, q);
	ssize_t n = mnl_socket_sendto(d.sk, h, h->nlmsg_len);
	if (n > 0)
		n = recv(mnl_socket_get_fd(d.sk), d.buf, DUMP_BYTES, MSG_DONTWAIT);
	struct nlread in = nlread_datagram(d.buf, n);
	const struct nlmsghdr *m = nlread_msg(&in);
	const struct rtmsg *rt = m ? nlread_fixed(m, sizeof(*rt)) : NULL;
	if (m && m->nlmsg_type == NLMSG_ERROR) {
		r = nlread_error(m);
		r = r ? r : -EPROTO; /* an acknowledgement is no answer */
	} else if (!rt) {
		r = -EPROTO;
	} else {
		struct nlattrs at;
		nlread_by_type(nlread_attrs(m, sizeof(*rt)), &at);
		ret->text = route_text(a, ns, m, false);
		ret->via = ip_of(at.v[RTA_GATEWAY]);
		ret->oif = (int)nlread_u32(at.v[RTA_OIF]);
		ret->local = rt->rtm_type == RTN_LOCAL;
	}
	dump_close(&d);
	return r;
}
