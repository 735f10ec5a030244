/* SPDX-License-Identifier: MIT */
/* Names: against the names of real clusters (tests/golden/calico/names.tsv), and the shape of those
 * that come from a seed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lib/base/cleanup.h"
#include "lib/kube/naming.h"

static void test_golden(void **state)
{
	_fclose_ FILE *f = fopen("tests/golden/calico/names.tsv", "r");
	char line[512], kind[64], input[256], name[256], got[64];
	unsigned seen = 0;
	(void)state;
	assert_non_null(f);
	while (fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%63[^\t]\t%255[^\t]\t%255[^\n]", kind, input, name) != 3)
			continue;
		if (strcmp(kind, "veth") == 0) {
			char *dot = strchr(input, '.');
			assert_non_null(dot);
			*dot = '\0';
			name_calico_veth(input, dot + 1, got);
		} else if (strcmp(kind, "vxlan-mac-v4") == 0) {
			mac_str(name_calico_vxlan_mac(input), got);
		} else {
			continue;
		}
		assert_string_equal(got, name);
		seen++;
	}
	assert_int_equal(seen, 8);
}

static void test_seeded(void **state)
{
	char a[65], b[65], veth[NAME_IFNAMSIZ], uuid[NAME_UUIDSIZ], suffix[6], hash[11];
	uint8_t bytes[32];
	(void)state;
	/* The seed's SHA-256, so these never change. */
	name_seeded_hex(a, 64, "%s", "abc");
	assert_string_equal(a, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	name_seeded_hex(b, 7, "%c%s", 'a', "bc");
	assert_string_equal(b, "ba7816b");
	name_seeded_bytes(bytes, 3, "abc");
	assert_memory_equal(bytes, "\xba\x78\x16", 3);
	name_seeded_veth(veth, "abc");
	assert_string_equal(veth, "vethba7816bf");
	name_seeded_uuid(uuid, "abc");
	assert_string_equal(uuid, "ba7816bf-8f01-4fea-8141-40de5dae2223");
	name_seeded_suffix(suffix, 5, "abc");
	assert_string_equal(suffix, "7q5dl");
	name_seeded_template_hash(hash, "abc");
	/* 0xba7816bf = 3128432319 */
	assert_string_equal(hash, "756d87675f");
}

static void test_mac(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		struct mac m = name_seeded_mac("%d", i);
		assert_int_equal(m.b[0] & 3, 2); /* unicast, locally administered */
	}
	struct mac m = name_seeded_mac("abc");
	assert_string_equal(MAC(m), "ba:78:16:bf:8f:01");
}

static void test_alphabets(void **state)
{
	char suffix[33], hash[11];
	(void)state;
	for (int i = 0; i < 1000; i++) {
		name_seeded_suffix(suffix, 32, "%d", i);
		assert_int_equal(strspn(suffix, "bcdfghjklmnpqrstvwxz2456789"), 32);
		name_seeded_template_hash(hash, "%d", i);
		assert_int_equal(strspn(hash, "456789bcdf"), strlen(hash));
		assert_in_range(strlen(hash), 1, 10);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_seeded),
		cmocka_unit_test(test_mac),
		cmocka_unit_test(test_alphabets),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
