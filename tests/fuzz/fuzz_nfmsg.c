/* SPDX-License-Identifier: MIT */
/*
 * fuzz_nfmsg: what netfilter says during a trace: messages of nf_tables' rule traces, of legacy
 * TRACE over NFLOG and of conntrack. First a byte: 0 netlink messages, else text as
 * iptables-save prints it. Messages are a byte for the kind, two for the length of the body, and
 * the body behind struct nfgenmsg.
 */
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netfilter/nfnetlink_log.h>

#include "labd/lab/ruleset.h"
#include "labd/trace/nfmsg.h"
#include "labd/trace/ruletext.h"
#include "lib/base/cleanup.h"
#include "tests/fuzz/fuzz.h"

#define MATCHES 64

static const uint16_t kinds[] = {
	NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_TRACE,
	NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET,
	NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW,
	NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_DELETE,
	NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN,
};

/* What a text or bytes claim to be must be readable. */
static void use_match(const struct rec_match *m)
{
	fuzz_assert(m->table && m->chain);
	fuzz_read(m->data, m->caplen);
	fuzz_assert(strlen(m->table) < 65536 && strlen(m->chain) < 65536);
	fuzz_assert(!m->verdict || strlen(m->verdict) < 65600);
}

static void message(struct arena *a, struct fuzz_in *in, struct recording *r)
{
	uint16_t type = kinds[fuzz_byte(in) % ARRAY_SIZE(kinds)];
	size_t len, want = fuzz_u16(in);
	_free_ uint8_t *body = fuzz_take(in, want, 0, &len);
	struct nlmsghdr *h = malloc(NLMSG_HDRLEN + sizeof(struct nfgenmsg) + len);
	struct rec_match m;
	struct rec_ct ct;
	if (!h)
		abort();
	*h = (struct nlmsghdr){.nlmsg_type = type,
			       .nlmsg_flags = len & 1 ? NLM_F_CREATE : 0,
			       .nlmsg_len =
				       (uint32_t)(NLMSG_HDRLEN + sizeof(struct nfgenmsg) + len)};
	memset(h + 1, 0, sizeof(struct nfgenmsg));
	memcpy((char *)(h + 1) + sizeof(struct nfgenmsg), body, len);
	enum nfmsg_kind k = nfmsg_parse(a, h, 0, (unsigned)r->matches.n, &m, &ct);
	if (k == NFMSG_MATCH) {
		use_match(&m);
		*vec_push(a, &r->matches) = m;
	} else if (k == NFMSG_CT) {
		struct rec_tuple t = tuple_back(&ct.orig), back = tuple_back(&t);
		fuzz_assert(ct.orig.proto == 1 || tuple_eq(&back, &ct.orig));
		*vec_push(a, &r->cts) = ct;
	}
	free(h);
}

static void rules(struct arena *a, struct fuzz_in *in, struct recording *r)
{
	size_t len;
	_free_ char *text = (char *)fuzz_take(in, in->n, 1, &len);
	struct ruleset have = {.arena = a}, want = {.arena = a};
	struct rec_match m = {0};
	struct strbuf out = STRBUF_INIT;
	struct ruleset_words words = {0};
	char *half = strstr(text, "\n=\n"); /* two rulesets to compare */
	if (half)
		*half = '\0';
	ruletext_save(a, text, &r->ns.v[0]);
	ruletext_trace(a, text, &m);
	ruleset_add(&have, text);
	ruleset_add(&want, half ? half + 3 : "");
	ruleset_diff(&have, &want, RULESET_KERNEL, &out, &words);
	strbuf_reset(&out);
	ruleset_diff(&want, &have, RULESET_OWN, &out, NULL);
	strbuf_free(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	_arena_ struct arena *a = arena_new();
	struct recording *r = recording_new(a);
	*vec_push(a, &r->ns) =
		(struct rec_ns){.name = "node01", .where = "node/node01", .role = "node"};
	if (fuzz_byte(&in)) {
		rules(a, &in, r);
		return 0;
	}
	while (in.n && r->matches.n + r->cts.n < MATCHES)
		message(a, &in, r);
	recording_reduce(r);
	return 0;
}
