/* SPDX-License-Identifier: MIT */
/* engine_verbs: the verbs engine, doctor and version. */
#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labctl/client.h"
#include "labctl/engine.h"
#include "labctl/paths.h"
#include "labctl/progress.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/view/age.h"
#include "lib/view/obj.h"
#include "lib/view/table.h"

#define NOBODY	       65534
#define STOP_WAIT_MS   15000
#define MAX_IDLE_MIN   (30 * 24 * 60)
#define SHORT_TIMEOUT  10
#define MODULE_TIMEOUT 60

static bool wanted(const struct opts *o, enum engine_kind k)
{
	const char *w = o->val[FLAG_ENGINE];
	return !w || strcmp(w, engine_name(k)) == 0;
}

static const char *form_of(const struct opts *o)
{
	return o->val[FLAG_OUTPUT];
}

static void print_table(struct strbuf *text)
{
	_strbuf_ struct strbuf table = STRBUF_INIT;
	view_tabs_get(strbuf_str(text), &table);
	fputs(strbuf_str(&table), stdout);
}

/* A call without arguments; NULL with *err when it does not answer. */
static json_t *ask(enum engine_kind k, const char *name, struct err *err)
{
	json_t *result = NULL;
	struct call c = {.name = name, .timeout_s = SHORT_TIMEOUT};
	return client_call(k, &c, &result, err) < 0 ? NULL : result;
}

/* ---- engine ---------------------------------------------------------------------------------- */

static void status_row(const json_t *s, struct strbuf *text)
{
	char up[AGE_LEN], idle[AGE_LEN];
	json_int_t idle_s = obj_int(s, "idle_exit_s", 0);
	strbuf_addf(text, "%s\trunning\t%s\t%lld\t%s\t%lld\t%s\t%s\t%lld KB\n",
		    obj_str(s, "engine", ""), obj_str(s, "version", ""),
		    (long long)obj_int(s, "pid", 0), age_str(obj_int(s, "uptime_s", 0), up),
		    (long long)obj_int(s, "labs", 0), idle_s ? age_str(idle_s, idle) : "never",
		    obj_str(s, "kernel", ""), (long long)obj_int(s, "rss_kb", 0));
}

static int engine_status(const struct opts *o, struct err *err)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	json_t *all = json_array();
	strbuf_adds(&text, "ENGINE\tSTATE\tBUILD\tPID\tUPTIME\tLABS\tIDLE-EXIT\tKERNEL\tMEMORY\n");
	for (int i = 0; i < ENGINE_COUNT; i++) {
		enum engine_kind k = (enum engine_kind)i;
		struct err why = {0};
		json_t *s = wanted(o, k) ? ask(k, "engine.status", &why) : NULL;
		if (s && k != ENGINE_HOST)
			json_object_set_new(s, "pid", json_integer(client_engine_pid(k)));
		if (s)
			status_row(s, &text);
		else if (wanted(o, k))
			strbuf_addf(&text, "%s\t%s\t-\t-\t-\t-\t-\t-\t-\n", engine_name(k),
				    why.cls == ERR_DENIED ? "no access"
				    : why.code == -ENOENT || why.code == -ECONNREFUSED
					    ? "stopped"
					    : "no answer");
		if (s)
			json_array_append_new(all, s);
	}
	int r = 0;
	if (form_of(o))
		r = client_print(form_of(o), all, err);
	else
		print_table(&text);
	json_decref(all);
	return r;
}

static void print_labs_left(enum engine_kind k, const json_t *labs)
{
	size_t i;
	json_t *l;
	json_array_foreach ((json_t *)labs, i, l)
		printf("lab %s %s\n", obj_str(l, "name", ""),
		       k == ENGINE_HOST ? "lives on; the next labctl takes it over"
					: "went with it");
}

/* Connecting is work for a guest that is ending: only if there is no other way to tell. */
static void await_end(enum engine_kind k, int pidfd)
{
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	if (pidfd >= 0)
		poll(&p, 1, STOP_WAIT_MS);
	for (int ms = 0; pidfd < 0 && ms < STOP_WAIT_MS && client_answers(k); ms += 10)
		poll(NULL, 0, 10);
}

static int stop_one(enum engine_kind k, struct err *err)
{
	json_t *labs = client_labs(k), *status = ask(k, "engine.status", err);
	/* Where systemd listens for it, connecting would only start the next one. */
	pid_t pid = k == ENGINE_HOST ? (pid_t)obj_int(status, "pid", 0) : client_engine_pid(k);
	_close_ int pidfd = pid > 0 ? pidfd_open(pid, 0) : -1;
	json_t *result = ask(k, "engine.stop", err);
	json_decref(status);
	if (!result) {
		json_decref(labs);
		return err->code;
	}
	json_decref(result);
	await_end(k, pidfd);
	printf("the %s engine is stopped\n", engine_name(k));
	print_labs_left(k, labs);
	json_decref(labs);
	return 0;
}

static int engine_stop(const struct opts *o, struct err *err)
{
	size_t stopped = 0;
	for (int i = 0; i < ENGINE_COUNT; i++) {
		enum engine_kind k = (enum engine_kind)i;
		if (!wanted(o, k) || !client_answers(k))
			continue;
		int r = stop_one(k, err);
		if (r < 0)
			return r;
		stopped++;
	}
	if (!stopped)
		puts("no engine is running");
	return 0;
}

static int idle_seconds(const struct opts *o, unsigned *ret, struct err *err)
{
	const char *s = o->val[FLAG_IDLE];
	char *end;
	*ret = 0;
	if (!s)
		return 0;
	long v = strtol(s, &end, 10);
	if (end == s || *end || v < 0 || v > MAX_IDLE_MIN)
		return err_setc(err, EINVAL, ERR_USAGE,
				"--idle %s: it is a number of minutes, 0 to %d", s, MAX_IDLE_MIN);
	*ret = (unsigned)v * 60;
	return 0;
}

static int load_modules(enum engine_kind k, struct err *err)
{
	json_t *result = NULL, *v;
	struct call c = {.name = "engine.modules", .timeout_s = MODULE_TIMEOUT};
	int r = client_call(k, &c, &result, err);
	size_t i;
	json_array_foreach (json_object_get(result, "loaded"), i, v)
		printf("loaded %s\n", json_string_value(v));
	json_array_foreach (json_object_get(result, "failed"), i, v)
		printf("not loaded: %s (%s)\n", obj_str(v, "name", ""), obj_str(v, "text", ""));
	json_decref(result);
	return r;
}

static int engine_start_verb(const struct opts *o, struct err *err)
{
	const char *w = o->val[FLAG_ENGINE];
	enum engine_kind kind = w ? engine_kind_of(w) : geteuid() ? ENGINE_USER : ENGINE_HOST;
	struct engine_start s = {
		.kind = kind, .for_good = true, .load_modules = o->val[FLAG_LOAD_MODULES] != NULL};
	int r = idle_seconds(o, &s.idle_s, err);
	if (r < 0)
		return r;
	if (kind == ENGINE_HOST && geteuid() != 0 && !client_answers(ENGINE_HOST)) {
		err_setc(err, EPERM, ERR_DENIED, "the host engine needs root");
		return err_hint(err, "sudo labctl engine start, or --engine user or guest");
	}
	bool was = client_answers(s.kind);
	r = engine_start(&s, err);
	if (r < 0)
		return r;
	if (was) { /* started by an `up`: it stays from now on */
		json_t *result = NULL;
		struct call c = {.name = "engine.set",
				 .args = json_pack("{s:i}", "idle_exit_s", (int)s.idle_s),
				 .timeout_s = SHORT_TIMEOUT};
		r = client_call(s.kind, &c, &result, err);
		json_decref(result);
	}
	if (r == 0 && was && s.load_modules)
		r = load_modules(s.kind, err);
	if (r == 0)
		printf("the %s engine %s\n", engine_name(s.kind),
		       was ? "is running already" : "is started");
	return r;
}

int verb_engine(const struct opts *o, struct err *err)
{
	if (strcmp(o->args[0], "status") == 0)
		return engine_status(o, err);
	if (strcmp(o->args[0], "stop") == 0)
		return engine_stop(o, err);
	return engine_start_verb(o, err);
}

/* ---- doctor ---------------------------------------------------------------------------------- */

static void add_row(json_t *rows, const char *name, bool ok, const char *text, const char *hint)
{
	json_array_append_new(rows, json_pack("{s:s, s:b, s:s, s:s}", "name", name, "ok", ok,
					      "text", text, "hint", ok ? "" : hint));
}

static bool in_group_labd(void)
{
	const struct group *g = getgrnam("labd");
	gid_t list[256];
	int n = getgroups(ARRAY_SIZE(list), list);
	for (int i = 0; g && i < n; i++) {
		if (list[i] == g->gr_gid)
			return true;
	}
	return false;
}

/* May an ordinary user make namespaces here? Tried by a child, as nobody when we are root. */
static bool user_namespaces(void)
{
	int st = -1;
	pid_t pid = fork();
	if (pid == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(1);
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWNS) < 0);
	}
	return pid > 0 && waitpid(pid, &st, 0) == pid && WIFEXITED(st) && WEXITSTATUS(st) == 0;
}

/* Which engines work here. user_why: what was said when the user engine did not start, or NULL. */
static void engine_rows(json_t *rows, const struct err *user_why)
{
	bool root = geteuid() == 0, guest = engine_guest_installed();
	bool user = user_why ? user_why->code == 0 : user_namespaces();
	add_row(rows, "host engine", true,
		root ? "labs in this kernel, for root and group labd"
		     : "needs root to be started; then for group labd, too",
		"");
	add_row(rows, "user engine", user,
		user	   ? "labs in this kernel for any user, without root"
		: user_why ? user_why->text
			   : "this machine lets no ordinary user make namespaces",
		user_why && user_why->hint[0] ? user_why->hint
					      : "sysctl user.max_user_namespaces, or your "
						"distribution's switch for user namespaces");
	add_row(rows, "guest engine", guest,
		guest ? "user-mode-linux: labs for any user in a kernel with ipip and ip_vs"
		      : "without it labs have what this kernel has",
		"apt-get install user-mode-linux");
}

/* What the client sees: the user, the engines, and (an engine's report has them too) the programs.
 */
static json_t *own_rows(bool with_programs, const struct err *user_why)
{
	static const struct {
		const char *program, *package, *what;
	} programs[] = {
		{"ip", "iproute2", "labs are looked at with it"},
		{"iptables-restore", "iptables", "kube-proxy's rules"},
		{"ipset", "ipset", "Calico's address sets"},
		{"busybox", "busybox-static", "image busybox"},
		{"nginx", "nginx-light", "image nginx"},
		{"dnsmasq", "dnsmasq-base", "image kube-dns"},
		{"conntrack", "conntrack", "to see translated connections"},
		{"tcpdump", "tcpdump", "to see packets"},
	};
	json_t *rows = json_array();
	bool root = geteuid() == 0, member = in_group_labd();
	add_row(rows, "user", true,
		root	 ? "root: can start the host engine"
		: member ? "of group labd: may use a host engine that root started"
			 : "an ordinary user: the user and the guest engine",
		"");
	engine_rows(rows, user_why);
	for (size_t i = 0; with_programs && i < ARRAY_SIZE(programs); i++) {
		char path[PATH_MAX], hint[128];
		bool ok = path_search(programs[i].program, path, sizeof(path));
		snprintf(hint, sizeof(hint), "apt-get install %s", programs[i].package);
		add_row(rows, programs[i].program, ok, ok ? path : programs[i].what, hint);
	}
	return rows;
}

static void print_rows(const char *title, const json_t *rows)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	bool colour = use_colour();
	size_t i;
	json_t *v;
	printf("%s\n", title);
	json_array_foreach ((json_t *)rows, i, v) {
		bool ok = json_is_true(obj_at(v, "ok"));
		const char *hint = obj_str(v, "hint", "");
		strbuf_addf(&text, "  %s\t%s\t%s%s%s\n", ok ? "ok" : "--", obj_str(v, "name", ""),
			    obj_str(v, "text", ""), !ok && *hint ? "   -> " : "", ok ? "" : hint);
	}
	_strbuf_ struct strbuf table = STRBUF_INIT;
	view_tabs_get(strbuf_str(&text), &table);
	for (const char *p = strbuf_str(&table); *p;) {
		size_t n = strcspn(p, "\n");
		bool ok = strncmp(p, "  ok", 4) == 0;
		if (colour)
			printf("  \033[%dm%.2s\033[0m%.*s\n", ok ? 32 : 33, p + 2, (int)n - 4,
			       p + 4);
		else
			printf("%.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

int verb_doctor(const struct opts *o, struct err *err)
{
	struct err why[ENGINE_COUNT] = {0};
	json_t *all = json_object(), *own;
	const bool root = geteuid() == 0;
	const enum engine_kind own_kind = root ? ENGINE_HOST : ENGINE_USER;
	/* Looking starts an engine, which ends by itself. */
	engine_start(&(struct engine_start){.kind = own_kind}, &why[own_kind]);
	for (int i = 0; i < ENGINE_COUNT; i++) {
		json_t *report = why[i].code ? NULL : ask((enum engine_kind)i, "doctor", &why[i]);
		if (report)
			json_object_set_new(all, engine_name((enum engine_kind)i), report);
	}
	own = own_rows(!json_object_get(all, engine_name(own_kind)),
		       root ? NULL : &why[ENGINE_USER]);
	json_object_set_new(all, "machine", own);
	int r = 0;
	if (form_of(o)) {
		r = client_print(form_of(o), all, err);
		json_decref(all);
		return r;
	}
	struct utsname u;
	uname(&u);
	char title[512];
	snprintf(title, sizeof(title), "this machine (%s)", u.release);
	print_rows(title, own);
	for (int i = 0; i < ENGINE_COUNT; i++) {
		const char *name = engine_name((enum engine_kind)i);
		const json_t *report = json_object_get(all, name);
		snprintf(title, sizeof(title), "\n%s engine: kernel %s, iptables %s", name,
			 obj_str(report, "kernel", "?"), obj_str(report, "backend", "?"));
		if (report)
			print_rows(title, obj_at(report, "rows"));
		else if (i == ENGINE_HOST)
			printf("\nhost engine: not asked (%s)\n",
			       root ? why[i].text : "it needs root to be started");
	}
	json_decref(all);
	return r;
}

/* ---- version --------------------------------------------------------------------------------- */

int verb_version(const struct opts *o, struct err *err)
{
	json_t *all = json_pack("{s:s}", "labctl", wire_build());
	int r = 0;
	for (int i = 0; i < ENGINE_COUNT; i++) {
		json_t *v = ask((enum engine_kind)i, "version", NULL);
		if (v)
			json_object_set_new(all, engine_name((enum engine_kind)i), v);
	}
	if (form_of(o)) {
		r = client_print(form_of(o), all, err);
	} else {
		printf("labctl %s\n", wire_build());
		for (int i = 0; i < ENGINE_COUNT; i++) {
			const char *name = engine_name((enum engine_kind)i);
			const json_t *v = json_object_get(all, name);
			if (v)
				printf("labd   %s (%s engine, kernel %s)\n",
				       obj_str(v, "version", "?"), name, obj_str(v, "kernel", "?"));
		}
	}
	json_decref(all);
	return r;
}
