/* SPDX-License-Identifier: MIT */
/*
 * ipam: which address comes next, as the CNI plugins' own allocators decide it: Calico's choice of
 * a block per host name, Calico's order inside a block, host-local's order inside a node's subnet.
 * Pure arithmetic; who gets the addresses is decided in lib/plan/cluster.
 */
#ifndef KUBE_IPAM_H
#define KUBE_IPAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/addr.h"
#include "lib/base/arena.h"

/*
 * The block (0 .. n_blocks-1) that calico-ipam tries first for a host: Go's math/rand seeded with
 * FNV-1 of the host name, big.Int.Rand(n_blocks). n_blocks must not be 0. The generator's start
 * state is computed at the first call (a few milliseconds) and kept. Not thread-safe.
 */
uint32_t calico_first_block(const char *host, uint32_t n_blocks);

/* The block that the host claims next: its first choice, else the next one up that is not in taken
 * (any order), wrapping at the end. -1 when all are taken. */
int64_t calico_claim_block(const char *host, uint32_t n_blocks, const uint32_t *taken,
			   size_t n_taken);

/* Number of blocks of a pool, and the idx'th of them. block_len >= pool.len. */
uint32_t calico_n_blocks(struct cidr pool, uint8_t block_len);
struct cidr calico_block_cidr(struct cidr pool, uint8_t block_len, uint32_t idx);
/* The inverse: index of the block that holds the address. */
uint32_t calico_block_index(struct cidr pool, uint8_t block_len, ip4 a);

/* Addresses of one range, given out in order. */
struct ip_alloc {
	struct cidr cidr; /* host part cleared */
	ip4 lo, hi;	  /* what is given out, both included; lo > hi: nothing */
	ip4 next; /* where the search goes on; a caller may set it, lo is taken when outside */
	uint64_t *used; /* bitmap from lo */
};

/* A Calico block: ordinals from 0 in order (a new block's FIFO); ordinal 0 of a node's first block
 * goes to its tunnel device, so ask for that one first. */
struct ip_alloc ip_alloc_block(struct arena *a, struct cidr block);
/* host-local in a node's subnet: .1 is the bridge's own, pods from .2 up to the last but one, next
 * after the last one given, wrapping (dataplane E.3). */
struct ip_alloc ip_alloc_host_local(struct arena *a, struct cidr subnet);
/* Take an address out (it is pinned). False when it was taken already. Addresses that are not given
 * out anyway (outside the range, network address, gateway) are fine: true. */
bool ip_alloc_reserve(struct ip_alloc *p, ip4 addr);
/* The next free address, taken; 0 when there is none. */
ip4 ip_alloc_next(struct ip_alloc *p);

#endif
