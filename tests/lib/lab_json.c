/* SPDX-License-Identifier: MIT */
/* lab_json: FILE...: a lab's documents as the client sends them to labd, on one line: seeds of the
 * fuzz targets (tests/fuzz/README.md). */
#include <stdio.h>
#include <string.h>

#include "labctl/labfile.h"

int main(int argc, char **argv)
{
	struct labfile f;
	struct err err = {0};
	int r = labfile_load(&f, (const char *const *)argv + 1, argc - 1, &(struct cluster_opts){0},
			     &err);
	if (r < 0) {
		err_print(&err, "lab_json");
		return 1;
	}
	json_t *docs = labfile_documents(&f);
	json_dumpf(docs, stdout, JSON_COMPACT);
	json_decref(docs);
	labfile_free(&f);
	return 0;
}
