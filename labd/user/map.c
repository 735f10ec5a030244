/* SPDX-License-Identifier: MIT */
/* See map.h. */
#include "labd/user/map.h"

#include <errno.h>
#include <pwd.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define SUBID_BYTES (1024u * 1024u)
#define LEAST_IDS   65536ul /* fewer, and nobody (65534) is missing */

bool map_find(const char *text, const char *name, uid_t uid, unsigned long least,
	      struct id_range *ret)
{
	char number[16];
	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	for (const char *line = text; *line; line += *line == '\n') {
		size_t len = strcspn(line, "\n"), n = strcspn(line, ":\n");
		struct id_range r = {0, 0};
		bool mine = (name && strlen(name) == n && !strncmp(line, name, n)) ||
			    (strlen(number) == n && !strncmp(line, number, n));
		if (mine && sscanf(line + n, ":%lu:%lu", &r.first, &r.count) == 2 &&
		    r.count >= least) {
			*ret = r;
			return true;
		}
		line += len;
	}
	return false;
}

static bool range_of(const char *file, struct id_range *ret)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	const struct passwd *pw = getpwuid(getuid());
	return file_read(file, SUBID_BYTES, &b, NULL) >= 0 &&
	       map_find(strbuf_str(&b), pw ? pw->pw_name : NULL, getuid(), LEAST_IDS, ret);
}

/* newuidmap PID 0 ID 1 1 FIRST COUNT; it is setuid, and checks the range itself. */
static bool run_helper(const char *program, pid_t pid, unsigned id, const struct id_range *r)
{
	char p[16], own[16], first[24], count[24];
	snprintf(p, sizeof(p), "%d", (int)pid);
	snprintf(own, sizeof(own), "%u", id);
	snprintf(first, sizeof(first), "%lu", r->first);
	snprintf(count, sizeof(count), "%lu", r->count);
	const char *argv[] = {program, p, "0", own, "1", "1", first, count, NULL};
	const char *env[] = {"PATH=/usr/bin:/bin", "LC_ALL=C", NULL};
	pid_t child;
	int st = -1;
	if (posix_spawn(&child, program, NULL, NULL, (char *const *)argv, (char *const *)env) != 0)
		return false;
	while (waitpid(child, &st, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(st) && WEXITSTATUS(st) == 0;
}

static int write_to(pid_t pid, const char *file, const char *text, struct err *err)
{
	char path[48];
	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, file);
	return file_write(path, text, strlen(text), 0, err);
}

int map_write(pid_t pid, struct err *err)
{
	struct id_range uids, gids;
	char text[48];
	if (access("/usr/bin/newuidmap", X_OK) == 0 && range_of("/etc/subuid", &uids) &&
	    range_of("/etc/subgid", &gids) &&
	    run_helper("/usr/bin/newgidmap", pid, getgid(), &gids) &&
	    run_helper("/usr/bin/newuidmap", pid, getuid(), &uids))
		return 0;
	/* A user's groups may forbid him something; so they may not be left for a map. */
	int r = write_to(pid, "setgroups", "deny", err);
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)getuid());
	if (r == 0)
		r = write_to(pid, "uid_map", text, err);
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)getgid());
	if (r == 0)
		r = write_to(pid, "gid_map", text, err);
	return r;
}
