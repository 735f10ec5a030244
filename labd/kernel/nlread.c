/* SPDX-License-Identifier: MIT */
/* See nlread.h. */
#include "labd/kernel/nlread.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <string.h>

#define MAX_ERRNO 4095 /* the kernel's own bound */

struct nlread nlread_datagram(const void *buf, long n)
{
	return (struct nlread){buf, n > 0 ? (size_t)n : 0};
}

static void step(struct nlread *r, size_t len)
{
	len = NLMSG_ALIGN(len);
	len = len < r->left ? len : r->left;
	r->p += len;
	r->left -= len;
}

const struct nlmsghdr *nlread_msg(struct nlread *r)
{
	const struct nlmsghdr *h = (const struct nlmsghdr *)r->p;
	if (r->left < sizeof(*h) || h->nlmsg_len < sizeof(*h) || h->nlmsg_len > r->left)
		return NULL;
	step(r, h->nlmsg_len);
	return h;
}

const void *nlread_fixed(const struct nlmsghdr *h, size_t size)
{
	return h->nlmsg_len >= NLMSG_HDRLEN + size ? (const char *)h + NLMSG_HDRLEN : NULL;
}

int nlread_error(const struct nlmsghdr *h)
{
	const struct nlmsgerr *e = nlread_fixed(h, sizeof(*e));
	return e && e->error <= 0 && e->error >= -MAX_ERRNO ? e->error : -EPROTO;
}

struct nlread nlread_attrs(const struct nlmsghdr *h, size_t fixed)
{
	size_t skip = NLMSG_HDRLEN + NLMSG_ALIGN(fixed);
	if (h->nlmsg_len < skip)
		return (struct nlread){NULL, 0};
	return (struct nlread){(const char *)h + skip, h->nlmsg_len - skip};
}

struct nlread nlread_nest(const struct nlattr *nest)
{
	return (struct nlread){nlread_data(nest), nlread_len(nest)};
}

const struct nlattr *nlread_attr(struct nlread *r)
{
	const struct nlattr *a = (const struct nlattr *)r->p;
	if (r->left < sizeof(*a) || a->nla_len < sizeof(*a) || a->nla_len > r->left)
		return NULL;
	step(r, a->nla_len);
	return a;
}

void nlread_by_type(struct nlread r, struct nlattrs *ret)
{
	const struct nlattr *a;
	*ret = (struct nlattrs){0};
	while ((a = nlread_attr(&r)))
		if (nlread_type(a) < NLREAD_TYPES)
			ret->v[nlread_type(a)] = a;
}

const struct nlattr *nlread_in(const struct nlattr *nest, unsigned type)
{
	const struct nlattr *a, *ret = NULL;
	struct nlread r = nlread_nest(nest);
	while ((a = nlread_attr(&r)))
		if (nlread_type(a) == type)
			ret = a;
	return ret;
}

unsigned nlread_type(const struct nlattr *a)
{
	return a ? a->nla_type & NLA_TYPE_MASK : 0;
}

const void *nlread_data(const struct nlattr *a)
{
	return a ? (const char *)a + NLA_HDRLEN : NULL;
}

size_t nlread_len(const struct nlattr *a)
{
	return a ? a->nla_len - (size_t)NLA_HDRLEN : 0;
}

/* Attributes are aligned to 4 bytes only. */
static bool take(const struct nlattr *a, void *to, size_t size)
{
	if (nlread_len(a) < size)
		return false;
	memcpy(to, nlread_data(a), size);
	return true;
}

uint8_t nlread_u8(const struct nlattr *a)
{
	uint8_t v = 0;
	take(a, &v, sizeof(v));
	return v;
}

uint32_t nlread_u32(const struct nlattr *a)
{
	uint32_t v = 0;
	take(a, &v, sizeof(v));
	return v;
}

uint16_t nlread_be16(const struct nlattr *a)
{
	uint16_t v = 0;
	take(a, &v, sizeof(v));
	return ntohs(v);
}

uint32_t nlread_be32(const struct nlattr *a)
{
	return ntohl(nlread_u32(a));
}

uint64_t nlread_be64(const struct nlattr *a)
{
	uint64_t v = 0;
	take(a, &v, sizeof(v));
	return be64toh(v);
}

int32_t nlread_s32_at(const struct nlattr *a, size_t index, int32_t none)
{
	if (nlread_len(a) / sizeof(none) > index)
		memcpy(&none, (const char *)nlread_data(a) + index * sizeof(none), sizeof(none));
	return none;
}

const char *nlread_str(struct arena *a, const struct nlattr *attr)
{
	size_t len = nlread_len(attr);
	return len ? arena_strndup(a, nlread_data(attr), len) : "";
}

bool nlread_is(const struct nlattr *a, const char *text)
{
	size_t n = strlen(text), len = nlread_len(a);
	return len >= n && memcmp(nlread_data(a), text, n) == 0 &&
	       (len == n || ((const char *)nlread_data(a))[n] == '\0');
}
