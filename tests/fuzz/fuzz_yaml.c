/* SPDX-License-Identifier: MIT */
/*
 * fuzz_yaml: lab files. Whatever the text, lib/yaml ends in documents or in faults that print; what
 * it read can be written as YAML and is then read as the same.
 */
#include <stdio.h>

#include "lib/base/cleanup.h"
#include "lib/yaml/yaml.h"
#include "tests/fuzz/fuzz.h"

static FILE *sink;

static void round_trip(const json_t *doc)
{
	char why[256] = "";
	_free_ char *text = yaml_from_json(doc);
	json_t *again = yaml_to_json(text, why);
	fuzz_assert(again && json_equal(doc, again));
	json_decref(again);
}

/* A fault at some path of each document: where it stands is looked up in the text. */
static void print_faults(const struct yaml_files *f)
{
	static const char *const paths[] = {"",
					    "kind",
					    "metadata.name",
					    "spec.ports[0].nodePort",
					    "data[\"config.conf\"].ipvs.scheduler",
					    "items[1].spec",
					    "a.b[3].c"};
	_arena_ struct arena *a = arena_new();
	struct faults faults = {.arena = a};
	for (size_t i = 0; i < json_array_size(yaml_files_docs(f)) && i < 4; i++)
		for (size_t k = 0; k < ARRAY_SIZE(paths); k++)
			fault_add(&faults, (int)i, k & 1 ? FAULT_KEY : FAULT_VALUE, "Pod x/y",
				  paths[k], "a hint", "a fault");
	rewind(sink);
	yaml_files_print(f, &faults, sink);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char why[256] = "";
	size_t k;
	json_t *doc;
	if (!sink && !(sink = fopen("/dev/null", "w")))
		abort();
	struct yaml_files *f = yaml_files_new();
	struct err err;
	int r = yaml_files_add_text(f, "t", (const char *)data, size, &err);
	fuzz_assert(r == 0 || yaml_files_faults(f) == 0);
	json_array_foreach (yaml_files_docs(f), k, doc)
		round_trip(doc);
	print_faults(f);
	yaml_files_free(f);
	struct fuzz_in in = {data, size};
	_free_ uint8_t *text = fuzz_take(&in, size, 1, &size);
	json_decref(yaml_to_json((const char *)text, why));
	return 0;
}
