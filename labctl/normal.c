/* SPDX-License-Identifier: MIT */
/* normal: the hidden verb __normal FILE: the normal form of a recording that was stored with -o
 * json, as tests compare it with golden files. "-": standard input. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "labctl/client.h"
#include "lib/recording/recording.h"

int verb_normal(const struct opts *o, struct err *err)
{
	json_error_t fault;
	const char *file =
		o->n_command ? o->command[0] : "-"; /* hidden verbs have their words there */
	bool in = strcmp(file, "-") == 0;
	json_t *json = in ? json_loadf(stdin, 0, &fault) : json_load_file(file, 0, &fault);
	if (!json)
		return err_set(err, EINVAL, "%s: %s", file, fault.text);
	_arena_ struct arena *a = arena_new();
	struct recording *r = NULL;
	int k = recording_from_json(a, json, &r, err);
	if (k == 0) {
		json_t *normal = recording_normal(r);
		k = client_print("json", normal, err);
		json_decref(normal);
	}
	json_decref(json);
	return k;
}
