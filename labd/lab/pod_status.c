/* SPDX-License-Identifier: MIT */
/* See pod_status.h. */
#include "labd/lab/pod_status.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/kube/naming.h"

#define CODE_KILLED 137 /* 128 and SIGKILL: what is in a sandbox when that dies */

void time_stamp(time_t t, char buf[static 32])
{
	struct tm tm;
	gmtime_r(&t, &tm);
	strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

/* ---- the file -------------------------------------------------------------------------------- */

static const char *path_of(const char *dir, char buf[static PATH_MAX])
{
	snprintf(buf, PATH_MAX, "%s/pods.json", dir);
	return buf;
}

json_t *pod_status_load(const char *dir)
{
	char path[PATH_MAX];
	json_error_t je;
	json_t *all = json_load_file(path_of(dir, path), 0, &je);
	if (json_is_object(all))
		return all;
	json_decref(all);
	return json_object();
}

int pod_status_store(const char *dir, json_t *all, struct err *err)
{
	char path[PATH_MAX];
	char *text = json_dumps(all, JSON_COMPACT);
	if (!text)
		return err_set(err, ENOMEM, "%s: cannot be written as JSON", path_of(dir, path));
	int r = file_replace(path_of(dir, path), text, strlen(text), 0600, err);
	free(text);
	return r;
}

/* ---- what happens ---------------------------------------------------------------------------- */

static json_t *made(json_t *o, const char *key)
{
	json_t *v = json_object_get(o, key);
	if (json_is_object(v))
		return v;
	json_object_set_new(o, key, json_object());
	return json_object_get(o, key);
}

static json_int_t number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void add_to(json_t *o, const char *key, json_int_t n)
{
	json_object_set_new(o, key, json_integer(number(o, key) + n));
}

static json_t *program_json(const struct program_status *p)
{
	static const char *const states[] = {"running", "waiting", "ended"};
	return json_pack("{s:s, s:i, s:I, s:I, s:I, s:i, s:i}", "state", states[p->state],
			 "restarts", (int)p->restarts, "started", (json_int_t)p->started, "ended",
			 (json_int_t)p->ended, "endedStarted", (json_int_t)p->ended_started, "code",
			 p->code, "wait", p->wait);
}

bool pod_status_see(json_t *all, const char *ns, const struct program_status *v, size_t n)
{
	if (n == 0)
		return false;
	json_t *entry = made(all, ns), *programs = json_object();
	for (size_t i = 0; i < n; i++)
		json_object_set_new(programs, v[i].name, program_json(&v[i]));
	bool news = !json_equal(json_object_get(entry, "programs"), programs);
	json_object_set_new(entry, "programs", programs);
	return news;
}

void pod_status_again(json_t *all, const char *ns, time_t now)
{
	json_t *entry = made(all, ns), *base = made(entry, "base"), *p;
	const char *name;
	json_object_foreach (json_object_get(entry, "programs"), name, p)
		add_to(base, name, number(p, "restarts"));
	json_object_del(entry, "programs");
	add_to(entry, "again", 1);
	json_object_set_new(entry, "died", json_integer(now));
}

void pod_status_killed(json_t *all, const char *ns, const char *container, time_t now)
{
	json_t *entry = made(all, ns), *programs = made(entry, "programs");
	json_t *p = made(programs, container);
	const char *was = json_string_value(json_object_get(p, "state"));
	if (was && strcmp(was, "ended") == 0)
		return;
	json_object_set_new(p, "state", json_string("ended"));
	json_object_set_new(p, "code", json_integer(CODE_KILLED));
	json_object_set_new(p, "ended", json_integer(now));
	json_object_set_new(p, "endedStarted", json_integer(number(p, "started")));
}

/* ---- what it means --------------------------------------------------------------------------- */

static bool in_state(const json_t *program, const char *state)
{
	const char *s = json_string_value(json_object_get(program, "state"));
	return s && strcmp(s, state) == 0;
}

/* Started again at once: back before anybody could look. */
static bool waits(const json_t *program)
{
	return in_state(program, "waiting") && number(program, "wait") > 0;
}

json_t *pod_status_of_host(const json_t *node, const struct cpod *p)
{
	json_t *programs = json_object();
	char name[NAME_PROGRAMSIZ];
	vec_foreach (const struct container, c, &p->obj->spec.containers) {
		name_host_program(name, p->name, p->ns, c->name);
		json_t *v = json_object_get(json_object_get(node, "programs"), name);
		if (v)
			json_object_set(programs, c->name, v);
	}
	return json_pack("{s:o}", "programs", programs);
}

enum pod_condition pod_status_condition(const json_t *entry)
{
	const char *name;
	json_t *p;
	size_t ended = 0, failed = 0, wait = 0;
	json_t *programs = json_object_get(entry, "programs");
	json_object_foreach (programs, name, p) {
		ended += in_state(p, "ended");
		failed += in_state(p, "ended") && number(p, "code") != 0;
		wait += waits(p);
	}
	if (ended && ended == json_object_size(programs))
		return failed ? POD_FAILED : POD_SUCCEEDED;
	return ended || wait ? POD_NOT_READY : POD_READY;
}

/* A duration as Go writes it: 10s, 1m20s, 5m0s. */
static void go_seconds(json_int_t s, char *buf, size_t size)
{
	if (s < 60)
		snprintf(buf, size, "%ds", (int)s);
	else
		snprintf(buf, size, "%dm%ds", (int)(s / 60), (int)(s % 60));
}

static json_t *terminated(json_int_t code, json_int_t started, json_int_t ended)
{
	char from[32], to[32];
	time_stamp((time_t)started, from);
	time_stamp((time_t)ended, to);
	return json_pack("{s:{s:i, s:s, s:s, s:s}}", "terminated", "exitCode", (int)code, "reason",
			 code ? "Error" : "Completed", "startedAt", from, "finishedAt", to);
}

static json_t *last_end(const json_t *program)
{
	return terminated(number(program, "code"), number(program, "endedStarted"),
			  number(program, "ended"));
}

static json_t *back_off(const json_t *program, const struct pod_container *c)
{
	char wait[32], text[1024];
	go_seconds(number(program, "wait"), wait, sizeof(wait));
	snprintf(text, sizeof(text), "back-off %s restarting failed container=%s pod=%s", wait,
		 c->name, c->pod);
	return json_pack("{s:{s:s, s:s}}", "waiting", "reason", "CrashLoopBackOff", "message",
			 text);
}

static json_t *running(json_int_t since)
{
	char at[32];
	time_stamp((time_t)since, at);
	return json_pack("{s:{s:s}}", "running", "startedAt", at);
}

json_t *pod_status_container(const json_t *entry, const struct pod_container *c)
{
	const json_t *p = json_object_get(json_object_get(entry, "programs"), c->name);
	json_int_t again = number(entry, "again"), died = number(entry, "died");
	json_int_t restarts = c->before + again + number(json_object_get(entry, "base"), c->name) +
			      number(p, "restarts");
	json_int_t since = died ? died : (json_int_t)c->created;
	bool ended = in_state(p, "ended"), up = !ended && !waits(p) && !c->dead;
	json_t *state = ended	   ? last_end(p)
			: waits(p) ? back_off(p, c)
				   : running(p ? number(p, "started") : since);
	json_t *o = json_pack("{s:s, s:s, s:b, s:i, s:b, s:o}", "name", c->name, "image",
			      c->image ? c->image : "", "ready", up, "restartCount", (int)restarts,
			      "started", up, "state", state);
	if (p && !ended && number(p, "ended"))
		json_object_set_new(o, "lastState", last_end(p));
	else if (!ended && again)
		json_object_set_new(o, "lastState", terminated(CODE_KILLED, c->created, died));
	else if (!ended && restarts)
		json_object_set_new(o, "lastState", terminated(0, c->created, c->created));
	return o;
}

bool pod_status_untold(const json_t *all)
{
	const char *ns;
	json_t *entry;
	json_object_foreach ((json_t *)all, ns, entry)
		if (json_is_true(json_object_get(entry, "down")) !=
		    (pod_status_condition(entry) != POD_READY))
			return true;
	return false;
}

void pod_status_told(json_t *all)
{
	const char *ns;
	json_t *entry;
	json_object_foreach (all, ns, entry)
		json_object_set_new(entry, "down",
				    json_boolean(pod_status_condition(entry) != POD_READY));
}

json_t *pod_status_containers(const json_t *entry, const struct cpod *p, time_t created, bool dead)
{
	json_t *list = json_array();
	char pod[MAX_NAME * 2 + 64];
	snprintf(pod, sizeof(pod), "%s_%s(%s)", p->name, p->ns, p->uid);
	vec_foreach (const struct container, c, &p->obj->spec.containers) {
		/* What was counted before the lab was brought up goes on. */
		struct pod_container how = {.name = c->name,
					    .image = c->image,
					    .pod = pod,
					    .before = p->obj->restarts,
					    .created = created,
					    .dead = dead};
		json_array_append_new(list, pod_status_container(entry, &how));
	}
	return list;
}
