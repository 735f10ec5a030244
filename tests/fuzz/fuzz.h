/* SPDX-License-Identifier: MIT */
/*
 * fuzz: what the libFuzzer targets of this directory share: an input that is taken apart piece by
 * piece, each piece in memory of exactly its size, so that the address sanitizer sees a read one
 * byte behind it. A target is one file fuzz_NAME.c; its seeds are in corpus/NAME (README.md).
 */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

/* libFuzzer's */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *data1, size_t size1, const uint8_t *data2,
				 size_t size2, uint8_t *out, size_t max, unsigned seed);

/* jansson's hashes are others in each process, unless told, and with them what libFuzzer sees. */
static void __attribute__((constructor)) fuzz_repeat(void)
{
	json_object_seed(1);
}

struct fuzz_in {
	const uint8_t *p;
	size_t n;
};

/* 0 when nothing is left. */
static inline uint8_t fuzz_byte(struct fuzz_in *in)
{
	if (!in->n)
		return 0;
	in->n--;
	return *in->p++;
}

static inline unsigned fuzz_u16(struct fuzz_in *in)
{
	unsigned hi = fuzz_byte(in);
	return hi << 8 | fuzz_byte(in);
}

/* At most n bytes of what is left, in a block of its own, with a NUL behind them if text; in the
 * end it is the caller's to free. */
static inline uint8_t *fuzz_take(struct fuzz_in *in, size_t n, int text, size_t *ret_len)
{
	size_t len = n < in->n ? n : in->n;
	uint8_t *p = malloc(len + (text ? 1 : 0));
	if (!p)
		abort();
	if (len)
		memcpy(p, in->p, len);
	if (text)
		p[len] = 0;
	in->p += len;
	in->n -= len;
	*ret_len = len;
	return p;
}

/* Read every byte, so that the sanitizer looks at each. */
static inline void fuzz_read(const void *p, size_t n)
{
	static volatile uint8_t seen;
	uint8_t sum = 0;
	for (size_t i = 0; i < n; i++)
		sum ^= ((const uint8_t *)p)[i];
	seen = sum;
	(void)seen;
}

/* What is promised to hold whatever the input is. */
#define fuzz_assert(cond)                                                                          \
	do {                                                                                       \
		if (!(cond))                                                                       \
			abort();                                                                   \
	} while (0)

#endif
