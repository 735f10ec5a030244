/* SPDX-License-Identifier: MIT */
/*
 * fuzz_netlink: all that reads netlink, over a kernel that says what it likes (fake_kernel.h). The
 * first byte picks who asks. With FUZZ_RECORD=FILE the real kernel is asked and its answers become
 * a seed (run it once with an input of one byte, in a namespace that has something to show).
 */
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_queue.h>

#include "labd/kernel/ct_clean.h"
#include "labd/kernel/net.h"
#include "labd/kernel/nlbatch.h"
#include "labd/trace/freeze.h"
#include "labd/trace/nfstream.h"
#include "labd/trace/nftable.h"
#include "labd/trace/rtdump.h"
#include "lib/base/cleanup.h"
#include "tests/fuzz/fake_kernel.h"

static int netns = -1;

/* Every text must end, and be ours. */
static void use_ns(const struct rec_ns *ns)
{
	vec_foreach (const struct rec_if, i, &ns->ifs)
		fuzz_assert(strlen(i->name) + strlen(i->kind) < FAKE_BYTES);
	vec_foreach (const char *, r, &ns->routes)
		fuzz_assert(strlen(*r) < FAKE_BYTES);
	vec_foreach (const struct rec_neigh, n, &ns->neighs)
		rtdump_ifname(ns, n->ifindex);
}

static void dump_all(struct recording *r)
{
	struct err err = {0};
	struct rec_ns *ns = &r->ns.v[0];
	if (rtdump_all(r->arena, ns, &err) == 0)
		use_ns(ns);
}

static void ask_route(struct recording *r)
{
	struct rt_answer answer;
	struct rt_question q = {.dst = 0x0af40205, .src = 0x0af40102, .iif = 1, .mark = 1};
	if (fake.record)
		q = (struct rt_question){.dst = 0x7f000001};
	if (rtdump_route(r->arena, &r->ns.v[0], &q, &answer) == 0)
		fuzz_assert(strlen(answer.text) < FAKE_BYTES);
}

static void observe(struct recording *r)
{
	struct dns ns;
	struct err err = {0};
	if (net_observe(r->arena, netns, &ns, &err) < 0)
		return;
	vec_foreach (const struct dlink, l, &ns.links)
		fuzz_assert(strlen(l->name) < FAKE_BYTES && (!l->master || *l->master));
	vec_foreach (const struct droute, d, &ns.routes)
		fuzz_assert(d->dst.len <= 32);
}

static void handles(struct recording *r)
{
	struct rec_ns *ns = &r->ns.v[0];
	for (unsigned i = 0; i < 4; i++)
		*vec_push(r->arena, &ns->rules) =
			(struct rec_rule){.table = "nat",
					  .chain = i < 2 ? "PREROUTING" : "KUBE-SERVICES",
					  .num = 1 + i % 2,
					  .text = "-A X"};
	bool native;
	if (nftable_any(&native) || fake.record)
		nftable_handles(ns, 0);
}

static void stream(struct recording *r)
{
	struct nfstream s;
	struct err err = {0};
	rec_cts cts = {0};
	if (nfstream_open(&s, 0, &err) == 0 && nfstream_listen(&s, true, true, &err) == 0)
		nfstream_read(&s, r, &cts);
	nfstream_close(&s);
	vec_foreach (const struct rec_match, m, &r->matches)
		fuzz_read(m->data, m->caplen);
}

static void clean(struct recording *r)
{
	struct ct_stale stale[] = {{.dst = 0x0a60000a, .dport = 53}, {.from = 0x0af40009}};
	struct err err = {0};
	*vec_push(r->arena, &stale[0].keep) = (struct ct_peer){0x0af40002, 53};
	ct_clean_udp(netns, stale, 2, &err);
}

static void ct_get(struct recording *r)
{
	struct rec_tuple t = {0x0af40102, 0x0a60000a, 40000, 53, 17};
	struct rec_ct ct;
	nfstream_ct_get(r->arena, &t, &ct);
}

static void batch(struct recording *r)
{
	_nlbatch_ struct nlbatch b;
	struct err err = {0};
	bool hit = false;
	nlbatch_init(&b);
	if (nlbatch_open(&b, "node01", &err) < 0)
		return;
	for (int i = 0; i < 3; i++) {
		struct nlmsghdr *h =
			nlbatch_msg(&b, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, "link dummy%d", i);
		struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(h, sizeof(*ifi));
		ifi->ifi_index = fake.record ? -5 : 0;
		mnl_attr_put_strz(h, IFLA_IFNAME, "a-name-that-is-too-long");
		if (i == 1)
			nlbatch_pass(&b, EEXIST, &hit);
	}
	if (nlbatch_send(&b, &err) < 0)
		fuzz_assert(err.text[0]);
}

static enum freeze_key let_go(void *arg)
{
	return ++*(int *)arg > 2 ? FREEZE_GO_ALL : FREEZE_GO;
}

static void frozen(void *arg, const struct freeze_at *at)
{
	fuzz_assert(at->packet[0] && at->try[0]);
}

static void freeze(struct recording *r)
{
	struct freeze f;
	struct err err = {0};
	int steps = 0, fds[] = {netns};
	const struct freezer who = {.frozen = frozen, .key = let_go, .arg = &steps};
	r->probe.lab = "t";
	if (!fake.record && freeze_open(&f, &who, fds, r, &err) == 0) {
		freeze_step(&f, r);
		freeze_step(&f, r);
		freeze_mend(&f, r);
	}
	if (!fake.record)
		freeze_close(&f);
}

static void (*const askers[])(struct recording *r) = {dump_all, ask_route, observe, handles, stream,
						      clean,	ct_get,	   batch,   freeze};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz_in in = {data, size};
	_arena_ struct arena *a = arena_new();
	struct recording *r = recording_new(a);
	const char *record = getenv("FUZZ_RECORD");
	unsigned who = fuzz_byte(&in) % ARRAY_SIZE(askers);
	*vec_push(a, &r->ns) =
		(struct rec_ns){.name = "node01", .where = "node/node01", .role = "node"};
	if (netns < 0)
		netns = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	if (record && size) {
		fake.record = fopen(record, "w");
		if (!fake.record)
			abort();
		fputc((int)who, fake.record);
	}
	fake_reset(&in);
	askers[who](r);
	fake_reset(&in);
	if (fake.record)
		fclose(fake.record);
	fake.record = NULL;
	return 0;
}
