/* SPDX-License-Identifier: MIT */
/* What a trace reads of IPVS, and how ip_vs stands in the steps. The texts are those of
 * /proc/net/ip_vs_conn and /proc/net/ip_vs of a node of kube-proxy 1.32 in ipvs mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "labd/trace/ipvstable.h"
#include "lib/base/cleanup.h"
#include "lib/recording/emit.h"

static const char conns[] =
	"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
	"TCP 0AF40203 D28C 0A6BFE2C 0050 0AF40105 0050 ESTABLISHED     899\n"
	"TCP 0AF40202 D28B 0A6BFE2C 0050 0AF40205 0050 TIME_WAIT       118\n"
	"UDP 0AF40202 D28B 0A60000A 0035 0AF40003 0035 UDP             299\n";
static const char services[] = "IP Virtual Server version 1.2.1 (size=4096)\n"
			       "Prot LocalAddress:Port Scheduler Flags\n"
			       "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
			       "UDP  0A6BFE2C:0050 wrr  \n"
			       "  -> 0AF40205:0050      Route   7      0          0         \n"
			       "TCP  0A6BFE2C:0050 sh  persistent 10800\n"
			       "  -> 0AF40205:0050      Masq    1      0          1         \n"
			       "  -> 0AF40105:0050      Masq    0      0          0         \n"
			       "TCP  0A600001:01BB rr  \n"
			       "  -> 646489C8:192B      Masq    1      0          0         \n";

static struct recording *probe(struct arena *a)
{
	struct recording *r = recording_new(a);
	*vec_push(a, &r->ns) = (struct rec_ns){.name = "node02", .role = "node"};
	r->probe = (struct rec_probe){
		.from_ns = 0, .src = 0x0af40202, .dst = 0x0a6bfe2c, .sport = 0xd28b, .dport = 80};
	return r;
}

static void test_table(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct recording *r = probe(a);
	ipvstable_parse(r, 0, conns, services);
	assert_int_equal(r->ipvs.n, 1); /* the others are not the probe's */
	const struct rec_ipvs *c = &r->ipvs.v[0];
	assert_int_equal(c->client.src, 0x0af40202);
	assert_int_equal(c->client.sport, 0xd28b);
	assert_int_equal(c->dst, 0x0af40205);
	assert_int_equal(c->dport, 80);
	assert_string_equal(c->state, "TIME_WAIT");
	assert_string_equal(c->scheduler, "sh");
	assert_string_equal(c->forward, "Masq");
	assert_string_equal(c->servers, "10.244.1.5:80 weight 0, 10.244.2.5:80 weight 1");
}

/* Without the virtual server the connection is still there. */
static void test_gone(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct recording *r = probe(a);
	ipvstable_parse(r, 0, conns, "");
	assert_int_equal(r->ipvs.n, 1);
	assert_null(r->ipvs.v[0].scheduler);
	r->ipvs.n = 0;
	ipvstable_parse(r, 0, "", services);
	ipvstable_parse(r, 0, "TCP 0AF4 nonsense\nTCP", "  -> 0AF40205:0050 Masq 1\n-> x\n");
	assert_int_equal(r->ipvs.n, 0);
}

static void test_found(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct recording *r = probe(a);
	ipvstable_parse(r, 0, conns, services);
	struct rec_tuple go = {0x0af40202, 0x0a6bfe2c, 0xd28b, 80, 6};
	struct rec_tuple back = {0x0af40205, 0x0af40202, 80, 0xd28b, 6};
	assert_ptr_equal(ipvs_forward(r, 0, &go), &r->ipvs.v[0]);
	assert_ptr_equal(ipvs_reply(r, 0, &back), &r->ipvs.v[0]);
	assert_null(ipvs_forward(r, 0, &back));
	assert_null(ipvs_reply(r, 0, &go));
	assert_null(ipvs_forward(r, 1, &go));
	back.sport = 81;
	assert_null(ipvs_reply(r, 0, &back));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_found),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
