/* SPDX-License-Identifier: MIT */
/* See place.h. */
#include "labd/place.h"

#include <errno.h>

#include "labd/lab/journal.h"

int place_resolve(const struct stored *lab, const json_t *args, struct where *ret, struct err *err)
{
	const char *text = json_string_value(json_object_get(args, "where"));
	const char *ns = json_string_value(json_object_get(args, "ns"));
	if (!text)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"where\" must be a text");
	return where_resolve(lab->desired, text, ns ? ns : "default", ret, err);
}

int place_open(const struct stored *lab, const struct where *w, struct nsproc *ret, struct err *err)
{
	struct journal j;
	int r = journal_read(lab->dir, lab->arena, &j, err);
	if (r < 0)
		return r;
	const struct journal_proc *jp = journal_proc_find(&j, lab->desired->ns.v[w->dns].name);
	if (!jp || !proc_alive(jp->pid, jp->starttime))
		return err_setc(err, ESRCH, ERR_FAILED, "%s %s of lab %s is not running", w->kind,
				w->name, lab->name);
	return proc_open(jp->pid, jp->starttime, ret, err);
}
