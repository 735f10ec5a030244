/* SPDX-License-Identifier: MIT */
/* addr: addresses as tests write them down. */
#ifndef TEST_ADDR_H
#define TEST_ADDR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/addr.h"

static inline ip4 ip(const char *s)
{
	ip4 a;
	assert_true(ip4_parse(s, &a));
	return a;
}

static inline struct cidr net(const char *s)
{
	struct cidr c;
	assert_true(cidr_parse(s, &c));
	return c;
}

static inline struct mac mac(const char *s)
{
	struct mac m;
	assert_true(mac_parse(s, &m));
	return m;
}

#endif
