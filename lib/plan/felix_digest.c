/* SPDX-License-Identifier: MIT */
/* felix_digest: see felix_digest.h. */
#include "lib/plan/felix_digest.h"

#include <string.h>

/* SHA-224 is SHA-256 from another start state (FIPS 180-4, 5.3.2), cut after 28 bytes. */
void felix_sha224_init(SHA2_CTX *ctx)
{
	static const uint32_t start[8] = {0xc1059ed8, 0x367cd507, 0x3070dd17, 0xf70e5939,
					  0xffc00b31, 0x68581511, 0x64f98fa7, 0xbefa4fa4};

	SHA256Init(ctx);
	memcpy(ctx->state.st32, start, sizeof(start));
}

void felix_sha224_final(SHA2_CTX *ctx, unsigned char ret[static FELIX_DIGEST])
{
	unsigned char sum[SHA256_DIGEST_LENGTH];

	SHA256Final(sum, ctx);
	memcpy(ret, sum, FELIX_DIGEST);
}

void felix_base64url(const unsigned char *in, size_t n, char *ret)
{
	static const char abc[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	unsigned acc = 0, bits = 0;

	for (size_t i = 0; i < n; i++) {
		acc = acc << 8 | in[i];
		for (bits += 8; bits >= 6; bits -= 6)
			*ret++ = abc[acc >> (bits - 6) & 63];
	}
	if (bits)
		*ret++ = abc[acc << (6 - bits) & 63];
	*ret = '\0';
}

/* SHA3-224: Keccak-f[1600], 144 bytes a block (FIPS 202). The round constants come from its LFSR
 * and the rotations from their rule, so that no table has to be believed. ------------------------
 */

#define RATE   144
#define ROUNDS 24

static uint64_t rotate(uint64_t x, unsigned n)
{
	return n ? x << n | x >> (64 - n) : x;
}

/* Algorithm 5: bits 2^j - 1 of a round's constant are successive outputs of an 8-bit LFSR. */
static uint64_t round_constant(uint8_t *lfsr)
{
	uint64_t c = 0;

	for (unsigned j = 0; j <= 6; j++) {
		if (*lfsr & 1)
			c |= 1ULL << ((1U << j) - 1);
		*lfsr = (uint8_t)(*lfsr << 1 ^ (*lfsr & 0x80 ? 0x71 : 0));
	}
	return c;
}

static void mix_columns(uint64_t a[static 25])
{
	uint64_t c[5];

	for (unsigned x = 0; x < 5; x++)
		c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
	for (unsigned i = 0; i < 25; i++)
		a[i] ^= c[(i + 4) % 5] ^ rotate(c[(i + 1) % 5], 1);
}

/* Rotate each lane and move it to its next place; (1, 0) is the first of the walk. */
static void move_lanes(uint64_t a[static 25])
{
	unsigned x = 1, y = 0;
	uint64_t lane = a[1];

	for (unsigned t = 0; t < 24; t++) {
		unsigned next = (2 * x + 3 * y) % 5;
		uint64_t moved = rotate(lane, (t + 1) * (t + 2) / 2 % 64);

		x = y;
		y = next;
		lane = a[x + 5 * y];
		a[x + 5 * y] = moved;
	}
}

static void permute(uint64_t a[static 25])
{
	uint8_t lfsr = 1;

	for (unsigned r = 0; r < ROUNDS; r++) {
		mix_columns(a);
		move_lanes(a);
		for (unsigned y = 0; y < 25; y += 5) {
			uint64_t row[5];

			memcpy(row, a + y, sizeof(row));
			for (unsigned x = 0; x < 5; x++)
				a[y + x] = row[x] ^ (~row[(x + 1) % 5] & row[(x + 2) % 5]);
		}
		a[0] ^= round_constant(&lfsr);
	}
}

static void absorb(uint64_t a[static 25], const unsigned char block[static RATE])
{
	for (unsigned i = 0; i < RATE; i++)
		a[i / 8] ^= (uint64_t)block[i] << (i % 8 * 8);
	permute(a);
}

void felix_sha3_224(const void *data, size_t n, unsigned char ret[static FELIX_DIGEST])
{
	const unsigned char *p = data;
	unsigned char last[RATE] = {0};
	uint64_t a[25] = {0};

	for (; n >= RATE; n -= RATE, p += RATE)
		absorb(a, p);
	if (n)
		memcpy(last, p, n);
	last[n] = 0x06;
	last[RATE - 1] |= 0x80;
	absorb(a, last);
	for (unsigned i = 0; i < FELIX_DIGEST; i++)
		ret[i] = (unsigned char)(a[i / 8] >> (i % 8 * 8));
}
