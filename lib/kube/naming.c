/* SPDX-License-Identifier: MIT */
/* See naming.h. */
#include "lib/kube/naming.h"

#include <assert.h>
#include <sha1.h>
#include <sha2.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/strbuf.h"

/* k8s.io/apimachinery/pkg/util/rand: no vowels and no look-alikes, so that no words come out. */
static const char alphanums[] = "bcdfghjklmnpqrstvwxz2456789";
#define N_ALPHANUMS (sizeof(alphanums) - 1)

static void to_hex(const uint8_t *bytes, size_t digits, char *buf)
{
	for (size_t i = 0; i < digits; i++)
		buf[i] = "0123456789abcdef"[i % 2 ? bytes[i / 2] & 15 : bytes[i / 2] >> 4];
	buf[digits] = '\0';
}

void name_calico_veth(const char *ns, const char *pod, char buf[static NAME_IFNAMSIZ])
{
	SHA1_CTX ctx;
	uint8_t sum[SHA1_DIGEST_LENGTH];
	SHA1Init(&ctx);
	SHA1Update(&ctx, (const uint8_t *)ns, strlen(ns));
	SHA1Update(&ctx, (const uint8_t *)".", 1);
	SHA1Update(&ctx, (const uint8_t *)pod, strlen(pod));
	SHA1Final(sum, &ctx);
	memcpy(buf, "cali", 4);
	to_hex(sum, 11, buf + 4);
}

struct mac name_calico_vxlan_mac(const char *node)
{
	SHA1_CTX ctx;
	uint8_t sum[SHA1_DIGEST_LENGTH];
	SHA1Init(&ctx);
	SHA1Update(&ctx, (const uint8_t *)node, strlen(node));
	SHA1Final(sum, &ctx);
	struct mac m = {.b = {0x66}};
	memcpy(m.b + 1, sum, 5);
	return m;
}

__attribute__((format(printf, 2, 0))) static void seed_sum(uint8_t sum[static SHA256_DIGEST_LENGTH],
							   const char *fmt, va_list ap)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	strbuf_vaddf(&b, fmt, ap);
	SHA2_CTX ctx;
	SHA256Init(&ctx);
	SHA256Update(&ctx, (const uint8_t *)strbuf_str(&b), b.len);
	SHA256Final(sum, &ctx);
}

#define SEED_SUM(sum, fmt)                                                                         \
	do {                                                                                       \
		va_list ap_;                                                                       \
		va_start(ap_, fmt);                                                                \
		seed_sum(sum, fmt, ap_);                                                           \
		va_end(ap_);                                                                       \
	} while (0)

void name_seeded_bytes(void *buf, size_t n, const char *fmt, ...)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	assert(n <= sizeof(sum));
	SEED_SUM(sum, fmt);
	memcpy(buf, sum, n);
}

void name_seeded_hex(char *buf, size_t n, const char *fmt, ...)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	assert(n <= 2 * sizeof(sum));
	SEED_SUM(sum, fmt);
	to_hex(sum, n, buf);
}

struct mac name_seeded_mac(const char *fmt, ...)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	struct mac m;
	SEED_SUM(sum, fmt);
	memcpy(m.b, sum, sizeof(m.b));
	m.b[0] = (uint8_t)((m.b[0] & 0xfe) | 0x02);
	return m;
}

void name_seeded_uuid(char buf[static NAME_UUIDSIZ], const char *fmt, ...)
{
	uint8_t s[SHA256_DIGEST_LENGTH];
	SEED_SUM(s, fmt);
	s[6] = (uint8_t)((s[6] & 0x0f) | 0x40);
	s[8] = (uint8_t)((s[8] & 0x3f) | 0x80);
	static const uint8_t groups[] = {4, 2, 2, 2, 6};
	size_t from = 0, at = 0;
	for (size_t g = 0; g < sizeof(groups); g++) {
		if (g)
			buf[at++] = '-';
		to_hex(s + from, groups[g] * 2u, buf + at);
		from += groups[g];
		at += groups[g] * 2u;
	}
}

void name_seeded_veth(char buf[static NAME_IFNAMSIZ], const char *fmt, ...)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	SEED_SUM(sum, fmt);
	memcpy(buf, "veth", 4);
	to_hex(sum, 8, buf + 4);
}

void name_seeded_suffix(char *buf, size_t n, const char *fmt, ...)
{
	uint8_t sum[SHA256_DIGEST_LENGTH];
	assert(n <= sizeof(sum));
	SEED_SUM(sum, fmt);
	for (size_t i = 0; i < n; i++)
		buf[i] = alphanums[sum[i] % N_ALPHANUMS];
	buf[n] = '\0';
}

void name_seeded_template_hash(char buf[static 11], const char *fmt, ...)
{
	uint8_t s[SHA256_DIGEST_LENGTH];
	SEED_SUM(s, fmt);
	uint32_t v = (uint32_t)s[0] << 24 | (uint32_t)s[1] << 16 | (uint32_t)s[2] << 8 | s[3];
	snprintf(buf, 11, "%u", v);
	for (char *p = buf; *p; p++)
		*p = alphanums[(unsigned char)*p % N_ALPHANUMS];
}

void name_host_program(char buf[static NAME_PROGRAMSIZ], const char *pod, const char *ns,
		       const char *container)
{
	char hex[9];
	int n = snprintf(buf, NAME_PROGRAMSIZ, "%s_%s_%s", pod, ns, container);
	if (n < NAME_PROGRAMSIZ)
		return;
	name_seeded_hex(hex, 8, "%s/%s/%s", pod, ns, container);
	snprintf(buf + NAME_PROGRAMSIZ - 10, 10, "-%s", hex);
}
