/* SPDX-License-Identifier: MIT */
/*
 * room: see room.h. The root is the host's file system, read-only. Everything that is written to
 * gets a tmpfs over it. The program we run may live below one of those places (a build in /tmp, the
 * private directory in /dev/shm): its directory is opened before and bound into the new tmpfs at
 * the same path, so that /proc/self/exe and the helpers beside it stay valid.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labd/guest/init.h"
#include "labd/guest/modules.h"
#include "labd/guest/room.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define NOFILE_MAX 65536

struct mount_point {
	const char *what, *where;
	unsigned long flags;
	const char *data;
	bool optional; /* the directory or the kernel may lack it */
};

/* In this order. /proc comes first: binding needs /proc/self/fd. */
static const struct mount_point mounts[] = {
	{"sysfs", "/sys", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, false},
	{"devtmpfs", "/dev", MS_NOSUID, "mode=0755", false},
	{"devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666", false},
	{"tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", false},
	{"mqueue", "/dev/mqueue", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true},
	{"tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755", false},
	{"tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", false},
	{"tmpfs", "/var/tmp", MS_NOSUID | MS_NODEV, "mode=1777", true},
	{"tmpfs", "/var/log", MS_NOSUID | MS_NODEV, "mode=0755", true},
	{"tmpfs", "/var/lib/nginx", MS_NOSUID | MS_NODEV, "mode=0755", true},
	{"tmpfs", "/var/lib/misc", MS_NOSUID | MS_NODEV, "mode=0755", true},
	{"cgroup2", "/sys/fs/cgroup", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL, true},
};

struct own_dir {
	int fd;
	char path[PATH_MAX];
};

static void own_dir_open(struct own_dir *own)
{
	ssize_t n = readlink("/proc/self/exe", own->path, sizeof(own->path) - 1);
	char *slash;

	own->fd = -1;
	own->path[n > 0 ? n : 0] = '\0';
	slash = strrchr(own->path, '/');
	if (!slash || slash == own->path)
		return;
	*slash = '\0';
	own->fd = open(own->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

/* After something was mounted at `where`: if that covered our program's directory, bring it back.
 */
static int own_dir_keep(const struct own_dir *own, const char *where, struct err *err)
{
	size_t n = strlen(where);
	char fd_path[32];

	if (own->fd < 0 || strncmp(own->path, where, n) || own->path[n] != '/')
		return 0;
	if (dir_make(own->path, 0755, err))
		return err->code;
	snprintf(fd_path, sizeof(fd_path), "/proc/self/fd/%d", own->fd);
	if (mount(fd_path, own->path, NULL, MS_BIND, NULL) < 0)
		return err_sys(err, errno, "bind %s", own->path);
	return 0;
}

static int mount_one(const struct mount_point *m, const struct own_dir *own, struct err *err)
{
	if (strncmp(m->where, "/dev/", 5) == 0)
		mkdir(m->where, 0755);
	if (mount(m->what, m->where, m->what, m->flags, m->data) < 0) {
		if (m->optional)
			return 0;
		return err_sys(err, errno, "mount %s on %s", m->what, m->where);
	}
	return own_dir_keep(own, m->where, err);
}

static int mount_all(struct err *err)
{
	struct own_dir own;
	int r = 0;

	if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return err_sys(err, errno, "mount proc on /proc");
	own_dir_open(&own);
	for (size_t i = 0; !r && i < ARRAY_SIZE(mounts); i++)
		r = mount_one(&mounts[i], &own, err);
	if (own.fd >= 0)
		close(own.fd);
	return r;
}

/* The kernel opened /dev/console before there was a /dev of its own; maybe it found none. */
static void standard_streams(void)
{
	int fd = open("/dev/console", O_RDWR | O_NOCTTY);

	if (fd < 0)
		return;
	for (int i = 0; i < 3; i++)
		dup2(fd, i);
	if (fd > 2)
		close(fd);
}

static void dev_links(void)
{
	static const char *const links[][2] = {{"/proc/self/fd", "/dev/fd"},
					       {"/proc/self/fd/0", "/dev/stdin"},
					       {"/proc/self/fd/1", "/dev/stdout"},
					       {"/proc/self/fd/2", "/dev/stderr"}};

	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		if (symlink(links[i][0], links[i][1]) < 0 && errno != EEXIST)
			perror(links[i][1]);
	}
}

static void sysctl(const char *path, const char *value)
{
	_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		fprintf(stderr, "labd: %s: %s\n", path, strerror(errno));
}

/*
 * Debian's kernel runs /sbin/hotplug for each device that comes or goes, in every namespace; it
 * doesn't exist, but trying costs. And modules are ours to find: the host's /sbin/modprobe looks in
 * the wrong place, if there is one.
 */
static void kernel_settings(void)
{
	char exe[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	struct rlimit files = {NOFILE_MAX, NOFILE_MAX};

	sysctl("/proc/sys/kernel/hotplug", "");
	/* No tunl0 and the like in new namespaces unless a lab asks for it: on a machine it is
	 * younger than the NIC, and MASQUERADE takes the first device's address where the one that
	 * a packet leaves by has none. */
	sysctl("/proc/sys/net/core/fb_tunnels_only_for_init_net", "2");
	if (n > 0) {
		exe[n] = '\0';
		sysctl("/proc/sys/kernel/modprobe", exe);
	}
	setrlimit(RLIMIT_NOFILE, &files);
	/* so that labs can have bounds; here is nobody else who might mind */
	if (path_exists("/sys/fs/cgroup/cgroup.subtree_control"))
		sysctl("/sys/fs/cgroup/cgroup.subtree_control", "+pids +memory");
	if (sethostname("guest", 5) < 0)
		perror("sethostname");
}

static int lo_up(struct err *err)
{
	_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING | IFF_LOOPBACK};

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr) < 0)
		return err_sys(err, errno, "lo up");
	return 0;
}

int room_furnish(struct err *err)
{
	struct err mod;

	umask(022);
	if (mount_all(err))
		return err->code;
	standard_streams();
	dev_links();
	kernel_settings();
	if (modules_load_all(&mod) < 0)
		err_print(&mod, "labd");
	if (mkdir(GUEST_STATE_DIR, 0700) < 0)
		return err_sys(err, errno, "%s", GUEST_STATE_DIR);
	return lo_up(err);
}
