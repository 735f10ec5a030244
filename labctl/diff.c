/* SPDX-License-Identifier: MIT */
/* diff: the verb diff: what the kernel has against what the lab should have. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "labctl/client.h"
#include "labctl/verbs.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/view/term.h"

static const char *text_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));
	return s ? s : "";
}

/* Returns how many differences are left. */
static size_t print_items(const json_t *items)
{
	size_t i, left = 0;
	json_t *v;
	json_array_foreach ((json_t *)items, i, v) {
		bool mended = json_is_true(json_object_get(v, "mended"));
		_strbuf_ struct strbuf text =
			STRBUF_INIT; /* with names that root of a node chose */
		term_safe(text_at(v, "text"), &text);
		printf("%s: %s%s\n", text_at(v, "where"), strbuf_str(&text),
		       mended ? " (mended)" : "");
		left += !mended;
	}
	return left;
}

/* The lab as an operand or by -l. */
static int meant(const struct opts *o, enum engine_kind *k, const char **lab, struct err *err)
{
	struct opts named = *o;
	if (o->n_args)
		named.val[FLAG_LAB] = o->args[0];
	return client_lab(&named, k, lab, err);
}

int verb_diff(const struct opts *o, struct err *err)
{
	enum engine_kind k;
	const char *lab;
	json_t *result = NULL;
	int r = meant(o, &k, &lab, err);
	if (r < 0)
		return r;
	struct call c = {
		.name = "diff",
		.args = json_pack("{s:b, s:s*}", "fix", o->val[FLAG_FIX] != NULL, "lab", lab)};
	r = client_call(k, &c, &result, err);
	if (r < 0)
		return r;
	const json_t *items = json_object_get(result, "items");
	size_t left;
	if (o->val[FLAG_OUTPUT]) {
		size_t i;
		json_t *v;
		r = client_print(o->val[FLAG_OUTPUT], items, err);
		left = 0;
		json_array_foreach ((json_t *)items, i, v)
			left += !json_is_true(json_object_get(v, "mended"));
	} else {
		left = print_items(items);
		if (json_array_size(items) == 0)
			printf("lab %s is as it should be\n", text_at(result, "lab"));
	}
	json_decref(result);
	return r < 0 ? r : left ? ERR_DIFFERS : 0;
}
