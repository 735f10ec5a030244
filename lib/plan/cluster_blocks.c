/* SPDX-License-Identifier: MIT */
/*
 * cluster_blocks: calico-ipam's part: which node has which block of which pool, each node's tunnel
 * address, and the next address for a pod.
 *
 * Order (dataplane F.3): IPAMBlocks and BlockAffinities of the file first; then every node without
 * a block claims the one that the algorithm picks for its name; then blocks in which the file pins
 * a pod's address go to that pod's node if nobody has them.
 */
#include <string.h>

#include "lib/plan/cluster_build.h"

static const struct ip_pool *pool_of(const struct cluster *c, ip4 ip)
{
	vec_foreach (struct ip_pool, p, &c->pools)
		if (cidr_has(p->cidr, ip))
			return p;
	return NULL;
}

static int block_of(const struct cluster *c, ip4 ip)
{
	for (size_t i = 0; i < c->blocks.n; i++)
		if (cidr_has(c->blocks.v[i].cidr, ip))
			return (int)i;
	return -1;
}

static unsigned block_len(const struct ip_pool *p)
{
	return p->block_size >= p->cidr.len && p->block_size <= 32 && p->block_size
		       ? p->block_size
		       : (p->cidr.len > 26 ? p->cidr.len : 26);
}

static int add_block(struct builder *b, struct cidr cidr, const struct ip_pool *pool, int node)
{
	struct cluster *c = b->c;
	int i = (int)c->blocks.n;

	cidr = cidr_net(cidr);
	*vec_push(b->a, &c->blocks) = (struct block){.cidr = cidr, .pool = pool, .node = node};
	*vec_push(b->a, &b->block_alloc) = ip_alloc_block(b->a, cidr);
	if (node >= 0)
		*vec_push(b->a, &c->nodes.v[node].blocks) = i;
	return i;
}

static void explicit_blocks(struct builder *b)
{
	vec_foreach (struct ipam_block, k, &b->o->blocks) {
		int node = cluster_node(b->c, k->node);
		const struct ip_pool *pool = pool_of(b->c, cidr_first(k->cidr));

		/* A BlockAffinity and an IPAMBlock may both tell of one block. */
		if (node < 0 || !pool || block_of(b->c, cidr_first(k->cidr)) >= 0)
			continue;
		add_block(b, k->cidr, pool, node);
	}
}

/* Is another node's pod pinned inside this block? Then that node has it. */
static bool pinned_elsewhere(const struct builder *b, struct cidr cidr, const char *node)
{
	vec_foreach (struct pod, p, &b->o->pods)
		if (p->ip && !p->spec.host_network && cidr_has(cidr, p->ip) && p->spec.node_name &&
		    strcmp(p->spec.node_name, node) != 0)
			return true;
	return false;
}

/* The block the node would claim next in a pool; -1: none is free. */
static int claim(struct builder *b, int node, const struct ip_pool *pool)
{
	const char *name = b->c->nodes.v[node].name;
	unsigned len = block_len(pool);
	uint32_t n = calico_n_blocks(pool->cidr, (uint8_t)len);
	vec_of(uint32_t) taken = {0};

	vec_foreach (struct block, k, &b->c->blocks)
		if (cidr_contains(pool->cidr, k->cidr))
			*vec_push(b->a, &taken) =
				calico_block_index(pool->cidr, (uint8_t)len, k->cidr.addr);
	for (;;) {
		int64_t i = calico_claim_block(name, n, taken.v, taken.n);
		struct cidr cidr;

		if (i < 0)
			return -1;
		cidr = calico_block_cidr(pool->cidr, (uint8_t)len, (uint32_t)i);
		if (!pinned_elsewhere(b, cidr, name))
			return add_block(b, cidr, pool, node);
		*vec_push(b->a, &taken) = (uint32_t)i;
	}
}

static void reserve_pins(struct builder *b)
{
	vec_foreach (struct pod, p, &b->o->pods) {
		const struct ip_pool *pool;
		int k, node = cluster_node(b->c, p->spec.node_name);

		if (!p->ip || p->spec.host_network)
			continue;
		pool = pool_of(b->c, p->ip);
		k = block_of(b->c, p->ip);
		if (k < 0 && pool && node >= 0) {
			unsigned len = block_len(pool);
			uint32_t i = calico_block_index(pool->cidr, (uint8_t)len, p->ip);
			k = add_block(b, calico_block_cidr(pool->cidr, (uint8_t)len, i), pool,
				      node);
		}
		if (k >= 0) {
			ip_alloc_reserve(&b->block_alloc.v[k], p->ip);
			/* Pods that come later are given later addresses. */
			if (p->ip >= b->block_alloc.v[k].next)
				b->block_alloc.v[k].next = p->ip + 1;
		}
	}
}

/* The tunnel device's address: the first of the node's first block that no pod holds. */
static ip4 tunnel_address(struct builder *b, const struct cnode *n)
{
	vec_foreach (int, k, &n->blocks) {
		struct ip_alloc *al = &b->block_alloc.v[*k];
		const struct ip_pool *pool = b->c->blocks.v[*k].pool;
		ip4 resume = al->next, ip;

		if (pool->ipip == ENCAP_NEVER && pool->vxlan == ENCAP_NEVER)
			continue;
		al->next = al->lo;
		ip = ip_alloc_next(al);
		if (resume > al->next)
			al->next = resume;
		return ip;
	}
	return 0;
}

void build_blocks(struct builder *b)
{
	struct cluster *c = b->c;
	const struct ip_pool *first = NULL;

	explicit_blocks(b);
	vec_foreach (struct ip_pool, p, &c->pools)
		if (!p->disabled && !first)
			first = p;
	vec_foreach (struct cnode, n, &c->nodes)
		if (!n->blocks.n && first && claim(b, n->index, first) < 0)
			builder_fault(b, &n->obj->meta, "metadata.name",
				      "no block is left in pool %s for this node",
				      first->meta.name);
	reserve_pins(b);
	vec_foreach (struct cnode, n, &c->nodes)
		n->tunnel_ip = tunnel_address(b, n);
}

/* All blocks are taken: an address of another node's, looked for in the order in which this node
 * would have claimed them. */
static ip4 borrow(struct builder *b, int node, const struct ip_pool *pool)
{
	uint8_t len = (uint8_t)block_len(pool);
	uint32_t n = calico_n_blocks(pool->cidr, len);
	uint32_t first = calico_first_block(b->c->nodes.v[node].name, n);

	for (uint32_t i = 0; i < n; i++) {
		struct cidr cidr = calico_block_cidr(pool->cidr, len, (first + i) % n);
		int k = block_of(b->c, cidr.addr);
		ip4 ip = k >= 0 ? ip_alloc_next(&b->block_alloc.v[k]) : 0;
		if (ip)
			return ip;
	}
	return 0;
}

ip4 build_calico_next(struct builder *b, int node)
{
	struct cluster *c = b->c;

	vec_foreach (int, k, &c->nodes.v[node].blocks) {
		ip4 ip = c->blocks.v[*k].pool->disabled ? 0 : ip_alloc_next(&b->block_alloc.v[*k]);
		if (ip)
			return ip;
	}
	vec_foreach (struct ip_pool, p, &c->pools) {
		int k = p->disabled ? -1 : claim(b, node, p);
		if (k >= 0)
			return ip_alloc_next(&b->block_alloc.v[k]);
	}
	vec_foreach (struct ip_pool, p, &c->pools) {
		ip4 ip = p->disabled ? 0 : borrow(b, node, p);
		if (ip)
			return ip;
	}
	return 0;
}
