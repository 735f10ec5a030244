/* SPDX-License-Identifier: MIT */
/*
 * nlread: walking what was read from a netlink socket, with every length checked. libmnl's own
 * walks take lengths over INT_MAX for small ones, and look up to three bytes behind a message; its
 * getters believe that an attribute is as long as its type wants. Pure. Not for writing messages
 * (libmnl).
 */
#ifndef KERNEL_NLREAD_H
#define KERNEL_NLREAD_H

#include <linux/netlink.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"

/* What is still to be walked: messages of a datagram, or attributes. */
struct nlread {
	const char *p;
	size_t left;
};

/* Of a datagram of n bytes (n < 0: none), aligned as netlink aligns. */
struct nlread nlread_datagram(const void *buf, long n);
/* The next message, whole within what was read; NULL: no more. */
const struct nlmsghdr *nlread_msg(struct nlread *r);

/* The fixed part behind a message's header; NULL when the message is shorter than size. */
const void *nlread_fixed(const struct nlmsghdr *h, size_t size);
/* The negative errno in a message of type NLMSG_ERROR (0: an acknowledgement); -EPROTO where there
 * is none. */
int nlread_error(const struct nlmsghdr *h);

/* The attributes behind a fixed part of that size; those inside an attribute (NULL: none). */
struct nlread nlread_attrs(const struct nlmsghdr *h, size_t fixed);
struct nlread nlread_nest(const struct nlattr *nest);
/* The next attribute, whole; NULL: no more. */
const struct nlattr *nlread_attr(struct nlread *r);
/* All of them by type (0 to NLREAD_TYPES - 1; of several the last). */
#define NLREAD_TYPES 80
struct nlattrs {
	const struct nlattr *v[NLREAD_TYPES];
};
void nlread_by_type(struct nlread r, struct nlattrs *ret);
/* The one of that type inside an attribute (of several the last); NULL: none. */
const struct nlattr *nlread_in(const struct nlattr *nest, unsigned type);

/* An attribute's type without flags; its bytes and their number. All allow NULL: 0. */
unsigned nlread_type(const struct nlattr *a);
const void *nlread_data(const struct nlattr *a);
size_t nlread_len(const struct nlattr *a);
/* Numbers, in this machine's or in network byte order; 0 of an attribute that is too short. */
uint8_t nlread_u8(const struct nlattr *a);
uint32_t nlread_u32(const struct nlattr *a);
uint16_t nlread_be16(const struct nlattr *a);
uint32_t nlread_be32(const struct nlattr *a);
uint64_t nlread_be64(const struct nlattr *a);
/* One of an array of numbers in this machine's byte order; `none` where the array is too short. */
int32_t nlread_s32_at(const struct nlattr *a, size_t index, int32_t none);
/* Its text up to a NUL or its end, as a string of the arena; "" of none. */
const char *nlread_str(struct arena *a, const struct nlattr *attr);
/* Is it just this text? */
bool nlread_is(const struct nlattr *a, const char *text);

#endif
