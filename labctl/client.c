/* SPDX-License-Identifier: MIT */
/* See client.h. */
#include "labctl/client.h"

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "labctl/engine.h"
#include "lib/base/cleanup.h"
#include "lib/base/strbuf.h"
#include "lib/yaml/yaml.h"

#define DYING_MS    10 /* between two attempts to reach the next labd */
#define DYING_TRIES 20

const char *engine_name(enum engine_kind k)
{
	static const char *const names[ENGINE_COUNT] = {"host", "user", "guest"};
	return names[k];
}

enum engine_kind engine_kind_of(const char *name)
{
	enum engine_kind k = ENGINE_COUNT - 1;
	while (k > ENGINE_HOST && strcmp(name, engine_name(k)) != 0)
		k--;
	return k;
}

const char *engine_socket(enum engine_kind k, char buf[static PATH_MAX])
{
	const char *env = getenv("LABD_SOCKET");
	/* The host engine is root's, whoever asks; members of its group may. */
	if (k == ENGINE_HOST && !(env && *env))
		snprintf(buf, PATH_MAX, "/run/labd/labd.sock");
	else
		wire_socket_path(buf, PATH_MAX, engine_name(k));
	return buf;
}

/* Connections made to see whether an engine answers; the next call takes them over: each costs the
 * engine a process. */
static struct {
	bool open;
	struct wire w;
} spare[ENGINE_COUNT];

static bool take_spare(enum engine_kind k, struct wire *w)
{
	char c;
	if (!spare[k].open)
		return false;
	spare[k].open = false;
	*w = spare[k].w;
	/* The engine may have gone away meanwhile; it says nothing before it is asked. */
	if (recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		return true;
	wire_close(w);
	return false;
}

/* Was there one to connect to before? */
static bool answered[ENGINE_COUNT];

int client_connect(enum engine_kind k, struct wire *w, struct err *err)
{
	char path[PATH_MAX];
	if (take_spare(k, w))
		return 0;
	struct ucred peer;
	socklen_t len = sizeof(peer);
	int r = wire_connect(w, engine_socket(k, path), err);
	if (r == -EACCES || r == -EPERM)
		err_hint(err, "ask for membership of the group labd, or use sudo");
	if ((r == -ECONNREFUSED || r == -ENOENT) && answered[k])
		return err_set(err, ECONNRESET, "the %s engine has gone away", engine_name(k));
	if (r < 0)
		return r;
	answered[k] = true;
	/* Without a runtime directory the socket lies in /tmp, where anybody may have made it. */
	if (getsockopt(w->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 && peer.uid != 0 &&
	    geteuid() != 0 && peer.uid != geteuid()) {
		wire_close(w);
		return err_setc(err, EPERM, ERR_DENIED,
				"%s is served by uid %u, not by you or root", path,
				(unsigned)peer.uid);
	}
	return 0;
}

pid_t client_engine_pid(enum engine_kind k)
{
	_cleanup_(wire_close) struct wire w;
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);
	if (client_connect(k, &w, NULL) < 0 ||
	    getsockopt(w.fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) < 0)
		return 0;
	return peer.pid;
}

/* LABCTL_FAULT="CALL FAULT", for tests: what is to happen to that call (docs/PROTOCOL.md). */
static const char *fault_of(const char *name)
{
	const char *s = getenv("LABCTL_FAULT");
	size_t n = strlen(name);
	return s && strncmp(s, name, n) == 0 && s[n] == ' ' ? s + n + 1 : NULL;
}

/* Who may not call at all is told so at once, and that may be before the call is sent. */
static int read_refusal(struct wire *w, int r, struct err *err)
{
	json_t *m = NULL, *v;
	struct err own;
	if (wire_recv_json(w, &m, &own) > 0 && (v = json_object_get(m, "error"))) {
		wire_err_from_json(v, err);
		r = err->code;
	}
	json_decref(m);
	return r == -EPIPE ? -ECONNRESET : r;
}

int client_send(struct wire *w, const char *name, json_t *args, struct err *err)
{
	json_t *call = json_pack("{s:s, s:s, s:i, s:o, s:s*}", "call", name, "version",
				 wire_build(), "wire", WIRE_VERSION, "args",
				 args ? args : json_object(), "fault", fault_of(name));
	if (!call)
		return err_set(err, EINVAL, "%s: not a call", name);
	int r = wire_send_json(w, call, err);
	return r == -EPIPE || r == -ECONNRESET ? read_refusal(w, r, err) : r;
}

void client_tell_fault(const json_t *message)
{
	const json_t *v = json_object_get(message, "fault");
	if (v)
		fprintf(stderr, "fault: %s\n", json_string_value(v));
}

static volatile sig_atomic_t interrupted;
static int told; /* how many of them the user was answered */

static void on_signal(int sig)
{
	interrupted++;
}

struct signals {
	struct sigaction old_int, old_term;
	sigset_t old_mask;
};

/* SIGINT and SIGTERM arrive only within ppoll, so that none falls between a check and a wait. */
static void signals_hold(struct signals *s)
{
	struct sigaction sa = {.sa_handler = on_signal};
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	interrupted = told = 0;
	sigprocmask(SIG_BLOCK, &set, &s->old_mask);
	sigaction(SIGINT, &sa, &s->old_int);
	sigaction(SIGTERM, &sa, &s->old_term);
}

static void signals_release(struct signals *s)
{
	sigaction(SIGINT, &s->old_int, NULL);
	sigaction(SIGTERM, &s->old_term, NULL);
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
}

/* Wait for the next message. The first signal half-closes, the second gives up. */
static int wait_message(struct wire *w, const struct call *c, const sigset_t *mask, struct err *err)
{
	struct timespec ts = {.tv_sec = c->timeout_s};
	while (!wire_pending(w)) {
		if (interrupted > told && told++ == 0) {
			fprintf(stderr, "\ninterrupted: %s (again: don't wait)\n", c->on_interrupt);
			if (c->cancellable)
				shutdown(w->fd, SHUT_WR);
		} else if (interrupted >= 2) {
			return err_set(err, EINTR,
				       "interrupted: not waited for the engine, which goes on");
		}
		struct pollfd p = {.fd = w->fd, .events = POLLIN};
		int n = ppoll(&p, 1, c->timeout_s ? &ts : NULL, mask);
		if (n > 0)
			return 0;
		if (n == 0)
			return err_set(err, ETIMEDOUT, "the engine has not answered for %d s",
				       c->timeout_s);
		if (errno != EINTR)
			return err_sys(err, errno, "poll");
	}
	return 0;
}

/* Take one message: 1 the result came, 0 go on. */
static int take_message(struct wire *w, const struct call *c, json_t **result, struct err *err)
{
	json_t *m = NULL;
	int r = wire_recv_json(w, &m, err);
	if (r == 0 || r == -ECONNRESET)
		return err_set(err, r ? ECONNRESET : EPIPE,
			       "the engine has gone away without an answer");
	if (r < 0)
		return r;
	client_tell_fault(m);
	json_t *v = json_object_get(m, "error");
	if (v) {
		wire_err_from_json(v, err);
		r = err->code;
		if (c->faults)
			*c->faults = json_incref(json_object_get(v, "faults"));
	} else if ((v = json_object_get(m, "result"))) {
		*result = json_incref(v);
		r = 1;
	} else {
		r = 0;
		if (c->progress && (v = json_object_get(m, "progress")))
			c->progress(v, c->arg);
	}
	json_decref(m);
	return r;
}

/* Connect, call, wait; args' reference is borrowed. */
static int call_once(enum engine_kind k, const struct call *c, json_t **result, struct err *err)
{
	_cleanup_(wire_close) struct wire w;
	int r = client_connect(k, &w, err);
	if (r < 0)
		return r;
	struct signals s;
	sigset_t now;
	if (c->on_interrupt)
		signals_hold(&s);
	sigprocmask(SIG_SETMASK, NULL, &now);
	if (c->on_interrupt) {
		sigdelset(&now, SIGINT);
		sigdelset(&now, SIGTERM);
	}
	r = client_send(&w, c->name, json_incref(c->args), err);
	while (r == 0) {
		r = wait_message(&w, c, &now, err);
		if (r == 0)
			r = take_message(&w, c, result, err);
	}
	if (c->on_interrupt)
		signals_release(&s);
	return r < 0 ? r : 0;
}

bool client_interrupted(void)
{
	return interrupted > 0;
}

bool client_next(enum engine_kind k, int tried)
{
	if (tried >= DYING_TRIES)
		return false;
	poll(NULL, 0, DYING_MS);
	if (client_answers(k))
		return true;
	return k == ENGINE_HOST && geteuid() == 0 &&
	       engine_start(&(struct engine_start){.kind = k}, NULL) == 0;
}

int client_call(enum engine_kind k, const struct call *c, json_t **result, struct err *err)
{
	struct err own;
	if (!err)
		err = &own;
	int r = call_once(k, c, result, err);
	for (int i = 0; r == -ECONNRESET && !c->once && client_next(k, i); i++)
		r = call_once(k, c, result, err);
	json_decref(c->args);
	return r;
}

bool client_answers(enum engine_kind k)
{
	struct wire w;
	int r = client_connect(k, &w, NULL);
	wire_close(&w);
	return r == 0;
}

bool client_answers_soon_asked(enum engine_kind k)
{
	if (!spare[k].open)
		spare[k].open = client_connect(k, &spare[k].w, NULL) == 0;
	return spare[k].open;
}

int client_ls(enum engine_kind k, json_t **labs, struct err *err)
{
	json_t *result = NULL;
	struct call c = {.name = "ls", .timeout_s = 10};
	int r = client_call(k, &c, &result, err);
	*labs = r < 0 ? NULL : json_incref(json_object_get(result, "labs"));
	json_decref(result);
	if (!json_is_array(*labs))
		*labs = json_array();
	return r == -ENOENT || r == -ECONNREFUSED ? 0 : r;
}

json_t *client_labs(enum engine_kind k)
{
	struct err err;
	json_t *labs;
	int r = client_ls(k, &labs, &err);
	if (r < 0 && r != -EACCES && r != -EPERM)
		fprintf(stderr, "labctl: the %s engine: %s\n", engine_name(k), err.text);
	return labs;
}

/* Are there labs of a host engine that has died, or that it was taking away? Their directories
 * stand beside the socket; those that go are hidden. */
static bool orphaned_labs(void)
{
	char path[PATH_MAX];
	engine_socket(ENGINE_HOST, path);
	char *slash = strrchr(path, '/');
	if (!slash || (size_t)(slash - path) + sizeof("/labs") > sizeof(path))
		return false;
	memcpy(slash, "/labs", sizeof("/labs"));
	DIR *d = opendir(path);
	if (!d)
		return false;
	bool found = false;
	for (struct dirent *e; !found && (e = readdir(d));)
		found = strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
	closedir(d);
	return found;
}

void client_revive(void)
{
	if (geteuid() == 0 && !client_answers_soon_asked(ENGINE_HOST) && orphaned_labs())
		engine_start(&(struct engine_start){.kind = ENGINE_HOST}, NULL);
}

json_t *client_all_labs(void)
{
	client_revive();
	json_t *all = json_array();
	for (int k = 0; k < ENGINE_COUNT; k++) {
		json_t *labs = client_labs((enum engine_kind)k);
		json_array_extend(all, labs);
		json_decref(labs);
	}
	return all;
}

/* Is there a host engine that does not let us in? What it has is not told as "no lab" then. */
static bool host_refuses(struct err *err)
{
	_cleanup_(wire_close) struct wire w;
	int r = client_connect(ENGINE_HOST, &w, err);
	return r == -EACCES || r == -EPERM;
}

int client_no_lab(const char *name, const json_t *labs, struct err *err)
{
	_strbuf_ struct strbuf list = STRBUF_INIT;
	const char *names[64];
	unsigned n = 0;
	size_t i;
	json_t *l;
	json_array_foreach ((json_t *)labs, i, l) {
		const char *s = json_string_value(json_object_get(l, "name"));
		if (!s || n == ARRAY_SIZE(names))
			continue;
		names[n++] = s;
		strbuf_addf(&list, "%s%s", n > 1 ? ", " : "", s);
	}
	if (n == 0 && host_refuses(err))
		return err->code;
	if (n == 0) {
		if (name)
			err_setc(err, ENOENT, ERR_NOT_FOUND, "lab %s is not up: no lab is running",
				 name);
		else
			err_setc(err, ENOENT, ERR_NOT_FOUND, "no lab is running");
		return err_hint(err, "labctl up %s   (labctl labs lists the shipped ones)",
				name ? name : "LAB");
	}
	if (!name) {
		err_setc(err, EINVAL, ERR_USAGE, "several labs are running: %s", list.s);
		return err_hint(err, "say which with -l LAB");
	}
	err_setc(err, ENOENT, ERR_NOT_FOUND, "lab %s is not up; running: %s", name, list.s);
	const char *near = nearest_word(name, names, n);
	if (near)
		err_hint(err, "did you mean %s?", near);
	return -ENOENT;
}

int client_lab(const struct opts *o, enum engine_kind *k, const char **lab, struct err *err)
{
	const char *env = getenv("LABCTL_LAB");
	*lab = o->val[FLAG_LAB] ? o->val[FLAG_LAB] : env && *env ? env : NULL;
	client_revive();
	unsigned answering = 0;
	for (int i = 0; i < ENGINE_COUNT; i++) {
		if (!client_answers_soon_asked((enum engine_kind)i))
			continue;
		*k = (enum engine_kind)i;
		answering++;
	}
	if (answering == 1) /* the one engine knows best */
		return 0;
	json_t *labs = client_all_labs(), *found = NULL, *l;
	size_t i, n = 0;
	json_array_foreach (labs, i, l) {
		const char *name = json_string_value(json_object_get(l, "name"));
		if (*lab && (!name || strcmp(name, *lab) != 0))
			continue;
		n++;
		found = l;
	}
	int r = 0;
	if (n == 0 || (n > 1 && !*lab))
		r = client_no_lab(*lab, labs, err);
	else
		*k = engine_kind_of(json_string_value(json_object_get(found, "engine")) ?: "");
	json_decref(labs);
	return r;
}

/* What `up` sent parsed gets its text back (docs/PROTOCOL.md "up"). */
static void restore_texts(json_t *items)
{
	size_t i;
	json_t *o, *v;
	const char *key;
	json_array_foreach (items, i, o) {
		json_t *data = json_object_get(o, "data");
		json_object_foreach (json_object_get(o, "labd.dev/text"), key, v)
			json_object_set(data, key, v);
		json_object_del(o, "labd.dev/text");
	}
}

int client_get(enum engine_kind k, const char *lab, const char *kind, const char *ns,
	       json_t **items, struct err *err)
{
	json_t *result = NULL;
	json_t *args = json_pack("{s:s, s:s*, s:s*}", "kind", kind, "lab", lab, "ns", ns);
	struct call c = {.name = "get", .args = args, .timeout_s = 30};
	int r = client_call(k, &c, &result, err);
	if (r < 0)
		return r;
	*items = json_incref(json_object_get(result, "items"));
	json_decref(result);
	if (!json_is_array(*items)) {
		json_decref(*items);
		*items = NULL;
		return err_set(err, EPROTO, "the engine's answer to get %s has no items", kind);
	}
	restore_texts(*items);
	return 0;
}

/* Frames of rows, then a message. 1: they were all. */
static int take_rows(struct wire *w, struct strbuf *rows)
{
	struct wire_frame f;
	int r;
	while ((r = wire_recv(w, &f, NULL)) > 0 && f.type == WIRE_STDOUT)
		strbuf_add(rows, f.data, f.len);
	json_t *m = r > 0 && f.type == WIRE_JSON ? json_loadb(f.data, f.len, 0, NULL) : NULL;
	r = json_is_true(json_object_get(json_object_get(m, "result"), "table"));
	json_decref(m);
	return r;
}

char *client_pod_rows(enum engine_kind k, const char *lab)
{
	_cleanup_(wire_close) struct wire w;
	_strbuf_ struct strbuf rows = STRBUF_INIT;
	json_t *args = json_pack("{s:s, s:s*, s:b}", "kind", "pods", "lab", lab, "table", true);
	if (client_connect(k, &w, NULL) < 0) {
		json_decref(args);
		return NULL;
	}
	bool all = client_send(&w, "get", args, NULL) == 0 && take_rows(&w, &rows) == 1;
	return all ? strbuf_take(&rows) : NULL;
}

int client_print(const char *form, const json_t *v, struct err *err)
{
	bool yaml = strcmp(form, "yaml") == 0;
	_free_ char *s = yaml ? yaml_from_json(v)
			      : json_dumps(v, JSON_INDENT(4) | JSON_SORT_KEYS | JSON_ENCODE_ANY);
	if (!s)
		return err_set(err, EINVAL, "can not be written as %s", form);
	fputs(s, stdout);
	if (!yaml)
		putchar('\n');
	return 0;
}
