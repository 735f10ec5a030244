/* SPDX-License-Identifier: MIT */
/* See cgroup.h. */
#include "labd/kernel/cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/magic.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"

#define ROOT	       "/sys/fs/cgroup"
#define REMOVE_MS      500 /* a killed process leaves its group a moment after it is gone */
#define REMOVE_STEP_MS 2

enum version { NONE, V1, V2 };

/* Of v1 the two hierarchies, of v2 the one. */
static const char *const roots[][2] = {
	[V1] = {ROOT "/pids", ROOT "/memory"},
	[V2] = {ROOT, NULL},
};

struct cgroup_limits cgroup_bounds(size_t machines, const struct cgroup_limits *asked,
				   uint64_t total)
{
	struct cgroup_limits l = *asked;
	const uint64_t most = total / 4 * 3;
	if (!l.processes)
		l.processes = LAB_PROCESSES + LAB_PROCESSES_EACH * (unsigned)machines;
	if (!l.memory)
		l.memory = LAB_MEMORY + (uint64_t)LAB_MEMORY_EACH * machines;
	if (l.memory > most)
		l.memory = most;
	return l;
}

uint64_t cgroup_total(void)
{
	struct sysinfo s;
	return sysinfo(&s) < 0 ? UINT64_MAX : (uint64_t)s.totalram * s.mem_unit;
}

static bool is_fs(const char *path, long magic)
{
	struct statfs s;
	return statfs(path, &s) == 0 && s.f_type == magic && access(path, W_OK) == 0;
}

static bool has_controllers(void)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	return file_read(ROOT "/cgroup.subtree_control", 4096, &b, NULL) >= 0 &&
	       strstr(strbuf_str(&b), "memory") && strstr(strbuf_str(&b), "pids");
}

static enum version version(void)
{
	if (is_fs(ROOT, CGROUP2_SUPER_MAGIC))
		return has_controllers() ? V2 : NONE;
	return is_fs(roots[V1][0], CGROUP_SUPER_MAGIC) && is_fs(roots[V1][1], CGROUP_SUPER_MAGIC)
		       ? V1
		       : NONE;
}

bool cgroup_usable(void)
{
	return version() != NONE;
}

/* ---- one lab's ------------------------------------------------------------------------------- */

/* LAB.NETNS-DEVICE-INODE; the lab's name is a DNS label, which has no dot. */
static int group_name(const char *dir, const char *lab, char *buf, size_t size)
{
	struct stat st, net;
	if (stat(dir, &st) < 0 || stat("/proc/self/ns/net", &net) < 0)
		return -errno;
	snprintf(buf, size, "%s.%" PRIu64 "-%" PRIx64 "-%" PRIx64, lab, (uint64_t)net.st_ino,
		 (uint64_t)st.st_dev, (uint64_t)st.st_ino);
	return 0;
}

static int set(const char *dir, const char *file, uint64_t value, bool optional, struct err *err)
{
	char path[PATH_MAX], text[24];
	snprintf(path, sizeof(path), "%s/%s", dir, file);
	snprintf(text, sizeof(text), "%" PRIu64, value);
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);
	if ((fd < 0 || write(fd, text, strlen(text)) < 0) && !optional)
		return err_sys(err, errno, "%s = %s", path, text);
	return 0;
}

static int make_dir(const char *path, struct err *err)
{
	return mkdir(path, 0755) < 0 && errno != EEXIST ? err_sys(err, errno, "%s", path) : 0;
}

static int bound_v1(const char *dir, int which, const struct cgroup_limits *l, struct err *err)
{
	if (which == 0)
		return set(dir, "pids.max", l->processes, false, err);
	/* The first is never above the second: this raises both, or lowers the first; the last line
	 * does the rest. */
	set(dir, "memory.memsw.limit_in_bytes", l->memory, true, NULL);
	int r = set(dir, "memory.limit_in_bytes", l->memory, false, err);
	if (r == -EBUSY) /* more is in use than a smaller lab gets: the old bound holds on */
		return 0;
	return r < 0 ? r : set(dir, "memory.memsw.limit_in_bytes", l->memory, true, err);
}

static int bound_v2(const char *dir, const struct cgroup_limits *l, struct err *err)
{
	int r = set(dir, "pids.max", l->processes, false, err);
	if (r == 0)
		r = set(dir, "memory.max", l->memory, false, err);
	return r < 0 ? r : set(dir, "memory.swap.max", 0, true, err);
}

/* The group's directory in hierarchy `which`, with that of all labs. */
static int make_group(enum version v, int which, const char *name, const struct cgroup_limits *l,
		      struct err *err)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), "%s/labd", roots[v][which]);
	int r = make_dir(path, err);
	if (r == 0 && v == V2) {
		char file[PATH_MAX + 32];
		static const char both[] = "+pids +memory";
		snprintf(file, sizeof(file), "%s/cgroup.subtree_control", path);
		_close_ int fd = open(file, O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, both, sizeof(both) - 1) < 0)
			r = err_sys(err, errno, "%s", file);
	}
	snprintf(path, sizeof(path), "%s/labd/%s", roots[v][which], name);
	if (r == 0)
		r = make_dir(path, err);
	if (r == 0)
		r = v == V2 ? bound_v2(path, l, err) : bound_v1(path, which, l, err);
	return r;
}

static void open_group(enum version v, const char *name, struct cgroup *ret)
{
	char path[PATH_MAX];
	*ret = CGROUP_NONE;
	for (int i = 0; i < 2 && v != NONE && roots[v][i]; i++) {
		/* tasks and 0: only this thread moves, for which the kernel waits for nobody */
		snprintf(path, sizeof(path), "%s/labd/%s/%s", roots[v][i], name,
			 v == V2 ? "cgroup.procs" : "tasks");
		ret->join[i] = open(path, O_WRONLY | O_CLOEXEC);
	}
	if (v != V2)
		return;
	snprintf(path, sizeof(path), "%s/labd/%s", roots[v][0], name);
	ret->dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

int cgroup_make(const char *dir, const char *lab, const struct cgroup_limits *l, struct cgroup *ret,
		struct err *err)
{
	char name[MAX_LAB_NAME + 64];
	enum version v = version();
	*ret = CGROUP_NONE;
	if (v == NONE)
		return 0;
	int r = group_name(dir, lab, name, sizeof(name));
	if (r < 0)
		return err_sys(err, r, "%s", dir);
	for (int i = 0; r == 0 && i < 2 && roots[v][i]; i++)
		r = make_group(v, i, name, l, err);
	if (r == 0)
		open_group(v, name, ret);
	return r < 0 ? err_wrap(err, "control group") : 0;
}

void cgroup_open(const char *dir, const char *lab, struct cgroup *ret)
{
	char name[MAX_LAB_NAME + 64];
	*ret = CGROUP_NONE;
	if (group_name(dir, lab, name, sizeof(name)) == 0)
		open_group(version(), name, ret);
}

void cgroup_close(struct cgroup *c)
{
	int *all[] = {&c->dir, &c->join[0], &c->join[1]};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		if (*all[i] >= 0)
			close(*all[i]);
		*all[i] = -1;
	}
}

int cgroup_join(const struct cgroup *c)
{
	for (int i = 0; i < 2; i++)
		if (c->join[i] >= 0 && write(c->join[i], "0", 1) < 0)
			return -errno;
	return 0;
}

static int remove_dir(const char *path, struct err *err)
{
	for (int ms = 0; rmdir(path) < 0; ms += REMOVE_STEP_MS) {
		if (errno == ENOENT)
			return 0;
		if (errno != EBUSY || ms >= REMOVE_MS)
			return err_sys(err, errno, "removing %s", path);
		poll(NULL, 0, REMOVE_STEP_MS);
	}
	return 0;
}

int cgroup_remove(const char *dir, const char *lab, struct err *err)
{
	char name[MAX_LAB_NAME + 64], path[PATH_MAX];
	enum version v = version();
	int r = group_name(dir, lab, name, sizeof(name));
	if (r < 0 || v == NONE)
		return 0;
	for (int i = 0; r == 0 && i < 2 && roots[v][i]; i++) {
		snprintf(path, sizeof(path), "%s/labd/%s", roots[v][i], name);
		r = remove_dir(path, err);
		/* After the last lab of all engines. */
		snprintf(path, sizeof(path), "%s/labd", roots[v][i]);
		rmdir(path);
	}
	return r;
}
