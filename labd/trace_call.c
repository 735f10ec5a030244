/* SPDX-License-Identifier: MIT */
/* See trace_call.h. */
#include "labd/trace_call.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>

#include "labd/trace/arm.h"
#include "labd/trace/tracer.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

static void on_progress(void *arg, const char *text)
{
	session_progress(arg, json_pack("{s:s}", "text", text));
}

static void on_note(void *arg, const char *text)
{
	session_progress(arg, json_pack("{s:s}", "note", text));
}

static void on_frozen(void *arg, const struct freeze_at *at)
{
	session_progress(arg, json_pack("{s:{s:s, s:s, s:s, s:s, s:i, s:s}}", "frozen", "node",
					at->node, "hook", at->hook, "table", at->table, "packet",
					at->packet, "left_s", (int)at->left_s, "try", at->try));
}

/* The client's frame {"go": true}, or its end: then nothing is held any more. */
static enum freeze_key on_key(void *arg)
{
	struct session *s = arg;
	struct pollfd p = {.fd = s->w.fd, .events = POLLIN};
	json_t *msg = NULL;
	if (s->gone)
		return FREEZE_GO_ALL;
	if (!wire_pending(&s->w) && poll(&p, 1, 0) <= 0)
		return FREEZE_HOLD;
	if (wire_recv_json(&s->w, &msg, NULL) <= 0)
		return FREEZE_GO_ALL;
	bool go = json_is_true(json_object_get(msg, "go"));
	json_decref(msg);
	return go ? FREEZE_GO : FREEZE_HOLD;
}

/* How long it stood is no property of the way. */
static void forget_times(struct recording *rec)
{
	vec_foreach (struct rec_step, s, &rec->steps)
		s->delta_ns = s->median_ns = -1;
}

static int read_args(const json_t *args, struct trace_opts *o, struct err *err)
{
	const json_t *dns = json_object_get(args, "dns");
	json_int_t timing = json_integer_value(json_object_get(args, "timing"));
	json_int_t wait = json_integer_value(json_object_get(args, "wait_ms"));
	json_int_t size = json_integer_value(json_object_get(args, "size"));
	o->from = json_string_value(json_object_get(args, "from"));
	o->to = json_string_value(json_object_get(args, "to"));
	o->ns = json_string_value(json_object_get(args, "ns"));
	o->ns = o->ns ? o->ns : "default";
	o->dns = !dns || json_is_true(dns);
	if (!o->from || !o->to)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"%s\" must be a text",
				o->from ? "to" : "from");
	if (timing < 0 || timing > TRACE_TIMING_MAX)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"timing\" must be 0 to %d",
				TRACE_TIMING_MAX);
	if (wait < 0 || wait > TRACE_WAIT_MAX)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"wait_ms\" must be 0 to %d",
				TRACE_WAIT_MAX);
	o->timing = (unsigned)timing;
	o->wait_ms = (unsigned)wait;
	if (size < 0 || size > MAX_PROBE_BYTES)
		return err_setc(err, EINVAL, ERR_USAGE, "argument \"size\" must be 0 to %d",
				MAX_PROBE_BYTES);
	o->size = (unsigned)size;
	return 0;
}

int trace_call(struct session *s, const struct stored *lab, const json_t *args, json_t **ret,
	       struct err *err)
{
	char tool[128];
	snprintf(tool, sizeof(tool), "labd %s", wire_build());
	struct trace_opts o = {.tool = tool, .progress = on_progress, .note = on_note, .arg = s};
	const struct freezer freezer = {.frozen = on_frozen, .key = on_key, .arg = s};
	struct recording *rec = NULL;
	int r = read_args(args, &o, err);
	if (r == 0 && json_is_true(json_object_get(args, "freeze"))) {
		o.freeze = &freezer;
		if (!s->server->probe.nfqueue)
			return err_setc(err, EOPNOTSUPP, ERR_UNSUPPORTED,
					"this kernel cannot hold a packet: it has no NFQUEUE");
	}
	if (r == 0)
		r = trace_run(&s->server->engine, lab, &o, lab->arena, &rec, err);
	if (r < 0)
		return r;
	recording_reduce(rec);
	if (o.freeze)
		forget_times(rec);
	if (o.freeze && rec->dns)
		forget_times(rec->dns);
	*ret = json_pack("{s:o}", "recording", recording_to_json(rec, false));
	return *ret ? 0 : err_set(err, ENOMEM, "the recording cannot be written as JSON");
}

/* Did a killed trace leave something there? */
static bool is_armed(const struct engine *e, const char *name)
{
	char path[PATH_MAX];
	struct stat st;
	snprintf(path, sizeof(path), "%s/labs/%s/" ARM_FILE, e->run, name);
	return stat(path, &st) == 0 && st.st_size > 0;
}

void trace_disarm_all(const struct engine *e)
{
	json_t *names = store_list(e), *v;
	size_t i;
	json_array_foreach (names, i, v) {
		struct stored lab;
		struct err err = {0};
		if (!is_armed(e, json_string_value(v)))
			continue;
		if (store_load(e, json_string_value(v), &lab, &err) == 0) {
			trace_disarm_stale(&lab, &err);
			stored_free(&lab);
		}
		if (err.code)
			log_warn("lab %s: %s", json_string_value(v), err.text);
	}
	json_decref(names);
}
