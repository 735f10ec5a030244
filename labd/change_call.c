/* SPDX-License-Identifier: MIT */
/* See change_call.h. */
#include "labd/change_call.h"

#include <errno.h>
#include <time.h>

#include "labd/lab/change.h"
#include "lib/base/limits.h"

static int bad_arg(const char *name, const char *want, struct err *err)
{
	return err_setc(err, EINVAL, ERR_USAGE, "argument \"%s\" must be %s", name, want);
}

static int64_t now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* One change, told as the protocol has it. */
static int change(struct session *s, const char *lab, edit_fn edit, const json_t *args,
		  const json_t *sent, json_t **ret, struct err *err)
{
	struct change_result res;
	int64_t from = now_us();
	int r = lab_change(&s->server->engine, lab, edit, (void *)args, sent, &res, err);
	s->faults = res.faults;
	if (r < 0)
		return r;
	*ret = json_pack("{s:s, s:o, s:i, s:i, s:f}", "lab", lab, "objects", res.lines, "made",
			 (int)res.made, "gone", (int)res.gone, "took_ms",
			 (double)(now_us() - from) / 1000);
	return 0;
}

static int edit_apply(json_t *docs, const struct stored *before, struct edit *e, void *arg,
		      struct err *err)
{
	(void)before;
	return docs_apply(docs, json_object_get(arg, "objects"), e, err);
}

int apply_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
	       struct err *err)
{
	const json_t *sent = json_object_get(args, "objects");
	if (!json_is_array(sent))
		return bad_arg("objects", "an array of documents", err);
	return change(s, lab, edit_apply, args, sent, ret, err);
}

static int edit_delete(json_t *docs, const struct stored *before, struct edit *e, void *arg,
		       struct err *err)
{
	size_t i;
	json_t *v;
	int r = 0;
	json_array_foreach (json_object_get(arg, "objects"), i, v) {
		const char *kind = doc_str(v, "kind"), *ns = doc_str(v, "ns");
		const char *name = doc_str(v, "name");
		if (!kind || !name)
			return bad_arg("objects", "an array of {kind, ns, name}", err);
		r = docs_delete(docs, before->cluster, kind, ns ? ns : "default", name, e, err);
		if (r < 0)
			break;
	}
	return r;
}

int delete_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
		struct err *err)
{
	if (!json_is_array(json_object_get(args, "objects")))
		return bad_arg("objects", "an array of {kind, ns, name}", err);
	return change(s, lab, edit_delete, args, NULL, ret, err);
}

static int edit_scale(json_t *docs, const struct stored *before, struct edit *e, void *arg,
		      struct err *err)
{
	const char *ns = doc_str(arg, "ns"), *name = doc_str(arg, "name");
	(void)before;
	return docs_scale(docs, ns ? ns : "default", name,
			  (unsigned)json_integer_value(json_object_get(arg, "replicas")), e, err);
}

int scale_call(struct session *s, const char *lab, const json_t *args, json_t **ret,
	       struct err *err)
{
	json_t *n = json_object_get(args, "replicas");
	if (!doc_str(args, "name"))
		return bad_arg("name", "a text", err);
	if (!json_is_integer(n) || json_integer_value(n) < 0 || json_integer_value(n) > MAX_PODS)
		return bad_arg("replicas", "a number of pods", err);
	return change(s, lab, edit_scale, args, NULL, ret, err);
}

int diff_call(struct session *s, const char *lab, const json_t *args, json_t **ret, struct err *err)
{
	json_t *items = NULL;
	int r = lab_diff(&s->server->engine, lab, json_is_true(json_object_get(args, "fix")),
			 &items, err);
	if (r < 0) {
		json_decref(items);
		return r;
	}
	*ret = json_pack("{s:s, s:o}", "lab", lab, "items", items);
	return 0;
}
