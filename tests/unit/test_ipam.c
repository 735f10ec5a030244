/* SPDX-License-Identifier: MIT */
/* Address allocation: Calico's first block against vectors, claiming, and the order of addresses.
 */
#include <stdio.h>
#include <time.h>

#include "addr.h"
#include "lib/base/cleanup.h"
#include "lib/kube/ipam.h"

static void test_first_block(void **state)
{
	_fclose_ FILE *f = fopen("tests/golden/calico/ipam-first-block.tsv", "r");
	char line[512], host[128], pool[64], block[64];
	unsigned index, seen = 0;
	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#')
			continue;
		assert_int_equal(sscanf(line, "%127s %63s %u %63s", host, pool, &index, block), 4);
		struct cidr p = net(pool), want = net(block);
		uint32_t n = calico_n_blocks(p, want.len);
		uint32_t got = calico_first_block(host, n);
		assert_int_equal(got, index);
		assert_string_equal(CIDR(calico_block_cidr(p, want.len, got)), block);
		assert_int_equal(calico_block_index(p, want.len, want.addr + 5), index);
		seen++;
	}
	assert_true(seen >= 30);
}

static void test_claim(void **state)
{
	uint32_t first = calico_first_block("node01", 1024), taken[5];
	(void)state;
	assert_int_equal(first, 786);
	assert_int_equal(calico_claim_block("node01", 1024, NULL, 0), first);
	taken[0] = 5;
	taken[1] = 787;
	assert_int_equal(calico_claim_block("node01", 1024, taken, 2), first);
	taken[2] = 786;
	assert_int_equal(calico_claim_block("node01", 1024, taken, 3), 788);

	/* Of four blocks, wrapping at the end. */
	uint32_t of4 = calico_first_block("node01", 4);
	assert_in_range(of4, 0, 3);
	for (uint32_t i = 0; i < 4; i++) {
		assert_int_equal(calico_claim_block("node01", 4, taken, i), (of4 + i) % 4);
		taken[i] = (of4 + i) % 4;
	}
	assert_int_equal(calico_claim_block("node01", 4, taken, 4), -1);
	assert_int_equal(calico_claim_block("node01", 1, NULL, 0), 0);
}

static void test_edges(void **state)
{
	(void)state;
	assert_int_equal(calico_n_blocks(net("10.0.0.0/8"), 32), 1u << 24);
	assert_int_equal(calico_n_blocks(net("10.0.0.0/26"), 26), 1);
	assert_string_equal(CIDR(calico_block_cidr(net("0.0.0.0/1"), 32, 0x7fffffff)),
			    "127.255.255.255/32");
	assert_in_range(calico_first_block("x", UINT32_MAX), 0, UINT32_MAX - 1);
}

static void test_block_order(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct ip_alloc p = ip_alloc_block(a, net("10.244.140.64/26"));
	(void)state;
	assert_true(ip_alloc_reserve(&p, ip("10.244.140.66")));
	assert_false(ip_alloc_reserve(&p, ip("10.244.140.66")));
	assert_true(ip_alloc_reserve(&p, ip("10.244.141.1"))); /* not its business */
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.140.64");
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.140.65");
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.140.67");
	for (int i = 0; i < 60; i++)
		assert_int_not_equal(ip_alloc_next(&p), 0);
	assert_int_equal(ip_alloc_next(&p), 0);
}

static void test_host_local(void **state)
{
	_arena_ struct arena *a = arena_new();
	struct ip_alloc p = ip_alloc_host_local(a, net("10.244.1.0/24"));
	(void)state;
	assert_true(ip_alloc_reserve(&p, ip("10.244.1.3")));
	assert_true(ip_alloc_reserve(&p, ip("10.244.1.1"))); /* the gateway is never given out */
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.1.2");
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.1.4");
	/* Next after the last one, wrapping. */
	p.next = ip("10.244.1.254");
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.1.254");
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.1.5");
	/* A caller may point behind the end. */
	p.next = ip("10.244.1.255");
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.1.6");

	p = ip_alloc_host_local(a, net("10.244.1.0/30"));
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.244.1.2");
	assert_int_equal(ip_alloc_next(&p), 0);
	p = ip_alloc_host_local(a, net("10.244.1.0/31"));
	assert_int_equal(ip_alloc_next(&p), 0);
	assert_true(ip_alloc_reserve(&p, ip("10.244.1.0")));
	/* A huge range stays cheap. */
	p = ip_alloc_host_local(a, net("10.0.0.0/8"));
	assert_string_equal(IP4(ip_alloc_next(&p)), "10.0.0.2");
	assert_true(arena_used(a) < 64 * 1024);
}

/* The generator's start state is computed, not tabled: it must stay cheap (a bound far above what
 * it takes, so that a slow machine or a sanitizer passes). */
static void test_speed(void **state)
{
	struct timespec t0, t1;
	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	for (int i = 0; i < 100; i++)
		calico_first_block("node01", 1024);
	clock_gettime(CLOCK_MONOTONIC, &t1);
	assert_true(t1.tv_sec - t0.tv_sec < 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_block), cmocka_unit_test(test_claim),
		cmocka_unit_test(test_edges),	    cmocka_unit_test(test_block_order),
		cmocka_unit_test(test_host_local),  cmocka_unit_test(test_speed),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
