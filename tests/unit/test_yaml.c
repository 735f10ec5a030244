/* SPDX-License-Identifier: MIT */
/*
 * Unit tests of lib/yaml: what scalars mean, where things stand, how faults are printed, which
 * limits hold. test_yaml_emit.c has the other direction, test_yaml_fuzz.c the damaged files.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/strbuf.h"
#include "lib/yaml/yaml.h"

static void free_files(struct yaml_files **f)
{
	yaml_files_free(*f);
}

#define _files_ __attribute__((cleanup(free_files)))

static struct yaml_files *read_bytes(const char *text, size_t len)
{
	struct yaml_files *f = yaml_files_new();
	yaml_files_add_text(f, "x.yaml", text, len, NULL);
	return f;
}

static struct yaml_files *read_text(const char *text)
{
	return read_bytes(text, strlen(text));
}

/* What is printed; malloc'ed. */
static char *printed(const struct yaml_files *f, const struct faults *faults)
{
	static char *text;
	static size_t len;
	FILE *out = open_memstream(&text, &len);
	assert_non_null(out);
	yaml_files_print(f, faults, out);
	fclose(out);
	return take_ptr(text);
}

/* The documents in one line of JSON; malloc'ed. */
static char *json_of(const struct yaml_files *f)
{
	return json_dumps(yaml_files_docs(f), JSON_COMPACT | JSON_REAL_PRECISION(15));
}

/* Scalars ------------------------------------------------------------------------------------- */

static const struct {
	const char *yaml, *json;
} scalars[] = {
	{"1.20", "\"1.20\""},
	{"1.23", "1.23"},
	{"1.5", "1.5"},
	{"-0.25", "-0.25"},
	{"5.0", "\"5.0\""},
	{".5", "\".5\""},
	{"1.", "\"1.\""},
	{"1e3", "\"1e3\""},
	{"1.5e3", "\"1.5e3\""},
	{"0", "0"},
	{"-7", "-7"},
	{"+7", "7"},
	{"30008", "30008"},
	{"9223372036854775807", "9223372036854775807"},
	{"9223372036854775808", "\"9223372036854775808\""},
	{"0x1F", "31"},
	{"0o17", "15"},
	{"0x", "\"0x\""},
	{"0755", "\"0755\""},
	{"00", "\"00\""},
	{"0b11", "\"0b11\""},
	{"1_000", "\"1_000\""},
	{"12:34", "\"12:34\""},
	{"00:11:22:33:44:55", "\"00:11:22:33:44:55\""},
	{"10.0.0.1", "\"10.0.0.1\""},
	{"10.244.0.0/16", "\"10.244.0.0/16\""},
	{"fe80::1", "\"fe80::1\""},
	{"2021-01-31", "\"2021-01-31\""},
	{".inf", "\".inf\""},
	{".nan", "\".nan\""},
	{"true", "true"},
	{"True", "true"},
	{"FALSE", "false"},
	{"tRUE", "\"tRUE\""},
	{"yes", "true"},
	{"No", "false"},
	{"ON", "true"},
	{"off", "false"},
	{"y", "true"},
	{"n", "false"},
	{"null", "null"},
	{"~", "null"},
	{"Null", "null"},
	{"", "null"},
	{"nullable", "\"nullable\""},
	{"busybox1-857448d9ff-shdfz", "\"busybox1-857448d9ff-shdfz\""},
	{"\"80\"", "\"80\""},
	{"'true'", "\"true\""},
	{"\"\"", "\"\""},
	{"!!str 12", "\"12\""},
	{"!!int \"12\"", "12"},
	{"!local 12", "\"12\""},
	{"|\n  a\n   b\n", "\"a\\n b\\n\""},
	{">-\n  a\n  b\n", "\"a b\""},
	{"node/node02:30008", "\"node/node02:30008\""},
};

static void test_scalars(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(scalars); i++) {
		_strbuf_ struct strbuf text = STRBUF_INIT, want = STRBUF_INIT;
		strbuf_addf(&text, "v: %s\n", scalars[i].yaml);
		strbuf_addf(&want, "[{\"v\":%s}]", scalars[i].json);
		_files_ struct yaml_files *f = read_text(strbuf_str(&text));
		_free_ char *got = json_of(f);
		assert_string_equal(got, strbuf_str(&want));
	}
}

static void test_keys_stay_text(void **state)
{
	(void)state;
	_files_ struct yaml_files *f = read_text("{1.20: a, true: b, 080: c, ~: d, 'x': e}");
	_free_ char *got = json_of(f);
	assert_string_equal(
		got, "[{\"1.20\":\"a\",\"true\":\"b\",\"080\":\"c\",\"~\":\"d\",\"x\":\"e\"}]");
}

/* Documents ----------------------------------------------------------------------------------- */

static void test_documents(void **state)
{
	(void)state;
	static const struct {
		const char *yaml, *json;
	} cases[] = {
		{"# only this\n---\na: 1\n---\n---\n# nothing\n---\nb: 2\n...\n---\nc: 3\n",
		 "[{\"a\":1},{\"b\":2},{\"c\":3}]"},
		{"{\"a\": [1, {\"b\": null}],\n\t\"c\": \"x\\/y\"}",
		 "[{\"a\":[1,{\"b\":null}],\"c\":\"x/y\"}]"},
		{"{\"a\": \"\\ud83d\\ude00 \\\\ud83d\\\\ude00\"}",
		 "[{\"a\":\"\xf0\x9f\x98\x80 \\\\ud83d\\\\ude00\"}]"},
		{"\xef\xbb\xbf"
		 "a: 1\r\nb: 2\r\n",
		 "[{\"a\":1,\"b\":2}]"},
		{"a: &x {k: 1}\nb: *x\nc: [*x, *x]\n",
		 "[{\"a\":{\"k\":1},\"b\":{\"k\":1},\"c\":[{\"k\":1},{\"k\":1}]}]"},
		{"a: &x 5\nb: *x\n", "[{\"a\":5,\"b\":5}]"},
		{"a: &x {k: 1, l: 2}\nb:\n  l: 3\n  <<: *x\n",
		 "[{\"a\":{\"k\":1,\"l\":2},\"b\":{\"l\":3,\"k\":1}}]"},
		{"a: &x {k: 1}\nb: &y {k: 2, m: 3}\nc: {<<: [*x, *y]}\n",
		 "[{\"a\":{\"k\":1},\"b\":{\"k\":2,\"m\":3},\"c\":{\"k\":1,\"m\":3}}]"},
		{"a: {\"<<\": 1}\n", "[{\"a\":{\"<<\":1}}]"},
		{"a: &x 1\nb: &x 2\nc: *x\n", "[{\"a\":1,\"b\":2,\"c\":2}]"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_files_ struct yaml_files *f = read_text(cases[i].yaml);
		_free_ char *got = json_of(f);
		assert_string_equal(got, cases[i].json);
		assert_int_equal(yaml_files_faults(f), 0);
	}
}

static void test_faulty_left_out(void **state)
{
	(void)state;
	_files_ struct yaml_files *f = read_text("a: 1\n---\nb: ]\n---\nc: 1\nc: 2\n---\nd: 4\n");
	_free_ char *got = json_of(f);
	assert_string_equal(got, "[{\"a\":1},{\"d\":4}]");
	assert_int_equal(yaml_files_faults(f), 2);
}

/* Syntax faults, as they are printed ---------------------------------------------------------- */

static const struct {
	const char *yaml, *out;
} bad[] = {
	{"metadata:\n\tname: x\n", "x.yaml:2:1: a tab in the indentation\n"
				   " 2 |         name: x\n"
				   "   | ^^^^^^^^\n"
				   "  hint: YAML is indented with spaces only\n"},
	{"metadata:\n  a: b\n  \tc: d\n", "x.yaml:3:3: a tab in the indentation\n"
					  " 3 |         c: d\n"
					  "   |   ^^^^^^\n"
					  "  hint: YAML is indented with spaces only\n"},
	{"a: b: c\n",
	 "x.yaml:1:5: `:` is not expected here\n"
	 " 1 | a: b: c\n"
	 "   |     ^\n"
	 "  hint: is the indentation right, and a space behind each `:`? a text that holds "
	 "`: ` must be quoted\n"},
	{"a:\n   b: 1\n  c: 2 # x\n",
	 "x.yaml:3:3: the indentation fits no mapping above; the innermost begins on line 1\n"
	 " 3 |   c: 2 # x\n"
	 "   |   ^^^^\n"},
	{"a: 'it's'\n", "x.yaml:1:8: unexpected text behind the value\n"
			" 1 | a: 'it's'\n"
			"   |        ^^\n"
			"  hint: is a quote missing? in '...' a ' is written ''\n"},
	{"- a\nb: c\n", "x.yaml:2:1: the indentation fits no list above, or `- ` is missing; the "
			"innermost list begins on line 1\n"
			" 2 | b: c\n"
			"   | ^^^^\n"},
	{"a: 1\nfoo\nb: 2\n", "x.yaml:2:1: a key without `:`\n"
			      " 2 | foo\n"
			      "   | ^^^\n"},
	{"a: 1\nb: \"abc\nc: d\n", "x.yaml:2:4: the quoted text that begins here does not end\n"
				   " 2 | b: \"abc\n"
				   "   |    ^^^^\n"},
	{"a: 'abc\n---\nb: c\n",
	 "x.yaml:1:4: the quoted text that begins here does not end before the next `---`\n"
	 " 1 | a: 'abc\n"
	 "   |    ^^^^\n"},
	{"a: [1, 2\n", "x.yaml:1:4: `[` without its `]`\n"
		       " 1 | a: [1, 2\n"
		       "   |    ^\n"},
	{"{\"a\": 1", "x.yaml:1:1: `{` without its `}`\n"
		      " 1 | {\"a\": 1\n"
		      "   | ^\n"},
	{"a: [1,\n 2\nb: 3\n", "x.yaml:3:2: expected `,` or `]` in the list that begins on line 1\n"
			       " 3 | b: 3\n"
			       "   |  ^\n"},
	{"{\"a\": 1\n \"b\": 2}\n",
	 "x.yaml:2:5: expected `,` or `}` in the mapping that begins on line 1\n"
	 " 2 |  \"b\": 2}\n"
	 "   |     ^\n"},
	{"a: }\n", "x.yaml:1:4: a value is expected here\n"
		   " 1 | a: }\n"
		   "   |    ^\n"},
	{"{a: 1}}\n", "x.yaml:1:7: unexpected text behind the document\n"
		      " 1 | {a: 1}}\n"
		      "   |       ^\n"},
	{"a: - b\n", "x.yaml:1:4: a list cannot begin here\n"
		     " 1 | a: - b\n"
		     "   |    ^\n"
		     "  hint: begin it on a line of its own\n"},
	{"a: \"\\q\"\n", "x.yaml:1:5: unknown escape in a quoted text\n"
			 " 1 | a: \"\\q\"\n"
			 "   |     ^\n"
			 "  hint: write \\\\ for a backslash, or put the text into '...'\n"},
	{"a: @x y\n", "x.yaml:1:4: a text that begins with `@` must be quoted\n"
		      " 1 | a: @x y\n"
		      "   |    ^^^^\n"},
	{"a: *.example.com\n", "x.yaml:1:4: a text that begins with `*` or `&` must be quoted\n"
			       " 1 | a: *.example.com\n"
			       "   |    ^^^^^^^^^^^^^\n"},
	{"a: !foo!bar x\n", "x.yaml:1:4: unknown tag\n"
			    " 1 | a: !foo!bar x\n"
			    "   |    ^^^^^^^^^^\n"
			    "  hint: a text that begins with `!` must be quoted\n"},
	{"%YAML 3.0\n---\na: 1\n", "x.yaml:1:1: not valid YAML: found incompatible YAML document\n"
				   " 1 | %YAML 3.0\n"
				   "   | ^\n"},
	{"a: *x\n", "x.yaml:1:4: `*x`: this document has no anchor `&x` before it\n"
		    " 1 | a: *x\n"
		    "   |    ^^\n"
		    "  hint: a text that begins with `*` must be quoted\n"},
	{"a: &a {b: [*a]}\n", "x.yaml:1:12: `*a` stands inside of what it names\n"
			      " 1 | a: &a {b: [*a]}\n"
			      "   |            ^^\n"},
	{"a: {<<: 5}\n",
	 "x.yaml:1:9: `<<` merges mappings: it needs an alias of one, or a list of them\n"
	 " 1 | a: {<<: 5}\n"
	 "   |         ^\n"},
	{"? [a]\n: b\n",
	 "x.yaml:1:3: a key must be text\n"
	 " 1 | ? [a]\n"
	 "   |   ^\n"
	 "  hint: a value that begins with `{`, `[` or `*` must be quoted to be text\n"},
	{"a: 1\nb: {x: 1, x: 2}\na: 3\n",
	 "x.yaml:2:11: duplicate key `x`: it stands on line 2 already\n"
	 " 2 | b: {x: 1, x: 2}\n"
	 "   |           ^\n"
	 "x.yaml:3:1: duplicate key `a`: it stands on line 1 already\n"
	 " 3 | a: 3\n"
	 "   | ^\n"},
	{"- 1\n- 2\n", "x.yaml:1:1: a document must be a mapping (`kind: ...`), not a list\n"
		       " 1 | - 1\n"
		       "   | ^^^\n"},
	{"hello\n", "x.yaml:1:1: a document must be a mapping (`kind: ...`), not a text\n"
		    " 1 | hello\n"
		    "   | ^^^^^\n"},
	{"--- 5\n", "x.yaml:1:5: a document must be a mapping (`kind: ...`), not a single value\n"
		    " 1 | --- 5\n"
		    "   |     ^\n"},
	{"a: \"\\0\"\n", "x.yaml:1:4: a NUL character in a text\n"
			 " 1 | a: \"\\0\"\n"
			 "   |    ^^^^\n"},
	{"a: \x01\n", "x.yaml:1:4: not a text file: it holds the control character 0x01\n"
		      " 1 | a: \xef\xbf\xbd\n"
		      "   |    ^\n"},
	{"a: b\nc: \xe4\xf6\n", "x.yaml:2:4: not UTF-8 text: it holds the byte 0xe4\n"
				" 2 | c: \xef\xbf\xbd\xef\xbf\xbd\n"
				"   |    ^\n"
				"  hint: save it as UTF-8\n"},
	/* Each document has its own fault, and the last line of one is not told twice. */
	{"a: ]\n---\nb: 1\n---\nc: *x\n--- }\n--- {\n",
	 "x.yaml:1:4: a value is expected here\n"
	 " 1 | a: ]\n"
	 "   |    ^\n"
	 "x.yaml:5:4: `*x`: this document has no anchor `&x` before it\n"
	 " 5 | c: *x\n"
	 "   |    ^^\n"
	 "  hint: a text that begins with `*` must be quoted\n"
	 "x.yaml:6:5: a value is expected here\n"
	 " 6 | --- }\n"
	 "   |     ^\n"
	 "x.yaml:7:5: the text ends where a value is expected\n"
	 " 7 | --- {\n"
	 "   |     ^\n"},
};

static void test_syntax_faults(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_files_ struct yaml_files *f = read_text(bad[i].yaml);
		_free_ char *got = printed(f, NULL);
		assert_string_equal(got, bad[i].out);
	}
}

static void test_nul_and_utf16(void **state)
{
	(void)state;
	_files_ struct yaml_files *f = read_bytes("kind: x\n\0\0\0", 11);
	_free_ char *got = printed(f, NULL);
	assert_string_equal(got,
			    "x.yaml:2:1: not a text file: it holds the control character 0x00\n"
			    " 2 | \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\n"
			    "   | ^\n");
	_files_ struct yaml_files *wide = read_bytes("\xff\xfek\0i\0", 6);
	_free_ char *text = printed(wide, NULL);
	assert_string_equal(text,
			    "x.yaml: this is UTF-16 text, not UTF-8\n"
			    "  hint: save it as UTF-8 (in PowerShell: `... | Out-File -Encoding "
			    "utf8`)\n");
}

/* Positions ----------------------------------------------------------------------------------- */

static const char place_text[] =
	"# 注释\n"							  /* 1 */
	"kind: Service   # 服务\n"					  /* 2 */
	"metadata: {name: web, labels: {\"a.b/c\": x, b: &lab {k: v}}}\n" /* 3 */
	"spec:\n"							  /* 4 */
	"  ports:\n"							  /* 5 */
	"  - name: http\n"						  /* 6 */
	"    nodePort: 40000    # too high\n"				  /* 7 */
	"    empty:\n"							  /* 8 */
	"  - name: b\n"							  /* 9 */
	"    deep:\n"							  /* 10 */
	"      x: 1\n"							  /* 11 */
	"    text: |\n"							  /* 12 */
	"      mode: ipvs\n"						  /* 13 */
	"      ipvs: {scheduler: rr}\n"					  /* 14 */
	"    folded: abc\n"						  /* 15 */
	"      def\n"							  /* 16 */
	"  base: &base {a: 1, c: 3}\n"					  /* 17 */
	"  merged:\n"							  /* 18 */
	"    <<: [*base, *lab]\n"					  /* 19 */
	"    b: 2\n"							  /* 20 */
	"  al: *lab\n"							  /* 21 */
	"---\n"								  /* 22 */
	"kind: List\n"							  /* 23 */
	"items:\n"							  /* 24 */
	"- kind: A\n"							  /* 25 */
	"- kind: B\n"							  /* 26 */
	"  spec:\n"							  /* 27 */
	"    y: [1,\n"							  /* 28 */
	"      2]\n";							  /* 29 */

static const struct {
	int doc;
	enum fault_at at;
	const char *path, *want; /* line:column and the words underlined */
} places[] = {
	{0, FAULT_VALUE, "kind", "2:7 Service"},
	{0, FAULT_KEY, "kind", "2:1 kind"},
	{0, FAULT_VALUE, "", "2:1 kind: Service"},
	{0, FAULT_VALUE, "missing.x[3]", "2:1 kind: Service"},
	{0, FAULT_VALUE, "metadata.name", "3:18 web"},
	{0, FAULT_VALUE, "metadata.labels[\"a.b/c\"]", "3:41 x"},
	{0, FAULT_KEY, "metadata.labels[\"a.b/c\"]", "3:32 \"a.b/c\""},
	{0, FAULT_VALUE, "metadata.labels", "3:31 {\"a.b/c\": x, b: &lab {k: v}}"},
	{0, FAULT_VALUE, "metadata.labels[\"no\"]", "3:23 labels"},
	{0, FAULT_VALUE, "metadata.labels[\"no", "3:23 labels"}, /* no path: as far as it goes */
	{0, FAULT_VALUE, "spec.ports[0].nodePort", "7:15 40000"},
	{0, FAULT_KEY, "spec.ports[0].nodePort", "7:5 nodePort"},
	{0, FAULT_VALUE, "spec.ports[0].empty", "8:5 empty"},
	{0, FAULT_VALUE, "spec.ports[1].nodePort", "9:5 name: b"},
	{0, FAULT_VALUE, "spec.ports[1]", "9:5 name: b"},
	{0, FAULT_VALUE, "spec.ports[2]", "5:3 ports"},
	{0, FAULT_VALUE, "spec.ports.name", "5:3 ports"},
	{0, FAULT_VALUE, "spec.ports", "6:3 - name: http"},
	{0, FAULT_VALUE, "spec.ports[1].deep", "11:7 x: 1"},
	{0, FAULT_VALUE, "spec.ports[1].deep.y", "10:5 deep"},
	{0, FAULT_VALUE, "spec.ports[1].text", "12:11 |"},
	{0, FAULT_VALUE, "spec.ports[1].text.ipvs.scheduler", "14:25 rr"},
	{0, FAULT_KEY, "spec.ports[1].text.mode", "13:7 mode"},
	{0, FAULT_VALUE, "spec.ports[1].folded", "15:13 abc"},
	{0, FAULT_VALUE, "spec.ports[1].folded.x", "15:5 folded"},
	{0, FAULT_VALUE, "spec.merged.b", "20:8 2"},
	{0, FAULT_VALUE, "spec.merged.c", "17:25 3"},
	{0, FAULT_VALUE, "spec.merged.k", "3:56 v"},
	{0, FAULT_VALUE, "spec.merged.zz", "18:3 merged"},
	{0, FAULT_VALUE, "spec.al.k", "3:56 v"},
	{1, FAULT_VALUE, "kind", "23:7 List"},
	{1, FAULT_VALUE, "items[0].kind", "25:9 A"},
	{1, FAULT_VALUE, "items[0].spec", "25:3 kind: A"},
	{1, FAULT_VALUE, "items[1].spec.y", "28:8 [1,"},
	{1, FAULT_VALUE, "items[1].spec.y[1]", "29:7 2"},
	{1, FAULT_VALUE, "items[1].spec.y[2]", "28:5 y"},
	{1, FAULT_VALUE, "items[99999999999]", "24:1 items"},
};

/* "LINE:COL WORDS" out of what was printed for one fault. */
static char *underlined(const char *out)
{
	const char *line = strchr(out, '\n') + 1, *carets = strchr(line, '\n') + 1;
	size_t from = strcspn(carets, "^"), len = strspn(carets + from, "^");
	int pos = (int)strcspn(out + 7, " ") - 1;
	struct strbuf text = STRBUF_INIT;
	strbuf_addf(&text, "%.*s %.*s", pos, out + 7, (int)len, line + from);
	return strbuf_take(&text);
}

static void test_places(void **state)
{
	(void)state;
	_files_ struct yaml_files *f = read_text(place_text);
	assert_int_equal(json_array_size(yaml_files_docs(f)), 2);
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_arena_ struct arena *a = arena_new();
		struct faults faults = {.arena = a};
		fault_add(&faults, places[i].doc, places[i].at, "", places[i].path, "", "wrong");
		_free_ char *out = printed(f, &faults);
		_free_ char *got = underlined(out);
		if (strcmp(got, places[i].want) != 0)
			fail_msg("%s: got %s, want %s", places[i].path, got, places[i].want);
	}
}

/* Printing ------------------------------------------------------------------------------------ */

static void test_print_all(void **state)
{
	(void)state;
	_arena_ struct arena *a = arena_new();
	_files_ struct yaml_files *f = yaml_files_new();
	static const char one[] = "kind: A\nx: 1\n---\nkind: B\ny: 2\n";
	static const char two[] = "k: 1\nk: 2\n---\nname:\t\"中文\"\t# c\n";
	assert_int_equal(yaml_files_add_text(f, "one.yaml", one, strlen(one), NULL), 0);
	assert_int_equal(yaml_files_add_text(f, "two.yaml", two, strlen(two), NULL), 0);
	struct faults faults = {.arena = a};
	fault_add(&faults, -1, FAULT_VALUE, "", "", "add a Node", "no nodes");
	fault_add(&faults, 2, FAULT_VALUE, "Pod \033[31m", "name", "", "not a name: \xff");
	fault_add(&faults, 1, FAULT_KEY, "B default/b", "y", "did you mean `x`?", "unknown field");
	fault_add(&faults, 0, FAULT_VALUE, "", "x", "", "second");
	fault_add(&faults, 0, FAULT_VALUE, "", "x", "", "third");
	fault_add(&faults, 0, FAULT_VALUE, "", "kind", "", "first");
	faults.total += 5;
	_free_ char *got = printed(f, &faults);
	assert_string_equal(got, "one.yaml:1:7: kind: first\n"
				 " 1 | kind: A\n"
				 "   |       ^\n"
				 "one.yaml:2:4: x: second\n"
				 " 2 | x: 1\n"
				 "   |    ^\n"
				 "one.yaml:2:4: x: third\n"
				 " 2 | x: 1\n"
				 "   |    ^\n"
				 "one.yaml:5:1: B default/b: y: unknown field\n"
				 " 5 | y: 2\n"
				 "   | ^\n"
				 "  hint: did you mean `x`?\n"
				 "two.yaml:2:1: duplicate key `k`: it stands on line 1 already\n"
				 " 2 | k: 2\n"
				 "   | ^\n"
				 "two.yaml:4:7: Pod \\x1b[31m: name: not a name: \\xff\n"
				 " 4 | name:   \"中文\"  # c\n"
				 "   |         ^^^^^^\n"
				 "lab: no nodes\n"
				 "  hint: add a Node\n"
				 "... and 5 more\n");
}

/* The three lines of a fault in a long line: each within 100 columns, carets under the word. */
static void check_cut(const char *out, const char *word, const char *begin, const char *end)
{
	const char *line = strchr(out, '\n') + 1, *carets = strchr(line, '\n') + 1;
	size_t len = (size_t)(carets - 1 - line), at = strcspn(carets, "^");
	assert_true(len <= 100 && strcspn(carets, "\n") <= 100);
	assert_memory_equal(line + at, word, strlen(word));
	assert_memory_equal(line, begin, strlen(begin));
	assert_memory_equal(line + len - strlen(end), end, strlen(end));
}

static void test_print_cut(void **state)
{
	(void)state;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	strbuf_adds(&text, "{first: 1");
	for (int i = 0; i < 500; i++)
		strbuf_addf(&text, ", key%03d: value%03d", i, i);
	strbuf_adds(&text, "}");
	_files_ struct yaml_files *f = read_text(strbuf_str(&text));
	static const struct {
		const char *path, *word, *begin, *end;
	} cases[] = {
		{"first", "1, key000", " 1 | {first: 1, key", "..."},
		{"key005", "value005, ", " 1 | ...", "..."},
		{"key250", "value250, ", " 1 | ...", "..."},
		{"key499", "value499}", " 1 | ...", "key499: value499}"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_arena_ struct arena *a = arena_new();
		struct faults faults = {.arena = a};
		fault_add(&faults, 0, FAULT_VALUE, "", cases[i].path, "", "wrong");
		_free_ char *out = printed(f, &faults);
		check_cut(out, cases[i].word, cases[i].begin, cases[i].end);
	}
}

static void test_no_document_index(void **state)
{
	(void)state;
	_arena_ struct arena *a = arena_new();
	_files_ struct yaml_files *f = read_text("a: 1\n");
	struct faults faults = {.arena = a};
	fault_add(&faults, 7, FAULT_VALUE, "Pod default/p", "x.y", "", "made by the lab");
	_free_ char *out = printed(f, &faults);
	assert_string_equal(out, "lab: Pod default/p: x.y: made by the lab\n");
}

/* Limits -------------------------------------------------------------------------------------- */

static void add_times(struct strbuf *b, const char *s, unsigned n)
{
	while (n-- > 0)
		strbuf_adds(b, s);
}

static void test_depth(void **state)
{
	(void)state;
	_strbuf_ struct strbuf ok = STRBUF_INIT, much = STRBUF_INIT;
	strbuf_adds(&ok, "{a: ");
	add_times(&ok, "[", MAX_YAML_DEPTH - 1);
	add_times(&ok, "]", MAX_YAML_DEPTH - 1);
	strbuf_adds(&ok, "}");
	_files_ struct yaml_files *fine = read_text(strbuf_str(&ok));
	assert_int_equal(yaml_files_faults(fine), 0);
	assert_int_equal(json_array_size(yaml_files_docs(fine)), 1);

	add_times(&much, "[", 100 * 1024);
	_files_ struct yaml_files *f = read_text(strbuf_str(&much));
	_free_ char *out = printed(f, NULL);
	static const char want[] = "x.yaml:1:65: nested more than 64 levels deep\n";
	assert_memory_equal(out, want, strlen(want));
	assert_int_equal(yaml_files_faults(f), 1);
	check_cut(out, "[", " 1 | ...", "...");
}

/* Anchors that name each other multiply; each is 9 times the one before, or one level deeper. */
static void test_laughs(void **state)
{
	(void)state;
	_strbuf_ struct strbuf wide = STRBUF_INIT, deep = STRBUF_INIT, fat = STRBUF_INIT;
	strbuf_adds(&wide, "a0: &a0 [x,x,x,x,x,x,x,x,x]\n");
	strbuf_adds(&deep, "a0: &a0 [x]\n");
	for (int i = 1; i < 100; i++) {
		strbuf_addf(&deep, "a%d: &a%d [*a%d]\n", i, i, i - 1);
		strbuf_addf(&wide, "a%d: &a%d [*a%d", i, i, i - 1);
		for (int k = 0; k < 8; k++)
			strbuf_addf(&wide, ",*a%d", i - 1);
		strbuf_adds(&wide, "]\n");
	}
	strbuf_adds(&fat, "a: &a ");
	add_times(&fat, "0123456789abcdef", 65536);
	strbuf_adds(&fat, "\nb: [*a");
	add_times(&fat, ", *a", 200);
	strbuf_adds(&fat, "]\n");
	const struct {
		const char *yaml, *want;
	} cases[] = {
		{strbuf_str(&wide),
		 "x.yaml:8:10: more than 8000000 keys and values (an alias counts as all "
		 "that it stands for)\n"},
		{strbuf_str(&deep), "x.yaml:64:12: nested more than 64 levels deep\n"},
		{strbuf_str(&fat),
		 "x.yaml:2:509: more than 128 MiB of text (an alias counts as all that "
		 "it stands for)\n"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_files_ struct yaml_files *f = read_text(cases[i].yaml);
		assert_int_equal(yaml_files_faults(f), 1);
		_free_ char *out = printed(f, NULL);
		*(strchr(out, '\n') + 1) = '\0';
		assert_string_equal(out, cases[i].want);
	}
}

static void test_too_many_faults(void **state)
{
	(void)state;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	strbuf_adds(&text, "a: 1\n");
	add_times(&text, "a: 2\n", MAX_FAULTS + 20);
	_files_ struct yaml_files *f = read_text(strbuf_str(&text));
	assert_int_equal(yaml_files_faults(f), MAX_FAULTS + 20);
	_free_ char *out = printed(f, NULL);
	assert_string_equal(strstr(out, "..."), "... and 20 more\n");

	/* Bad documents without end: it gives up rather than to try each. */
	strbuf_reset(&text);
	add_times(&text, "---\n]\n", 100000);
	_files_ struct yaml_files *g = read_text(strbuf_str(&text));
	assert_int_equal(yaml_files_faults(g), MAX_FAULTS);
}

/* Files --------------------------------------------------------------------------------------- */

static char dir[] = "/tmp/test-yaml-XXXXXX";

static int make_dir(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int drop_dir(void **state)
{
	(void)state;
	return dir_remove(dir, NULL);
}

static const char *in_dir(const char *name)
{
	static char path[256];
	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return path;
}

static void put(const char *name, const char *text)
{
	assert_int_equal(file_write(in_dir(name), text, strlen(text), 0600, NULL), 0);
}

static void test_directory(void **state)
{
	(void)state;
	struct err err;
	assert_int_equal(dir_make(in_dir("d"), 0700, NULL), 0);
	_files_ struct yaml_files *f = yaml_files_new();
	_free_ char *path = strdup(in_dir("d"));
	assert_int_equal(yaml_files_add(f, path, &err), -EINVAL);
	assert_int_equal(err.cls, ERR_USAGE);
	assert_non_null(strstr(err.text, "/d: no *.yaml, *.yml or *.json in this directory"));
	put("d/b.yml", "n: 2\n");
	put("d/a.yaml", "n: 1\n");
	put("d/c.json", "{\"n\": 3}");
	put("d/empty.yaml", "# nothing\n");
	put("d/.hidden.yaml", "n: 9\n");
	put("d/notes.txt", "n: 9\n");
	assert_int_equal(yaml_files_add(f, path, &err), 0);
	_free_ char *got = json_of(f);
	assert_string_equal(got, "[{\"n\":1},{\"n\":2},{\"n\":3}]");
	put("d/b.yml", "n: ]\n");
	_files_ struct yaml_files *g = yaml_files_new();
	assert_int_equal(yaml_files_add(g, in_dir("d/"), &err), 0);
	_free_ char *out = printed(g, NULL);
	assert_non_null(strstr(out, "/d/b.yml:1:4: a value is expected here\n"));
}

static void test_no_file(void **state)
{
	(void)state;
	struct err err;
	_files_ struct yaml_files *f = yaml_files_new();
	assert_int_equal(yaml_files_add(f, in_dir("none.yaml"), &err), -ENOENT);
	assert_non_null(strstr(err.text, "none.yaml: No such file or directory"));
	put("empty.yaml", "");
	assert_int_equal(yaml_files_add(f, in_dir("empty.yaml"), &err), -EINVAL);
	assert_int_equal(err.cls, ERR_USAGE);
	assert_non_null(strstr(err.text, "empty.yaml: no documents in it"));
	assert_int_equal(yaml_files_add_text(f, "t", "---\n", 4, &err), -EINVAL);
	assert_string_equal(err.text, "t: no documents in it");
	assert_int_equal(yaml_files_faults(f), 0);
}

static void test_too_large(void **state)
{
	(void)state;
	put("large.yaml", "a: 1\n");
	_free_ char *path = strdup(in_dir("large.yaml"));
	assert_int_equal(truncate(path, (off_t)MAX_FILE_BYTES + 1), 0);
	_files_ struct yaml_files *f = yaml_files_new();
	struct err err;
	assert_int_equal(yaml_files_add(f, path, &err), 0);
	_free_ char *out = printed(f, NULL);
	assert_non_null(strstr(out, "large.yaml: the file is larger than 64 MiB\n"));
	assert_int_equal(yaml_files_faults(f), 1);

	_strbuf_ struct strbuf text = STRBUF_INIT;
	strbuf_adds(&text, "a: 1\n#");
	memset(strbuf_reserve(&text, MAX_FILE_BYTES), 'x', MAX_FILE_BYTES - text.len);
	_files_ struct yaml_files *g = yaml_files_new();
	assert_int_equal(yaml_files_add_text(g, "1", text.s, MAX_FILE_BYTES, &err), 0);
	assert_int_equal(yaml_files_add_text(g, "2", text.s, MAX_FILE_BYTES, &err), 0);
	assert_int_equal(yaml_files_faults(g), 0);
	assert_int_equal(yaml_files_add_text(g, "3", "b: 1\n", 5, &err), 0);
	_free_ char *all = printed(g, NULL);
	assert_string_equal(all, "3: with this file, all files together are larger than 128 MiB\n");
}

static void test_stdin(void **state)
{
	(void)state;
	put("in", "a: 1\n---\nb: ]\n");
	_close_ int old = dup(0), fd = open(in_dir("in"), O_RDONLY);
	assert_true(fd >= 0 && old >= 0);
	dup2(fd, 0);
	_files_ struct yaml_files *f = yaml_files_new();
	int r = yaml_files_add(f, "-", NULL);
	dup2(old, 0);
	assert_int_equal(r, 0);
	_free_ char *out = printed(f, NULL);
	assert_string_equal(out, "stdin:3:4: a value is expected here\n 3 | b: ]\n   |    ^\n");
}

/* A text inside a ConfigMap ------------------------------------------------------------------- */

static void test_to_json(void **state)
{
	(void)state;
	char text[256] = "";
	json_t *v = yaml_to_json("mode: \"\"\nipvs:\n  scheduler: rr\n", text);
	assert_string_equal(
		json_string_value(json_object_get(json_object_get(v, "ipvs"), "scheduler")), "rr");
	json_decref(v);
	static const struct {
		const char *yaml, *why;
	} cases[] = {
		{"", "no document in it"},
		{"a: 1\nb: ]\n", "line 2: a value is expected here"},
		{"a: 1\n---\nb: 1\n", "more than one document in it"},
		{"- a\n", "line 1: a document must be a mapping (`kind: ...`), not a list"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_null(yaml_to_json(cases[i].yaml, text));
		assert_string_equal(text, cases[i].why);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),		cmocka_unit_test(test_keys_stay_text),
		cmocka_unit_test(test_documents),	cmocka_unit_test(test_faulty_left_out),
		cmocka_unit_test(test_syntax_faults),	cmocka_unit_test(test_nul_and_utf16),
		cmocka_unit_test(test_places),		cmocka_unit_test(test_print_all),
		cmocka_unit_test(test_print_cut),	cmocka_unit_test(test_no_document_index),
		cmocka_unit_test(test_depth),		cmocka_unit_test(test_laughs),
		cmocka_unit_test(test_too_many_faults), cmocka_unit_test(test_directory),
		cmocka_unit_test(test_no_file),		cmocka_unit_test(test_too_large),
		cmocka_unit_test(test_stdin),		cmocka_unit_test(test_to_json),

	};
	return cmocka_run_group_tests(tests, make_dir, drop_dir);
}
