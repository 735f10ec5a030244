/* SPDX-License-Identifier: MIT */
/* See session.h. */
#include "labd/session.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifdef __SANITIZE_ADDRESS__ /* make check-leaks */
#include <sanitizer/lsan_interface.h>
#include <sys/prctl.h>
#endif

#include "labd/kernel/fault.h"
#include "labd/lab/pace.h"
#include "lib/base/log.h"

void session_signals(void)
{
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

void session_refuse(int fd, int code, enum err_class cls, const char *fmt, ...)
{
	struct err e = {.code = -code, .cls = cls};
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(e.text, sizeof(e.text), fmt, ap);
	va_end(ap);
	struct wire w;
	wire_init(&w, dup(fd));
	struct err ignored;
	wire_send_json(&w, json_pack("{s:o}", "error", wire_err_to_json(&e)), &ignored);
	wire_close(&w);
}

void session_progress(struct session *s, json_t *obj)
{
	struct err err;
	json_t *msg = json_pack("{s:o}", "progress", obj);
	if (s->gone)
		json_decref(msg);
	else if (wire_send_json(&s->w, msg, &err) < 0)
		s->gone = true;
}

static void on_pace(void *arg, const char *step, int done, int total, double part)
{
	session_progress(arg, json_pack("{s:s, s:i, s:i, s:f}", "step", step, "done", done, "total",
					total, "part", part));
}

bool session_cancelled(struct session *s)
{
	char c;
	if (!s->gone && recv(s->w.fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 0)
		s->gone = true;
	return s->gone;
}

static const struct method *find(const char *name)
{
	for (const struct method *m = methods; m->name; m++)
		if (strcmp(m->name, name) == 0)
			return m;
	return NULL;
}

static int check_version(const struct session *s, const char *version, struct err *err)
{
	if (version && strcmp(version, wire_build()) == 0)
		return 0;
	err_set(err, EPROTO, "labctl is build %.60s, labd (engine %s) is build %s",
		version ? version : "unknown", s->server->engine.name, wire_build());
	return err_hint(err,
			"labctl engine stop; labs go on, the next command starts the new labd");
}

int session_call(struct session *s, const json_t *msg, json_t **ret_result, struct err *err)
{
	const char *name = json_string_value(json_object_get(msg, "call"));
	const struct method *m = name ? find(name) : NULL;
	if (!m)
		return err_setc(err, ENOSYS, ERR_USAGE, "labd has no call \"%.60s\"",
				name ? name : "");
	if (!m->any_version) {
		int r = check_version(s, json_string_value(json_object_get(msg, "version")), err);
		if (r < 0)
			return r;
	}
	const char *fault = json_string_value(json_object_get(msg, "fault"));
	if (fault && fault_allowed()) {
		int r = fault_begin(fault, getppid(), err);
		if (r < 0)
			return r;
	}
	json_t *args = json_object_get(msg, "args");
	json_t *none = json_is_object(args) ? NULL : json_object();
	pace_to(on_pace, s);
	int r = m->fn(s, none ? none : args, ret_result, err);
	pace_to(NULL, NULL);
	json_decref(none);
	return r;
}

/* What became of the fault that the call brought along; for tests. */
static void tell_fault(json_t *reply)
{
	char text[64];
	bool fired;
	long steps = fault_end(&fired);
	if (!steps)
		return;
	snprintf(text, sizeof(text), "%ld steps%s", steps, fired ? ", fired" : "");
	json_object_set_new(reply, "fault", json_string(text));
}

static void serve(struct session *s)
{
	struct err err = {0};
	json_t *msg = NULL, *result = NULL;
	int r = wire_recv_json(&s->w, &msg, &err);
	if (r == 0)
		return; /* a probe for life: connect and close */
	if (r > 0)
		r = session_call(s, msg, &result, &err);
	json_decref(msg);
	json_t *reply = r < 0 ? json_pack("{s:o}", "error", wire_err_to_json(&err))
			      : json_pack("{s:o}", "result", result ? result : json_object());
	if (r < 0)
		json_decref(result); /* some have done a part */
	if (r < 0 && s->faults)
		json_object_set(json_object_get(reply, "error"), "faults", s->faults);
	json_decref(s->faults);
	/* A fault may hit that too. */
	if (s->after && fault_active())
		s->after(s);
	tell_fault(reply);
	struct err lost;
	if (wire_send_json(&s->w, reply, &lost) < 0)
		log_debug("reply: %s", lost.text);
}

void session_run(const struct server *server, int fd, uid_t uid, gid_t gid)
{
	struct session s = {.server = server, .uid = uid, .gid = gid};
	session_signals();
	int flags = fcntl(fd, F_GETFL); /* a guest's clients come non-blocking */
	if (flags >= 0)
		fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
	wire_init(&s.w, fd);
	serve(&s);
	wire_close(&s.w);
	if (s.after)
		s.after(&s);
#ifdef __SANITIZE_ADDRESS__
	prctl(PR_SET_DUMPABLE, 1, 0, 0, 0); /* the sanitizer looks at us with ptrace */
	__lsan_do_leak_check();
#endif
	_exit(0);
}
