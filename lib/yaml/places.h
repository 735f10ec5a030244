/* SPDX-License-Identifier: MIT */
/*
 * places: where every key and value of the documents stood. One flat table in the order of the
 * text, 16 bytes a node, so that a dump of 64 MiB costs some 70 MB; looking a path up walks it.
 *
 * A mapping is PLACE_MAP, then for each entry a PLACE_KEY (or PLACE_MERGE for `<<`) and the value;
 * a sequence is PLACE_SEQ and its items. `aux` of a collection is the index behind its last node,
 * of a key the offset of its text in `keys`, of an alias the node it stands for.
 */
#ifndef YAML_PLACES_H
#define YAML_PLACES_H

#include <stdint.h>

#include "lib/base/strbuf.h"
#include "lib/kube/fault.h"

enum place_kind { PLACE_KEY, PLACE_MERGE, PLACE_SCALAR, PLACE_MAP, PLACE_SEQ, PLACE_ALIAS };

#define PLACE_TO_EOL ((1u << 29) - 1) /* len: up to the end of the line */

struct place {
	uint32_t line, col; /* libyaml's mark, from 0; columns are characters */
	uint32_t kind : 3, len : 29;
	uint32_t aux;
};

struct places {
	struct place *v; /* owned */
	size_t n, cap;
	struct strbuf keys; /* texts of the keys, each with its NUL */
};

/* Append a node; returns its index. aux is the caller's to set. */
uint32_t places_add(struct places *p, struct place place);
/* Forget all nodes from index n on (their keys' texts stay). */
void places_cut(struct places *p, size_t n);
void places_free(struct places *p);
const char *places_key(const struct places *p, uint32_t key);
/* The node behind the value at i. */
uint32_t places_next(const struct places *p, uint32_t i);

/*
 * The place of a path (syntax: lib/kube/fault.h) below the value `root`. Where the path leads
 * nowhere, that of the key of the deepest ancestor that exists (of an item of a sequence, or of the
 * document itself, its first line). A value reached through an alias or a merge is where it is
 * written. A value that is not written at all (`key:`) has the place of its key.
 *
 * When the path leads into a scalar, *ret_scalar (if not NULL) is filled with its place and the
 * part of the path behind it, else with NULLs.
 */
struct scalar_path {
	const struct place *scalar;
	const char *rest;
};
struct place places_find(const struct places *p, uint32_t root, const char *path, enum fault_at at,
			 struct scalar_path *ret_scalar);

#endif
