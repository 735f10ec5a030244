/* SPDX-License-Identifier: MIT */
/* See probe_try.h. */
#include "labd/kernel/probe_try.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_link.h>
#include <linux/if_tunnel.h>
#include <linux/netfilter.h>
#include <linux/netfilter/ipset/ip_set.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nf_tables_compat.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_acct.h>
#include <linux/netfilter/nfnetlink_compat.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <linux/netfilter/nfnetlink_queue.h>
#include <linux/netfilter_ipv4/ip_tables.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "labd/kernel/nlread.h"
#include "lib/base/cleanup.h"

#define ASK_BYTES 4096

/* One or more messages and the worst of their answers. */
struct ask {
	char buf[ASK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct nlmsghdr *h;
	size_t len;
	uint32_t seq;
};

static struct nlmsghdr *next(struct ask *a, uint16_t type, uint16_t flags)
{
	if (a->h)
		a->len += MNL_ALIGN(a->h->nlmsg_len);
	a->h = mnl_nlmsg_put_header(a->buf + a->len);
	a->h->nlmsg_type = type;
	a->h->nlmsg_flags = NLM_F_REQUEST | flags;
	a->h->nlmsg_seq = ++a->seq;
	return a->h;
}

static struct nlmsghdr *next_nf(struct ask *a, uint8_t subsys, uint8_t type, uint16_t flags,
				uint16_t res_id)
{
	struct nlmsghdr *h = next(a, (uint16_t)(subsys << 8 | type), flags);
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(h, sizeof(*nf));
	nf->nfgen_family = NFPROTO_IPV4;
	nf->version = NFNETLINK_V0;
	nf->res_id = htons(res_id);
	return h;
}

/* The first failure among the answers in buf, and whether one came at all. */
static int worst(char *buf, ssize_t n, int sofar, bool *any)
{
	struct nlread in = nlread_datagram(buf, n);
	const struct nlmsghdr *h;
	while ((h = nlread_msg(&in))) {
		*any = true;
		if (h->nlmsg_type == NLMSG_ERROR && sofar == 0)
			sofar = nlread_error(h);
	}
	return sofar;
}

/* Send all and read what the kernel has answered by then (it answers within the call). 0 or
 * negative errno; -ENOMSG: no answer. */
static int finish(struct ask *a, int protocol)
{
	char buf[ASK_BYTES] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct mnl_socket *sk = mnl_socket_open2(protocol, SOCK_CLOEXEC);
	if (!sk)
		return -errno;
	int r = 0;
	bool any = false;
	a->len += MNL_ALIGN(a->h->nlmsg_len);
	if (mnl_socket_bind(sk, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    mnl_socket_sendto(sk, a->buf, a->len) < 0)
		r = -errno;
	for (uint32_t i = 0; r == 0 && i <= a->seq; i++) {
		ssize_t n = recv(mnl_socket_get_fd(sk), buf, sizeof(buf), MSG_DONTWAIT);
		if (n <= 0)
			break;
		r = worst(buf, n, r, &any);
	}
	mnl_socket_close(sk);
	return r ? r : any ? 0 : -ENOMSG;
}

bool try_link_kind(const char *kind)
{
	static const unsigned char group_address[6] = {1}; /* no device may have one */
	struct ask a = {0};
	struct nlmsghdr *h = next(&a, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK);
	mnl_nlmsg_put_extra_header(h, sizeof(struct ifinfomsg));
	struct nlattr *info, *data;
	bool ipip = strcmp(kind, "ipip") == 0;
	if (!ipip)
		mnl_attr_put(h, IFLA_ADDRESS, sizeof(group_address), group_address);
	info = mnl_attr_nest_start(h, IFLA_LINKINFO);
	mnl_attr_put_strz(h, IFLA_INFO_KIND, kind);
	data = mnl_attr_nest_start(h, IFLA_INFO_DATA);
	if (ipip) /* it has no address to refuse, but carries no UDP */
		mnl_attr_put_u8(h, IFLA_IPTUN_PROTO, IPPROTO_UDP);
	mnl_attr_nest_end(h, data);
	mnl_attr_nest_end(h, info);
	int r = finish(&a, NETLINK_ROUTE);
	return r == -EADDRNOTAVAIL || r == -EINVAL || r == -ERANGE;
}

bool try_qdisc(const char *kind, const void *options, unsigned len)
{
	struct ask a = {0};
	struct nlmsghdr *h = next(&a, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(h, sizeof(*tc));
	tc->tcm_ifindex = 1;
	tc->tcm_parent = TC_H_ROOT;
	mnl_attr_put_strz(h, TCA_KIND, kind);
	mnl_attr_put(h, TCA_OPTIONS, len, options);
	return finish(&a, NETLINK_ROUTE) == 0;
}

static int raw_socket(void)
{
	return socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
}

bool try_legacy_table(const char *table)
{
	_close_ int fd = raw_socket();
	struct ipt_getinfo info = {0};
	socklen_t len = sizeof(info);
	strncpy(info.name, table, sizeof(info.name) - 1);
	return fd >= 0 && getsockopt(fd, IPPROTO_IP, IPT_SO_GET_INFO, &info, &len) == 0;
}

static bool legacy_xt(enum xt_what what, const char *name, int revision)
{
	_close_ int fd = raw_socket();
	struct xt_get_revision rev = {.revision = (__u8)revision};
	socklen_t len = sizeof(rev);
	int opt = what == XT_MATCH ? IPT_SO_GET_REVISION_MATCH : IPT_SO_GET_REVISION_TARGET;
	strncpy(rev.name, name, sizeof(rev.name) - 1);
	return fd >= 0 && getsockopt(fd, IPPROTO_IP, opt, &rev, &len) == 0;
}

static bool compat_xt(enum xt_what what, const char *name, int revision)
{
	struct ask a = {0};
	struct nlmsghdr *h = next_nf(&a, NFNL_SUBSYS_NFT_COMPAT, NFNL_MSG_COMPAT_GET, NLM_F_ACK, 0);
	mnl_attr_put_strz(h, NFTA_COMPAT_NAME, name);
	mnl_attr_put_u32(h, NFTA_COMPAT_REV, htonl((uint32_t)revision));
	mnl_attr_put_u32(h, NFTA_COMPAT_TYPE, htonl(what == XT_TARGET));
	return finish(&a, NETLINK_NETFILTER) == 0;
}

bool try_xt(enum xt_what what, const char *name, int revision)
{
	return legacy_xt(what, name, revision) || compat_xt(what, name, revision);
}

bool try_nft_nat(void)
{
	struct ask a = {0};
	next_nf(&a, NFNL_SUBSYS_NONE, NFNL_MSG_BATCH_BEGIN, 0, NFNL_SUBSYS_NFTABLES);
	struct nlmsghdr *h =
		next_nf(&a, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_ACK, 0);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, "labd-probe");
	h = next_nf(&a, NFNL_SUBSYS_NFTABLES, NFT_MSG_NEWCHAIN, NLM_F_CREATE | NLM_F_ACK, 0);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, "labd-probe");
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, "probe");
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "nat");
	struct nlattr *hook = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(NF_INET_POST_ROUTING));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl(100));
	mnl_attr_nest_end(h, hook);
	/* No end of the batch: the kernel checks all and takes it back. */
	return finish(&a, NETLINK_NETFILTER) == 0;
}

bool try_ipset(void)
{
	struct ask a = {0};
	struct nlmsghdr *h = next_nf(&a, NFNL_SUBSYS_IPSET, IPSET_CMD_PROTOCOL, NLM_F_ACK, 0);
	mnl_attr_put_u8(h, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL);
	h = next_nf(&a, NFNL_SUBSYS_IPSET, IPSET_CMD_TYPE, NLM_F_ACK, 0);
	mnl_attr_put_u8(h, IPSET_ATTR_PROTOCOL, IPSET_PROTOCOL);
	mnl_attr_put_strz(h, IPSET_ATTR_TYPENAME, "hash:net");
	mnl_attr_put_u8(h, IPSET_ATTR_FAMILY, NFPROTO_IPV4);
	return finish(&a, NETLINK_NETFILTER) == 0;
}

bool try_nfacct(void)
{
	struct ask a = {0};
	struct nlmsghdr *h =
		next_nf(&a, NFNL_SUBSYS_ACCT, NFNL_MSG_ACCT_NEW, NLM_F_CREATE | NLM_F_ACK, 0);
	mnl_attr_put_strz(h, NFACCT_NAME, "labd-probe");
	return finish(&a, NETLINK_NETFILTER) == 0 && try_xt(XT_MATCH, "nfacct", 0);
}

bool try_ctnetlink(void)
{
	struct ask a = {0};
	next_nf(&a, NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET_STATS, NLM_F_ACK, 0);
	return finish(&a, NETLINK_NETFILTER) == 0;
}

bool try_nflog(void)
{
	struct ask a = {0};
	struct nfulnl_msg_config_cmd cmd = {.command = NFULNL_CFG_CMD_BIND};
	struct nlmsghdr *h = next_nf(&a, NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, NLM_F_ACK, 1);
	mnl_attr_put(h, NFULA_CFG_CMD, sizeof(cmd), &cmd);
	return finish(&a, NETLINK_NETFILTER) == 0 && try_xt(XT_TARGET, "NFLOG", 0);
}

bool try_nfqueue(void)
{
	struct ask a = {0};
	struct nfqnl_msg_config_cmd cmd = {.command = NFQNL_CFG_CMD_BIND, .pf = htons(AF_INET)};
	struct nlmsghdr *h = next_nf(&a, NFNL_SUBSYS_QUEUE, NFQNL_MSG_CONFIG, NLM_F_ACK, 1);
	mnl_attr_put(h, NFQA_CFG_CMD, sizeof(cmd), &cmd);
	return finish(&a, NETLINK_NETFILTER) == 0 && try_xt(XT_TARGET, "NFQUEUE", 3);
}
