/* SPDX-License-Identifier: MIT */
/* See nfmsg.h. */
#include "labd/trace/nfmsg.h"

#include <arpa/inet.h>
#include <endian.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>

#include "labd/trace/ruletext.h"
#include "lib/base/cleanup.h"

#define ATTRS	    64
#define TRACE_CT_ID 18 /* NFTA_TRACE_CT_ID, Linux 6.16 */

struct attrs {
	const struct nlattr *v[ATTRS];
};

static void collect(const struct nlattr *attr, struct attrs *to)
{
	unsigned type = mnl_attr_get_type(attr);
	if (type < ATTRS)
		to->v[type] = attr;
}

static void attrs_of(const struct nlmsghdr *h, struct attrs *to)
{
	const struct nlattr *attr;
	*to = (struct attrs){0};
	mnl_attr_for_each (attr, h, sizeof(struct nfgenmsg))
		collect(attr, to);
}

static void attrs_in(const struct nlattr *nest, struct attrs *to)
{
	const struct nlattr *attr;
	*to = (struct attrs){0};
	if (nest)
		mnl_attr_for_each_nested (attr, nest)
			collect(attr, to);
}

static unsigned len_of(const struct nlattr *attr)
{
	return attr ? mnl_attr_get_payload_len(attr) : 0;
}

static uint32_t be32_of(const struct nlattr *attr)
{
	return len_of(attr) >= 4 ? ntohl(mnl_attr_get_u32(attr)) : 0;
}

static uint16_t be16_of(const struct nlattr *attr)
{
	return len_of(attr) >= 2 ? ntohs(mnl_attr_get_u16(attr)) : 0;
}

static const char *text_of(struct arena *a, const struct nlattr *attr)
{
	return arena_strndup(a, attr ? mnl_attr_get_payload(attr) : "",
			     strnlen(attr ? mnl_attr_get_payload(attr) : "", len_of(attr)));
}

/* ---- rule traces -----------------------------------------------------------------------------
 */

static const char *verdict_text(struct arena *a, const struct nlattr *nest)
{
	struct attrs v;
	attrs_in(nest, &v);
	if (!v.v[NFTA_VERDICT_CODE])
		return NULL;
	int code = (int)be32_of(v.v[NFTA_VERDICT_CODE]);
	const char *chain = text_of(a, v.v[NFTA_VERDICT_CHAIN]);
	switch (code) {
	case NFT_JUMP:
		return arena_printf(a, "jump %s", chain);
	case NFT_GOTO:
		return arena_printf(a, "goto %s", chain);
	case NFT_RETURN:
		return "return";
	case NFT_CONTINUE:
	case NFT_BREAK:
		return "continue";
	case NF_DROP:
		return "drop";
	case NF_ACCEPT:
		return "accept";
	case NF_STOLEN:
		return "stolen";
	default:
		return (code & NF_VERDICT_MASK) == NF_QUEUE ? "queue" : "drop";
	}
}

/* The network and the transport header come as two attributes; together they are the packet. */
static void headers(struct arena *a, const struct attrs *at, struct rec_match *m)
{
	const struct nlattr *nh = at->v[NFTA_TRACE_NETWORK_HEADER],
			    *th = at->v[NFTA_TRACE_TRANSPORT_HEADER];
	if (!nh)
		return;
	uint8_t *p = arena_alloc(a, len_of(nh) + len_of(th));
	memcpy(p, mnl_attr_get_payload(nh), len_of(nh));
	if (th)
		memcpy(p + len_of(nh), mnl_attr_get_payload(th), len_of(th));
	m->data = p;
	m->caplen = len_of(nh) + len_of(th);
}

static bool parse_nft(struct arena *a, const struct nlmsghdr *h, struct rec_match *m)
{
	struct attrs at;
	attrs_of(h, &at);
	m->table = text_of(a, at.v[NFTA_TRACE_TABLE]);
	m->chain = text_of(a, at.v[NFTA_TRACE_CHAIN]);
	if (strcmp(m->table, NFMSG_TABLE) == 0)
		return false;
	m->hook = -1;
	if (len_of(at.v[NFTA_TRACE_RULE_HANDLE]) == 8)
		m->handle = be64toh(mnl_attr_get_u64(at.v[NFTA_TRACE_RULE_HANDLE]));
	uint32_t type = be32_of(at.v[NFTA_TRACE_TYPE]);
	m->kind = type == NFT_TRACETYPE_POLICY		    ? REC_POLICY
		  : type == NFT_TRACETYPE_RULE && m->handle ? REC_RULE
							    : REC_RETURN;
	m->verdict = verdict_text(a, at.v[NFTA_TRACE_VERDICT]);
	if (m->kind == REC_POLICY)
		m->verdict = be32_of(at.v[NFTA_TRACE_POLICY]) == NF_ACCEPT ? "accept" : "drop";
	m->iif = (int)be32_of(at.v[NFTA_TRACE_IIF]);
	m->oif = (int)be32_of(at.v[NFTA_TRACE_OIF]);
	m->mark = be32_of(at.v[NFTA_TRACE_MARK]);
	m->trace_id = be32_of(at.v[NFTA_TRACE_ID]);
	m->ct_id = be32_of(at.v[TRACE_CT_ID]);
	headers(a, &at, m);
	return true;
}

static bool parse_log(struct arena *a, const struct nlmsghdr *h, struct rec_match *m)
{
	struct attrs at;
	attrs_of(h, &at);
	if (!at.v[NFULA_PREFIX] || !ruletext_trace(a, text_of(a, at.v[NFULA_PREFIX]), m))
		return false;
	m->hook = -1;
	if (len_of(at.v[NFULA_PACKET_HDR]) >= sizeof(struct nfulnl_msg_packet_hdr)) {
		const struct nfulnl_msg_packet_hdr *ph =
			mnl_attr_get_payload(at.v[NFULA_PACKET_HDR]);
		m->hook = ph->hook;
	}
	m->iif = (int)be32_of(at.v[NFULA_IFINDEX_INDEV]);
	m->oif = (int)be32_of(at.v[NFULA_IFINDEX_OUTDEV]);
	m->physin = (int)be32_of(at.v[NFULA_IFINDEX_PHYSINDEV]);
	m->physout = (int)be32_of(at.v[NFULA_IFINDEX_PHYSOUTDEV]);
	m->mark = be32_of(at.v[NFULA_MARK]);
	unsigned n = len_of(at.v[NFULA_PAYLOAD]);
	if (n) {
		uint8_t *p = arena_alloc(a, n);
		memcpy(p, mnl_attr_get_payload(at.v[NFULA_PAYLOAD]), n);
		m->data = p;
		m->caplen = n;
	}
	return true;
}

/* ---- conntrack -------------------------------------------------------------------------------
 */

static struct rec_tuple tuple_of(const struct nlattr *nest)
{
	struct attrs t, ip, proto;
	attrs_in(nest, &t);
	attrs_in(t.v[CTA_TUPLE_IP], &ip);
	attrs_in(t.v[CTA_TUPLE_PROTO], &proto);
	struct rec_tuple r = {.src = be32_of(ip.v[CTA_IP_V4_SRC]),
			      .dst = be32_of(ip.v[CTA_IP_V4_DST])};
	if (len_of(proto.v[CTA_PROTO_NUM]))
		r.proto = mnl_attr_get_u8(proto.v[CTA_PROTO_NUM]);
	if (r.proto == IPPROTO_ICMP) {
		r.sport = be16_of(proto.v[CTA_PROTO_ICMP_ID]);
		if (proto.v[CTA_PROTO_ICMP_TYPE] && proto.v[CTA_PROTO_ICMP_CODE])
			r.dport = (uint16_t)(mnl_attr_get_u8(proto.v[CTA_PROTO_ICMP_TYPE]) << 8 |
					     mnl_attr_get_u8(proto.v[CTA_PROTO_ICMP_CODE]));
		return r;
	}
	r.sport = be16_of(proto.v[CTA_PROTO_SRC_PORT]);
	r.dport = be16_of(proto.v[CTA_PROTO_DST_PORT]);
	return r;
}

static const char *tcp_state(const struct nlattr *protoinfo)
{
	static const char *const names[] = {"NONE",	"SYN_SENT",   "SYN_RECV", "ESTABLISHED",
					    "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
					    "CLOSE",	"SYN_SENT2"};
	struct attrs info, tcp;
	attrs_in(protoinfo, &info);
	attrs_in(info.v[CTA_PROTOINFO_TCP], &tcp);
	if (!tcp.v[CTA_PROTOINFO_TCP_STATE])
		return NULL;
	unsigned s = mnl_attr_get_u8(tcp.v[CTA_PROTOINFO_TCP_STATE]);
	return s < ARRAY_SIZE(names) ? names[s] : NULL;
}

static bool parse_ct(const struct nlmsghdr *h, struct rec_ct *ct)
{
	struct attrs at;
	attrs_of(h, &at);
	if (!at.v[CTA_TUPLE_ORIG] || !at.v[CTA_TUPLE_REPLY])
		return false;
	ct->orig = tuple_of(at.v[CTA_TUPLE_ORIG]);
	ct->reply = tuple_of(at.v[CTA_TUPLE_REPLY]);
	ct->id = be32_of(at.v[CTA_ID]);
	ct->mark = be32_of(at.v[CTA_MARK]);
	ct->status = be32_of(at.v[CTA_STATUS]);
	ct->state = tcp_state(at.v[CTA_PROTOINFO]);
	return ct->orig.src != 0; /* IPv6 is not ours */
}

enum nfmsg_kind nfmsg_parse(struct arena *a, const struct nlmsghdr *h, int ns, unsigned seq,
			    struct rec_match *match, struct rec_ct *ct)
{
	if (h->nlmsg_len < NLMSG_HDRLEN + sizeof(struct nfgenmsg))
		return NFMSG_OTHER;
	*match = (struct rec_match){.ns = ns, .seq = seq};
	*ct = (struct rec_ct){.ns = ns, .seq = seq};
	unsigned subsys = h->nlmsg_type >> 8, type = h->nlmsg_type & 0xff;
	if (subsys == NFNL_SUBSYS_NFTABLES && type == NFT_MSG_TRACE)
		return parse_nft(a, h, match) ? NFMSG_MATCH : NFMSG_OTHER;
	if (subsys == NFNL_SUBSYS_ULOG && type == NFULNL_MSG_PACKET)
		return parse_log(a, h, match) ? NFMSG_MATCH : NFMSG_OTHER;
	if (subsys != NFNL_SUBSYS_CTNETLINK)
		return NFMSG_OTHER;
	if (type == IPCTNL_MSG_CT_DELETE)
		ct->kind = REC_CT_DESTROY;
	else if (type == IPCTNL_MSG_CT_NEW)
		ct->kind =
			h->nlmsg_flags & (NLM_F_CREATE | NLM_F_EXCL) ? REC_CT_NEW : REC_CT_UPDATE;
	else
		return NFMSG_OTHER;
	return parse_ct(h, ct) ? NFMSG_CT : NFMSG_OTHER;
}

void nfmsg_put_tuple(struct nlmsghdr *h, uint16_t type, const struct rec_tuple *t)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);
	struct nlattr *ip = mnl_attr_nest_start(h, CTA_TUPLE_IP);
	mnl_attr_put_u32(h, CTA_IP_V4_SRC, htonl(t->src));
	mnl_attr_put_u32(h, CTA_IP_V4_DST, htonl(t->dst));
	mnl_attr_nest_end(h, ip);
	struct nlattr *proto = mnl_attr_nest_start(h, CTA_TUPLE_PROTO);
	mnl_attr_put_u8(h, CTA_PROTO_NUM, t->proto);
	if (t->proto == IPPROTO_ICMP) {
		mnl_attr_put_u16(h, CTA_PROTO_ICMP_ID, htons(t->sport));
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_TYPE, (uint8_t)(t->dport >> 8));
		mnl_attr_put_u8(h, CTA_PROTO_ICMP_CODE, (uint8_t)t->dport);
	} else {
		mnl_attr_put_u16(h, CTA_PROTO_SRC_PORT, htons(t->sport));
		mnl_attr_put_u16(h, CTA_PROTO_DST_PORT, htons(t->dport));
	}
	mnl_attr_nest_end(h, proto);
	mnl_attr_nest_end(h, nest);
}

bool tuple_eq(const struct rec_tuple *a, const struct rec_tuple *b)
{
	return a->src == b->src && a->dst == b->dst && a->sport == b->sport &&
	       a->dport == b->dport && a->proto == b->proto;
}

struct rec_tuple tuple_back(const struct rec_tuple *t)
{
	struct rec_tuple r = {t->dst, t->src, t->dport, t->sport, t->proto};
	if (t->proto == IPPROTO_ICMP) { /* the id stays; echo <-> echo reply */
		r.sport = t->sport;
		r.dport = t->dport == 0x0800 ? 0 : t->dport == 0 ? 0x0800 : t->dport;
	}
	return r;
}
