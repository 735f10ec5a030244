/* SPDX-License-Identifier: MIT */
/* See reap.h. */
#include "labd/lab/reap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/kernel/cgroup.h"
#include "labd/kernel/proc.h"
#include "labd/lab/pace.h"
#include "labd/lab/site.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/limits.h"
#include "lib/base/log.h"

#define KILL_TIMEOUT_MS 10000
#define HELPED_FROM	64 /* pins; below it a helper costs more than it saves */
#define HELPERS		16
#define HIDDEN_MAX	1000 /* labs of one name that have not ended yet */

/*
 * Each bridge and each VXLAN device makes the kernel wait for a grace period or two while it holds
 * the lock that every network change on the host needs (RTNL): 15-30 ms a node. So where there are
 * many, they go a few at a time: their namespaces are held open until it is their turn. All others
 * cost a hundredth of that.
 */
#define SLICE_FROM    16
#define SLICE	      4
#define SLICE_REST_MS 90

static struct {
	int fd[MAX_NODES + MAX_UNDERLAYS];
	size_t n;
} held;

static void hold(const struct journal *j)
{
	size_t slow = 0;
	vec_foreach (const struct journal_pin, p, &j->pins)
		slow += p->slow;
	if (slow <= SLICE_FROM)
		return;
	vec_foreach (const struct journal_pin, p, &j->pins) {
		int fd = p->slow && held.n < ARRAY_SIZE(held.fd) ? site_pinned(p) : -1;
		if (fd >= 0)
			held.fd[held.n++] = fd;
	}
}

static void let_go(void)
{
	const struct timespec rest = {.tv_nsec = SLICE_REST_MS * 1000000L};
	for (size_t i = 0; i < held.n; i++) {
		close(held.fd[i]);
		if ((i + 1) % SLICE == 0)
			nanosleep(&rest, NULL);
	}
	held.n = 0;
}

/*
 * Each unmount waits for a grace period of the kernel's RCU, but those that wait at the same time
 * share one. So where there are many pins, helpers remove them side by side; whatever one of them
 * leaves, the caller finds.
 */
static void unpin_together(const struct journal *j)
{
	pid_t pid[HELPERS];
	for (size_t k = 0; k < HELPERS; k++) {
		pid[k] = fork();
		for (size_t i = k; pid[k] == 0 && i < j->pins.n; i += HELPERS)
			site_unpin(&j->pins.v[i], NULL);
		if (pid[k] == 0)
			_exit(0);
	}
	for (size_t k = 0; k < HELPERS; k++)
		if (pid[k] > 0)
			waitpid(pid[k], NULL, 0);
}

static bool goes_with_node(const struct journal *j, const struct journal_proc *p)
{
	return !journal_is_node(p) && p->node && journal_proc_find(j, p->node);
}

/* First the names, which nobody but us removes: what the kernel does about the dead, it does beside
 * whatever comes next. A pod's processes go with its node's. */
int reap_begin(const struct journal *j, struct err *err)
{
	int worst = 0;
	hold(j);
	if (j->pins.n >= HELPED_FROM)
		unpin_together(j);
	pace_step("names", (int)j->pins.n, 0, 1);
	for (size_t i = j->pins.n; i-- > 0;) {
		int r = site_unpin(&j->pins.v[i], err);
		pace_done((int)(j->pins.n - i));
		if (r < 0)
			worst = r;
	}
	proc_unpinned();
	vec_foreach (const struct journal_proc, p, &j->procs) {
		int r = goes_with_node(j, p) ? 0 : proc_end(p->pid, p->starttime, err);
		if (r < 0)
			worst = r;
	}
	return worst;
}

/* ---- out of sight ---------------------------------------------------------------------------- */

int reap_hide(const struct engine *e, const char *name, struct err *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	snprintf(from, sizeof(from), "%s/labs/%s", e->run, name);
	for (int i = 0; i < HIDDEN_MAX; i++) {
		snprintf(to, sizeof(to), "%s/labs/.%s.%d", e->run, name, i);
		if (rename(from, to) == 0)
			return 0;
		if (errno != EEXIST && errno != ENOTEMPTY)
			break;
	}
	return err_sys(err, errno, "%s", from);
}

/* The lab's name in ".NAME.N". */
static bool hidden_name(const char *file, char name[static MAX_LAB_NAME + 1])
{
	size_t n = strcspn(file + 1, ".");
	if (file[0] != '.' || n > MAX_LAB_NAME || !file[1 + n])
		return false;
	memcpy(name, file + 1, n);
	name[n] = '\0';
	return store_name_ok(name);
}

/* ---- the end --------------------------------------------------------------------------------- */

static void wait_all(const struct journal *j)
{
	struct err err = {0};
	vec_foreach (const struct journal_proc, p, &j->procs)
		if (proc_kill(p->pid, p->starttime, KILL_TIMEOUT_MS, &err) < 0)
			log_warn("%s", err.text);
}

static int reap(const char *dir, const char *name, struct err *err)
{
	_arena_ struct arena *a = arena_new();
	_close_ int lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct journal j;
	if (lock < 0 || flock(lock, LOCK_EX) < 0)
		return errno == ENOENT ? 0 : err_sys(err, errno, "%s", dir);
	int r = journal_read(dir, a, &j, err);
	if (r < 0)
		return r;
	wait_all(&j);
	let_go();
	r = cgroup_remove(dir, name, err);
	return r < 0 ? r : dir_remove(dir, err);
}

void reap_all(const struct engine *e)
{
	char path[PATH_MAX], name[MAX_LAB_NAME + 1];
	snprintf(path, sizeof(path), "%s/labs", e->run);
	DIR *d = opendir(path);
	for (struct dirent *de; d && (de = readdir(d));) {
		struct err err = {0};
		if (!hidden_name(de->d_name, name))
			continue;
		snprintf(path, sizeof(path), "%s/labs/%s", e->run, de->d_name);
		if (reap(path, name, &err) < 0)
			log_warn("lab %s: %s", name, err.text);
	}
	if (d)
		closedir(d);
	let_go();
}
