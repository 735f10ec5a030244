/* SPDX-License-Identifier: MIT */
/*
 * felix_digest: the hashes that Felix makes names of: SHA-224 and SHA3-224 (which libmd lacks), and
 * base64url. Private to felix*.c.
 */
#ifndef PLAN_FELIX_DIGEST_H
#define PLAN_FELIX_DIGEST_H

#include <stddef.h>
#include <stdint.h>

#include <sha2.h>

#define FELIX_DIGEST	  28			     /* bytes of both */
#define FELIX_DIGEST_TEXT (FELIX_DIGEST * 4 / 3 + 2) /* as base64url, with the NUL */

/* Feed it with SHA256Update(). */
void felix_sha224_init(SHA2_CTX *ctx);
void felix_sha224_final(SHA2_CTX *ctx, unsigned char ret[static FELIX_DIGEST]);
/* SHA3-224 of n bytes (FIPS 202). */
void felix_sha3_224(const void *data, size_t n, unsigned char ret[static FELIX_DIGEST]);
/* base64url without padding (RFC 4648, 5); ret has room for the text and a NUL. */
void felix_base64url(const unsigned char *in, size_t n, char *ret);

#endif
