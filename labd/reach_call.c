/* SPDX-License-Identifier: MIT */
/* See reach_call.h. */
#include "labd/reach_call.h"

#include <errno.h>
#include <stdio.h>

#include "labd/trace/reach_run.h"

static const char *const hows[] = {[REACH_PING] = "ping",
				   [REACH_TCP] = "tcp",
				   [REACH_UDP] = "udp",
				   [REACH_NAME] = "dns",
				   [REACH_HTTP] = "http"};
static const char *const wants[] = {[REACH_OPEN] = "open",
				    [REACH_REFUSED] = "refused",
				    [REACH_DROPPED] = "dropped",
				    [REACH_CLOSED] = "closed",
				    [REACH_EITHER] = "either"};

static void on_progress(void *arg, size_t done, size_t total)
{
	char text[64];
	snprintf(text, sizeof(text), "%zu of %zu pairs", done, total);
	session_progress(arg, json_pack("{s:s}", "text", text));
}

int reach_call(struct session *s, const struct stored *lab, json_t **ret, struct err *err)
{
	struct arena *a = lab->arena;
	struct reach_list list;
	reach_build(a, lab->desired, &list);
	struct reach_result *res = arena_new_array(a, struct reach_result, list.v.n + 1);
	struct reach_result *own = arena_new_array(a, struct reach_result, list.listeners.n + 1);
	reach_run(lab, &list, a, res, own, &(struct reach_tell){on_progress, s});
	json_t *checks = json_array();
	for (size_t i = 0; i < list.v.n; i++) {
		const struct reach *r = &list.v.v[i];
		const char *detail = "";
		bool refused = false;
		for (size_t k = 0; k < r->listeners.n; k++)
			refused |= own[r->listeners.v[k]].got == GOT_REFUSED;
		bool ok = reach_judge(a, r, res[i].got, res[i].text, refused, &detail);
		json_array_append_new(checks,
				      json_pack("{s:s, s:s, s:s, s:s, s:s, s:b, s:s, s:f}", "kind",
						r->kind, "from", r->from_name, "to", r->to, "how",
						hows[r->how], "want", wants[r->want], "ok", ok,
						"detail", detail, "ms", res[i].ms));
	}
	*ret = json_pack("{s:s, s:o, s:s*}", "lab", lab->name, "checks", checks, "note", list.note);
	return *ret ? 0 : err_set(err, ENOMEM, "the checks cannot be written as JSON");
}
