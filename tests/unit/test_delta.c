/* SPDX-License-Identifier: MIT */
/* Tests of labd/lab/delta.c: drift in words, with what is and what should be. */
#include "addr.h"
#include "labd/lab/delta.h"
#include "lib/base/strbuf.h"
#include "plan_lab.h"

static struct dlink link_of(const char *name)
{
	return (struct dlink){.kind = DLINK_BRIDGE,
			      .name = name,
			      .up = true,
			      .mtu = 1450,
			      .peer_ns = -1,
			      .conf = DCONF_NONE};
}

static void assert_words(struct arena *a, const struct dns *have, const struct dns *want,
			 const char *words)
{
	struct delta d;
	_strbuf_ struct strbuf out = STRBUF_INIT;
	delta_build(a, have, want, DELTA_KERNEL, &d);
	vec_foreach (const struct delta_line, l, &d.lines)
		strbuf_addf(&out, "%s\n", l->text);
	assert_string_equal(strbuf_str(&out), words);
}

static void test_links(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct dns have = {.name = "n"}, want = {.name = "n"};
	struct dlink *w = vec_push(a, &want.links), *h = vec_push(a, &have.links);
	*w = *h = link_of("cni0");
	assert_words(a, &have, &want, "");
	w->mac = mac("02:00:00:00:00:01");
	w->conf.forwarding = 1;
	*h = (struct dlink){.kind = DLINK_BRIDGE,
			    .name = "cni0",
			    .mtu = 1400,
			    .mac = mac("02:00:00:00:00:02"),
			    .master = "br0",
			    .peer_ns = -1};
	assert_words(a, &have, &want,
		     "link cni0: down, should be up\n"
		     "link cni0: mtu 1400, should be 1450\n"
		     "link cni0: address 02:00:00:00:00:02, should be 02:00:00:00:00:01\n"
		     "link cni0: port of br0, should be no port of a bridge\n"
		     "link cni0: forwarding 0, should be 1\n");
	*h = link_of("cni0");
	h->kind = DLINK_DUMMY;
	assert_words(a, &have, &want, "link cni0: kind dummy, should be bridge\n");
	*w = *h = link_of("flannel.1");
	w->kind = h->kind = DLINK_VXLAN;
	w->vni = 1, h->vni = 2;
	w->port = 8472, h->port = 4789;
	w->local = ip("192.0.2.1"), h->local = ip("192.0.2.2");
	assert_words(a, &have, &want,
		     "link flannel.1: VNI 2, should be 1\n"
		     "link flannel.1: UDP port 4789, should be 8472\n"
		     "link flannel.1: local 192.0.2.2, should be 192.0.2.1\n");
	*w = *h = link_of("veth1");
	w->master = h->master = "cni0";
	w->hairpin = true;
	assert_words(a, &have, &want, "link veth1: hairpin off, should be on\n");
	h->master = NULL;
	assert_words(a, &have, &want, "link veth1: no port of a bridge, should be port of cni0\n");
	have.links.n = 0;
	assert_words(a, &have, &want, "link veth1 is missing\n");
}

static void test_routes(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct dns have = {.name = "n"}, want = {.name = "n"};
	struct droute *w = vec_push(a, &want.routes), *h = vec_push(a, &have.routes);
	*w = (struct droute){.dst = net("10.244.1.0/24"),
			     .via = ip("10.244.1.0"),
			     .dev = "flannel.1",
			     .onlink = true};
	*h = *w;
	assert_words(a, &have, &want, "");
	*h = (struct droute){
		.dst = net("10.244.1.0/24"), .via = ip("192.0.2.9"), .dev = "eth0", .proto = 4};
	assert_words(a, &have, &want,
		     "route 10.244.1.0/24 via 192.0.2.9 dev eth0 proto 4, should be "
		     "via 10.244.1.0 dev flannel.1 onlink proto 3\n");
	*h = *w;
	h->scope_link = true;
	assert_words(
		a, &have, &want,
		"route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink scope link, should be "
		"via 10.244.1.0 dev flannel.1 onlink scope global\n");
	*h = (struct droute){.type = DROUTE_BLACKHOLE, .dst = net("10.244.1.0/24")};
	assert_words(a, &have, &want,
		     "route 10.244.1.0/24 blackhole, should be unicast via 10.244.1.0 "
		     "dev flannel.1 onlink\n");
	have.routes.n = 0;
	assert_words(a, &have, &want,
		     "route 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink is missing\n");
}

static void test_addresses(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct dns have = {.name = "n"}, want = {.name = "n"};
	struct daddr *w = vec_push(a, &want.addrs), *h = vec_push(a, &have.addrs);
	*w = (struct daddr){.dev = "cni0", .addr = net("10.244.1.1/32"), .brd = ip("10.244.1.255")};
	*h = *w;
	assert_words(a, &have, &want, "");
	h->brd = 0;
	h->host_scope = true;
	assert_words(a, &have, &want,
		     "address 10.244.1.1/32 dev cni0: scope host, should be brd 10.244.1.255 scope "
		     "global\n");
	have.addrs.n = 0;
	assert_words(a, &have, &want, "address 10.244.1.1/32 dev cni0 is missing\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_links),
		cmocka_unit_test(test_routes),
		cmocka_unit_test(test_addresses),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
