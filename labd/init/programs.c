/* SPDX-License-Identifier: MIT */
/*
 * programs: the table of a namespace's programs: started, logged, started again with kubelet's
 * back-off (at once the first time, then after 10 s doubling to 5 min; forgotten after ten minutes
 * of running; pkg/kubelet: MaxContainerBackOff, backOffPeriod).
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/init/init.h"
#include "lib/base/limits.h"

#define BACKOFF_FIRST_MS 10000
#define BACKOFF_MAX_MS	 300000
#define BACKOFF_RESET_MS 600000
#define STOP_MS		 2000
#define TEXT_MAX	 256
#define CODE_NO_START                                                                              \
	128 /* exit code of what could not be started, as container engines tell it                \
	     */

struct program {
	char *blob; /* the command's bytes for it; argv and env point into it */
	size_t blob_len;
	const char *name;
	uint32_t flags;
	char **argv, **env;
	pid_t pid; /* 0: does not run */
	int pipe;  /* its output, -1: none */
	struct progfile log;
	int64_t started;
	int64_t due; /* to be started again; 0: not */
	int backoff; /* ms to wait next time */
	struct progstate told;
};

static struct program table[INIT_MAX_PROGS];
static size_t n_programs;
static bool told_any, news; /* anything yet; anything that programs_news() has not said */

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* --- decoding -------------------------------------------------------------------------------- */

struct cursor {
	char *p;
	size_t left;
};

static bool get_u32(struct cursor *c, uint32_t *v)
{
	if (c->left < sizeof(*v))
		return false;
	memcpy(v, c->p, sizeof(*v));
	c->p += sizeof(*v);
	c->left -= sizeof(*v);
	return true;
}

static char *get_string(struct cursor *c)
{
	uint32_t n;
	if (!get_u32(c, &n) || n >= c->left || c->p[n] != '\0')
		return NULL;
	char *s = c->p;
	c->p += n + 1;
	c->left -= n + 1;
	return s;
}

/* A NULL-terminated list; only the array is allocated. */
static char **get_list(struct cursor *c, uint32_t max)
{
	uint32_t n;
	if (!get_u32(c, &n) || n > max)
		return NULL;
	char **list = calloc(n + 1, sizeof(*list));
	for (uint32_t i = 0; list && i < n; i++) {
		list[i] = get_string(c);
		if (!list[i]) {
			free(list);
			return NULL;
		}
	}
	return list;
}

static void program_free(struct program *p)
{
	if (p->pipe >= 0)
		close(p->pipe);
	if (p->log.fd >= 0)
		close(p->log.fd);
	free(p->argv);
	free(p->env);
	free(p->blob);
	*p = (struct program){.pipe = -1, .log.fd = -1};
}

/* Take the next program off the bytes at data; they are copied. Returns how many, 0 for nonsense.
 */
static size_t program_decode(struct program *p, const char *data, size_t len)
{
	*p = (struct program){.pipe = -1, .log.fd = -1};
	p->blob = malloc(len ? len : 1);
	if (!p->blob)
		return 0;
	memcpy(p->blob, data, len);
	struct cursor c = {p->blob, len};
	bool ok = get_u32(&c, &p->flags) && (p->name = get_string(&c)) != NULL &&
		  (p->argv = get_list(&c, MAX_ARGS)) != NULL && p->argv[0] &&
		  (p->env = get_list(&c, MAX_ENV + 16)) != NULL && p->name[0] != '.' &&
		  !strchr(p->name, '/') && strlen(p->name) <= MAX_NAME;
	p->blob_len = len - c.left;
	if (!ok)
		program_free(p);
	return ok ? p->blob_len : 0;
}

/* --- what is told of them -------------------------------------------------------------------- */

static void tell(void)
{
	struct progstate all[INIT_MAX_PROGS];
	for (size_t i = 0; i < n_programs; i++)
		all[i] = table[i].told;
	progstate_write(all, n_programs);
	told_any = true;
}

static void tell_end(struct program *p, int code, int wait_ms)
{
	struct progstate *t = &p->told;
	t->name = p->name;
	t->running = false;
	t->ended = time(NULL);
	t->ended_started = t->started;
	t->code = code;
	t->wait = wait_ms < 0 ? -1 : wait_ms / 1000;
	tell();
	news |= wait_ms != 0;
}

/* --- running --------------------------------------------------------------------------------- */

static const char *env_path(char *const *env)
{
	for (; *env; env++) {
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	}
	return "";
}

/* `sleep infinity`, which keeps a pod for others to exec into, is this program again: busybox's is
 * ten times as large, and a lab may have thousands of them. */
static bool sleeps(const struct program *p)
{
	return !strcmp(p->argv[0], "sleep") && p->argv[1] && !strcmp(p->argv[1], "infinity") &&
	       !p->argv[2];
}

/* posix_spawn shares memory until exec: nothing is copied, and exec's error comes back. */
static int spawn_search(const struct program *p, pid_t *pid, const posix_spawn_file_actions_t *fa,
			const posix_spawnattr_t *at)
{
	if (sleeps(p) && posix_spawn(pid, INIT_SELF, fa, at, p->argv, p->env) == 0)
		return 0;
	if (strchr(p->argv[0], '/'))
		return posix_spawn(pid, p->argv[0], fa, at, p->argv, p->env);
	int best = ENOENT;
	for (const char *s = env_path(p->env), *end; *s; s = *end ? end + 1 : end) {
		char file[4096];
		end = strchrnul(s, ':');
		snprintf(file, sizeof(file), "%.*s/%s", (int)(end - s), s, p->argv[0]);
		/* a process is made for each try, so look first */
		if (access(file, F_OK) < 0)
			continue;
		int r = posix_spawn(pid, file, fa, at, p->argv, p->env);
		if (r == 0)
			return 0;
		best = r;
	}
	return best;
}

static int spawn_with(const struct program *p, pid_t *pid, int out)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t at;
	sigset_t set;
	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&at);
	posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	posix_spawn_file_actions_adddup2(&fa, out, 2);
	posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF |
					      POSIX_SPAWN_SETSIGMASK);
	sigfillset(&set);
	posix_spawnattr_setsigdefault(&at, &set);
	sigemptyset(&set);
	posix_spawnattr_setsigmask(&at, &set);
	int r = spawn_search(p, pid, &fa, &at);
	posix_spawnattr_destroy(&at);
	posix_spawn_file_actions_destroy(&fa);
	return r;
}

/* 0 or an errno. */
static int program_start(struct program *p)
{
	int fds[2];
	p->due = 0;
	p->started = now_ms();
	if (pipe2(fds, O_CLOEXEC) < 0)
		return errno;
	fcntl(fds[0], F_SETFL, O_NONBLOCK);
	int r = spawn_with(p, &p->pid, fds[1]);
	close(fds[1]);
	if (r != 0) {
		close(fds[0]);
		p->pid = 0;
		return r;
	}
	if (p->pipe >= 0)
		close(p->pipe);
	p->pipe = fds[0];
	if (p->log.fd < 0)
		progfile_open(&p->log, p->name);
	p->told.name = p->name;
	p->told.running = true;
	p->told.started = time(NULL);
	news |= told_any;
	return 0;
}

static void schedule(struct program *p, int code)
{
	int64_t now = now_ms();
	int wait = -1;
	if (now - p->started >= BACKOFF_RESET_MS)
		p->backoff = 0;
	if (p->flags & INIT_RESTART || (p->flags & INIT_RESTART_ON_FAILURE && code != 0)) {
		wait = p->backoff;
		p->due = now + wait + 1;
		p->backoff = wait ? wait * 2 : BACKOFF_FIRST_MS;
		if (p->backoff > BACKOFF_MAX_MS)
			p->backoff = BACKOFF_MAX_MS;
	}
	tell_end(p, code, wait);
}

/* Its session's processes too: a shell's children, a server's workers. */
static void program_end(struct program *p)
{
	if (p->pid <= 0)
		return;
	kill(-p->pid, SIGTERM);
	int64_t until = now_ms() + STOP_MS;
	while (waitpid(p->pid, NULL, WNOHANG) == 0) {
		if (now_ms() >= until) {
			kill(-p->pid, SIGKILL);
			waitpid(p->pid, NULL, 0);
			break;
		}
		usleep(5000);
	}
	p->pid = 0;
}

static struct program *find(const char *name)
{
	for (size_t i = 0; i < n_programs; i++) {
		if (!strcmp(table[i].name, name))
			return &table[i];
	}
	return NULL;
}

/* Put a decoded program into the table and start it; 0 or an errno. */
static int adopt(struct program *new)
{
	struct program *p = find(new->name);
	if (p && p->blob_len == new->blob_len && !memcmp(p->blob, new->blob, new->blob_len) &&
	    p->pid > 0) {
		program_free(new);
		return 0;
	}
	if (p) {
		program_end(p);
		program_free(p);
	} else if (n_programs < INIT_MAX_PROGS) {
		p = &table[n_programs++];
	} else {
		program_free(new);
		return E2BIG;
	}
	*p = *new;
	int r = program_start(p);
	if (r != 0)
		schedule(p, CODE_NO_START);
	return r;
}

int programs_start(const char *data, size_t len, uint32_t count, char *text, size_t size)
{
	int failed = 0;
	size_t used = 0;
	text[0] = '\0';
	for (uint32_t i = 0; i < count; i++) {
		struct program new;
		size_t n = program_decode(&new, data, len);
		if (n == 0)
			return -1;
		data += n;
		len -= n;
		char line[TEXT_MAX];
		snprintf(line, sizeof(line), "%s%.64s: %.128s: ", failed ? "\n" : "", new.name,
			 new.argv[0]);
		int r = adopt(&new);
		if (r == 0 && told_any)
			tell();
		if (r == 0)
			continue;
		failed++;
		int w = snprintf(text + used, size - used, "%s%s", line, strerror(r));
		used = w > 0 && (size_t)w < size - used ? used + (size_t)w : size - 1;
	}
	return failed;
}

bool programs_ended(pid_t pid, int code)
{
	for (size_t i = 0; i < n_programs; i++) {
		if (table[i].pid == pid) {
			table[i].pid = 0;
			schedule(&table[i], code);
			return true;
		}
	}
	return false;
}

bool programs_news(void)
{
	bool was = news;
	news = false;
	return was;
}

int programs_due(void)
{
	int64_t now = now_ms(), next = -1;
	for (size_t i = 0; i < n_programs; i++) {
		struct program *p = &table[i];
		if (p->due && p->due <= now) {
			int r = program_start(p);
			p->told.restarts += r == 0;
			if (r == 0)
				tell();
			else
				schedule(p, CODE_NO_START);
		}
		if (p->due && (next < 0 || p->due - now < next))
			next = p->due > now ? p->due - now : 0;
	}
	return (int)next;
}

size_t programs_poll(struct pollfd *p, size_t max)
{
	size_t n = 0;
	for (size_t i = 0; i < n_programs && n < max; i++) {
		if (table[i].pipe >= 0)
			p[n++] = (struct pollfd){.fd = table[i].pipe, .events = POLLIN};
	}
	return n;
}

void programs_log(int fd)
{
	char buf[16384];
	for (size_t i = 0; i < n_programs; i++) {
		struct program *p = &table[i];
		if (p->pipe != fd)
			continue;
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n > 0) {
			progfile_write(&p->log, p->name, buf, (size_t)n);
		} else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
			close(fd);
			p->pipe = -1;
		}
		return;
	}
}

void programs_stop(void)
{
	kill(-1, SIGTERM);
	int64_t until = now_ms() + STOP_MS;
	while (waitpid(-1, NULL, WNOHANG) >= 0 && now_ms() < until)
		usleep(2000);
	kill(-1, SIGKILL);
}
