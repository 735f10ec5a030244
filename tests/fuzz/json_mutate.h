/* SPDX-License-Identifier: MIT */
/* json_mutate: mutators for targets whose input is JSON; what libFuzzer's functions of the same
 * arguments do. 0: nothing was made. */
#ifndef FUZZ_JSON_MUTATE_H
#define FUZZ_JSON_MUTATE_H

#include <stddef.h>
#include <stdint.h>

size_t json_mutate(uint8_t *data, size_t size, size_t max, unsigned seed);
size_t json_cross_over(const uint8_t *data1, size_t size1, const uint8_t *data2, size_t size2,
		       uint8_t *out, size_t max, unsigned seed);

/* A target says so once. */
#define FUZZ_INPUT_IS_JSON                                                                         \
	size_t LLVMFuzzerCustomMutator(uint8_t *d, size_t n, size_t max, unsigned s)               \
	{                                                                                          \
		return json_mutate(d, n, max, s);                                                  \
	}                                                                                          \
	size_t LLVMFuzzerCustomCrossOver(const uint8_t *a, size_t an, const uint8_t *b, size_t bn, \
					 uint8_t *out, size_t max, unsigned s)                     \
	{                                                                                          \
		return json_cross_over(a, an, b, bn, out, max, s);                                 \
	}

#endif
