/* SPDX-License-Identifier: MIT */
/* See rootfs.h. What stands in /etc and /opt of the template: rootfs_etc.c. */
#include "labd/kernel/rootfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "labd/kernel/proc_priv.h"
#include "labd/kernel/rootless.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

/* Directories of the host's root that hold programs and libraries, as found there: a mount of its
 * own, a symbolic link (merged /usr), or nothing. */
struct topdir {
	const char *name;
	bool mounted;
	char link[64];
};
static struct topdir topdirs[] = {{.name = "usr"},   {.name = "bin"},	{.name = "sbin"},
				  {.name = "lib"},   {.name = "lib32"}, {.name = "lib64"},
				  {.name = "libx32"}};

/* Mounts of the template beside topdirs. */
static const char *const shared_dirs[] = {"etc", "dev", "opt"};

#define SEALED (MS_NOSUID | MS_NODEV | MS_NOEXEC)

static int set_attr(const char *path, unsigned flags, uint64_t attr, struct err *err)
{
	struct mount_attr ma = {.attr_set = attr};
	if (mount_setattr(AT_FDCWD, path, flags, &ma, sizeof(ma)) < 0)
		return err_sys(err, errno, "mount options of %s", path);
	return 0;
}

static int bind_host(struct topdir *t, struct err *err)
{
	char path[32];
	struct stat st;
	snprintf(path, sizeof(path), "/%s", t->name);
	t->mounted = false;
	t->link[0] = '\0';
	if (lstat(path, &st) < 0)
		return 0;
	if (S_ISLNK(st.st_mode)) {
		ssize_t n = readlink(path, t->link, sizeof(t->link) - 1);
		t->link[n > 0 ? n : 0] = '\0';
		return 0;
	}
	if (!S_ISDIR(st.st_mode))
		return 0;
	if (mkdir(t->name, 0755) < 0)
		return err_sys(err, errno, "%s", t->name);
	if (mount(path, t->name, NULL, MS_BIND | MS_REC, NULL) < 0)
		return err_sys(err, errno, "binding %s", path);
	t->mounted = true;
	return set_attr(t->name, AT_RECURSIVE,
			MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, err);
}

/* A device: made, or the host's where none can be made. */
static int device(const char *path, dev_t dev, struct err *err)
{
	char host[32];
	if (!rootless())
		return mknod(path, S_IFCHR | 0666, dev) < 0 ? err_sys(err, errno, "making %s", path)
							    : 0;
	snprintf(host, sizeof(host), "/%s", path);
	int r = file_write(path, "", 0, 0644, err);
	if (r == 0 && mount(host, path, NULL, MS_BIND, NULL) < 0)
		r = err_sys(err, errno, "binding %s", host);
	return r;
}

static int make_dev(struct err *err)
{
	static const struct {
		const char *path;
		unsigned major, minor;
	} nodes[] = {
		{"dev/null", 1, 3},   {"dev/zero", 1, 5},    {"dev/full", 1, 7},
		{"dev/random", 1, 8}, {"dev/urandom", 1, 9}, {"dev/tty", 5, 0},
	};
	static const char *const links[][2] = {
		{"/proc/self/fd", "dev/fd"},	   {"/proc/self/fd/0", "dev/stdin"},
		{"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
		{"pts/ptmx", "dev/ptmx"},	   {"/run/shm", "dev/shm"},
	};
	mode_t mask = umask(0);
	if (mkdir("dev/pts", 0755) < 0)
		return err_sys(err, errno, "dev/pts");
	for (size_t i = 0; i < ARRAY_SIZE(nodes); i++) {
		int r = device(nodes[i].path, makedev(nodes[i].major, nodes[i].minor), err);
		if (r < 0)
			return r;
	}
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (symlink(links[i][0], links[i][1]) < 0)
			return err_sys(err, errno, "making %s", links[i][1]);
	}
	umask(mask);
	return 0;
}

/* A whole view of /proc and of /sys, without which the kernel gives no namespace of a rootless
 * labd its own. Every namespace covers them with those. */
static int make_views(struct err *err)
{
	if (mkdir("proc", 0555) < 0 || mkdir("sys", 0555) < 0)
		return err_sys(err, errno, "proc, sys");
	/* Not read-only, or theirs would have to be, too. */
	if (mount("proc", "proc", "proc", SEALED, NULL) < 0)
		return err_sys(err, errno, "mounting a view of /proc");
	if (mount("sysfs", "sys", "sysfs", MS_RDONLY | SEALED, NULL) < 0)
		return err_sys(err, errno, "mounting a view of /sys");
	return 0;
}

struct template_arg {
	const char *shared, *applets;
	int init_src;
	int mnt, init; /* results */
	int r;
	struct err *err;
};

/* The working directory is the template's root. */
static int fill_template(const struct template_arg *t)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(topdirs); i++)
		r = bind_host(&topdirs[i], t->err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(shared_dirs); i++) {
		if (mkdir(shared_dirs[i], 0755) < 0)
			r = err_sys(t->err, errno, "%s", shared_dirs[i]);
	}
	if (r == 0)
		r = rootfs_etc(t->err);
	if (r == 0)
		r = make_dev(t->err);
	if (r == 0)
		r = rootfs_opt(t->init_src, t->applets, t->err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(shared_dirs); i++) {
		const char *dir = shared_dirs[i];
		uint64_t attr = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID;
		if (mount(dir, dir, NULL, MS_BIND | MS_REC, NULL) < 0)
			return err_sys(t->err, errno, "binding %s", dir);
		attr |= strcmp(dir, "dev") ? MOUNT_ATTR_NODEV : MOUNT_ATTR_NOEXEC;
		r = set_attr(dir, AT_RECURSIVE, attr, t->err);
	}
	return r == 0 && rootless() ? make_views(t->err) : r;
}

static int build_template(struct template_arg *t)
{
	umask(022);
	if (unshare(CLONE_NEWNS) < 0)
		return err_sys(t->err, errno, "a new mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return err_sys(t->err, errno, "making mounts private");
	if (mount("labd", t->shared, "tmpfs", 0, "mode=0755,size=32m") < 0)
		return err_sys(t->err, errno, "mounting a tmpfs at %s", t->shared);
	if (chdir(t->shared) < 0)
		return err_sys(t->err, errno, "%s", t->shared);
	int r = fill_template(t);
	if (r < 0)
		return r;
	t->init = open(ROOTFS_INIT, O_PATH | O_CLOEXEC);
	t->mnt = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	if (t->init < 0 || t->mnt < 0)
		return err_sys(t->err, errno, "opening the template");
	if (syscall(SYS_pivot_root, ".", ".") < 0)
		return err_sys(t->err, errno, "pivot_root");
	if (umount2(".", MNT_DETACH) < 0)
		return err_sys(t->err, errno, "leaving the host's mounts");
	return set_attr("/", 0, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV, t->err);
}

static int template_main(void *arg)
{
	struct template_arg *t = arg;
	t->r = build_template(t);
	return 0;
}

int rootfs_template(const char *shared, int init_src, const char *applets, int *mnt, int *init,
		    struct err *err)
{
	struct template_arg t = {
		.shared = shared,
		.applets = applets,
		.init_src = init_src,
		.mnt = -1,
		.init = -1,
		.err = err,
	};
	int r = proc_helper(template_main, &t, CLONE_FILES, -1, NULL, err);
	if (r == 0)
		r = t.r;
	if (r < 0) {
		if (t.mnt >= 0)
			close(t.mnt);
		if (t.init >= 0)
			close(t.init);
		return err_wrap(err, "preparing the file system of nodes and pods");
	}
	*mnt = t.mnt;
	*init = t.init;
	return 0;
}

/* --- one namespace's own --------------------------------------------------------------------- */

struct entry {
	const char *path;
	mode_t mode;
};

static const struct entry own_dirs[] = {
	{"etc", 0755},		 {"dev", 0755},	    {"opt", 0755},	{"proc", 0555},
	{"sys", 0555},		 {"root", 0700},    {"run", 0755},	{"run/etc", 0755},
	{"run/lock", 01777},	 {"run/log", 0755}, {"run/shm", 01777}, {"tmp", 01777},
	{"var", 0755},		 {"var/log", 0755}, {"var/lib", 0755},	{"var/cache", 0755},
	{"var/tmp", 01777},	 {"home", 0755},    {"mnt", 0755},	{"var/log/nginx", 0755},
	{"var/lib/nginx", 0755},
};

static int own_tree(const struct dns *ns, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(own_dirs); i++) {
		if (mkdir(own_dirs[i].path, own_dirs[i].mode) < 0)
			return err_sys(err, errno, "/%s", own_dirs[i].path);
	}
	for (size_t i = 0; i < ARRAY_SIZE(topdirs); i++) {
		const struct topdir *t = &topdirs[i];
		int r = 0;
		if (t->mounted)
			r = mkdir(t->name, 0755);
		else if (t->link[0])
			r = symlink(t->link, t->name);
		if (r < 0)
			return err_sys(err, errno, "/%s", t->name);
	}
	if (symlink("/run", "var/run") < 0)
		return err_sys(err, errno, "/var/run");
	if (ns->kind == DNS_NODE && mkdir("run/netns", 0755) < 0)
		return err_sys(err, errno, "/run/netns");
	bool agnhost = false;
	vec_foreach (struct dproc, p, &ns->procs)
		agnhost = agnhost || !strcmp(p->image, "agnhost");
	/* where it is in its image */
	if (agnhost && symlink("opt/labd/bin/agnhost", "agnhost") < 0)
		return err_sys(err, errno, "/agnhost");
	return 0;
}

/* What /etc/alternatives/iptables leads to by way of rootfs_etc.c. */
static int own_backend(const char *backend, struct err *err)
{
	char target[64];
	snprintf(target, sizeof(target), "/opt/labd/%s", backend);
	return symlink(target, "run/etc/iptables") < 0 ? err_sys(err, errno, "/run/etc/iptables")
						       : 0;
}

static int move_shared(int from, const char *name, struct err *err)
{
	if (move_mount(from, name, AT_FDCWD, name, 0) < 0)
		return err_sys(err, errno, "mounting /%s", name);
	return 0;
}

/* Of /proc/sys/net what is the whole machine's, and can be written by any namespace's owner. */
static int seal_shared_sysctls(unsigned long flags, struct err *err)
{
	static const char *const shared[] = {"proc/sys/net/netfilter/nf_hooks_lwtunnel"};
	for (size_t i = 0; i < ARRAY_SIZE(shared); i++) {
		if (mount(shared[i], shared[i], NULL, MS_BIND, NULL) < 0 && errno == ENOENT)
			continue;
		if (mount(NULL, shared[i], NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) <
		    0)
			return err_sys(err, errno, "making /%s read-only", shared[i]);
	}
	return 0;
}

static int mount_proc(enum dns_kind kind, struct err *err)
{
	static const char *const masked[] = {"proc/kcore", "proc/keys", "proc/timer_list"};
	const unsigned long flags = SEALED;
	const char *net = "proc/sys/net";
	bool own_sysctls = kind != DNS_POD;

	if (mount("proc", "proc", "proc", flags | (own_sysctls ? 0 : MS_RDONLY), NULL) < 0)
		return err_sys(err, errno, "mounting /proc");
	if (own_sysctls && mount(net, net, NULL, MS_BIND, NULL) < 0)
		return err_sys(err, errno, "mounting /%s", net);
	if (own_sysctls &&
	    mount(NULL, "proc", NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | flags, NULL) < 0)
		return err_sys(err, errno, "making /proc read-only");
	if (own_sysctls && seal_shared_sysctls(flags, err) < 0)
		return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(masked); i++) {
		if (mount("dev/null", masked[i], NULL, MS_BIND, NULL) < 0 && errno != ENOENT)
			return err_sys(err, errno, "masking /%s", masked[i]);
	}
	return 0;
}

/* A new process may be anywhere in its own files: not to be led elsewhere by a link. */
int rootfs_sys(struct err *err)
{
	struct statfs s;
	_close_ int at = open("/sys", O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (at < 0 || fstatfs(at, &s) < 0 || s.f_type != TMPFS_MAGIC)
		return 0;
	_close_ int fs = fsopen("sysfs", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return err_sys(err, errno, "mounting /sys");
	_close_ int mnt = fsmount(fs, FSMOUNT_CLOEXEC,
				  MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV |
					  MOUNT_ATTR_NOEXEC);
	/* EBUSY: another came first. */
	if (mnt < 0 ||
	    (move_mount(mnt, "", at, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0 &&
	     errno != EBUSY))
		return err_sys(err, errno, "mounting /sys");
	return 0;
}

static int mount_own(enum dns_kind kind, bool late_sys, struct err *err)
{
	int r = mount_proc(kind, err);
	if (r < 0)
		return r;
	if (!late_sys && mount("sysfs", "sys", "sysfs", MS_RDONLY | SEALED, NULL) < 0)
		return err_sys(err, errno, "mounting /sys");
	/* Group 5 is tty, where there is more than one group. */
	const char *pts = rootless_single() ? "newinstance,ptmxmode=0666,mode=0620"
					    : "newinstance,ptmxmode=0666,mode=0620,gid=5";
	if (mount("devpts", "dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, pts) < 0)
		return err_sys(err, errno, "mounting /dev/pts");
	return 0;
}

/* The three files of /etc that a namespace has for itself, and what is in them by default. */
static int own_etc(const struct dns *ns, struct err *err)
{
	char name[HOST_NAME_MAX + 2];
	snprintf(name, sizeof(name), "%s\n", ns->hostname);
	const struct dfile defaults[] = {
		{"/etc/hosts", "127.0.0.1\tlocalhost\n", 0644},
		{"/etc/hostname", name, 0644},
		{"/etc/resolv.conf", "", 0644},
	};
	int r = 0;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(defaults); i++) {
		const char *file = defaults[i].path + 1;
		char own[32];
		snprintf(own, sizeof(own), "run/%s", file);
		r = file_write(own, defaults[i].content, strlen(defaults[i].content), 0644, err);
		if (r == 0 && mount(own, file, NULL, MS_BIND, NULL) < 0)
			r = err_sys(err, errno, "mounting /%s", file);
	}
	return r;
}

int rootfs_enter(const struct dns *ns, const char *backend, bool late_sys, struct err *err)
{
	_close_ int below = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (below < 0)
		return err_sys(err, errno, "/");
	umask(0);
	if (mount("root", "/", "tmpfs", MS_NOSUID | MS_NODEV,
		  "mode=0755,size=" ROOTFS_BYTES ",nr_inodes=" ROOTFS_INODES) < 0)
		return err_sys(err, errno, "mounting a tmpfs");
	/* "/" is still what is below; its ".." is the top of what is mounted there. */
	if (chdir("/..") < 0 || chroot(".") < 0)
		return err_sys(err, errno, "changing the root");
	int r = own_tree(ns, err);
	if (r == 0)
		r = own_backend(backend, err);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(topdirs); i++) {
		if (topdirs[i].mounted)
			r = move_shared(below, topdirs[i].name, err);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(shared_dirs); i++)
		r = move_shared(below, shared_dirs[i], err);
	if (r == 0 && rootless())
		r = move_shared(below, "proc", err);
	if (r == 0 && rootless())
		r = move_shared(below, "sys", err);
	if (r == 0)
		r = mount_own(ns->kind, late_sys, err);
	if (r == 0)
		r = own_etc(ns, err);
	if (r == 0)
		r = rootfs_files(ns->files.v, ns->files.n, err);
	umask(022);
	return r;
}

/* --- files ----------------------------------------------------------------------------------- */

static bool path_allowed(const char *path)
{
	if (!strcmp(path, "/etc/hosts") || !strcmp(path, "/etc/hostname") ||
	    !strcmp(path, "/etc/resolv.conf"))
		return true;
	return !strncmp(path, "/run/", 5) && !strstr(path, "/../") && strlen(path) < PATH_MAX;
}

static int write_one(const struct dfile *f, struct err *err)
{
	if (!path_allowed(f->path))
		return err_set(err, EINVAL, "%s: not a place for files of ours", f->path);
	char dir[PATH_MAX];
	snprintf(dir, sizeof(dir), "%s", f->path);
	*strrchr(dir, '/') = '\0';
	int r = dir[0] ? dir_make(dir, 0755, err) : 0;
	if (r < 0)
		return r;
	/* Not to be held up by a fifo, nor led astray by a link, that somebody inside put there. */
	_close_ int fd =
		open(f->path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
		     f->mode);
	struct stat st;
	if (fd < 0 || fstat(fd, &st) < 0)
		return err_sys(err, errno, "%s", f->path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, EINVAL, "%s: not a regular file", f->path);
	r = write_all(fd, f->content, strlen(f->content));
	if (r == 0 && (st.st_mode & 07777) != f->mode && fchmod(fd, f->mode) < 0)
		r = -errno;
	return r < 0 ? err_sys(err, r, "%s", f->path) : 0;
}

int rootfs_files(const struct dfile *files, size_t n, struct err *err)
{
	int r = 0;
	for (size_t i = 0; r == 0 && i < n; i++)
		r = write_one(&files[i], err);
	return r;
}
