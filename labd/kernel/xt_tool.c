/* SPDX-License-Identifier: MIT */
/* See xt_tool.h. */
#include "labd/kernel/xt_tool.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define TOOL_ARGS_MAX 16

bool tool_find(const char *name, char *buf, size_t size)
{
	static const char *const dirs[] = {
		"/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin",
	};
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		int n = snprintf(buf, size, "%s/%s", dirs[i], name);
		if (n > 0 && (size_t)n < size && access(buf, X_OK) == 0)
			return true;
	}
	return false;
}

/* stdin: a memory file needs no one to feed it. */
static int input_file(const char *input, size_t len, struct err *err)
{
	_close_ int fd = memfd_create("input", MFD_CLOEXEC);
	if (fd < 0)
		return err_sys(err, errno, "cannot make a memory file");
	int r = write_all(fd, input, len);
	if (r < 0)
		return err_sys(err, r, "cannot fill a memory file");
	if (lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, errno, "cannot rewind a memory file");
	return take_fd(&fd);
}

/* stderr: a memory file of fixed size, so that a talkative program costs nothing. */
static int stderr_file(struct err *err)
{
	_close_ int fd = memfd_create("stderr", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, TOOL_STDERR_MAX) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) < 0)
		return err_sys(err, errno, "cannot make a memory file");
	return take_fd(&fd);
}

static int spawn(pid_t *pid, const char *path, const char *const *argv, char *const *env, int in,
		 int errfd)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t none, all;
	sigemptyset(&none);
	sigfillset(&all);
	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_addopen(&fa, 1, "/dev/null", O_WRONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, errfd, 2);
	posix_spawn_file_actions_addclosefrom_np(&fa, 3);
	posix_spawnattr_init(&at);
	posix_spawnattr_setsigmask(&at, &none);
	posix_spawnattr_setsigdefault(&at, &all);
	posix_spawnattr_setpgroup(&at, 0);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
					      POSIX_SPAWN_SETPGROUP);
	int r = posix_spawn(pid, path, &fa, &at, (char *const *)argv, env);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return -r;
}

int tool_start(struct tool *t, const char *const *argv, const char *env, const char *input,
	       size_t len, struct err *err)
{
	char path[128];
	*t = (struct tool){.errfd = -1};
	if (!tool_find(argv[0], path, sizeof(path))) {
		err_setc(err, -ENOENT, ERR_UNSUPPORTED, "%s is not installed", argv[0]);
		return err_hint(err, "`labctl doctor` tells which package has it");
	}
	_close_ int in = input_file(input, len, err);
	if (in < 0)
		return in;
	_close_ int errfd = stderr_file(err);
	if (errfd < 0)
		return errfd;
	char *const envv[] = {"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", (char *)env, NULL};
	int r = spawn(&t->pid, path, argv, envv, in, errfd);
	if (r < 0)
		return err_sys(err, r, "cannot run %s", argv[0]);
	t->errfd = take_fd(&errfd);
	return 0;
}

static void read_stderr(int fd, char *text, size_t size)
{
	ssize_t n = pread(fd, text, size - 1, 0);
	text[n < 0 ? 0 : n] = '\0'; /* what was not written is zero */
}

int tool_wait(struct tool *t, char *text, size_t size, struct err *err)
{
	int st, r = 0;
	_close_ int pidfd = pidfd_open(t->pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};
	/* A signal may cut one wait short; that only delays the timeout. */
	while (pidfd >= 0 && (r = poll(&p, 1, TOOL_TIMEOUT_MS)) < 0 && errno == EINTR)
		;
	bool late = pidfd >= 0 && r == 0;
	if (late)
		kill(t->pid, SIGKILL);
	while ((r = waitpid(t->pid, &st, 0)) < 0 && errno == EINTR)
		;
	r = r < 0 ? -errno : 0;
	t->pid = 0;
	read_stderr(t->errfd, text, size);
	close(t->errfd);
	t->errfd = -1;
	if (r < 0)
		return err_sys(err, r, "cannot wait for a program");
	if (late)
		return err_set(err, -ETIMEDOUT, "not done after %d s", TOOL_TIMEOUT_MS / 1000);
	if (WIFSIGNALED(st))
		return err_set(err, -EIO, "killed by signal %d", WTERMSIG(st));
	return WEXITSTATUS(st) == 0 ? 0 : 1;
}
