/* SPDX-License-Identifier: MIT */
/* labd/kernel/nlread.c: lengths that lie. Each buffer is as long as it says and not a byte longer,
 * so that the address sanitizer sees what looks further. */
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "labd/kernel/nlread.h"

static void *exactly(const void *data, size_t n)
{
	void *p = malloc(n);
	assert_non_null(p);
	memcpy(p, data, n);
	return p;
}

static unsigned messages(const void *data, size_t n)
{
	void *p = exactly(data, n);
	struct nlread in = nlread_datagram(p, (long)n);
	unsigned count = 0;
	while (nlread_msg(&in))
		count++;
	free(p);
	return count;
}

static void test_messages(void **state)
{
	struct nlmsghdr two[2] = {{.nlmsg_len = 16}, {.nlmsg_len = 16}};
	struct nlread none = nlread_datagram(two, -1);
	assert_null(nlread_msg(&none));
	assert_int_equal(messages(two, sizeof(two)), 2);
	assert_int_equal(messages(two, sizeof(two) - 1), 1);
	two[1].nlmsg_len = 17;
	assert_int_equal(messages(two, sizeof(two)), 1);
	two[1].nlmsg_len = 15;
	assert_int_equal(messages(two, sizeof(two)), 1);
	two[0].nlmsg_len = 0xfffffff0; /* negative to a signed comparison */
	assert_int_equal(messages(two, sizeof(two)), 0);
}

/* A message of 4 bytes fixed and these attributes; how many are found. */
static unsigned attributes(const void *data, size_t n)
{
	char buf[256] = {0};
	struct nlmsghdr h = {.nlmsg_len = (uint32_t)(NLMSG_HDRLEN + 4 + n)};
	const struct nlattr *a;
	unsigned count = 0;
	memcpy(buf, &h, sizeof(h));
	memcpy(buf + NLMSG_HDRLEN + 4, data, n);
	struct nlmsghdr *p = exactly(buf, h.nlmsg_len);
	struct nlread r = nlread_attrs(p, 4);
	while ((a = nlread_attr(&r))) {
		_arena_ struct arena *ar = arena_new();
		assert_true(strlen(nlread_str(ar, a)) <= nlread_len(a));
		count++;
	}
	r = nlread_attrs(p, 200); /* more than there is */
	assert_null(nlread_attr(&r));
	free(p);
	return count;
}

static void test_attributes(void **state)
{
	/* length, type, payload and padding */
	assert_int_equal(attributes("\x08\0\1\0abcd\x05\0\2\0x\0\0\0", 16), 2);
	assert_int_equal(attributes("\x08\0\1\0abcd\x05\0\2\0x", 13), 2); /* last one not padded */
	assert_int_equal(attributes("\x08\0\1\0abcd\x06\0\2\0x", 13), 1); /* a byte too long */
	assert_int_equal(attributes("\x03\0\1\0abcd", 8), 0);
	assert_int_equal(attributes("\xff\xff\1\0", 4), 0);
	assert_int_equal(attributes("\x04\0\1", 3), 0);
}

static void test_values(void **state)
{
	_arena_ struct arena *a = arena_new();
	const struct {
		struct nlattr a;
		unsigned char b[4];
	} v = {{.nla_len = 8, .nla_type = 3 | NLA_F_NESTED}, {1, 2, 0, 4}},
	  text = {{.nla_len = 7, .nla_type = 1}, {'l', 'o', 0, 0}},
	  bare = {{.nla_len = 6, .nla_type = 1}, {'l', 'o', 'x', 0}};
	assert_int_equal(nlread_type(&v.a), 3);
	assert_int_equal(nlread_be32(&v.a), 0x01020004);
	assert_int_equal(nlread_be16(&v.a), 0x0102);
	assert_int_equal(nlread_u8(&v.a), 1);
	assert_int_equal(nlread_be64(&v.a), 0); /* too short */
	assert_int_equal(nlread_u32(NULL), 0);
	assert_int_equal(nlread_len(NULL), 0);
	assert_string_equal(nlread_str(a, &text.a), "lo");
	assert_string_equal(nlread_str(a, &bare.a), "lo");
	assert_string_equal(nlread_str(a, NULL), "");
	assert_true(nlread_is(&text.a, "lo"));
	assert_true(nlread_is(&bare.a, "lo"));
	assert_false(nlread_is(&text.a, "l"));
	assert_false(nlread_is(&text.a, "lo0"));
	assert_false(nlread_is(NULL, "lo"));
}

static void test_nested(void **state)
{
	/* {1: {2: an array of two numbers}, 1: shorter} and a number's worth behind it */
	const struct {
		struct nlattr outer, inner;
		int32_t v[2];
		struct nlattr behind;
	} in = {{.nla_len = 16, .nla_type = 1 | NLA_F_NESTED},
		{.nla_len = 12, .nla_type = 2},
		{7, -8},
		{.nla_len = 4, .nla_type = 2}};
	struct nlattr *p = exactly(&in, sizeof(in));
	const struct nlattr *array = nlread_in(p, 2);
	assert_ptr_equal(array, p + 1);
	assert_null(nlread_in(p, 1));
	assert_null(nlread_in(NULL, 1));
	assert_int_equal(nlread_s32_at(array, 0, -1), 7);
	assert_int_equal(nlread_s32_at(array, 1, -1), -8);
	assert_int_equal(nlread_s32_at(array, 2, -1), -1);
	assert_int_equal(nlread_s32_at(array, SIZE_MAX, -1), -1);
	assert_int_equal(nlread_s32_at(NULL, 0, 5), 5);
	free(p);
}

static void test_error(void **state)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
	} m = {{.nlmsg_len = sizeof(m)}, {.error = -ENOENT}};
	assert_int_equal(nlread_error(&m.h), -ENOENT);
	m.e.error = 0;
	assert_int_equal(nlread_error(&m.h), 0);
	m.e.error = INT_MIN;
	assert_int_equal(nlread_error(&m.h), -EPROTO);
	m.e.error = 5;
	assert_int_equal(nlread_error(&m.h), -EPROTO);
	m.h.nlmsg_len = 20;
	assert_int_equal(nlread_error(&m.h), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_messages), cmocka_unit_test(test_attributes),
		cmocka_unit_test(test_values),	 cmocka_unit_test(test_nested),
		cmocka_unit_test(test_error),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
