/* SPDX-License-Identifier: MIT */
/* See engine.h. */
#include "labctl/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labctl/paths.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define HOST_WAIT_MS  30000
#define GUEST_WAIT_MS 60000
#define END_WAIT_MS   2000
#define POLL_MS	      5
#define MAX_SAID      2048 /* kept of what a starting labd writes */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

bool engine_guest_installed(void)
{
	const char *kernel = getenv("LABD_GUEST_KERNEL");
	if (kernel && *kernel)
		return access(kernel, X_OK) == 0;
	return path_search("linux.uml", NULL, 0);
}

/* In the child: labd with nothing of ours but the pipe as its stderr. Never returns. */
static void become_labd(const char *labd, const struct engine_start *s, int pipe_fd)
{
	char kind[32], idle[32];
	snprintf(kind, sizeof(kind), "--engine=%s", engine_name(s->kind));
	snprintf(idle, sizeof(idle), "--idle-exit=%u", s->for_good ? s->idle_s : ENGINE_IDLE_S);
	const char *argv[8] = {labd, kind, idle, "--detached"};
	if (s->load_modules)
		argv[4] = "--load-modules";
	sigset_t none;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	int null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(pipe_fd, 2) < 0 ||
	    chdir("/") < 0)
		_exit(127);
	close_range(3, ~0U, 0);
	execv(labd, (char *const *)argv);
	_exit(127);
}

static int spawn(const struct engine_start *s, pid_t *pid, int *said, struct err *err)
{
	char labd[PATH_MAX];
	if (!path_beside("labd", labd, sizeof(labd))) {
		err_setc(err, ENOENT, ERR_FAILED, "labd is not beside labctl, nor in PATH");
		return err_hint(err, "make, or make install");
	}
	int fds[2];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, errno, "pipe");
	*pid = fork();
	if (*pid == 0)
		become_labd(labd, s, fds[1]);
	close(fds[1]);
	if (*pid < 0) {
		close(fds[0]);
		return err_sys(err, errno, "fork");
	}
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	*said = fds[0];
	return 0;
}

/* Collect what labd writes; the first bytes are kept. */
static void listen_to(int fd, struct strbuf *said)
{
	char buf[1024];
	ssize_t n;
	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		size_t room = said->len < MAX_SAID ? MAX_SAID - said->len : 0;
		strbuf_add(said, buf, (size_t)n < room ? (size_t)n : room);
	}
}

/* It ended before it answered: what it wrote says why. */
static int start_failed(const struct engine_start *s, int status, struct strbuf *said,
			struct err *err)
{
	while (said->len && said->s[said->len - 1] == '\n')
		said->s[--said->len] = '\0';
	char *hint = said->len ? strstr(said->s, "\n  hint: ") : NULL;
	if (hint)
		*hint = '\0';
	const char *text = strbuf_str(said);
	if (strncmp(text, "labd: ", 6) == 0)
		text += 6;
	char code[48];
	snprintf(code, sizeof(code), "it ended with %s %d",
		 WIFEXITED(status) ? "exit code" : "signal",
		 WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
	enum err_class cls = ERR_FAILED;
	if (WIFEXITED(status) && WEXITSTATUS(status) >= ERR_DENIED &&
	    WEXITSTATUS(status) <= ERR_UNSUPPORTED)
		cls = (enum err_class)WEXITSTATUS(status);
	err_setc(err, EIO, cls, "the %s engine did not start: %s", engine_name(s->kind),
		 *text ? text : code);
	return hint ? err_hint(err, "%s", hint + strlen("\n  hint: ")) : -EIO;
}

/* A labd that is being started. */
struct starting {
	pid_t pid; /* -1: it has ended, and another one answers */
	int fd;	   /* of what it writes */
	struct strbuf said;
};

static bool has_ended(struct starting *l, int *status)
{
	bool ended = l->pid > 0 && waitpid(l->pid, status, WNOHANG) == l->pid;
	listen_to(l->fd, &l->said);
	if (ended)
		l->pid = -1;
	return ended;
}

/* Wait until the socket can be connected to, or the process has ended. */
static int wait_socket(const struct engine_start *s, struct starting *l, struct err *err)
{
	int64_t end = now_ms() + HOST_WAIT_MS;
	while (now_ms() < end) {
		int status;
		bool ended = has_ended(l, &status);
		if (client_answers(s->kind)) /* ours, or one started by somebody else meanwhile */
			return 0;
		if (ended)
			return start_failed(s, status, &l->said, err);
		poll(NULL, 0, POLL_MS);
	}
	return err_set(err, ETIMEDOUT, "the %s engine was started but its socket does not answer",
		       engine_name(s->kind));
}

/* It listens before it knows whether it can do its work: what it wrote says more than that it has
 * hung up. */
static int hung_up(const struct engine_start *s, struct starting *l, struct err *err)
{
	int64_t end = now_ms() + END_WAIT_MS;
	int status;
	while (l->pid > 0 && now_ms() < end) {
		if (has_ended(l, &status))
			return start_failed(s, status, &l->said, err);
		poll(NULL, 0, POLL_MS);
	}
	return err->code;
}

/* A guest accepts clients while it boots; its first answer means that it is up. */
static int wait_answer(const struct engine_start *s, struct starting *l, struct err *err)
{
	json_t *result = NULL;
	bool guest = s->kind == ENGINE_GUEST;
	struct call c = {.name = "version",
			 .once = true,
			 .timeout_s = (guest ? GUEST_WAIT_MS : HOST_WAIT_MS) / 1000};
	int r = client_call(s->kind, &c, &result, err);
	json_decref(result);
	if (r == 0)
		return 0;
	err_wrap(err, "the %s engine did not start", engine_name(s->kind));
	return !guest && (r == -ECONNRESET || r == -EPIPE) ? hung_up(s, l, err) : err->code;
}

int engine_start(const struct engine_start *s, struct err *err)
{
	struct err own;
	if (!err)
		err = &own;
	if (client_answers_soon_asked(s->kind))
		return 0;
	bool tell = s->kind == ENGINE_GUEST && isatty(STDERR_FILENO);
	struct starting l = {.pid = -1, .fd = -1, .said = STRBUF_INIT};
	int r = spawn(s, &l.pid, &l.fd, err);
	if (r < 0)
		return r;
	if (tell)
		fputs("booting the guest kernel ...", stderr);
	r = wait_socket(s, &l, err);
	if (r == 0)
		r = wait_answer(s, &l, err);
	if (tell)
		fputs("\r\033[K", stderr);
	close(l.fd);
	strbuf_free(&l.said);
	return r;
}

/* ---- choosing -------------------------------------------------------------------------------- */

static const char *backend_word(enum ipt_backend b)
{
	return b == IPT_LEGACY ? "legacy" : b == IPT_NFT ? "nft" : "auto";
}

static json_t *needs(const struct desired *d)
{
	const struct {
		bool on;
		const char *name;
	} all[] = {
		{d->needs_vxlan, "vxlan"}, {d->needs_ipip, "ipip"},   {d->needs_ipset, "ipset"},
		{d->needs_ipvs, "ipvs"},   {d->needs_dummy, "dummy"}, {d->needs_nft, "nft"},
		{d->needs_bird, "bird"},
	};
	json_t *list = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (all[i].on)
			json_array_append_new(list, json_string(all[i].name));
	}
	return json_pack("{s:o, s:s, s:s}", "needs", list, "iptables",
			 backend_word(d->cluster->iptables), "kubernetes",
			 kube_version_str(d->cluster->kubernetes));
}

/* Can a running engine build it? 0; or why not, with class unsupported; then falls_back says
 * whether it builds it nevertheless, without IPVS, as that version of kube-proxy would. */
static int suits(enum engine_kind k, const struct desired *d, bool *falls_back, struct err *err)
{
	json_t *result = NULL;
	struct call c = {.name = "suits", .args = needs(d), .timeout_s = 30};
	int r = client_call(k, &c, &result, err);
	if (r < 0)
		return r;
	if (!json_is_true(json_object_get(result, "ok"))) {
		const char *text = json_string_value(json_object_get(result, "text"));
		const char *hint = json_string_value(json_object_get(result, "hint"));
		r = err_setc(err, ENOTSUP, ERR_UNSUPPORTED, "%s",
			     text ? text : "this kernel lacks something");
		if (hint && *hint)
			err_hint(err, "%s", hint);
	}
	*falls_back = json_is_true(json_object_get(result, "falls_back"));
	json_decref(result);
	return r;
}

/* Is the lab up there already? */
static bool holds(enum engine_kind k, const char *lab)
{
	if (!client_answers(k))
		return false;
	json_t *labs = client_labs(k), *l;
	bool found = false;
	size_t i;
	json_array_foreach (labs, i, l) {
		const char *name = json_string_value(json_object_get(l, "name"));
		found = found || (name && strcmp(name, lab) == 0);
	}
	json_decref(labs);
	return found;
}

/* An engine on this machine's kernel that can build it. */
static int try_start(enum engine_kind k, const struct desired *d, bool *falls_back, struct err *err)
{
	int r = engine_start(&(struct engine_start){.kind = k}, err);
	return r < 0 ? r : suits(k, d, falls_back, err);
}

static int try_host(const struct desired *d, bool *falls_back, struct err *err)
{
	if (!client_answers_soon_asked(ENGINE_HOST) && geteuid() != 0) {
		err_setc(err, EPERM, ERR_DENIED, "the host engine needs root");
		return err_hint(err, "sudo labctl up ..., or --engine user or guest, which need no "
				     "rights");
	}
	return try_start(ENGINE_HOST, d, falls_back, err);
}

/* Can auto go on to the next engine after this? */
static bool is_no_for_good(const struct err *err)
{
	return err->cls != ERR_UNSUPPORTED && err->cls != ERR_DENIED;
}

static int no_guest(const struct err *host, struct err *err)
{
	*err = *host;
	if (strstr(err->hint, "user-mode-linux"))
		return err->code;
	return err_hint(err, "%s%sor use the guest kernel: apt-get install user-mode-linux",
			host->hint, host->hint[0] ? "; " : "");
}

static int use_guest(struct err *err)
{
	if (!client_answers(ENGINE_GUEST) && !engine_guest_installed()) {
		err_setc(err, ENOENT, ERR_UNSUPPORTED, "there is no guest kernel on this machine");
		return err_hint(err, "apt-get install user-mode-linux");
	}
	return engine_start(&(struct engine_start){.kind = ENGINE_GUEST}, err);
}

static int pick_auto(const struct desired *d, enum engine_kind *ret, struct err *err)
{
	struct err why;
	bool falls_back = false;
	for (*ret = ENGINE_GUEST; *ret > ENGINE_HOST; --*ret) {
		if (holds(*ret, d->cluster->name))
			return 0;
	}
	int r = try_host(d, &falls_back, &why);
	if (r < 0 && geteuid() != 0 && !is_no_for_good(&why)) {
		*ret = ENGINE_USER;
		r = try_start(ENGINE_USER, d, &falls_back, &why);
	}
	if (r == 0)
		return 0;
	if (is_no_for_good(&why)) {
		*err = why;
		return r;
	}
	bool guest = client_answers(ENGINE_GUEST) || engine_guest_installed();
	if (!guest && falls_back)
		return 0;
	if (!guest)
		return no_guest(&why, err);
	*ret = ENGINE_GUEST;
	fprintf(stderr, "%s: using the guest kernel (user-mode-linux)\n", why.text);
	return use_guest(err);
}

int engine_pick(const char *want, const struct desired *d, enum engine_kind *ret, struct err *err)
{
	if (strcmp(want, "auto") == 0)
		return pick_auto(d, ret, err);
	bool falls_back = false;
	*ret = engine_kind_of(want);
	if (*ret == ENGINE_GUEST)
		return use_guest(err);
	int r = *ret == ENGINE_HOST ? try_host(d, &falls_back, err)
				    : try_start(ENGINE_USER, d, &falls_back, err);
	return falls_back ? 0 : r;
}

int engine_wanted(const char *flag, const char **ret, struct err *err)
{
	const char *env = getenv("LABCTL_ENGINE");
	*ret = flag ? flag : env && *env ? env : "auto";
	if (flag || !strcmp(*ret, "auto") || !strcmp(*ret, engine_name(engine_kind_of(*ret))))
		return 0;
	return err_setc(err, EINVAL, ERR_USAGE,
			"LABCTL_ENGINE=%s: it is one of auto, host, user, guest", *ret);
}
