/* SPDX-License-Identifier: MIT */
/*
 * See ipam.h.
 *
 * Go's old generator (math/rand's rngSource) is an additive lagged Fibonacci generator: 607 words,
 * y(k) = y(k-607) + y(k-273) mod 2^64. A seeded source starts from 607 "cooked" words, xored with
 * the output of a small linear congruential generator. The cooked words are themselves the state of
 * that generator, started from a fixed state and run 7.8e12 steps. Instead of carrying the table we
 * jump there: every y(n+i) is the same linear combination of y(i), y(i+1) ... y(i+606), whose
 * coefficients are those of x^n modulo x^607 - x^334 - 1, and x^n takes 43 squarings.
 */
#include "lib/kube/ipam.h"

#include <assert.h>
#include <string.h>

#define RNG_LEN	 607
#define RNG_TAP	 273
#define RNG_FEED (RNG_LEN - RNG_TAP)
/* Steps between the fixed start state and the cooked one. */
#define RNG_COOKING 7800000000000ull

#define LCG_MODULUS 2147483647u /* 2^31 - 1 */

struct rng {
	uint64_t vec[RNG_LEN];
	unsigned tap, feed;
};

/* x = 48271 x mod 2^31-1. */
static uint32_t lcg(uint32_t x)
{
	return (uint32_t)((uint64_t)x * 48271 % LCG_MODULUS);
}

/* 607 words, each of three successive outputs shifted and xored; the first 20 outputs are dropped.
 */
static void lcg_fill(uint64_t vec[static RNG_LEN], uint32_t x, unsigned shift1, unsigned shift2)
{
	for (int i = 0; i < 20; i++)
		x = lcg(x);
	for (int i = 0; i < RNG_LEN; i++) {
		uint64_t u = (uint64_t)(x = lcg(x)) << shift1;
		u ^= (uint64_t)(x = lcg(x)) << shift2;
		vec[i] = u ^ (x = lcg(x));
	}
}

/* p = p * p mod x^607 - x^334 - 1, coefficients mod 2^64. */
static void poly_square(uint64_t p[static RNG_LEN])
{
	uint64_t r[2 * RNG_LEN] = {0};
	for (int i = 0; i < RNG_LEN; i++) {
		uint64_t twice = 2 * p[i];
		r[2 * i] += p[i] * p[i];
		for (int j = i + 1; j < RNG_LEN; j++)
			r[i + j] += twice * p[j];
	}
	for (int k = 2 * RNG_LEN - 2; k >= RNG_LEN; k--) {
		r[k - RNG_LEN + RNG_FEED] += r[k];
		r[k - RNG_LEN] += r[k];
	}
	memcpy(p, r, RNG_LEN * sizeof(*p));
}

/* p = p * x. */
static void poly_shift(uint64_t p[static RNG_LEN])
{
	uint64_t top = p[RNG_LEN - 1];
	memmove(p + 1, p, (RNG_LEN - 1) * sizeof(*p));
	p[0] = top;
	p[RNG_FEED] += top;
}

/* Where the generator keeps its t'th output of 607 (in order of age) when the feed is at its
 * start. */
static unsigned slot(unsigned t)
{
	return (RNG_FEED + RNG_LEN - 1 - t) % RNG_LEN;
}

static void cook(uint64_t cooked[static RNG_LEN])
{
	uint64_t start[RNG_LEN], p[RNG_LEN] = {1}, y[2 * RNG_LEN];
	lcg_fill(start, 1, 20, 10);
	for (int bit = 42; bit >= 0; bit--) {
		poly_square(p);
		if (RNG_COOKING >> bit & 1)
			poly_shift(p);
	}
	for (unsigned t = 0; t < RNG_LEN; t++)
		y[t] = start[slot(t)];
	for (unsigned t = RNG_LEN; t < 2 * RNG_LEN; t++)
		y[t] = y[t - RNG_LEN] + y[t - RNG_TAP];
	for (unsigned i = 0; i < RNG_LEN; i++) {
		uint64_t sum = 0;
		for (unsigned k = 0; k < RNG_LEN; k++)
			sum += p[k] * y[k + i];
		cooked[slot((unsigned)((RNG_COOKING + i) % RNG_LEN))] = sum;
	}
}

static void rng_seed(struct rng *r, uint32_t seed)
{
	static uint64_t cooked[RNG_LEN];
	static bool ready;
	if (!ready) {
		cook(cooked);
		ready = true;
	}
	seed %= LCG_MODULUS;
	lcg_fill(r->vec, seed ? seed : 89482311, 40, 20);
	for (int i = 0; i < RNG_LEN; i++)
		r->vec[i] ^= cooked[i];
	r->tap = 0;
	r->feed = RNG_FEED;
}

/* Go's Uint32(): bits 31..62 of the next word. */
static uint32_t rng_next(struct rng *r)
{
	r->tap = (r->tap + RNG_LEN - 1) % RNG_LEN;
	r->feed = (r->feed + RNG_LEN - 1) % RNG_LEN;
	uint64_t v = r->vec[r->feed] += r->vec[r->tap];
	return (uint32_t)(v >> 31);
}

static uint32_t fnv1(const char *s)
{
	uint32_t h = 2166136261u;
	for (; *s; s++)
		h = (h * 16777619u) ^ (unsigned char)*s;
	return h;
}

uint32_t calico_first_block(const char *host, uint32_t n_blocks)
{
	assert(n_blocks > 0);
	struct rng r;
	rng_seed(&r, fnv1(host));
	/* big.Int.Rand: 64 bits at a time, cut to the width of n_blocks, until one is below it. */
	uint64_t mask = (2ull << (31 - __builtin_clz(n_blocks))) - 1;
	for (;;) {
		uint64_t word = rng_next(&r);
		word |= (uint64_t)rng_next(&r) << 32;
		word &= mask;
		if (word < n_blocks)
			return (uint32_t)word;
	}
}

int64_t calico_claim_block(const char *host, uint32_t n_blocks, const uint32_t *taken,
			   size_t n_taken)
{
	uint32_t idx = calico_first_block(host, n_blocks);
	/* One of any n_taken + 1 blocks in a row is free, if there are that many. */
	for (size_t tries = 0; tries <= n_taken && tries < n_blocks; tries++) {
		size_t i = 0;
		while (i < n_taken && taken[i] != idx)
			i++;
		if (i == n_taken)
			return idx;
		idx = idx + 1 == n_blocks ? 0 : idx + 1;
	}
	return -1;
}

uint32_t calico_n_blocks(struct cidr pool, uint8_t block_len)
{
	assert(block_len >= pool.len && block_len - pool.len < 32);
	return 1u << (block_len - pool.len);
}

struct cidr calico_block_cidr(struct cidr pool, uint8_t block_len, uint32_t idx)
{
	uint64_t offset = (uint64_t)idx << (32 - block_len);
	return (struct cidr){cidr_first(pool) + (ip4)offset, block_len};
}

uint32_t calico_block_index(struct cidr pool, uint8_t block_len, ip4 a)
{
	return (uint32_t)((uint64_t)(a - cidr_first(pool)) >> (32 - block_len));
}

/* Addresses of one range that are looked after; many times MAX_PODS, and the bitmap stays small. */
#define TRACKED_MAX (1u << 17)

static struct ip_alloc range(struct arena *a, struct cidr cidr, ip4 lo, ip4 hi)
{
	struct ip_alloc p = {.cidr = cidr_net(cidr), .lo = lo, .hi = hi, .next = lo};
	if (lo > hi)
		return p;
	if (hi - lo >= TRACKED_MAX)
		p.hi = lo + TRACKED_MAX - 1;
	p.used = arena_new_array(a, uint64_t, (p.hi - p.lo) / 64 + 1);
	return p;
}

struct ip_alloc ip_alloc_block(struct arena *a, struct cidr block)
{
	return range(a, block, cidr_first(block), cidr_last(block));
}

struct ip_alloc ip_alloc_host_local(struct arena *a, struct cidr subnet)
{
	if (subnet.len > 30) /* no room for a network, a gateway and a broadcast address */
		return range(a, subnet, 1, 0);
	return range(a, subnet, cidr_first(subnet) + 2, cidr_last(subnet) - 1);
}

static bool take(struct ip_alloc *p, ip4 addr)
{
	uint32_t i = addr - p->lo;
	uint64_t bit = 1ull << (i % 64);
	bool was_free = !(p->used[i / 64] & bit);
	p->used[i / 64] |= bit;
	return was_free;
}

bool ip_alloc_reserve(struct ip_alloc *p, ip4 addr)
{
	if (p->lo > p->hi || addr < p->lo || addr > p->hi)
		return true;
	return take(p, addr);
}

ip4 ip_alloc_next(struct ip_alloc *p)
{
	if (p->lo > p->hi)
		return 0;
	for (uint64_t n = (uint64_t)p->hi - p->lo + 1; n > 0; n--) {
		ip4 addr = p->next < p->lo || p->next > p->hi ? p->lo : p->next;
		p->next = addr == p->hi ? p->lo : addr + 1;
		if (take(p, addr))
			return addr;
	}
	return 0;
}
