/* SPDX-License-Identifier: MIT */
/*
 * addr: IPv4 addresses, CIDRs and MACs. Addresses are uint32_t in host byte order, so that they
 * compare and add like numbers. IPv6 is recognised (so that dual-stack objects can be skipped with
 * a reason) but not carried: the data planes built here are IPv4.
 */
#ifndef BASE_ADDR_H
#define BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t ip4; /* host byte order; 0 means "none" */

struct cidr {
	ip4 addr;    /* as written; network part and host part */
	uint8_t len; /* 0..32 */
};

struct mac {
	uint8_t b[6];
};

#define IP4_STRLEN  16
#define CIDR_STRLEN 19
#define MAC_STRLEN  18

/* Parse a dotted quad. Leading zeros are read as decimal ("010" is 10), as kube-proxy does. */
bool ip4_parse(const char *s, ip4 *ret);
/* True when s is a well-formed IPv6 address (or CIDR when a "/len" follows). */
bool is_ip6(const char *s);
/* Parse "a.b.c.d/len". The host part is kept. */
bool cidr_parse(const char *s, struct cidr *ret);
bool mac_parse(const char *s, struct mac *ret);

/* Formatting into the caller's buffer, which is also returned. */
const char *ip4_str(ip4 a, char buf[static IP4_STRLEN]);
const char *cidr_str(struct cidr c, char buf[static CIDR_STRLEN]);
const char *mac_str(struct mac m, char buf[static MAC_STRLEN]);
/* The same as an expression, living until the end of the enclosing block. */
#define IP4(a)	ip4_str((a), (char[IP4_STRLEN]){0})
#define CIDR(c) cidr_str((c), (char[CIDR_STRLEN]){0})
#define MAC(m)	mac_str((m), (char[MAC_STRLEN]){0})

/* 255.255.255.0 for 24. */
ip4 cidr_mask(uint8_t len);
/* The network address; the last (broadcast) address. */
ip4 cidr_first(struct cidr c);
ip4 cidr_last(struct cidr c);
/* The same with the host part cleared. */
struct cidr cidr_net(struct cidr c);
bool cidr_has(struct cidr c, ip4 a);
bool cidr_contains(struct cidr outer, struct cidr inner);
bool cidr_overlap(struct cidr a, struct cidr b);
bool mac_is_zero(struct mac m);

#endif
