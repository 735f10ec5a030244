/* SPDX-License-Identifier: MIT */
/* See proc_programs.h. */
#include "labd/kernel/proc_programs.h"

#include <ctype.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "labd/init/proto.h"
#include "lib/base/cleanup.h"

#define TEXT_MAX 32768

_Static_assert(PROC_PROGRAMS_MAX == INIT_MAX_PROGS, "as many as labd-init keeps");

static int open_inside(pid_t pid, const char *path)
{
	char root[64];
	const struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW,
				     .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS |
						RESOLVE_NO_MAGICLINKS};
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	_close_ int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return dir < 0 ? -1 : (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
}

static bool printable(const char *s)
{
	for (; *s; s++)
		if (!isgraph((unsigned char)*s))
			return false;
	return true;
}

static bool parse_line(const char *line, struct program_status *s)
{
	static const char *const states[] = {"running", "waiting", "ended"};
	char state[16];
	long long started, ended, ended_started;
	*s = (struct program_status){0};
	if (sscanf(line, "%253s %15s %u %lld %lld %lld %d %d", s->name, state, &s->restarts,
		   &started, &ended, &ended_started, &s->code, &s->wait) != 8 ||
	    !printable(s->name) || started < 0 || ended < 0 || ended_started < 0)
		return false;
	s->started = started;
	s->ended = ended;
	s->ended_started = ended_started;
	s->code &= 0xff;
	if (s->restarts > MAX_RESTARTS)
		s->restarts = MAX_RESTARTS;
	for (unsigned i = 0; i < sizeof(states) / sizeof(*states); i++)
		if (strcmp(state, states[i]) == 0) {
			s->state = (enum program_state)i;
			return true;
		}
	return false;
}

size_t proc_programs_parse(const char *text, struct program_status *v, size_t max)
{
	size_t n = 0;
	for (const char *at = text; *at && n < max;) {
		char line[512];
		size_t len = strcspn(at, "\n");
		snprintf(line, sizeof(line), "%.*s", (int)(len < sizeof(line) ? len : 0), at);
		n += parse_line(line, &v[n]);
		at += len + (at[len] == '\n');
	}
	return n;
}

size_t proc_programs(pid_t pid, struct program_status *v, size_t max)
{
	char text[TEXT_MAX];
	struct stat st;
	_close_ int fd = open_inside(pid, INIT_PROGRAMS);
	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return 0;
	ssize_t n = read(fd, text, sizeof(text) - 1);
	text[n > 0 ? n : 0] = '\0';
	return proc_programs_parse(text, v, max);
}
