/* SPDX-License-Identifier: MIT */
/*
 * lib/yaml against real manifests, whole and damaged: whole they parse and survive being written
 * out and read again; cut or altered anywhere they end in documents or in faults that print.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/yaml/yaml.h"

static const char *const patterns[] = {
	"tests/golden/kube-proxy/cases/*.yaml",
	"tests/golden/kube-proxy/real/*/*.yaml",
	"tests/golden/*.yaml",
	"labs/*.yaml",
};

static glob_t files;

static int find_files(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
		glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &files);
	return files.gl_pathc > 20 ? 0 : -1;
}

static int drop_files(void **state)
{
	(void)state;
	globfree(&files);
	return 0;
}

static void read_into(struct strbuf *text, const char *path)
{
	strbuf_reset(text);
	assert_int_equal(file_read(path, MAX_FILE_BYTES, text, NULL), 0);
}

static void test_whole(void **state)
{
	(void)state;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		struct yaml_files *f = yaml_files_new();
		assert_int_equal(yaml_files_add(f, files.gl_pathv[i], NULL), 0);
		assert_int_equal(yaml_files_faults(f), 0);
		size_t k;
		json_t *doc;
		json_array_foreach (yaml_files_docs(f), k, doc) {
			char why[256] = "";
			_free_ char *text = yaml_from_json(doc);
			json_t *again = yaml_to_json(text, why);
			if (!again || !json_equal(doc, again))
				fail_msg("%s: %s\n%s", files.gl_pathv[i], why, text);
			json_decref(again);
		}
		yaml_files_free(f);
	}
}

/* Read it and print what is wrong: no document is then an error only where no fault is. */
static void try(const char *text, size_t len, FILE *out)
{
	struct yaml_files *f = yaml_files_new();
	struct err err;
	int r = yaml_files_add_text(f, "t", text, len, &err);
	assert_true(r == 0 || yaml_files_faults(f) == 0);
	rewind(out);
	yaml_files_print(f, NULL, out);
	yaml_files_free(f);
}

static void test_truncated(void **state)
{
	(void)state;
	_strbuf_ struct strbuf text = STRBUF_INIT;
	_fclose_ FILE *out = fopen("/dev/null", "w");
	assert_non_null(out);
	for (size_t i = 0; i < files.gl_pathc; i++) {
		read_into(&text, files.gl_pathv[i]);
		size_t step = text.len / 100 + 1;
		for (size_t len = i % step; len < text.len; len += step)
			try(text.s, len, out);
	}
}

/* A fixed sequence, so that a failure comes again. */
static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void test_altered(void **state)
{
	(void)state;
	static const char bits[] = "[]{},:&*!|>'\"%@`-?#\t\n\r \\<~0x.\xe4\xf0\x80\xc2\x85";
	_strbuf_ struct strbuf text = STRBUF_INIT;
	_fclose_ FILE *out = fopen("/dev/null", "w");
	assert_non_null(out);
	uint32_t seed = 1;
	for (size_t i = 0; i < files.gl_pathc; i++) {
		for (int k = 0; k < 40; k++) {
			read_into(&text, files.gl_pathv[i]);
			for (int n = k % 4; n >= 0; n--)
				text.s[next_random(&seed) % text.len] =
					bits[next_random(&seed) % (sizeof(bits) - 1)];
			try(text.s, text.len, out);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_altered),
	};
	return cmocka_run_group_tests(tests, find_files, drop_files);
}
