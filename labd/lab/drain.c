/* SPDX-License-Identifier: MIT */
/* See drain.h. */
#include "labd/lab/drain.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "labd/kernel/ipvs.h"
#include "labd/lab/site.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/log.h"

static const char *mark_of(const char *dir, char buf[static 300])
{
	snprintf(buf, 300, "%s/draining", dir);
	return buf;
}

void drain_note(const char *dir)
{
	char path[300];
	struct err err;
	if (file_write(mark_of(dir, path), "", 0, 0600, &err) < 0)
		log_warn("%s", err.text);
}

static bool waits(const struct engine *e, const char *lab)
{
	char dir[280], path[300];
	snprintf(dir, sizeof(dir), "%s/labs/%s", e->run, lab);
	return access(mark_of(dir, path), F_OK) == 0;
}

bool drain_pending(const struct engine *e)
{
	json_t *names = store_list(e), *v;
	size_t i;
	bool any = false;
	json_array_foreach (names, i, v)
		any = any || waits(e, json_string_value(v));
	json_decref(names);
	return any;
}

static int drain_nodes(struct site *s, unsigned *left, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	struct journal j;
	int r = journal_read(s->lab.dir, a, &j, err);
	for (int i = 0; r >= 0 && i < (int)s->lab.desired->ns.n; i++) {
		const struct dns *ns = &s->lab.desired->ns.v[i];
		if (!ns->ipvs)
			continue;
		r = site_open(s, &j, i, err);
		if (r == 1)
			r = ipvs_drain(s->netns[i], ns, left, err);
	}
	return r;
}

static int drain_lab(const struct engine *e, const char *name, struct err *err)
{
	struct site s;
	char path[300];
	unsigned left = 0;
	_lab_lock_ struct lab_lock lock;
	int r = store_lock(&lock, e, name, false, err);
	if (r < 0)
		return r == -EBUSY ? 0 : r;
	site_init(&s, e, name);
	r = store_load(e, name, &s.lab, err);
	if (r == 0)
		r = site_slots(&s, err);
	if (r == 0)
		r = drain_nodes(&s, &left, err);
	if (r >= 0 && left == 0)
		unlink(mark_of(s.lab.dir, path));
	site_free(&s);
	return r;
}

void drain_all(const struct engine *e)
{
	json_t *names = store_list(e), *v;
	size_t i;
	json_array_foreach (names, i, v) {
		struct err err = {0};
		const char *name = json_string_value(v);
		if (waits(e, name) && drain_lab(e, name, &err) < 0)
			log_warn("lab %s: ending what drains: %s", name, err.text);
	}
	json_decref(names);
}
