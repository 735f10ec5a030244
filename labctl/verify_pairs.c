/* SPDX-License-Identifier: MIT */
/* verify_pairs: who reaches what: the engine tries every pair at once (call "reach") and says what
 * came of it; here its answer becomes checks. */
#include "labctl/verify.h"
#include <unistd.h>

#include "labctl/progress.h"
#include "lib/view/obj.h"

#define PAIRS_TIMEOUT_S 120

static struct check check_of(struct arena *a, const json_t *o)
{
	return (struct check){
		.kind = arena_strdup(a, obj_str(o, "kind", "?")),
		.from = arena_strdup(a, obj_str(o, "from", "?")),
		.to = arena_strdup(a, obj_str(o, "to", "?")),
		.how = arena_strdup(a, obj_str(o, "how", "?")),
		.want = arena_strdup(a, obj_str(o, "want", "?")),
		.ok = json_is_true(json_object_get(o, "ok")),
		.detail = arena_strdup(a, obj_str(o, "detail", "")),
		.seconds = json_number_value(json_object_get(o, "ms")) / 1000,
	};
}

int verify_pairs(struct verify *v, struct err *err)
{
	json_t *result = NULL, *o;
	size_t i;
	struct progress *p = isatty(STDOUT_FILENO) ? progress_new("checked") : NULL;
	struct call call = {.name = "reach",
			    .args = json_pack("{s:s*}", "lab", v->lab),
			    .progress = p ? progress_take : NULL,
			    .arg = p,
			    .timeout_s = PAIRS_TIMEOUT_S};
	int r = client_call(v->engine, &call, &result, err);
	if (p)
		progress_free(p);
	if (r < 0)
		return r;
	json_array_foreach (json_object_get(result, "checks"), i, o)
		*vec_push(v->a, &v->checks) = check_of(v->a, o);
	v->note = arena_strdup(v->a, obj_str(result, "note", NULL));
	json_decref(result);
	return 0;
}
