/* SPDX-License-Identifier: MIT */
/* felix: see felix.h. Here: hashes, chain names, the text. The rules are in felix_chains.c. */
#include "lib/plan/felix.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <sha2.h>

#include "lib/plan/felix_chains.h"
#include "lib/plan/felix_digest.h"

#define CHAIN_NAME_MAX 28

void felix_hash_init(struct felix_hash *h, const char *chain)
{
	SHA2_CTX ctx;

	h->chain = chain;
	felix_sha224_init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)chain, strlen(chain));
	felix_sha224_final(&ctx, h->state);
}

void felix_hash_next(struct felix_hash *h, const char *rule, char ret[static FELIX_HASH_LEN + 1])
{
	char text[FELIX_DIGEST_TEXT];
	SHA2_CTX ctx;

	felix_sha224_init(&ctx);
	SHA256Update(&ctx, h->state, sizeof(h->state));
	SHA256Update(&ctx, (const uint8_t *)"-A ", 3);
	SHA256Update(&ctx, (const uint8_t *)h->chain, strlen(h->chain));
	SHA256Update(&ctx, (const uint8_t *)" HASH", 5);
	if (*rule) {
		SHA256Update(&ctx, (const uint8_t *)" ", 1);
		SHA256Update(&ctx, (const uint8_t *)rule, strlen(rule));
	}
	felix_sha224_final(&ctx, h->state);
	felix_base64url(h->state, sizeof(h->state), text);
	memcpy(ret, text, FELIX_HASH_LEN);
	ret[FELIX_HASH_LEN] = '\0';
}

const char *felix_chain_name(struct arena *a, const char *prefix, const char *name)
{
	size_t len = strlen(prefix) + strlen(name);
	unsigned char sum[SHA256_DIGEST_LENGTH];
	char text[SHA256_DIGEST_LENGTH * 2];
	SHA2_CTX ctx;

	/* A name of just 28 that begins with "_" could be taken for a shortened one. */
	if (len < CHAIN_NAME_MAX || (len == CHAIN_NAME_MAX && name[0] != '_'))
		return arena_printf(a, "%s%s", prefix, name);
	SHA256Init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)name, strlen(name));
	SHA256Final(sum, &ctx);
	felix_base64url(sum, sizeof(sum), text);
	return arena_printf(a, "%s_%.*s", prefix, (int)(CHAIN_NAME_MAX - 1 - strlen(prefix)), text);
}

static void emit_rules(const struct felix_chain *c, const char *hash_name, const char *how,
		       struct strbuf *out)
{
	struct felix_hash h;
	char hash[FELIX_HASH_LEN + 1];

	felix_hash_init(&h, hash_name);
	vec_foreach (const char *, r, &c->rules) {
		felix_hash_next(&h, *r, hash);
		strbuf_addf(out, "%s -m comment --comment \"cali:%s\"%s%s\n", how, hash,
			    **r ? " " : "", *r);
	}
}

static void emit_table(struct arena *a, const struct felix_table *t, struct strbuf *out)
{
	strbuf_addf(out, "*%s\n", t->name);
	vec_foreach (struct felix_chain, c, &t->chains)
		strbuf_addf(out, ":%s - [0:0]\n", c->name);
	vec_foreach (struct felix_chain, c, &t->chains)
		emit_rules(c, c->name, arena_printf(a, "-A %s", c->name), out);
	vec_foreach (struct felix_chain, c, &t->inserts)
		emit_rules(c, c->name, arena_printf(a, "-I %s 1", c->name), out);
	vec_foreach (struct felix_chain, c, &t->appends)
		emit_rules(c, arena_printf(a, "%s*appends*", c->name),
			   arena_printf(a, "-A %s", c->name), out);
	strbuf_adds(out, "COMMIT\n");
}

void felix_iptables(struct arena *a, const struct felix_config *cfg, struct strbuf *out)
{
	struct felix_table t[4] = {
		{.name = "raw"}, {.name = "mangle"}, {.name = "nat"}, {.name = "filter"}};

	felix_raw(a, cfg, &t[0]);
	felix_mangle(a, cfg, &t[1]);
	felix_nat(a, cfg, &t[2]);
	felix_filter(a, cfg, &t[3]);
	for (int i = 0; i < 4; i++)
		emit_table(a, &t[i], out);
}
