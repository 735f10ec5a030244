/* SPDX-License-Identifier: MIT */
/* See nftable.h. */
#include "labd/trace/nftable.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>

#include "labd/kernel/nlread.h"
#include "labd/trace/nfmsg.h"
#include "lib/base/cleanup.h"

#define BATCH_BYTES (256u * 1024u)
#define PRIORITY    (-450) /* before defragmentation, raw and conntrack */
#define DUMP_BYTES  32768

struct batch {
	char *buf;
	size_t len;
	struct nlmsghdr *h;
	uint32_t seq;
};

static struct nlmsghdr *next(struct batch *b, uint16_t type, uint16_t flags, uint8_t family)
{
	if (b->h)
		b->len += MNL_ALIGN(b->h->nlmsg_len);
	b->h = mnl_nlmsg_put_header(b->buf + b->len);
	b->h->nlmsg_type = type;
	b->h->nlmsg_flags = NLM_F_REQUEST | flags;
	b->h->nlmsg_seq = ++b->seq;
	struct nfgenmsg *nf = mnl_nlmsg_put_extra_header(b->h, sizeof(*nf));
	*nf = (struct nfgenmsg){.nfgen_family = family, .version = NFNETLINK_V0};
	if (type == NFNL_MSG_BATCH_BEGIN || type == NFNL_MSG_BATCH_END)
		nf->res_id = htons(NFNL_SUBSYS_NFTABLES);
	return b->h;
}

static struct nlmsghdr *next_nft(struct batch *b, uint8_t type, uint16_t flags)
{
	return next(b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET);
}

static void add_chain(struct batch *b, const char *name, unsigned hook)
{
	struct nlmsghdr *h = next_nft(b, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
	mnl_attr_put_strz(h, NFTA_CHAIN_TABLE, NFMSG_TABLE);
	mnl_attr_put_strz(h, NFTA_CHAIN_NAME, name);
	mnl_attr_put_strz(h, NFTA_CHAIN_TYPE, "filter");
	struct nlattr *nest = mnl_attr_nest_start(h, NFTA_CHAIN_HOOK);
	mnl_attr_put_u32(h, NFTA_HOOK_HOOKNUM, htonl(hook));
	mnl_attr_put_u32(h, NFTA_HOOK_PRIORITY, htonl((uint32_t)PRIORITY));
	mnl_attr_nest_end(h, nest);
}

/* ---- expressions -----------------------------------------------------------------------------
 */

struct expr {
	struct nlattr *elem, *data;
};

static struct expr expr_start(struct nlmsghdr *h, const char *name)
{
	struct expr e = {.elem = mnl_attr_nest_start(h, NFTA_LIST_ELEM)};
	mnl_attr_put_strz(h, NFTA_EXPR_NAME, name);
	e.data = mnl_attr_nest_start(h, NFTA_EXPR_DATA);
	return e;
}

static void expr_end(struct nlmsghdr *h, struct expr e)
{
	mnl_attr_nest_end(h, e.data);
	mnl_attr_nest_end(h, e.elem);
}

static void put_data(struct nlmsghdr *h, uint16_t type, const void *data, size_t len)
{
	struct nlattr *nest = mnl_attr_nest_start(h, type);
	mnl_attr_put(h, NFTA_DATA_VALUE, len, data);
	mnl_attr_nest_end(h, nest);
}

static void put_cmp(struct nlmsghdr *h, const void *data, size_t len)
{
	struct expr e = expr_start(h, "cmp");
	mnl_attr_put_u32(h, NFTA_CMP_SREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(h, NFTA_CMP_OP, htonl(NFT_CMP_EQ));
	put_data(h, NFTA_CMP_DATA, data, len);
	expr_end(h, e);
}

static void put_bytes(struct nlmsghdr *h, unsigned base, const struct marker_bytes *c)
{
	struct expr e = expr_start(h, "payload");
	mnl_attr_put_u32(h, NFTA_PAYLOAD_DREG, htonl(NFT_REG_1));
	mnl_attr_put_u32(h, NFTA_PAYLOAD_BASE, htonl(NFT_PAYLOAD_TRANSPORT_HEADER));
	mnl_attr_put_u32(h, NFTA_PAYLOAD_OFFSET, htonl(base + c->off));
	mnl_attr_put_u32(h, NFTA_PAYLOAD_LEN, htonl(c->len));
	expr_end(h, e);
	put_cmp(h, c->b, c->len);
}

static void put_meta(struct nlmsghdr *h, uint32_t key, uint16_t reg_attr)
{
	struct expr e = expr_start(h, "meta");
	mnl_attr_put_u32(h, NFTA_META_KEY, htonl(key));
	mnl_attr_put_u32(h, reg_attr, htonl(NFT_REG_1));
	expr_end(h, e);
}

static void put_trace_on(struct nlmsghdr *h)
{
	const uint8_t one = 1;
	struct expr e = expr_start(h, "immediate");
	mnl_attr_put_u32(h, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_1));
	put_data(h, NFTA_IMMEDIATE_DATA, &one, sizeof(one));
	expr_end(h, e);
	put_meta(h, NFT_META_NFTRACE, NFTA_META_SREG);
}

static void add_rule(struct batch *b, const char *chain, const struct marker *m, unsigned alt,
		     const struct marker_wrap *w)
{
	struct nlmsghdr *h = next_nft(b, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
	mnl_attr_put_strz(h, NFTA_RULE_TABLE, NFMSG_TABLE);
	mnl_attr_put_strz(h, NFTA_RULE_CHAIN, chain);
	struct nlattr *list = mnl_attr_nest_start(h, NFTA_RULE_EXPRESSIONS);
	put_meta(h, NFT_META_L4PROTO, NFTA_META_DREG);
	put_cmp(h, &w->proto, sizeof(w->proto));
	for (unsigned i = 0; i < w->n; i++)
		put_bytes(h, 0, &w->check[i]);
	for (unsigned i = 0; i < m->alt[alt].n; i++)
		put_bytes(h, w->l4, &m->alt[alt].c[i]);
	put_trace_on(h);
	mnl_attr_nest_end(h, list);
}

static void add_rules(struct batch *b, const char *chain, const struct marker *m,
		      uint16_t vxlan_port)
{
	struct marker_wrap wraps[MARKER_WRAPS];
	unsigned n = marker_wraps(m, vxlan_port, wraps);
	for (unsigned i = 0; i < n; i++)
		for (unsigned a = 0; a < m->n_alts; a++)
			add_rule(b, chain, m, a, &wraps[i]);
}

static int send_table(struct nfstream *s, const struct marker *m, unsigned n, uint16_t vxlan_port,
		      uint32_t flags, char *buf)
{
	static const char *const chains[] = {"pre", "out"};
	struct batch b = {.buf = buf};
	next(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
	struct nlmsghdr *h = next_nft(&b, NFT_MSG_NEWTABLE, NLM_F_CREATE | NLM_F_EXCL);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFMSG_TABLE);
	mnl_attr_put_u32(h, NFTA_TABLE_FLAGS, htonl(flags));
	add_chain(&b, chains[0], NF_INET_PRE_ROUTING);
	add_chain(&b, chains[1], NF_INET_LOCAL_OUT);
	for (size_t c = 0; c < ARRAY_SIZE(chains); c++)
		for (unsigned i = 0; i < n; i++)
			add_rules(&b, chains[c], &m[i], vxlan_port);
	b.h->nlmsg_flags |= NLM_F_ACK;
	uint32_t last = b.seq;
	next(&b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
	return nfstream_ask(s->sk, buf, b.len + b.h->nlmsg_len, last);
}

int nftable_add(struct nfstream *s, const struct marker *m, unsigned n, uint16_t vxlan_port,
		bool *owned, struct err *err)
{
	_free_ char *buf = malloc(BATCH_BYTES);
	if (!buf)
		return err_sys(err, ENOMEM, "rule trace");
	*owned = true;
	int r = send_table(s, m, n, vxlan_port, NFT_TABLE_F_OWNER, buf);
	if (r == -EEXIST && nftable_remove(NULL, err) == 0)
		r = send_table(s, m, n, vxlan_port, NFT_TABLE_F_OWNER, buf);
	if (r == -EOPNOTSUPP || r == -EINVAL) {
		*owned = false;
		r = send_table(s, m, n, vxlan_port, 0, buf);
	}
	if (r == 0)
		return 0;
	err_sys(err, r, "this kernel's nf_tables cannot mark the probe");
	if (err)
		err->cls = ERR_UNSUPPORTED;
	return r;
}

int nftable_remove(struct nfstream *s, struct err *err)
{
	struct nfstream own = {0};
	char buf[1024] __attribute__((aligned(NLMSG_ALIGNTO)));
	int r = s ? 0 : nfstream_open(&own, -1, err);
	if (r < 0)
		return r;
	struct batch b = {.buf = buf};
	next(&b, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC);
	struct nlmsghdr *h = next_nft(&b, NFT_MSG_DELTABLE, NLM_F_ACK);
	mnl_attr_put_strz(h, NFTA_TABLE_NAME, NFMSG_TABLE);
	uint32_t last = b.seq;
	next(&b, NFNL_MSG_BATCH_END, 0, AF_UNSPEC);
	r = nfstream_ask(s ? s->sk : own.sk, buf, b.len + b.h->nlmsg_len, last);
	nfstream_close(&own);
	if (r == 0 || r == -ENOENT || r == -EINVAL || r == -EOPNOTSUPP)
		return 0;
	return err_sys(err, r, "removing the table " NFMSG_TABLE);
}

/* ---- handles ---------------------------------------------------------------------------------
 */

/* Call fn for each message of a dump over a family. */
static void dump(uint8_t type, uint8_t family, void (*fn)(const struct nlmsghdr *h, void *arg),
		 void *arg)
{
	struct nfstream s;
	_free_ char *buf = malloc(DUMP_BYTES);
	if (!buf || nfstream_open(&s, -1, NULL) < 0)
		return;
	struct batch b = {.buf = buf};
	struct nlmsghdr *req =
		next(&b, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), NLM_F_DUMP, family);
	bool end = mnl_socket_sendto(s.sk, req, req->nlmsg_len) < 0;
	while (!end) {
		ssize_t n = recv(mnl_socket_get_fd(s.sk), buf, DUMP_BYTES, MSG_DONTWAIT);
		struct nlread in = nlread_datagram(buf, n);
		const struct nlmsghdr *h;
		end = n <= 0;
		while (!end && (h = nlread_msg(&in))) {
			end = h->nlmsg_type == NLMSG_DONE || h->nlmsg_type == NLMSG_ERROR;
			if (!end && nlread_fixed(h, sizeof(struct nfgenmsg)))
				fn(h, arg);
		}
	}
	nfstream_close(&s);
}

struct tables {
	bool any, native;
};

static void see_table(const struct nlmsghdr *h, void *arg)
{
	static const char *const iptables[] = {"filter", "nat", "mangle", "raw", "security"};
	struct tables *t = arg;
	const struct nfgenmsg *nf = nlread_fixed(h, sizeof(*nf));
	bool own = false;
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(*nf)), &at);
	for (size_t i = 0; i < ARRAY_SIZE(iptables); i++)
		own |= nlread_is(at.v[NFTA_TABLE_NAME], iptables[i]);
	t->any = true;
	t->native |= nf->nfgen_family == NFPROTO_INET || (nf->nfgen_family == NFPROTO_IPV4 && !own);
}

bool nftable_any(bool *native)
{
	struct tables t = {false, false};
	dump(NFT_MSG_GETTABLE, NFPROTO_UNSPEC, see_table, &t);
	*native = t.native;
	return t.any;
}

struct handles {
	struct rec_ns *ns;
	size_t from, at; /* rules of ns; the one expected next */
	const char *table, *chain;
};

/* The first rule of a chain, looked for from where the last chain ended. */
static size_t first_of(const struct handles *x, const struct nlattr *table,
		       const struct nlattr *chain)
{
	size_t n = x->ns->rules.n - x->from;
	for (size_t i = 0; i < n; i++) {
		size_t k = x->from + (x->at - x->from + i) % n;
		const struct rec_rule *r = &x->ns->rules.v[k];
		if (r->num == 1 && nlread_is(chain, r->chain) && nlread_is(table, r->table))
			return k;
	}
	return x->ns->rules.n;
}

static void see_rule(const struct nlmsghdr *h, void *arg)
{
	struct handles *x = arg;
	struct nlattrs at;
	nlread_by_type(nlread_attrs(h, sizeof(struct nfgenmsg)), &at);
	const struct nlattr *table = at.v[NFTA_RULE_TABLE], *chain = at.v[NFTA_RULE_CHAIN];
	if (!table || !chain)
		return;
	if (!x->chain || !nlread_is(chain, x->chain) || !nlread_is(table, x->table))
		x->at = first_of(x, table, chain);
	if (x->at >= x->ns->rules.n) {
		x->chain = NULL;
		x->at = x->from;
		return; /* a rule that iptables does not print */
	}
	struct rec_rule *r = &x->ns->rules.v[x->at];
	if (!nlread_is(chain, r->chain) || !nlread_is(table, r->table))
		return;
	x->table = r->table;
	x->chain = r->chain;
	r->handle = nlread_be64(at.v[NFTA_RULE_HANDLE]);
	x->at++;
}

void nftable_handles(struct rec_ns *ns, size_t from)
{
	struct handles x = {.ns = ns, .from = from, .at = from};
	if (ns->rules.n > from)
		dump(NFT_MSG_GETRULE, NFPROTO_IPV4, see_rule, &x);
}
