/* SPDX-License-Identifier: MIT */
/* See nfmsg.h. */
#include "labd/trace/nfmsg.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_conntrack_tcp.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>
#include <netinet/in.h>
#include <string.h>

#include "labd/kernel/nlread.h"
#include "labd/trace/ruletext.h"
#include "lib/base/cleanup.h"

#define TRACE_CT_ID 18 /* NFTA_TRACE_CT_ID, Linux 6.16 */

/* ---- rule traces -----------------------------------------------------------------------------
 */

static const char *verdict_text(struct arena *a, const struct nlattr *nest)
{
	struct nlattrs v;
	nlread_by_type(nlread_nest(nest), &v);
	if (!v.v[NFTA_VERDICT_CODE])
		return NULL;
	int code = (int)nlread_be32(v.v[NFTA_VERDICT_CODE]);
	const char *chain = nlread_str(a, v.v[NFTA_VERDICT_CHAIN]);
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
static void headers(struct arena *a, const struct nlattrs *at, struct rec_match *m)
{
	const struct nlattr *nh = at->v[NFTA_TRACE_NETWORK_HEADER],
			    *th = at->v[NFTA_TRACE_TRANSPORT_HEADER];
	if (!nh)
		return;
	uint8_t *p = arena_alloc(a, nlread_len(nh) + nlread_len(th));
	memcpy(p, nlread_data(nh), nlread_len(nh));
	if (th)
		memcpy(p + nlread_len(nh), nlread_data(th), nlread_len(th));
	m->data = p;
	m->caplen = (uint32_t)(nlread_len(nh) + nlread_len(th));
}

static bool parse_nft(struct arena *a, const struct nlmsghdr *h, struct rec_match *m)
{
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(struct nfgenmsg)), &at);
	m->table = nlread_str(a, at.v[NFTA_TRACE_TABLE]);
	m->chain = nlread_str(a, at.v[NFTA_TRACE_CHAIN]);
	if (strcmp(m->table, NFMSG_TABLE) == 0)
		return false;
	m->hook = -1;
	if (nlread_len(at.v[NFTA_TRACE_RULE_HANDLE]) == 8)
		m->handle = nlread_be64(at.v[NFTA_TRACE_RULE_HANDLE]);
	uint32_t type = nlread_be32(at.v[NFTA_TRACE_TYPE]);
	m->kind = type == NFT_TRACETYPE_POLICY		    ? REC_POLICY
		  : type == NFT_TRACETYPE_RULE && m->handle ? REC_RULE
							    : REC_RETURN;
	m->verdict = verdict_text(a, at.v[NFTA_TRACE_VERDICT]);
	if (m->kind == REC_POLICY)
		m->verdict = nlread_be32(at.v[NFTA_TRACE_POLICY]) == NF_ACCEPT ? "accept" : "drop";
	m->iif = (int)nlread_be32(at.v[NFTA_TRACE_IIF]);
	m->oif = (int)nlread_be32(at.v[NFTA_TRACE_OIF]);
	m->mark = nlread_be32(at.v[NFTA_TRACE_MARK]);
	m->trace_id = nlread_be32(at.v[NFTA_TRACE_ID]);
	m->ct_id = nlread_be32(at.v[TRACE_CT_ID]);
	headers(a, &at, m);
	return true;
}

static bool parse_log(struct arena *a, const struct nlmsghdr *h, struct rec_match *m)
{
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(struct nfgenmsg)), &at);
	if (!at.v[NFULA_PREFIX] || !ruletext_trace(a, nlread_str(a, at.v[NFULA_PREFIX]), m))
		return false;
	m->hook = -1;
	if (nlread_len(at.v[NFULA_PACKET_HDR]) >= sizeof(struct nfulnl_msg_packet_hdr)) {
		const struct nfulnl_msg_packet_hdr *ph = nlread_data(at.v[NFULA_PACKET_HDR]);
		m->hook = ph->hook;
	}
	m->iif = (int)nlread_be32(at.v[NFULA_IFINDEX_INDEV]);
	m->oif = (int)nlread_be32(at.v[NFULA_IFINDEX_OUTDEV]);
	m->physin = (int)nlread_be32(at.v[NFULA_IFINDEX_PHYSINDEV]);
	m->physout = (int)nlread_be32(at.v[NFULA_IFINDEX_PHYSOUTDEV]);
	m->mark = nlread_be32(at.v[NFULA_MARK]);
	size_t n = nlread_len(at.v[NFULA_PAYLOAD]);
	if (n) {
		uint8_t *p = arena_alloc(a, n);
		memcpy(p, nlread_data(at.v[NFULA_PAYLOAD]), n);
		m->data = p;
		m->caplen = (uint32_t)n;
	}
	return true;
}

/* ---- conntrack -------------------------------------------------------------------------------
 */

static struct rec_tuple tuple_of(const struct nlattr *nest)
{
	struct nlattrs t, ip, proto;
	nlread_by_type(nlread_nest(nest), &t);
	nlread_by_type(nlread_nest(t.v[CTA_TUPLE_IP]), &ip);
	nlread_by_type(nlread_nest(t.v[CTA_TUPLE_PROTO]), &proto);
	struct rec_tuple r = {.src = nlread_be32(ip.v[CTA_IP_V4_SRC]),
			      .dst = nlread_be32(ip.v[CTA_IP_V4_DST])};
	if (nlread_len(proto.v[CTA_PROTO_NUM]))
		r.proto = nlread_u8(proto.v[CTA_PROTO_NUM]);
	if (r.proto == IPPROTO_ICMP) {
		r.sport = nlread_be16(proto.v[CTA_PROTO_ICMP_ID]);
		if (proto.v[CTA_PROTO_ICMP_TYPE] && proto.v[CTA_PROTO_ICMP_CODE])
			r.dport = (uint16_t)(nlread_u8(proto.v[CTA_PROTO_ICMP_TYPE]) << 8 |
					     nlread_u8(proto.v[CTA_PROTO_ICMP_CODE]));
		return r;
	}
	r.sport = nlread_be16(proto.v[CTA_PROTO_SRC_PORT]);
	r.dport = nlread_be16(proto.v[CTA_PROTO_DST_PORT]);
	return r;
}

static const char *tcp_state(const struct nlattr *protoinfo)
{
	static const char *const names[] = {"NONE",	"SYN_SENT",   "SYN_RECV", "ESTABLISHED",
					    "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK", "TIME_WAIT",
					    "CLOSE",	"SYN_SENT2"};
	struct nlattrs info, tcp;
	nlread_by_type(nlread_nest(protoinfo), &info);
	nlread_by_type(nlread_nest(info.v[CTA_PROTOINFO_TCP]), &tcp);
	if (!tcp.v[CTA_PROTOINFO_TCP_STATE])
		return NULL;
	unsigned s = nlread_u8(tcp.v[CTA_PROTOINFO_TCP_STATE]);
	return s < ARRAY_SIZE(names) ? names[s] : NULL;
}

static bool parse_ct(const struct nlmsghdr *h, struct rec_ct *ct)
{
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(struct nfgenmsg)), &at);
	if (!at.v[CTA_TUPLE_ORIG] || !at.v[CTA_TUPLE_REPLY])
		return false;
	ct->orig = tuple_of(at.v[CTA_TUPLE_ORIG]);
	ct->reply = tuple_of(at.v[CTA_TUPLE_REPLY]);
	ct->id = nlread_be32(at.v[CTA_ID]);
	ct->mark = nlread_be32(at.v[CTA_MARK]);
	ct->status = nlread_be32(at.v[CTA_STATUS]);
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
