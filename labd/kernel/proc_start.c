/* SPDX-License-Identifier: MIT */
/* proc_start: having labd-init start a namespace's programs; the talk is in labd/init/proto.h. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "labd/init/proto.h"
#include "labd/kernel/proc_priv.h"
#include "lib/base/cleanup.h"

#define ANSWER_MS 30000 /* a guest kernel execs slowly, and a pod may have many programs */

static void add_u32(struct strbuf *b, uint32_t v)
{
	strbuf_add(b, &v, sizeof(v));
}

static void add_string(struct strbuf *b, const char *s)
{
	add_u32(b, (uint32_t)strlen(s));
	strbuf_add(b, s, strlen(s) + 1);
}

static void add_program(struct strbuf *b, const struct dns *ns, const struct dproc *p)
{
	_arena_ struct arena *a = arena_new();
	const char **extra = arena_new_array(a, const char *, p->env.n + 1);
	for (size_t i = 0; i < p->env.n; i++)
		extra[i] = p->env.v[i];
	const char **env = proc_environ(a, ns->busybox_first, ns->hostname, NULL, extra);
	uint32_t envc = 0;
	while (env[envc])
		envc++;
	add_u32(b, p->restart == DPROC_ALWAYS	    ? INIT_RESTART
		   : p->restart == DPROC_ON_FAILURE ? INIT_RESTART_ON_FAILURE
						    : 0);
	add_string(b, p->name);
	add_u32(b, (uint32_t)p->argv.n);
	for (size_t i = 0; i < p->argv.n; i++)
		add_string(b, p->argv.v[i]);
	add_u32(b, envc);
	for (uint32_t i = 0; i < envc; i++)
		add_string(b, env[i]);
}

int proc_fd_open(pid_t pid, int fd, int flags)
{
	char path[40];
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
	int r = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	return r < 0 ? -errno : r;
}

static int open_end(const struct nsproc *p, int fd, int flags, struct err *err)
{
	int r = proc_fd_open(p->pid, fd, flags);
	return r < 0 ? err_sys(err, r, "reaching process %d", (int)p->pid) : r;
}

static int64_t ms_left(int64_t deadline)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return deadline - ((int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
}

/* Until fd is ready, the process dead or the time over. */
static int await(int fd, short events, int pidfd, int64_t deadline, struct err *err)
{
	for (;;) {
		int64_t left = ms_left(deadline);
		if (left <= 0)
			return err_set(err, ETIMEDOUT, "its first process does not answer");
		struct pollfd p[2] = {{.fd = fd, .events = events},
				      {.fd = pidfd, .events = POLLIN}};
		int n = poll(p, 2, (int)left);
		if (n < 0 && errno != EINTR)
			return err_sys(err, errno, "poll");
		if (n > 0 && p[0].revents)
			return 0;
		if (n > 0)
			return err_set(err, ESRCH, "its first process has ended");
	}
}

static int send_all(int fd, const struct strbuf *b, int pidfd, int64_t deadline, struct err *err)
{
	for (size_t at = 0; at < b->len;) {
		ssize_t n = write(fd, b->s + at, b->len - at);
		if (n > 0) {
			at += (size_t)n;
			continue;
		}
		if (n < 0 && errno != EAGAIN && errno != EINTR)
			return err_sys(err, errno, "telling its first process");
		int r = await(fd, POLLOUT, pidfd, deadline, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* An answer is written whole; one with another seq is to a labd that died over it. */
static int get_answer(int fd, uint32_t seq, int pidfd, int64_t deadline, struct err *err)
{
	for (;;) {
		struct init_head head;
		char text[INIT_MAX_ANSWER + 1] = "";
		int r = await(fd, POLLIN, pidfd, deadline, err);
		if (r < 0)
			return r;
		ssize_t n = read(fd, &head, sizeof(head));
		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (n != sizeof(head) || head.magic != INIT_MAGIC || head.len > INIT_MAX_ANSWER)
			return err_set(err, EPROTO, "its first process answers nonsense");
		if (head.len > 0 && read(fd, text, head.len) != (ssize_t)head.len)
			return err_set(err, EPROTO, "its first process answers in part");
		if (head.seq != seq)
			continue;
		if (head.count == 0)
			return 0;
		for (char *c = text; *c; c++) {
			if ((unsigned char)*c < ' ' || *c == 127)
				*c = c[1] ? ';' : '\0';
		}
		err_set(err, ENOEXEC, "%s", text);
		return err_hint(err, "a container's programs are this machine's own, of which "
				     "/usr is seen; see lab.yaml(5), IMAGES");
	}
}

/* The message that starts all of a namespace's programs. */
static int start_message(const struct dns *ns, uint32_t seq, struct strbuf *b, struct err *err)
{
	struct init_head head = {.magic = INIT_MAGIC, .seq = seq, .count = (uint32_t)ns->procs.n};
	if (ns->procs.n > INIT_MAX_PROGS)
		return err_set(err, E2BIG, "%s: more than %u programs", ns->name, INIT_MAX_PROGS);
	strbuf_add(b, &head, sizeof(head));
	vec_foreach (struct dproc, q, &ns->procs)
		add_program(b, ns, q);
	head.len = (uint32_t)(b->len - sizeof(head));
	if (head.len > INIT_MAX_CMD)
		return err_set(err, E2BIG, "%s: arguments and environment over %u bytes", ns->name,
			       INIT_MAX_CMD);
	memcpy(b->s, &head, sizeof(head));
	return 0;
}

int proc_start_send(const struct desired *d, int i, struct nsproc *p, struct proc_starting *ret,
		    struct err *err)
{
	static uint32_t seq;
	const struct dns *ns = &d->ns.v[i];
	*ret = (struct proc_starting){.ns = ns, .pidfd = -1, .status = -1};
	if (ns->procs.n == 0 || p->pid == 0)
		return 0;
	/* Numbers of different labds should differ too. */
	if (seq == 0)
		seq = (uint32_t)getpid() << 16;
	_strbuf_ struct strbuf b = STRBUF_INIT;
	int r = start_message(ns, ++seq, &b, err);
	if (r < 0)
		return r;
	_close_ int pidfd = proc_pidfd(p->pid, p->starttime);
	if (pidfd < 0)
		return err_set(err, ESRCH, "%s: its first process is gone", ns->name);
	_close_ int cmd = open_end(p, INIT_FD_CMD_WRITE, O_WRONLY, err);
	_close_ int status = cmd < 0 ? -1 : open_end(p, INIT_FD_STATUS, O_RDONLY, err);
	if (cmd < 0 || status < 0)
		return err_wrap(err, "%s", ns->name);
	ret->deadline = ANSWER_MS - ms_left(0);
	ret->seq = seq;
	r = send_all(cmd, &b, pidfd, ret->deadline, err);
	if (r < 0)
		return err_wrap(err, "%s", ns->name);
	ret->pidfd = take_fd(&pidfd);
	ret->status = take_fd(&status);
	return 0;
}

int proc_start_wait(struct proc_starting *s, struct err *err)
{
	if (s->status < 0)
		return 0;
	int r = get_answer(s->status, s->seq, s->pidfd, s->deadline, err);
	close(s->status);
	close(s->pidfd);
	s->status = s->pidfd = -1;
	return r < 0 ? err_wrap(err, "%s", s->ns->name) : 0;
}

int proc_start(const struct desired *d, int i, struct nsproc *p, struct err *err)
{
	struct proc_starting s;
	int r = proc_start_send(d, i, p, &s, err);
	return r < 0 ? r : proc_start_wait(&s, err);
}
