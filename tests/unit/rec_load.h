/* SPDX-License-Identifier: MIT */
/* rec_load: a recording of a real lab (tests/golden/recordings/NAME.json), with its steps. */
#ifndef UNIT_REC_LOAD_H
#define UNIT_REC_LOAD_H

#include "lib/recording/recording.h"

static inline struct recording *rec_load(struct arena *a, const char *name)
{
	json_t *o =
		json_load_file(arena_printf(a, "tests/golden/recordings/%s.json", name), 0, NULL);
	struct recording *r = NULL;
	struct err err = {0};
	assert_non_null(o);
	if (recording_from_json(a, o, &r, &err) < 0)
		fail_msg("%s: %s", name, err.text);
	json_decref(o);
	recording_reduce(r);
	return r;
}

#endif
