/* SPDX-License-Identifier: MIT */
/*
 * proxy_nft_text: sets, maps and chains of an nftables table being written, and printed the way
 * `nft -s list table` prints them but with one element a line: what a student lists and what is
 * loaded read alike. Pure. Not for what kube-proxy puts into them (proxy_nftables.c).
 */
#ifndef PLAN_PROXY_NFT_TEXT_H
#define PLAN_PROXY_NFT_TEXT_H

#include "lib/base/arena.h"
#include "lib/base/strbuf.h"

struct nft_elem {
	const char *key;
	const char *rest; /* what follows the key: "", " : goto CHAIN", " comment ... : drop" */
	size_t order;	  /* of being added */
};

/* A set (type without " : verdict") or a map. */
struct nft_set {
	const char *name, *type, *comment;
	vec_of(struct nft_elem) elems;
};

/* Add an element; of two with the same key the first stays. Both texts are the arena's. */
void nft_elem_add(struct arena *a, struct nft_set *s, const char *key, const char *rest);
/* Print the block, its elements sorted. KEYWORD is "set" or "map". */
void nft_set_print(struct nft_set *s, const char *keyword, struct strbuf *out);

void nft_chain_begin(struct strbuf *out, const char *prefix, const char *base);
void nft_chain_end(struct strbuf *out);
void nft_rule(struct strbuf *out, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* A whole chain: its name, and its lines up to NULL. */
void nft_chain(struct strbuf *out, const char *name, ...) __attribute__((sentinel));

/* A duration as nft prints it: "3h", "1d12h30m5s"; "0s". */
const char *nft_duration(struct arena *a, unsigned seconds);

#endif
