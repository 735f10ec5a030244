/* SPDX-License-Identifier: MIT */
/* What a trace reads of nft's own tables, and what it concludes from them of rules that did not
 * match. The text is what `nft -a list ruleset` printed of a node of kube-proxy 1.32. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "labd/trace/nfttext.h"
#include "lib/base/cleanup.h"
#include "lib/recording/emit.h"

static const char ruleset[] =
	"table ip filter { # handle 1\n"
	"	chain FORWARD { # handle 1\n"
	"		type filter hook forward priority filter; policy accept;\n"
	"		counter packets 0 bytes 0 accept # handle 2\n"
	"	}\n"
	"}\n"
	"table ip kube-proxy { # handle 2\n"
	"	comment \"rules for kube-proxy\"\n"
	"	set cluster-ips { # handle 23\n"
	"		type ipv4_addr\n"
	"		comment \"Active ClusterIPs\"\n"
	"		elements = { 10.96.0.1, 10.96.0.10,\n"
	"			     10.107.254.44 }\n"
	"	}\n"
	"\n"
	"	map firewall-ips { # handle 27\n"
	"		type ipv4_addr . inet_proto . inet_service : verdict\n"
	"		comment \"destinations that are subject to LoadBalancerSourceRanges\"\n"
	"	}\n"
	"\n"
	"	map service-ips { # handle 28\n"
	"		type ipv4_addr . inet_proto . inet_service : verdict\n"
	"		elements = { 10.96.0.10 . udp . 53 : goto "
	"service-X-kube-system/kube-dns/udp/dns,\n"
	"			     10.107.254.44 . tcp . 80 comment \"a, b\" : goto "
	"service-Y-web/tcp/ }\n"
	"	}\n"
	"\n"
	"	chain nat-prerouting { # handle 6\n"
	"		type nat hook prerouting priority dstnat; policy drop;\n"
	"		jump services # handle 38\n"
	"	}\n"
	"\n"
	"	chain services { # handle 12\n"
	"		ip daddr @cluster-ips ip saddr != 10.244.0.0/16 meta mark set meta mark | "
	"0x00004000 comment \"masquerade # handle 9\" # handle 44\n"
	"		ip daddr . meta l4proto . th dport vmap @service-ips # handle 45\n"
	"		meta mark & 0x00004000 != 0x00000000 meta mark set meta mark ^ 0x00004000 "
	"masquerade fully-random # handle 46\n"
	"		ct status dnat oifname \"cni0\" ct state established,related accept # "
	"handle 47\n"
	"		meta l4proto tcp dnat ip to numgen random mod 2 map { 0 : 10.244.1.5 . 80, "
	"1 : 10.244.2.5 . 80 } # handle 48\n"
	"		ct status dnat # handle 49\n"
	"	}\n"
	"}\n"
	"table inet labd_trace { # handle 3\n"
	"	chain pre { # handle 1\n"
	"		type filter hook prerouting priority -450; policy accept;\n"
	"		meta l4proto tcp meta nftrace set 1 # handle 3\n"
	"	}\n"
	"}\n"
	"table ip6 other {\n"
	"	chain x { # handle 1\n"
	"		accept # handle 2\n"
	"	}\n"
	"}\n";

static struct recording *take(struct arena *a)
{
	struct recording *r = recording_new(a);
	struct rec_ns *ns = vec_push(a, &r->ns);
	*ns = (struct rec_ns){.name = "node01", .role = "node"};
	/* iptables-nft's table, known already */
	*vec_push(a, &ns->chains) = (struct rec_chain){
		.table = "filter", .chain = "FORWARD", .hook = "forward", .policy = "ACCEPT"};
	nfttext_ruleset(a, ruleset, ns);
	return r;
}

static void test_listing(void **state)
{
	_arena_ struct arena *a = arena_new();
	const struct rec_ns *ns = &take(a)->ns.v[0];
	assert_int_equal(ns->chains.n, 2);
	assert_string_equal(ns->chains.v[1].chain, "nat-prerouting");
	assert_string_equal(ns->chains.v[1].hook, "prerouting");
	assert_string_equal(ns->chains.v[1].type, "nat");
	assert_string_equal(ns->chains.v[1].policy, "DROP");
	static const struct {
		unsigned num, handle;
		const char *target;
	} want[] = {{1, 38, "services"}, {1, 44, NULL},	  {2, 45, NULL}, {3, 46, "MASQUERADE"},
		    {4, 47, "ACCEPT"},	 {5, 48, "DNAT"}, {6, 49, NULL}};
	assert_int_equal(ns->rules.n, ARRAY_SIZE(want));
	for (size_t i = 0; i < ARRAY_SIZE(want); i++) {
		const struct rec_rule *x = &ns->rules.v[i];
		assert_string_equal(x->family, "ip");
		assert_string_equal(x->table, "kube-proxy");
		assert_int_equal(x->num, want[i].num);
		assert_int_equal(x->handle, want[i].handle);
		if (want[i].target)
			assert_string_equal(x->target, want[i].target);
		else
			assert_null(x->target);
	}
	assert_string_equal(ns->rules.v[1].comment, "masquerade # handle 9");
	assert_string_equal(ns->rules.v[2].text,
			    "ip daddr . meta l4proto . th dport vmap @service-ips");
	assert_int_equal(ns->elems.n, 5);
	assert_string_equal(ns->elems.v[2].key, "10.107.254.44");
	assert_null(ns->elems.v[2].value);
	assert_string_equal(ns->elems.v[4].set, "service-ips");
	assert_string_equal(ns->elems.v[4].key, "10.107.254.44 . tcp . 80");
	assert_string_equal(ns->elems.v[4].value, "goto service-Y-web/tcp/");
}

/* Whatever the listing, nothing breaks: cut anywhere. */
static void test_cut(void **state)
{
	char text[sizeof(ruleset)];
	for (size_t n = 0; n < sizeof(ruleset); n += 3) {
		_arena_ struct arena *a = arena_new();
		struct rec_ns ns = {0};
		memcpy(text, ruleset, n);
		text[n] = '\0';
		nfttext_ruleset(a, text, &ns);
		assert_true(ns.rules.n <= 8);
	}
}

static const char *mismatch(struct rule_ctx *c, size_t rule, const char **asked, const char **has)
{
	*asked = *has = "";
	return nft_mismatch(c, &c->r->ns.v[0].rules.v[rule], asked, has);
}

static void test_why_not(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct recording *r = take(a);
	struct rec_hdr h = {
		.inner = {.src = 0x0af40202, .dst = 0x0a6bfe2c, .dport = 80, .proto = 6}};
	struct rule_ctx c = {.r = r, .a = a, .ns = 0, .h = &h, .oif = "ens192", .ctstate = "NEW"};
	const char *asked, *has;
	assert_string_equal(mismatch(&c, 1, &asked, &has), "nomatch.src");
	assert_string_equal(asked, "! 10.244.0.0/16");
	assert_string_equal(has, "10.244.2.2");
	assert_null(mismatch(&c, 2, &asked, &has)); /* it does match */
	const struct rec_elem *e = nft_element(&c, &r->ns.v[0].rules.v[2]);
	assert_non_null(e);
	assert_string_equal(e->value, "goto service-Y-web/tcp/");
	h.inner.dst = 0x0a6bfe2d;
	assert_string_equal(mismatch(&c, 1, &asked, &has), "nomatch.element");
	assert_string_equal(asked, "cluster-ips");
	assert_string_equal(mismatch(&c, 2, &asked, &has), "nomatch.element");
	assert_string_equal(has, "10.107.254.45 . tcp . 80");
	assert_null(nft_element(&c, &r->ns.v[0].rules.v[2]));
	assert_string_equal(mismatch(&c, 3, &asked, &has), "nomatch.mark");
	c.mark = 0x4001;
	assert_null(mismatch(&c, 3, &asked, &has));
	assert_string_equal(mismatch(&c, 4, &asked, &has), "nomatch.oif");
	c.oif = "cni0";
	assert_string_equal(mismatch(&c, 4, &asked, &has), "nomatch.ctstate");
	c.ctstate = "ESTABLISHED";
	assert_null(mismatch(&c, 4, &asked, &has));
	h.inner.proto = 17;
	assert_string_equal(mismatch(&c, 5, &asked, &has), "nomatch.proto");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_why_not),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
