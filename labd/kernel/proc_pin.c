/* SPDX-License-Identifier: MIT */
/*
 * proc_pin: names for network namespaces under /run/netns, as `ip netns` makes and reads them, on
 * the host and in a node's private /run; and files put into a running namespace.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labd/kernel/proc_priv.h"
#include "labd/kernel/rootfs.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define NETNS_DIR "/run/netns"
/* Beside the template: says that /run/netns was made by us ("dir") or only made a mount point
 * ("mount"), so that the last pin undoes it, even one of a later labd. */
#define NETNS_MARK "run-netns"
/* Of the file that a namespace is going to be mounted on: `ip netns add` gives it no bit at all. */
#define PIN_MODE S_ISVTX

static void mark_path(char path[PATH_MAX + 16])
{
	snprintf(path, PATH_MAX + 16, "%s/%s", proc_g.shared, NETNS_MARK);
}

/* Which mount /run/netns is on; 0 if that cannot be told. */
static uint64_t netns_dir_mount(void)
{
	struct statx st;
	if (statx(AT_FDCWD, NETNS_DIR, AT_SYMLINK_NOFOLLOW, STATX_MNT_ID, &st) < 0 ||
	    !(st.stx_mask & STATX_MNT_ID))
		return 0;
	return st.stx_mnt_id;
}

/* What `ip netns add` does: without a shared mount at /run/netns, a namespace pinned here would not
 * be seen, nor its removal, in mount namespaces made before. */
static int share_netns_dir(struct err *err)
{
	bool made = mkdir(NETNS_DIR, 0755) == 0;
	if (!made && errno != EEXIST)
		return err_sys(err, errno, NETNS_DIR);
	_close_ int dir = open(NETNS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return err_sys(err, errno, NETNS_DIR);
	/* `ip netns` holds this lock while it does the same */
	if (flock(dir, LOCK_EX) < 0)
		return err_sys(err, errno, "locking " NETNS_DIR);
	if (mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno != EINVAL)
		return err_sys(err, errno, "sharing " NETNS_DIR);
	if (mount(NETNS_DIR, NETNS_DIR, "none", MS_BIND | MS_REC, NULL) < 0 ||
	    mount("", NETNS_DIR, "none", MS_SHARED | MS_REC, NULL) < 0)
		return err_sys(err, errno, "making " NETNS_DIR " a mount point");
	char mark[PATH_MAX + 16];
	mark_path(mark);
	const char *what = made ? "dir" : "mount";
	return file_write(mark, what, strlen(what), 0644, err);
}

/* In the caller's view of the file system. Needs no /proc: a namespace's file can be cloned as it
 * is. */
static int pin_at(int netns, const char *name, struct err *err)
{
	char path[PATH_MAX];
	if (!*name || strchr(name, '/') || name[0] == '.')
		return err_set(err, EINVAL, "\"%s\" cannot be the name of a network namespace",
			       name);
	snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	int fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, PIN_MODE);
	if (fd < 0)
		return err_sys(err, errno, "%s", path);
	close(fd);
	_close_ int tree =
		open_tree(netns, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH);
	if (tree < 0 || move_mount(tree, "", AT_FDCWD, path, MOVE_MOUNT_F_EMPTY_PATH) < 0) {
		int r = -errno;
		unlink(path);
		return err_sys(err, r, "pinning %s", path);
	}
	return 0;
}

/* Only if it is a pinned namespace, or what is left of an interrupted pin. */
int proc_unpin(const char *name, struct err *err)
{
	char path[PATH_MAX];
	snprintf(path, sizeof(path), NETNS_DIR "/%s", name);
	if (umount2(path, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL && errno != ENOENT)
		return err_sys(err, errno, "unmounting %s", path);
	if (unlink(path) < 0 && errno != ENOENT)
		return err_sys(err, errno, "removing %s", path);
	return 0;
}

int proc_pin(int netns, const char *name, struct err *err)
{
	/* Sharing goes over all pins there are, so not again for each. */
	static uint64_t shared;
	uint64_t mnt = netns_dir_mount();
	if (!mnt || mnt != shared) {
		int r = share_netns_dir(err);
		if (r < 0)
			return r;
		shared = netns_dir_mount();
	}
	return pin_at(netns, name, err);
}

bool proc_pin_begun(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & 07777) == PIN_MODE && st->st_size == 0;
}

static bool dir_empty(int fd)
{
	_close_ int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	DIR *d = copy < 0 ? NULL : fdopendir(copy);
	if (!d)
		return false;
	copy = -1; /* the stream's */
	bool empty = true;
	for (struct dirent *e; empty && (e = readdir(d));)
		empty = e->d_name[0] == '.';
	closedir(d);
	return empty;
}

void proc_unpinned(void)
{
	char mark[PATH_MAX + 16];
	mark_path(mark);
	_strbuf_ struct strbuf b = STRBUF_INIT;
	if (file_read(mark, 16, &b, NULL) < 0)
		return;
	_close_ int dir = open(NETNS_DIR, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || flock(dir, LOCK_EX) < 0 || !dir_empty(dir))
		return;
	if (umount2(NETNS_DIR, MNT_DETACH | UMOUNT_NOFOLLOW) < 0 && errno != EINVAL)
		return;
	if (!strcmp(strbuf_str(&b), "dir"))
		rmdir(NETNS_DIR); /* fails when it is not empty, as it should */
	unlink(mark);
}

/* --- in a running namespace ------------------------------------------------------------------ */

struct inside {
	int target; /* pidfd */
	enum { INSIDE_PIN, INSIDE_UNPIN, INSIDE_FILES } what;
	int netns;
	const char *name;
	const struct dfile *files;
	size_t n;
	int r;
	struct err *err;
};

static int inside_main(void *arg)
{
	struct inside *x = arg;
	if (setns(x->target, CLONE_NEWNS) < 0) {
		x->r = err_sys(x->err, errno, "entering its mount namespace");
		return 0;
	}
	umask(022);
	switch (x->what) {
	case INSIDE_PIN:
		x->r = pin_at(x->netns, x->name, x->err);
		break;
	case INSIDE_UNPIN:
		x->r = proc_unpin(x->name, x->err);
		break;
	case INSIDE_FILES:
		x->r = rootfs_files(x->files, x->n, x->err);
		break;
	}
	return 0;
}

static int inside(const struct nsproc *p, struct inside *x, struct err *err)
{
	_close_ int target = proc_pidfd(p->pid, p->starttime);
	if (target < 0)
		return err_set(err, ESRCH, "process %d does not run any more", (int)p->pid);
	x->target = target;
	x->err = err;
	int r = proc_helper(inside_main, x, CLONE_FILES, -1, NULL, err);
	return r < 0 ? r : x->r;
}

int proc_pin_inside(const struct nsproc *node, int netns, const char *name, struct err *err)
{
	struct inside x = {.what = INSIDE_PIN, .netns = netns, .name = name};
	return inside(node, &x, err);
}

int proc_unpin_inside(const struct nsproc *node, const char *name, struct err *err)
{
	struct inside x = {.what = INSIDE_UNPIN, .name = name};
	return inside(node, &x, err);
}

int proc_files(const struct nsproc *p, const struct dfile *files, size_t n, struct err *err)
{
	struct inside x = {.what = INSIDE_FILES, .files = files, .n = n};
	return inside(p, &x, err);
}
