/* SPDX-License-Identifier: MIT */
/*
 * methods: the calls of docs/PROTOCOL.md, each one short: read the arguments, call labd/lab, make
 * the result. Not for anything that decides or that touches the kernel itself.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "labd/capture_call.h"
#include "labd/change_call.h"
#include "labd/describe_call.h"
#include "labd/exec.h"
#include "labd/get_call.h"
#include "labd/lab/journal.h"
#include "labd/lab/kobjects.h"
#include "labd/lab/life.h"
#include "labd/lab/reap.h"
#include "labd/lab/pod_status.h"
#include "labd/lab/site.h"
#include "labd/lab/where.h"
#include "labd/kernel/kmod.h"
#include "labd/place.h"
#include "labd/reach_call.h"
#include "labd/session.h"
#include "labd/trace_call.h"
#include "lib/base/cleanup.h"
#include "lib/base/limits.h"

static const struct engine *engine(const struct session *s)
{
	return &s->server->engine;
}

static const char *str_arg(const json_t *args, const char *key)
{
	return json_string_value(json_object_get(args, key));
}

static int bad_arg(const char *name, const char *want, struct err *err)
{
	return err_setc(err, EINVAL, ERR_USAGE, "argument \"%s\" must be %s", name, want);
}

/* The lab a call means: args.lab, or the only one. */
static int pick_lab(const struct session *s, const json_t *args, char name[static 64],
		    struct err *err)
{
	const char *wanted = str_arg(args, "lab");
	if (wanted) {
		snprintf(name, 64, "%s", wanted);
		return 0;
	}
	json_t *names = store_list(engine(s)), *v;
	size_t n = json_array_size(names), i;
	int r = 0;
	if (n == 1) {
		snprintf(name, 64, "%s", json_string_value(json_array_get(names, 0)));
	} else if (n == 0) {
		err_setc(err, ENOENT, ERR_NOT_FOUND, "no lab is running");
		r = err_hint(err, "labctl up LAB; labctl labs lists the shipped ones");
	} else {
		_strbuf_ struct strbuf b = STRBUF_INIT;
		json_array_foreach (names, i, v)
			strbuf_addf(&b, "%s%s", i ? ", " : "", json_string_value(v));
		err_setc(err, EINVAL, ERR_USAGE, "several labs are running: %s", strbuf_str(&b));
		r = err_hint(err, "say which with -l LAB");
	}
	json_decref(names);
	return r;
}

static int load_lab(const struct session *s, const json_t *args, struct stored *ret,
		    struct err *err)
{
	char name[64];
	*ret = (struct stored){.lock = -1};
	int r = pick_lab(s, args, name, err);
	return r < 0 ? r : store_load(engine(s), name, ret, err);
}

/* ---- calls ------------------------------------------------------------------------------------
 */

static int m_version(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	*ret = json_pack("{s:s, s:i, s:s, s:s}", "version", wire_build(), "wire", WIRE_VERSION,
			 "engine", engine(s)->name, "kernel", s->server->probe.kernel);
	return 0;
}

static const char *backend_str(const struct session *s)
{
	return engine(s)->backend == IPT_LEGACY ? "legacy" : "nft";
}

static int m_doctor(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	*ret = json_pack("{s:s, s:s, s:s, s:o}", "engine", engine(s)->name, "kernel",
			 s->server->probe.kernel, "backend", backend_str(s), "rows",
			 probe_report(&s->server->probe));
	return 0;
}

static int m_suits(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	struct cluster c = {.iptables = IPT_AUTO};
	struct desired d = {.cluster = &c};
	const struct {
		const char *name;
		bool *need;
	} needs[] = {{"vxlan", &d.needs_vxlan}, {"ipip", &d.needs_ipip},
		     {"ipset", &d.needs_ipset}, {"ipvs", &d.needs_ipvs},
		     {"dummy", &d.needs_dummy}, {"nft", &d.needs_nft},
		     {"bird", &d.needs_bird}};
	const char *ipt = str_arg(args, "iptables");
	if (ipt && strcmp(ipt, "auto") != 0)
		c.iptables = strcmp(ipt, "nft") == 0 ? IPT_NFT : IPT_LEGACY;
	const char *version = str_arg(args, "kubernetes");
	for (enum kube_version k = KUBE_1_20; version && k <= KUBE_1_36; k++)
		if (strcmp(version, kube_version_str(k)) == 0) {
			c.kubernetes = k;
			c.is_lab = true;
		}
	size_t i;
	json_t *v;
	json_array_foreach (json_object_get(args, "needs"), i, v)
		for (size_t k = 0; k < ARRAY_SIZE(needs); k++)
			if (json_is_string(v) && strcmp(json_string_value(v), needs[k].name) == 0)
				*needs[k].need = true;
	struct err why = {0};
	const struct probe *p = &s->server->probe;
	if (probe_suits(p, &d, &why) == 0) {
		*ret = json_pack("{s:b}", "ok", true);
		return 0;
	}
	*ret = json_pack("{s:b, s:s, s:s}", "ok", false, "text", why.text, "hint", why.hint);
	if (probe_falls_back(p, &d)) {
		d.needs_ipvs = d.needs_dummy = d.needs_ipset = false;
		json_object_set_new(*ret, "falls_back",
				    json_boolean(probe_suits(p, &d, &why) == 0));
	}
	return 0;
}

/* What kube-proxy's log says when it can't use IPVS. */
static json_t *fallback_notes(const struct stored *lab)
{
	static const char why[] =
		"IPVS proxier will not be used because the following required "
		"kernel modules are not loaded: [ip_vs ip_vs_rr ip_vs_wrr ip_vs_sh]";
	bool old = lab->cluster->kubernetes == KUBE_1_20;
	const char *version = kube_version_str(lab->cluster->kubernetes);
	if (!lab->no_ipvs)
		return json_array();
	return json_pack("[s++++, s++]", "kube-proxy ", version, ": ",
			 old ? "can't determine whether to use ipvs proxy, error: "
			     : "Can't use the IPVS proxier: ",
			 why, "kube-proxy ", version,
			 old ? ": Using iptables Proxier." : ": Using iptables Proxier");
}

static void on_progress(void *arg, const char *node, const char *phase, int done, int total)
{
	session_progress(arg, json_pack("{s:s, s:s, s:i, s:i}", "node", node, "phase", phase,
					"done", done, "total", total));
}

static bool on_cancel(void *arg)
{
	return session_cancelled(arg);
}

/* Name of the lab in the documents: metadata.name of the `kind: Lab`. */
static const char *lab_name_of(const json_t *docs)
{
	size_t i;
	json_t *v;
	json_array_foreach (docs, i, v) {
		const char *kind = str_arg(v, "kind");
		if (kind && strcmp(kind, "Lab") == 0)
			return str_arg(json_object_get(v, "metadata"), "name");
	}
	return NULL;
}

static void reap(struct session *s)
{
	reap_all(engine(s));
}

static int m_up(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	json_t *docs = json_object_get(args, "objects");
	if (!json_is_array(docs))
		return bad_arg("objects", "an array of documents", err);
	const char *name = str_arg(args, "name"), *source = str_arg(args, "source");
	if (!name)
		name = lab_name_of(docs);
	if (!name) {
		err_setc(err, EINVAL, ERR_USAGE, "there is no \"kind: Lab\" in what was sent");
		return err_hint(err, "bare manifests can be planned (labctl plan), not brought up");
	}
	struct timespec t0, t1;
	clock_gettime(CLOCK_MONOTONIC, &t0);
	bool already = false;
	int r = 0;
	if (json_is_true(json_object_get(args, "fresh"))) {
		s->after = reap;
		r = lab_down(engine(s), name, &already, err);
	}
	struct lab_up u = {.name = name,
			   .documents = docs,
			   .source = source ? source : "",
			   .progress = on_progress,
			   .cancelled = on_cancel,
			   .arg = s};
	struct stored lab = {.lock = -1};
	if (r == 0)
		r = lab_up(engine(s), &u, &lab, &already, err);
	if (r < 0)
		return r;
	clock_gettime(CLOCK_MONOTONIC, &t1);
	int ms = (int)((t1.tv_sec - t0.tv_sec) * 1000 + (t1.tv_nsec - t0.tv_nsec) / 1000000);
	json_t *names = store_list(engine(s));
	*ret = json_pack("{s:o, s:b, s:i, s:o, s:i}", "lab", lab_json(s, &lab, !already), "already",
			 already, "took_ms", ms, "notes", fallback_notes(&lab), "labs",
			 (int)json_array_size(names));
	json_decref(names);
	stored_free(&lab);
	return 0;
}

static int m_down(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	bool all = json_is_true(json_object_get(args, "all"));
	json_t *names = all ? store_list(engine(s)) : json_incref(json_object_get(args, "labs"));
	if (!json_is_array(names)) {
		json_decref(names);
		return bad_arg("labs", "an array of names", err);
	}
	json_t *down = json_array(), *absent = json_array(), *v;
	size_t i;
	int r = 0;
	s->after = reap;
	json_array_foreach (names, i, v) {
		bool was = false;
		struct err one = {0};
		const char *name = json_string_value(v);
		int r1 = !name		       ? bad_arg("labs", "names", &one)
			 : store_name_ok(name) ? lab_down(engine(s), name, &was, &one)
					       : 0;
		if (r1 < 0 && r == 0) { /* go on with the others, report the first */
			r = r1;
			*err = one;
		} else if (r1 == 0) {
			json_array_append(was ? down : absent, v);
		}
	}
	json_decref(names);
	*ret = json_pack("{s:o, s:o}", "down", down, "absent", absent);
	return r;
}

static int m_where(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	struct stored lab;
	struct where w;
	int r = load_lab(s, args, &lab, err);
	if (r < 0)
		return r;
	r = place_resolve(&lab, args, &w, err);
	if (r == 0)
		*ret = json_pack("{s:s, s:s, s:s?, s:s, s:b}", "lab", lab.name, "kind", w.kind,
				 "ns", w.ns, "name", w.name, "busybox",
				 lab.desired->ns.v[w.dns].busybox_first);
	stored_free(&lab);
	return r;
}

static int argv_arg(struct arena *a, const json_t *args, const char *key, size_t max,
		    const char *const **ret, struct err *err)
{
	json_t *list = json_object_get(args, key), *v;
	size_t i, n = json_array_size(list);
	if (n > max)
		return err_setc(err, E2BIG, ERR_USAGE, "argument \"%s\" has more than %zu words",
				key, max);
	const char **argv = arena_new_array(a, const char *, n + 1);
	json_array_foreach (list, i, v) {
		if (!json_is_string(v) || strlen(json_string_value(v)) != json_string_length(v))
			return bad_arg(key, "an array of texts", err);
		argv[i] = json_string_value(v);
	}
	*ret = argv;
	return 0;
}

static int exec_in(struct session *s, const struct stored *lab, const struct where *w,
		   const json_t *args, int *ret_status, struct err *err)
{
	const struct dns *ns = &lab->desired->ns.v[w->dns];
	struct proc_run run = {.tty = json_is_true(json_object_get(args, "tty")),
			       .rows = (uint16_t)json_integer_value(json_object_get(args, "rows")),
			       .cols = (uint16_t)json_integer_value(json_object_get(args, "cols")),
			       .busybox_first = ns->busybox_first};
	int r = argv_arg(lab->arena, args, "argv", MAX_ARGS, &run.argv, err);
	if (r == 0)
		r = argv_arg(lab->arena, args, "env", MAX_ENV, &run.env, err);
	if (r == 0 && !run.argv[0])
		r = bad_arg("argv", "at least one word", err);
	struct nsproc p;
	if (r == 0)
		r = place_open(lab, w, &p, err);
	if (r < 0)
		return r;
	struct proc_child child;
	struct cgroup cg;
	struct cgroup_limits limits = lab_bounds(lab);
	cgroup_open(lab->dir, lab->name, &cg);
	run.cgroup = &cg;
	run.limits = &limits;
	r = proc_exec(&p, ns->kind, &run, &child, err);
	cgroup_close(&cg);
	close(p.netns);
	if (r < 0)
		return r;
	session_progress(s, json_pack("{s:b}", "started", true));
	return exec_relay(&s->w, &child, run.tty, json_is_true(json_object_get(args, "stdin")),
			  ret_status, err);
}

static int m_exec(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	struct stored lab;
	struct where w;
	int status = 0, r = load_lab(s, args, &lab, err);
	if (r < 0)
		return r;
	/* args live as long as the session; the frames that follow reuse the wire's buffer only. */
	r = place_resolve(&lab, args, &w, err);
	if (r == 0)
		r = exec_in(s, &lab, &w, args, &status, err);
	if (r == 0)
		*ret = json_pack("{s:i}", "exit", status);
	stored_free(&lab);
	return r;
}

static int m_trace(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	struct stored lab;
	int r = load_lab(s, args, &lab, err);
	if (r < 0)
		return r;
	r = trace_call(s, &lab, args, ret, err);
	stored_free(&lab);
	return r;
}

static int m_capture(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	struct stored lab;
	int r = load_lab(s, args, &lab, err);
	if (r == 0)
		r = capture_call(s, &lab, args, ret, err);
	stored_free(&lab);
	return r;
}

static int m_reach(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	struct stored lab;
	int r = load_lab(s, args, &lab, err);
	if (r == 0)
		r = reach_call(s, &lab, ret, err);
	stored_free(&lab);
	return r;
}

/* ---- changes: each for the lab that is meant ---------------------------------------------------
 */

typedef int (*lab_call_fn)(struct session *s, const char *lab, const json_t *args, json_t **ret,
			   struct err *err);

static int on_lab(struct session *s, lab_call_fn fn, const json_t *args, json_t **ret,
		  struct err *err)
{
	char name[64];
	int r = pick_lab(s, args, name, err);
	return r < 0 ? r : fn(s, name, args, ret, err);
}

static int m_describe(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return on_lab(s, describe_call, args, ret, err);
}

static int m_apply(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return on_lab(s, apply_call, args, ret, err);
}

static int m_delete(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return on_lab(s, delete_call, args, ret, err);
}

static int m_scale(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return on_lab(s, scale_call, args, ret, err);
}

static int m_ls(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return ls_call(s, ret);
}

static int m_get(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return on_lab(s, get_call, args, ret, err);
}

static int m_diff(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return on_lab(s, diff_call, args, ret, err);
}

/* ---- the engine itself ------------------------------------------------------------------------
 */

static int resident_kb(pid_t pid)
{
	char path[64], line[256];
	int kb = 0;
	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	_fclose_ FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "VmRSS: %d", &kb) == 1)
			break;
	return kb;
}

static int m_engine_status(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	json_t *names = store_list(engine(s));
	*ret = json_pack("{s:s, s:s, s:i, s:I, s:s, s:s, s:i, s:i, s:i}", "engine", engine(s)->name,
			 "version", wire_build(), "pid", (int)getppid(), "uptime_s",
			 (json_int_t)(time(NULL) - s->server->started), "kernel",
			 s->server->probe.kernel, "backend", backend_str(s), "labs",
			 (int)json_array_size(names), "idle_exit_s", (int)s->server->idle_exit,
			 "rss_kb", resident_kb(getppid()));
	json_decref(names);
	return 0;
}

static int tell_server(const struct session *s, struct server_msg m, struct err *err)
{
	if (write(s->server->ctl[1], &m, sizeof(m)) != sizeof(m))
		return err_sys(err, errno, "labd's main process");
	return 0;
}

static int m_engine_stop(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	return tell_server(s, (struct server_msg){SERVER_STOP, (unsigned)getpid()}, err);
}

static int m_engine_set(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	json_t *v = json_object_get(args, "idle_exit_s");
	if (!json_is_integer(v) || json_integer_value(v) < 0 || json_integer_value(v) > 1000000)
		return bad_arg("idle_exit_s", "a number of seconds", err);
	return tell_server(
		s, (struct server_msg){SERVER_IDLE_EXIT, (unsigned)json_integer_value(v)}, err);
}

static int m_engine_modules(struct session *s, const json_t *args, json_t **ret, struct err *err)
{
	if (s->uid != 0 && s->uid != geteuid())
		return err_setc(err, EPERM, ERR_DENIED, "only root may have kernel modules loaded");
	*ret = kmod_load();
	return 0;
}

const struct method methods[] = {
	{"version", m_version, true},
	{"doctor", m_doctor, false},
	{"suits", m_suits, false},
	{"up", m_up, false},
	{"down", m_down, false},
	{"ls", m_ls, false},
	{"get", m_get, false},
	{"where", m_where, false},
	{"exec", m_exec, false},
	{"trace", m_trace, false},
	{"capture", m_capture, false},
	{"reach", m_reach, false},
	{"describe", m_describe, false},
	{"apply", m_apply, false},
	{"delete", m_delete, false},
	{"scale", m_scale, false},
	{"diff", m_diff, false},
	{"engine.status", m_engine_status, true},
	{"engine.stop", m_engine_stop, true},
	{"engine.set", m_engine_set, false},
	{"engine.modules", m_engine_modules, false},
	{NULL, NULL, false},
};
