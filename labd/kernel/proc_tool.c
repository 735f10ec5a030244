/* SPDX-License-Identifier: MIT */
/*
 * proc_tool: the host's programs (iptables-restore, ipset, nft) run by labd itself; see proc.h.
 * Their stdin, stdout and stderr are memory files, so that nothing has to be pumped meanwhile and
 * no order of reading and writing can block.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "labd/kernel/proc_priv.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define TOOL_MS	      60000
#define MAX_TOOL_TEXT 512 /* of its stderr, in an error */

struct tool {
	const char *const *argv;
	const char **env;
	int netns, stdio[3];
	int code; /* errno of a failure before exec */
};

static int tool_child(void *arg)
{
	struct tool *t = arg;
	sigset_t none;
	sigemptyset(&none);
	for (int i = 0; i < 3; i++) {
		if (dup2(t->stdio[i], i) < 0)
			goto fail;
	}
	if (t->netns >= 0 && setns(t->netns, CLONE_NEWNET) < 0)
		goto fail;
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &none, NULL);
	for (const char *p = PROC_SAFE_PATH, *end; *p; p = *end ? end + 1 : end) {
		char file[PATH_MAX];
		end = strchrnul(p, ':');
		snprintf(file, sizeof(file), "%.*s/%s", (int)(end - p), p, t->argv[0]);
		execve(t->argv[0][0] == '/' ? t->argv[0] : file, (char *const *)t->argv,
		       (char *const *)t->env);
		if (errno != ENOENT)
			break;
	}
fail:
	t->code = errno;
	return 127;
}

/* A memory file above the standard descriptors, with what is given and read from the start. */
static int memory_file(const char *data, size_t len, struct err *err)
{
	_close_ int low = memfd_create("labd", MFD_CLOEXEC);
	_close_ int fd = low < 0 ? -1 : fcntl(low, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return err_sys(err, errno, "a memory file");
	int r = len ? write_all(fd, data, len) : 0;
	if (r == 0 && lseek(fd, 0, SEEK_SET) < 0)
		r = -errno;
	return r < 0 ? err_sys(err, r, "a memory file") : take_fd(&fd);
}

static int wait_bounded(pid_t pid, const char *name, struct err *err)
{
	_close_ int fd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd pfd = {.fd = fd, .events = POLLIN};
	int n;
	do
		n = fd < 0 ? 1 : poll(&pfd, 1, TOOL_MS);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		kill(pid, SIGKILL); /* our child, not reaped: it is that one */
	int status = proc_wait(pid);
	if (n == 0)
		return err_set(err, ETIMEDOUT, "%s: not done after %d s", name, TOOL_MS / 1000);
	return status;
}

/* What it said, as one line. */
static void complaint(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text[n > 0 ? n : 0] = '\0';
	for (char *c = text; *c; c++) {
		if ((unsigned char)*c < ' ' || *c == 127)
			*c = ' ';
	}
}

int proc_tool_out(int netns, const char *const *argv, const char *input, size_t len,
		  struct strbuf *out, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	/* The lock file: the host's own tools should not wait for labs, and in a guest the usual
	 * place may not be writable. */
	const char *lock = arena_printf(a, "XTABLES_LOCKFILE=%s/xtables.lock", proc_g.shared);
	const char *env[] = {"PATH=" PROC_SAFE_PATH, "LC_ALL=C", lock, NULL};
	_close_ int in = memory_file(input, len, err);
	_close_ int o = in < 0 ? -1 : memory_file(NULL, 0, err);
	_close_ int e = o < 0 ? -1 : memory_file(NULL, 0, err);
	if (e < 0)
		return err ? err->code : -ENOMEM;
	struct tool t = {.argv = argv, .env = env, .netns = netns, .stdio = {in, o, e}};
	pid_t pid = proc_child(tool_child, &t, 0, -1, NULL, err);
	if (pid < 0)
		return pid;
	int status = wait_bounded(pid, argv[0], err);
	if (status < 0)
		return status;
	if (t.code)
		return err_sys(err, t.code, "%s", argv[0]);
	if (status != 0) {
		char text[MAX_TOOL_TEXT];
		complaint(e, text, sizeof(text));
		return err_set(err, EIO, "%s: %s%.*s", argv[0],
			       text[0] ? "" : "failed without a word", (int)sizeof(text), text);
	}
	off_t size = out ? lseek(o, 0, SEEK_END) : 0;
	if (size > 0 && pread(o, strbuf_reserve(out, (size_t)size), (size_t)size, 0) == size) {
		out->len += (size_t)size;
		out->s[out->len] = '\0';
	}
	return 0;
}

int proc_tool(int netns, const char *const *argv, const char *input, size_t len, struct err *err)
{
	return proc_tool_out(netns, argv, input, len, NULL, err);
}
