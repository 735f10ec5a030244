/* SPDX-License-Identifier: MIT */
/* Unit tests of yaml_from_json(): what `kubectl get -o yaml` would print. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/yaml/yaml.h"

static void check_emitted(const char *json, const char *yaml)
{
	json_t *v = json_loads(json, 0, NULL);
	assert_non_null(v);
	_free_ char *got = yaml_from_json(v);
	json_decref(v);
	assert_string_equal(got, yaml);
}

static void test_from_json(void **state)
{
	(void)state;
	check_emitted(
		"{\"spec\":{\"ports\":[{\"port\":80,\"name\":\"http\"},{\"port\":443}],"
		"\"clusterIP\":\"10.96.0.1\",\"empty\":{},\"none\":[],\"nothing\":null,\"on\":true}"
		","
		"\"kind\":\"Service\",\"apiVersion\":\"v1\","
		"\"metadata\":{\"name\":\"web\",\"labels\":{\"app.kubernetes.io/name\":\"web\"}}}",
		"apiVersion: v1\n"
		"kind: Service\n"
		"metadata:\n"
		"  labels:\n"
		"    app.kubernetes.io/name: web\n"
		"  name: web\n"
		"spec:\n"
		"  clusterIP: 10.96.0.1\n"
		"  empty: {}\n"
		"  none: []\n"
		"  nothing: null\n"
		"  \"on\": true\n"
		"  ports:\n"
		"  - name: http\n"
		"    port: 80\n"
		"  - port: 443\n");
	check_emitted("{\"a\":[[1,2],[{\"b\":[3]}]],\"f\":1.5,\"g\":0.1,\"h\":-3}", "a:\n"
										    "- - 1\n"
										    "  - 2\n"
										    "- - b:\n"
										    "    - 3\n"
										    "f: 1.5\n"
										    "g: 0.1\n"
										    "h: -3\n");
	/* As kubectl 1.32 orders them. */
	check_emitted(
		"{\"b\":0,\"a10\":0,\"a2\":0,\"a\":0,\"A\":0,\"a-b\":0,\"a_b\":0,\"10\":0,\"9\":0,"
		"\"01\":0,\"1\":0,\"ab\":0,\"_\":0,\"-\":0}",
		"'-': 0\n_: 0\n\"1\": 0\n\"01\": 0\n\"9\": 0\n\"10\": 0\nA: 0\na: 0\na-b: 0\n"
		"a_b: 0\na2: 0\na10: 0\nab: 0\nb: 0\n");
}

/* As kubectl 1.32 prints them in a ConfigMap. */
static void test_from_json_strings(void **state)
{
	(void)state;
	static const struct {
		const char *json, *yaml;
	} cases[] = {
		{"", "\"\""},
		{"1.20", "\"1.20\""},
		{"12", "\"12\""},
		{"1e3", "\"1e3\""},
		{"yes", "\"yes\""},
		{"n", "\"n\""},
		{"null", "\"null\""},
		{"~", "\"~\""},
		{"0755", "\"0755\""},
		{"08", "\"08\""},
		{"1_0", "\"1_0\""},
		{"0x1f", "\"0x1f\""},
		{"12:34", "\"12:34\""},
		{"80:30008", "80:30008"},
		{"00:11:22", "\"00:11:22\""},
		{"2020-01-01T00:00:00Z", "\"2020-01-01T00:00:00Z\""},
		{"2001-01-01 10:00:00", "\"2001-01-01 10:00:00\""},
		{"1234-5-6x", "1234-5-6x"},
		{".inf", "\".inf\""},
		{"10.0.0.1", "10.0.0.1"},
		{"10.244.0.0/16", "10.244.0.0/16"},
		{"::1", "::1"},
		{"http://x:80/y", "http://x:80/y"},
		{"*x", "'*x'"},
		{"- a", "'- a'"},
		{"-x", "-x"},
		{"a: b", "'a: b'"},
		{"a #b", "'a #b'"},
		{"a#b", "a#b"},
		{" lead", "' lead'"},
		{"trail ", "'trail '"},
		{"{x}", "'{x}'"},
		{"@a", "'@a'"},
		{"%c", "'%c'"},
		{"it's", "it's"},
		{"say \\\"hi\\\"", "say \"hi\""},
		{"C:\\\\x", "C:\\x"},
		{"tab\\there", "\"tab\\there\""},
		{"\\u001b[31m", "\"\\e[31m\""},
		{"中文", "中文"},
		{"one\\ntwo\\n", "|\n  one\n  two"},
		{"one\\ntwo", "|-\n  one\n  two"},
		{"one \\ntwo", "\"one \\ntwo\""},
		{"\\n one\\ntwo", "|2-\n\n   one\n  two"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_strbuf_ struct strbuf json = STRBUF_INIT, yaml = STRBUF_INIT;
		strbuf_addf(&json, "{\"v\":\"%s\"}", cases[i].json);
		strbuf_addf(&yaml, "v: %s\n", cases[i].yaml);
		check_emitted(strbuf_str(&json), strbuf_str(&yaml));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_json),
		cmocka_unit_test(test_from_json_strings),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
