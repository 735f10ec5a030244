/* SPDX-License-Identifier: MIT */
/* See addr.h. */
#include "lib/base/addr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* A decimal number of at most `digits` digits up to max; moves *s behind it. */
static bool number(const char **s, unsigned digits, unsigned max, unsigned *ret)
{
	unsigned v = 0, n = 0;
	while (**s >= '0' && **s <= '9' && n < digits) {
		v = v * 10 + (unsigned)(**s - '0');
		(*s)++;
		n++;
	}
	if (n == 0 || v > max)
		return false;
	*ret = v;
	return true;
}

static bool quad(const char **s, ip4 *ret)
{
	ip4 a = 0;
	for (int i = 0; i < 4; i++) {
		unsigned v;
		if (i && *(*s)++ != '.')
			return false;
		if (!number(s, 9, 255, &v))
			return false;
		a = a << 8 | v;
	}
	*ret = a;
	return true;
}

bool ip4_parse(const char *s, ip4 *ret)
{
	ip4 a;
	if (!quad(&s, &a) || *s)
		return false;
	*ret = a;
	return true;
}

bool is_ip6(const char *s)
{
	char buf[64];
	unsigned char bin[16];
	size_t n = strcspn(s, "/");
	if (n >= sizeof(buf) || !memchr(s, ':', n))
		return false;
	memcpy(buf, s, n);
	buf[n] = '\0';
	if (inet_pton(AF_INET6, buf, bin) != 1)
		return false;
	if (!s[n])
		return true;
	unsigned len;
	s += n + 1;
	return number(&s, 3, 128, &len) && !*s;
}

bool cidr_parse(const char *s, struct cidr *ret)
{
	ip4 a;
	unsigned len;
	if (!quad(&s, &a) || *s++ != '/' || !number(&s, 2, 32, &len) || *s)
		return false;
	*ret = (struct cidr){a, (uint8_t)len};
	return true;
}

static int hexval(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool mac_parse(const char *s, struct mac *ret)
{
	struct mac m;
	for (int i = 0; i < 6; i++) {
		int hi = hexval(s[0]), lo = hi < 0 ? -1 : hexval(s[1]);
		if (lo < 0 || s[2] != (i < 5 ? ':' : '\0'))
			return false;
		m.b[i] = (uint8_t)(hi << 4 | lo);
		s += 3;
	}
	*ret = m;
	return true;
}

const char *ip4_str(ip4 a, char buf[static IP4_STRLEN])
{
	snprintf(buf, IP4_STRLEN, "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255, a & 255);
	return buf;
}

const char *cidr_str(struct cidr c, char buf[static CIDR_STRLEN])
{
	snprintf(buf, CIDR_STRLEN, "%u.%u.%u.%u/%u", c.addr >> 24, c.addr >> 16 & 255,
		 c.addr >> 8 & 255, c.addr & 255, c.len > 32 ? 32u : c.len);
	return buf;
}

const char *mac_str(struct mac m, char buf[static MAC_STRLEN])
{
	snprintf(buf, MAC_STRLEN, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2], m.b[3],
		 m.b[4], m.b[5]);
	return buf;
}

ip4 cidr_mask(uint8_t len)
{
	return len == 0 ? 0 : len >= 32 ? ~0u : ~(~0u >> len);
}

ip4 cidr_first(struct cidr c)
{
	return c.addr & cidr_mask(c.len);
}

ip4 cidr_last(struct cidr c)
{
	return c.addr | ~cidr_mask(c.len);
}

struct cidr cidr_net(struct cidr c)
{
	return (struct cidr){cidr_first(c), c.len};
}

bool cidr_has(struct cidr c, ip4 a)
{
	return (a & cidr_mask(c.len)) == cidr_first(c);
}

bool cidr_contains(struct cidr outer, struct cidr inner)
{
	return outer.len <= inner.len && cidr_has(outer, inner.addr);
}

bool cidr_overlap(struct cidr a, struct cidr b)
{
	return cidr_has(a, cidr_first(b)) || cidr_has(b, cidr_first(a));
}

bool mac_is_zero(struct mac m)
{
	static const struct mac zero;
	return memcmp(&m, &zero, sizeof(m)) == 0;
}
