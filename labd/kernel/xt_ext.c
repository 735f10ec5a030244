/* SPDX-License-Identifier: MIT */
/*
 * xt_ext: matches and targets, in the revision that iptables 1.8 gives the kernel, with what its
 * extensions (extensions/libxt_*.c, libipt_*.c there) put into their structures.
 */
#include "labd/kernel/xt_rule.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/xt_addrtype.h>
#include <linux/netfilter/xt_comment.h>
#include <linux/netfilter/xt_conntrack.h>
#include <linux/netfilter/xt_mark.h>
#include <linux/netfilter/xt_multiport.h>
#include <linux/netfilter/xt_nfacct.h>
#include <linux/netfilter/xt_physdev.h>
#include <linux/netfilter/xt_recent.h>
#include <linux/netfilter/xt_rpfilter.h>
#include <linux/netfilter/xt_set.h>
#include <linux/netfilter/xt_statistic.h>
#include <linux/netfilter/xt_tcpudp.h>
#include <linux/netfilter_ipv4/ipt_REJECT.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(v) (sizeof(v) / sizeof((v)[0]))

static bool named(const struct xt_opt *o, const char *name)
{
	return strcmp(o->name, name) == 0;
}

static bool number(const char *text, unsigned long max, unsigned *ret, const char **end)
{
	char *e;
	if (!text || !isdigit((unsigned char)text[0]))
		return false;
	unsigned long v = strtoul(text, &e, 0);
	*ret = (unsigned)v;
	*end = e;
	return v <= max;
}

static bool whole_number(const char *text, unsigned long max, unsigned *ret)
{
	const char *end;
	return number(text, max, ret, &end) && !*end;
}

bool xt_ports(const char *text, unsigned short range[2])
{
	unsigned from, to;
	const char *end;
	if (!number(text, 65535, &from, &end))
		return false;
	to = from;
	if ((*end == ':' || *end == '-') && !number(end + 1, 65535, &to, &end))
		return false;
	range[0] = (unsigned short)from;
	range[1] = (unsigned short)to;
	return !*end && from <= to;
}

/* VALUE or VALUE/MASK */
static bool value_mask(const char *text, unsigned *value, unsigned *mask)
{
	const char *end;
	*mask = ~0u;
	if (!number(text, 0xffffffff, value, &end))
		return false;
	return !*end || (*end == '/' && whole_number(end + 1, 0xffffffff, mask));
}

/* The bits of words separated by commas, as a table names them; 0 for one it has not. */
struct word {
	const char *name;
	unsigned bit;
};

static unsigned word_bits(const char *text, const struct word *table, size_t n)
{
	unsigned bits = 0;
	while (text && *text) {
		size_t len = strcspn(text, ","), i = 0;
		while (i < n &&
		       (strlen(table[i].name) != len || strncmp(table[i].name, text, len) != 0))
			i++;
		if (i == n)
			return 0;
		bits |= table[i].bit;
		text += len + (text[len] == ',');
	}
	return bits;
}

/* ---- matches ------------------------------------------------------------------------------------
 */

static int comment(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_comment_info *i = info;
	if (!named(o, "--comment"))
		return 0;
	if (!o->value || strlen(o->value) >= sizeof(i->comment))
		return -1;
	strcpy(i->comment, o->value);
	return 2;
}

static void tcp_init(void *info)
{
	struct xt_tcp *i = info;
	i->spts[1] = i->dpts[1] = 0xffff;
}

static int tcp(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_tcp *i = info;
	bool dst = named(o, "--dport") || named(o, "--destination-port");
	if (!dst && !named(o, "--sport") && !named(o, "--source-port"))
		return 0;
	if (o->invert)
		i->invflags |= dst ? XT_TCP_INV_DSTPT : XT_TCP_INV_SRCPT;
	return xt_ports(o->value, dst ? i->dpts : i->spts) ? 2 : -1;
}

static void udp_init(void *info)
{
	struct xt_udp *i = info;
	i->spts[1] = i->dpts[1] = 0xffff;
}

static int udp(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_udp *i = info;
	bool dst = named(o, "--dport") || named(o, "--destination-port");
	if (!dst && !named(o, "--sport") && !named(o, "--source-port"))
		return 0;
	if (o->invert)
		i->invflags |= dst ? XT_UDP_INV_DSTPT : XT_UDP_INV_SRCPT;
	return xt_ports(o->value, dst ? i->dpts : i->spts) ? 2 : -1;
}

static int conntrack(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	static const struct word states[] = {
		{"INVALID", XT_CONNTRACK_STATE_INVALID},
		{"NEW", XT_CONNTRACK_STATE_BIT(IP_CT_NEW)},
		{"ESTABLISHED", XT_CONNTRACK_STATE_BIT(IP_CT_ESTABLISHED)},
		{"RELATED", XT_CONNTRACK_STATE_BIT(IP_CT_RELATED)},
		{"UNTRACKED", XT_CONNTRACK_STATE_UNTRACKED},
		{"SNAT", XT_CONNTRACK_STATE_SNAT},
		{"DNAT", XT_CONNTRACK_STATE_DNAT},
	};
	struct xt_conntrack_mtinfo3 *i = info;
	if (named(o, "alias")) {
		i->match_flags |= XT_CONNTRACK_STATE_ALIAS;
		return 1;
	}
	bool alias = i->match_flags & XT_CONNTRACK_STATE_ALIAS;
	if (!named(o, alias ? "--state" : "--ctstate"))
		return 0;
	i->match_flags |= XT_CONNTRACK_STATE;
	i->state_mask = (unsigned short)word_bits(o->value, states, COUNT(states));
	if (o->invert)
		i->invert_flags |= XT_CONNTRACK_STATE;
	return i->state_mask ? 2 : -1;
}

static int mark(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_mark_mtinfo1 *i = info;
	if (!named(o, "--mark"))
		return 0;
	i->invert = o->invert;
	return value_mask(o->value, &i->mark, &i->mask) ? 2 : -1;
}

static int multiport(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_multiport_v1 *i = info;
	bool dst = named(o, "--dports") || named(o, "--destination-ports");
	if (!dst && !named(o, "--sports") && !named(o, "--source-ports"))
		return 0;
	i->flags = dst ? XT_MULTIPORT_DESTINATION : XT_MULTIPORT_SOURCE;
	i->invert = o->invert;
	for (const char *p = o->value; p && *p;) {
		char buf[16];
		unsigned short range[2];
		size_t n = strcspn(p, ",");
		if (n >= sizeof(buf))
			return -1;
		memcpy(buf, p, n);
		buf[n] = '\0';
		bool span = strchr(buf, ':');
		if (i->count + span >= XT_MULTI_PORTS || !xt_ports(buf, range))
			return -1;
		i->pflags[i->count] = span;
		i->ports[i->count++] = range[0];
		if (span)
			i->ports[i->count++] = range[1];
		p += n + (p[n] == ',');
	}
	return i->count ? 2 : -1;
}

static int addrtype(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	static const struct word types[] = {
		{"UNSPEC", XT_ADDRTYPE_UNSPEC},
		{"UNICAST", XT_ADDRTYPE_UNICAST},
		{"LOCAL", XT_ADDRTYPE_LOCAL},
		{"BROADCAST", XT_ADDRTYPE_BROADCAST},
		{"MULTICAST", XT_ADDRTYPE_MULTICAST},
		{"BLACKHOLE", XT_ADDRTYPE_BLACKHOLE},
		{"UNREACHABLE", XT_ADDRTYPE_UNREACHABLE},
	};
	struct xt_addrtype_info_v1 *i = info;
	if (named(o, "--limit-iface-out")) {
		i->flags |= XT_ADDRTYPE_LIMIT_IFACE_OUT;
		return 1;
	}
	bool src = named(o, "--src-type");
	if (!src && !named(o, "--dst-type"))
		return 0;
	unsigned bits = word_bits(o->value, types, COUNT(types));
	*(src ? &i->source : &i->dest) = (unsigned short)bits;
	if (o->invert)
		i->flags |= src ? XT_ADDRTYPE_INVERT_SOURCE : XT_ADDRTYPE_INVERT_DEST;
	return bits ? 2 : -1;
}

static int statistic(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_statistic_info *i = info;
	if (named(o, "--mode")) {
		i->mode = XT_STATISTIC_MODE_RANDOM;
		return o->value && strcmp(o->value, "random") == 0 && !o->invert ? 2 : -1;
	}
	if (!named(o, "--probability"))
		return 0;
	char *end;
	double p = o->value ? strtod(o->value, &end) : -1;
	if (p < 0 || p > 1 || *end || o->invert)
		return -1;
	i->u.random.probability = (unsigned)(p * 0x80000000 + 0.5);
	i->u.nth.count = i->u.random.probability; /* of no meaning, but what the program leaves */
	return 2;
}

static int rpfilter(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	static const struct word flags[] = {
		{"--loose", XT_RPFILTER_LOOSE},
		{"--validmark", XT_RPFILTER_VALID_MARK},
		{"--accept-local", XT_RPFILTER_ACCEPT_LOCAL},
		{"--invert", XT_RPFILTER_INVERT},
	};
	unsigned bit = word_bits(o->name, flags, COUNT(flags));
	((struct xt_rpfilter_info *)info)->flags |= (unsigned char)bit;
	return bit ? 1 : 0;
}

static int physdev(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	static const struct word flags[] = {
		{"--physdev-is-in", XT_PHYSDEV_OP_ISIN},
		{"--physdev-is-out", XT_PHYSDEV_OP_ISOUT},
		{"--physdev-is-bridged", XT_PHYSDEV_OP_BRIDGED},
	};
	struct xt_physdev_info *i = info;
	unsigned bit = word_bits(o->name, flags, COUNT(flags));
	i->bitmask |= (unsigned char)bit;
	if (o->invert)
		i->invert |= (unsigned char)bit;
	return bit ? 1 : 0;
}

static void recent_init(void *info)
{
	struct xt_recent_mtinfo_v1 *i = info;
	strcpy(i->name, "DEFAULT");
	memset(&i->mask, 0xff, sizeof(i->mask));
}

static int recent(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	static const struct word words[] = {
		{"--set", XT_RECENT_SET},	{"--rcheck", XT_RECENT_CHECK},
		{"--update", XT_RECENT_UPDATE}, {"--remove", XT_RECENT_REMOVE},
		{"--reap", XT_RECENT_REAP},
	};
	struct xt_recent_mtinfo_v1 *i = info;
	unsigned bit = word_bits(o->name, words, COUNT(words));
	if (bit) {
		i->check_set |= (unsigned char)bit;
		i->invert |= o->invert;
		return 1;
	}
	if (named(o, "--rsource") || named(o, "--rdest")) {
		i->side = named(o, "--rdest") ? XT_RECENT_DEST : XT_RECENT_SOURCE;
		return 1;
	}
	if (named(o, "--seconds"))
		return whole_number(o->value, 0xffffffff, &i->seconds) ? 2 : -1;
	if (named(o, "--mask")) {
		memset(&i->mask, 0, sizeof(i->mask));
		return o->value && inet_pton(AF_INET, o->value, &i->mask) == 1 ? 2 : -1;
	}
	if (!named(o, "--name"))
		return 0;
	if (!o->value || strlen(o->value) >= sizeof(i->name))
		return -1;
	strcpy(i->name, o->value);
	return 2;
}

static int nfacct(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_nfacct_match_info_v1 *i = info;
	if (!named(o, "--nfacct-name"))
		return 0;
	if (!o->value || strlen(o->value) >= sizeof(i->name) || o->invert)
		return -1;
	strcpy(i->name, o->value);
	return 2;
}

static int set(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_set_info_match_v4 *i = info;
	if (!named(o, "--match-set"))
		return 0;
	int index = o->value && x->set_index ? x->set_index(x->arg, o->value) : -1;
	if (index < 0)
		return -1;
	i->match_set.index = (unsigned short)index;
	if (o->invert)
		i->match_set.flags |= IPSET_INV_MATCH;
	return 2;
}

/* The second word of --match-set: "src,dst". */
static int set_dims(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_set_info_match_v4 *i = info;
	int r = set(x, info, o);
	if (r)
		return r;
	if (i->match_set.dim)
		return 0;
	for (const char *p = o->name;; p += 4) {
		bool src = strncmp(p, "src", 3) == 0;
		if ((!src && strncmp(p, "dst", 3) != 0) || i->match_set.dim == IPSET_DIM_MAX)
			return i->match_set.dim ? -1 : 0;
		i->match_set.dim++;
		if (src)
			i->match_set.flags |= (unsigned char)(1 << i->match_set.dim);
		if (p[3] != ',')
			return p[3] ? -1 : 1;
	}
}

static const struct xt_ext matches[] = {
	{"comment", NULL, 0, sizeof(struct xt_comment_info), NULL, comment},
	{"tcp", NULL, 0, sizeof(struct xt_tcp), tcp_init, tcp},
	{"udp", NULL, 0, sizeof(struct xt_udp), udp_init, udp},
	{"conntrack", "state", 3, sizeof(struct xt_conntrack_mtinfo3), NULL, conntrack},
	{"mark", NULL, 1, sizeof(struct xt_mark_mtinfo1), NULL, mark},
	{"multiport", NULL, 1, sizeof(struct xt_multiport_v1), NULL, multiport},
	{"addrtype", NULL, 1, sizeof(struct xt_addrtype_info_v1), NULL, addrtype},
	{"statistic", NULL, 0, sizeof(struct xt_statistic_info), NULL, statistic},
	{"rpfilter", NULL, 0, sizeof(struct xt_rpfilter_info), NULL, rpfilter},
	{"physdev", NULL, 0, sizeof(struct xt_physdev_info), NULL, physdev},
	{"recent", NULL, 1, sizeof(struct xt_recent_mtinfo_v1), recent_init, recent},
	{"nfacct", NULL, 1, sizeof(struct xt_nfacct_match_info_v1), NULL, nfacct},
	{"set", NULL, 4, sizeof(struct xt_set_info_match_v4), NULL, set_dims},
};

/* ---- targets ------------------------------------------------------------------------------------
 */

static int mark_target(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct xt_mark_tginfo2 *i = info;
	unsigned value, mask;
	bool set_mark = named(o, "--set-mark"), or_mark = named(o, "--or-mark");
	if (!set_mark && !or_mark && !named(o, "--set-xmark"))
		return 0;
	if (o->invert || !value_mask(o->value, &value, &mask))
		return -1;
	i->mark = value;
	i->mask = or_mark ? value : set_mark ? value | mask : mask;
	return 2;
}

/* IP, IP:PORT or :PORT; ranges are left to the program. */
static int dnat(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct nf_nat_range2 *i = info;
	char ip[20];
	unsigned port;
	if (named(o, "--random")) {
		i->flags |= NF_NAT_RANGE_PROTO_RANDOM;
		return 1;
	}
	if (named(o, "--persistent")) {
		i->flags |= NF_NAT_RANGE_PERSISTENT;
		return 1;
	}
	if (!named(o, "--to-destination"))
		return 0;
	if (!o->value || o->invert)
		return -1;
	size_t n = strcspn(o->value, ":");
	if (n >= sizeof(ip))
		return -1;
	memcpy(ip, o->value, n);
	ip[n] = '\0';
	if (n && inet_pton(AF_INET, ip, &i->min_addr.in) != 1)
		return -1;
	if (n) {
		i->max_addr.in = i->min_addr.in;
		i->flags |= NF_NAT_RANGE_MAP_IPS;
	}
	if (!o->value[n])
		return 2;
	if (!whole_number(o->value + n + 1, 65535, &port) || port == 0)
		return -1;
	i->min_proto.all = i->max_proto.all = htons((unsigned short)port);
	i->flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	return 2;
}

static void range_init(void *info)
{
	((struct nf_nat_ipv4_multi_range_compat *)info)->rangesize = 1;
}

/* MASQUERADE, REDIRECT */
static int to_ports(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	struct nf_nat_ipv4_range *r = ((struct nf_nat_ipv4_multi_range_compat *)info)->range;
	unsigned short range[2];
	if (named(o, "--random-fully")) {
		r->flags |= NF_NAT_RANGE_PROTO_RANDOM_FULLY;
		return 1;
	}
	if (named(o, "--random")) {
		r->flags |= NF_NAT_RANGE_PROTO_RANDOM;
		return 1;
	}
	if (!named(o, "--to-ports"))
		return 0;
	if (o->invert || !o->value || !xt_ports(o->value, range))
		return -1;
	r->flags |= NF_NAT_RANGE_PROTO_SPECIFIED;
	r->min.all = htons(range[0]);
	r->max.all = htons(range[1]);
	return 2;
}

static void reject_init(void *info)
{
	((struct ipt_reject_info *)info)->with = IPT_ICMP_PORT_UNREACHABLE;
}

static int reject(struct xt_encoder *x, void *info, const struct xt_opt *o)
{
	static const struct word with[] = {
		{"icmp-net-unreachable", IPT_ICMP_NET_UNREACHABLE + 1},
		{"icmp-host-unreachable", IPT_ICMP_HOST_UNREACHABLE + 1},
		{"icmp-port-unreachable", IPT_ICMP_PORT_UNREACHABLE + 1},
		{"icmp-admin-prohibited", IPT_ICMP_ADMIN_PROHIBITED + 1},
		{"tcp-reset", IPT_TCP_RESET + 1},
	};
	if (!named(o, "--reject-with"))
		return 0;
	for (size_t k = 0; o->value && k < COUNT(with); k++) {
		if (strcmp(with[k].name, o->value) == 0) {
			((struct ipt_reject_info *)info)->with = with[k].bit - 1;
			return 2;
		}
	}
	return -1;
}

static const struct xt_ext targets[] = {
	{"MARK", NULL, 2, sizeof(struct xt_mark_tginfo2), NULL, mark_target},
	{"DNAT", NULL, 2, sizeof(struct nf_nat_range2), NULL, dnat},
	{"MASQUERADE", NULL, 0, sizeof(struct nf_nat_ipv4_multi_range_compat), range_init,
	 to_ports},
	{"REDIRECT", NULL, 0, sizeof(struct nf_nat_ipv4_multi_range_compat), range_init, to_ports},
	{"REJECT", NULL, 0, sizeof(struct ipt_reject_info), reject_init, reject},
};

static const struct xt_ext *find(const struct xt_ext *v, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(v[i].name, name) == 0 || (v[i].alias && !strcmp(v[i].alias, name)))
			return &v[i];
	return NULL;
}

const struct xt_ext *xt_match_find(const char *name)
{
	return find(matches, COUNT(matches), name);
}

const struct xt_ext *xt_target_find(const char *name)
{
	return find(targets, COUNT(targets), name);
}
