/* SPDX-License-Identifier: MIT */
/*
 * fuzz_wire: what a client may send to labd. An input that begins with '{' is a call: it is framed,
 * received and carried out by labd's own table of calls, with a lab in the store whose programs are
 * not running, and without the right to touch the kernel. Anything else is bytes of the connection.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "labd/kernel/proc.h"
#include "labd/lab/journal.h"
#include "labd/session.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/log.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/json_mutate.h"

#define BYTES_MAX 100000 /* what a socket takes at once */

FUZZ_INPUT_IS_JSON

static struct server server;
static struct probe probe;
static char run[64], lab_dir[128];
static json_t *lab;
static struct stored derived; /* of it */
static pid_t sleeper;	      /* stands for all first processes of the lab */

static void must(int r, const struct err *err)
{
	if (r >= 0)
		return;
	fprintf(stderr, "fuzz_wire: %s\n", err->text);
	abort();
}

/* No call can make or end anything outside the directory. */
static void drop_rights(void)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[2] = {0};
	prctl(PR_SET_SECUREBITS, SECBIT_NOROOT | SECBIT_NOROOT_LOCKED, 0, 0, 0);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_capset, &h, none);
}

static void remove_run(void)
{
	dir_remove(run, NULL);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	struct err err = {0};
	const char *tmp = getenv("TMPDIR");
	snprintf(run, sizeof(run), "%.40s/fuzz-wire-XXXXXX", tmp ? tmp : "/tmp");
	if (!mkdtemp(run))
		abort();
	atexit(remove_run);
	snprintf(lab_dir, sizeof(lab_dir), "%s/labs/t", run);
	probe.legacy = probe.vxlan = probe.netns = probe.veth = probe.bridge = true;
	server.engine = (struct engine){.run = run, .name = "host", .probe = &probe};
	server.probe = probe;
	server.ctl[1] = open("/dev/null", O_WRONLY | O_CLOEXEC);
	lab = json_load_file("tests/fuzz/wire-lab.json", 0, NULL);
	if (!lab)
		must(-1, (err_set(&err, -1, "tests/fuzz/wire-lab.json cannot be read"), &err));
	derived.arena = arena_new();
	must(store_derive("t", json_object_get(lab, "documents"), &derived, &err), &err);
	log_set_level(LOG_CRIT);
	drop_rights();
	return 0;
}

/* The linker calls it in the place of proc_spawn() (fuzz.mk): no process is made. */
int __wrap_proc_spawn(const struct proc_env *e, const struct desired *d, int i,
		      const struct nsproc *parent, struct nsproc *ret, struct err *err);
int __wrap_proc_spawn(const struct proc_env *e, const struct desired *d, int i,
		      const struct nsproc *parent, struct nsproc *ret, struct err *err)
{
	*ret = (struct nsproc){.netns = -1, .release = -1};
	return err_set(err, EPERM, "%s: not here", d->ns.v[i].name);
}

static void start_sleeper(void)
{
	if (sleeper > 0 && waitpid(sleeper, NULL, WNOHANG) == 0)
		return;
	sleeper = fork();
	if (sleeper < 0)
		abort();
	if (sleeper > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	for (;;)
		pause();
}

/* Field 22 of its stat. */
static unsigned long long started(pid_t pid)
{
	char path[64], line[1024];
	unsigned long long v = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	_fclose_ FILE *f = fopen(path, "re");
	const char *p = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;
	for (int field = 2; p && field < 22; field++)
		p = strchr(p + 1, ' ');
	if (!p || sscanf(p, "%llu", &v) != 1)
		abort();
	return v;
}

/* The lab as it was before the last call. */
static void put_lab(void)
{
	struct err err = {0};
	_strbuf_ struct strbuf journal = STRBUF_INIT;
	start_sleeper();
	unsigned long long since = started(sleeper);
	dir_remove(run, NULL);
	must(mkdir(run, 0700), &err);
	must(store_create(&server.engine, "t", lab, &err), &err);
	vec_foreach (const struct dns, ns, &derived.desired->ns)
		strbuf_addf(&journal, "proc %s %d %llu\n", ns->name, (int)sleeper, since);
	strbuf_adds(&journal, "state up");
	must(journal_add(lab_dir, &err, "%s", journal.s), &err);
}

static void receive(struct wire *w)
{
	struct wire_frame f;
	struct err err = {0};
	int r;
	while ((r = wire_recv(w, &f, &err)) > 0) {
		fuzz_read(f.data, f.len);
		if (wire_pending(w))
			fuzz_assert(w->in.len > w->taken);
	}
	fuzz_assert(r == 0 || err.text[0]);
}

static void carry_out(struct wire *w)
{
	struct err err = {0}, again;
	json_t *msg = NULL, *result = NULL;
	struct session s = {.server = &server, .uid = 1000, .gid = 1000, .w = *w};
	put_lab();
	int r = wire_recv_json(&s.w, &msg, &err);
	/* The build is not guessed. */
	const char *version = json_string_value(json_object_get(msg, "version"));
	if (version && strcmp(version, "*") == 0)
		json_object_set_new(msg, "version", json_string(wire_build()));
	if (r > 0)
		r = session_call(&s, msg, &result, &err);
	fuzz_assert(r >= 0 || err.text[0]);
	json_t *o = wire_err_to_json(&err);
	wire_err_from_json(o, &again);
	json_decref(o);
	json_decref(result);
	json_decref(s.faults);
	json_decref(msg);
	*w = s.w;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct wire w, peer;
	struct err err = {0};
	int fds[2], room = 4 * BYTES_MAX;
	if (size > BYTES_MAX)
		return 0;
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), &err);
	setsockopt(fds[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	wire_init(&w, fds[0]);
	wire_init(&peer, fds[1]);
	bool call = size && data[0] == '{';
	if (call)
		must(wire_send(&peer, WIRE_JSON, data, size, &err), &err);
	else if (size)
		fuzz_assert(send(fds[1], data, size, MSG_DONTWAIT) == (ssize_t)size);
	if (call) {
		carry_out(&w);
	} else {
		shutdown(fds[1], SHUT_WR);
		receive(&w);
	}
	wire_close(&w);
	wire_close(&peer);
	return 0;
}
