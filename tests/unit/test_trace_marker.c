/* SPDX-License-Identifier: MIT */
/* The marker of a probe: the socket filter, run over frames made here, must know the probe in every
 * wrapping and nothing else; the u32 texts and the DNS messages. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "labd/trace/fire.h"
#include "labd/trace/marker.h"
#include "lib/base/cleanup.h"

#define ISN 0x12345600u

struct pkt {
	uint8_t b[512];
	unsigned len;
};

/* A classic BPF machine for the instructions that marker_bpf() uses; the packet starts at IP. */
static uint32_t run(const struct sock_filter *f, unsigned n, const struct pkt *p)
{
	uint32_t a = 0;
	for (unsigned pc = 0; pc < n; pc++) {
		uint32_t k = f[pc].k;
		switch (f[pc].code) {
		case BPF_RET | BPF_K:
			return k;
		case BPF_JMP | BPF_JEQ | BPF_K:
			pc += a == k ? f[pc].jt : f[pc].jf;
			break;
		default: {
			unsigned size = BPF_SIZE(f[pc].code) == BPF_W	? 4
					: BPF_SIZE(f[pc].code) == BPF_H ? 2
									: 1;
			assert_int_equal(f[pc].code & ~BPF_SIZE(f[pc].code), BPF_LD | BPF_ABS);
			if (k == (uint32_t)(SKF_AD_OFF + SKF_AD_PROTOCOL)) {
				a = 0x0800;
				break;
			}
			uint32_t off = k - (uint32_t)SKF_NET_OFF;
			if (off + size > p->len)
				return 0;
			for (a = 0; size; size--)
				a = a << 8 | p->b[off++];
		}
		}
	}
	fail_msg("ran over the end");
	return 0;
}

static bool accepts(const struct marker *m, const struct pkt *p)
{
	struct sock_filter f[MARKER_BPF_MAX];
	unsigned n = marker_bpf(m, 0, f);
	assert_in_range(n, 1, MARKER_BPF_MAX);
	return run(f, n, p) != 0;
}

static void put(struct pkt *p, const void *data, unsigned len)
{
	memcpy(p->b + p->len, data, len);
	p->len += len;
}

static void put_ip(struct pkt *p, uint8_t proto)
{
	uint8_t ip[20] = {0x45, [9] = proto};
	put(p, ip, sizeof(ip));
}

static void put_vxlan(struct pkt *p)
{
	uint8_t h[30] = {0x11, 0x22, 0x21, 0x18}; /* ports, then VXLAN and Ethernet */
	put_ip(p, 17);
	put(p, h, sizeof(h));
}

static void put_icmp_error(struct pkt *p)
{
	uint8_t h[8] = {3, 1};
	put_ip(p, 1);
	put(p, h, sizeof(h));
}

static void put_tcp(struct pkt *p, uint32_t seq, uint32_t ack)
{
	uint8_t h[20] = {0, 80, 0x99, 0x99};
	for (unsigned i = 0; i < 4; i++) {
		h[4 + i] = (uint8_t)(seq >> (24 - 8 * i));
		h[8 + i] = (uint8_t)(ack >> (24 - 8 * i));
	}
	put_ip(p, 6);
	put(p, h, sizeof(h));
}

/* Every wrapping with what is inside: accepted when, and only when, `want`. */
static void check_all(const struct marker *m, void (*inner)(struct pkt *p), bool want)
{
	for (unsigned w = 0; w < 8; w++) {
		struct pkt p = {.len = 0};
		if (w == 1 || w == 5)
			put_vxlan(&p);
		if (w == 2 || w == 6)
			put_ip(&p, 4);
		if (w >= 3)
			put_icmp_error(&p);
		if (w == 4)
			put_vxlan(&p);
		if (w == 7)
			put_ip(&p, 4);
		inner(&p);
		if (accepts(m, &p) != want)
			fail_msg("wrapping %u is %s", w, want ? "not known" : "taken for ours");
	}
}

static void ours_seq(struct pkt *p)
{
	put_tcp(p, ISN + 200, 77);
}

static void ours_ack(struct pkt *p)
{
	put_tcp(p, 0xdeadbeef, ISN + 1);
}

static void foreign_tcp(struct pkt *p)
{
	put_tcp(p, ISN + 256, ISN - 1);
}

static void test_tcp(void **state)
{
	struct marker m = marker_tcp(ISN);
	check_all(&m, ours_seq, true);
	check_all(&m, ours_ack, true);
	check_all(&m, foreign_tcp, false);
}

static const uint8_t cookie[MARKER_COOKIE] = {1, 2,  3,	 4,  5,	 6,  7,	 8,
					      9, 10, 11, 12, 13, 14, 15, 16};

static void ours_udp(struct pkt *p)
{
	uint8_t h[8] = {0};
	put_ip(p, 17);
	put(p, h, sizeof(h));
	put(p, cookie, sizeof(cookie));
}

static void foreign_udp(struct pkt *p)
{
	ours_udp(p);
	p->b[p->len - 1]++;
}

static void ours_ping(struct pkt *p)
{
	ours_udp(p);
	p->b[p->len - 44 + 9] = 1;
}

static void test_cookie(void **state)
{
	struct marker m = marker_cookie(17, cookie);
	check_all(&m, ours_udp, true);
	check_all(&m, foreign_udp, false);
	check_all(&m, ours_seq, false);
	m = marker_cookie(1, cookie);
	check_all(&m, ours_ping, true);
	check_all(&m, ours_udp, false);
}

static uint8_t query[300];
static unsigned query_len;

static void ours_query(struct pkt *p)
{
	uint8_t h[8] = {0};
	put_ip(p, 17);
	put(p, h, sizeof(h));
	put(p, query, query_len);
}

static void other_id(struct pkt *p)
{
	unsigned at = p->len + 28;
	ours_query(p);
	p->b[at]++;
}

static void other_name(struct pkt *p)
{
	unsigned at = p->len + 28 + 13;
	ours_query(p);
	p->b[at]++;
}

static void test_dns(void **state)
{
	query_len = dns_query("web.shop.svc.cluster.local", 0xabcd, query, sizeof(query));
	assert_int_equal(query_len, 12 + 28 + 4);
	assert_int_equal(query[12], 3);
	assert_memory_equal(query + 13, "web\4shop\3svc", 12);
	struct marker m = marker_dns(query, query_len);
	check_all(&m, ours_query, true);
	check_all(&m, other_id, false);
	check_all(&m, other_name, false);
	assert_int_equal(dns_query("", 1, query, sizeof(query)), 0);
	assert_int_equal(dns_query("a..b", 1, query, sizeof(query)), 0);
	assert_int_equal(dns_query("abc", 1, query, 20), 0);
}

static void test_dns_answer(void **state)
{
	uint8_t b[128];
	unsigned n = dns_query("a.b", 1, b, sizeof(b)), rcode = 99;
	ip4 ip = 1;
	assert_false(dns_answer(b, n, &ip, &rcode)); /* a question */
	b[2] |= 0x80;
	b[3] = 3;
	assert_true(dns_answer(b, n, &ip, &rcode));
	assert_int_equal(rcode, 3);
	assert_int_equal(ip, 0);
	const uint8_t rr[] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 1, 2, 3};
	memcpy(b + n, rr, sizeof(rr));
	b[7] = 1;
	for (unsigned cut = 0; cut < sizeof(rr); cut++) { /* a short one has no address */
		assert_true(dns_answer(b, n + cut, &ip, &rcode));
		assert_int_equal(ip, 0);
	}
	assert_true(dns_answer(b, n + sizeof(rr), &ip, &rcode));
	assert_int_equal(ip, 0x0a010203);
}

static void test_u32(void **state)
{
	struct marker m = marker_tcp(ISN);
	_strbuf_ struct strbuf b = STRBUF_INIT;
	marker_u32(&m, 8472, "<", ">", &b);
	assert_non_null(strstr(strbuf_str(&b), "<6&0xff=0x6&&23&0xffffff=0x123456>\n"));
	assert_non_null(
		strstr(strbuf_str(&b), "<6&0xff=0x4&&26&0xff=0x6&&43&0xffffff=0x123456>\n"));
	assert_non_null(strstr(strbuf_str(&b), "<6&0xff=0x11&&20&0xffff=0x2118&&56&0xff=0x6&&"
					       "73&0xffffff=0x123456>\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tcp), cmocka_unit_test(test_cookie),
		cmocka_unit_test(test_dns), cmocka_unit_test(test_dns_answer),
		cmocka_unit_test(test_u32),
	};
	return cmocka_run_group_tests_name("trace_marker", tests, NULL, NULL);
}
