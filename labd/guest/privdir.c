/* SPDX-License-Identifier: MIT */
/* privdir: see privdir.h. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "labd/guest/privdir.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"
#include "lib/base/strbuf.h"

#define PREFIX	   "labd-guest-"
#define NEW_PREFIX "labd-boot--" /* as long; until it is locked */
#define RANDOM	   "XXXXXX"
#define MIB	   (1024ull * 1024ull)
#define STALE_SECS 10 /* younger ones may be about to be locked */

/* --- who may read what ----------------------------------------------------------------------- */

int privdir_become_nobody(void)
{
	if (setgroups(0, NULL) < 0 || setresgid(PRIVDIR_UID, PRIVDIR_UID, PRIVDIR_UID) < 0 ||
	    setresuid(PRIVDIR_UID, PRIVDIR_UID, PRIVDIR_UID) < 0)
		return -errno;
	return 0;
}

/* Could PRIVDIR_UID do that? Asked in a child, for only there all the path's rules hold. */
static bool nobody_may(const char *path, int mode)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		_exit(privdir_become_nobody() == 0 && access(path, mode) == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

/* --- where ----------------------------------------------------------------------------------- */

/* Can the memory file live there? Its pages are mapped executable. */
static bool base_fits(const char *base, bool want_tmpfs, unsigned mib)
{
	struct statvfs v;
	struct statfs f;

	if (!base || base[0] != '/' || strpbrk(base, " \t\n,\"") || strlen(base) > 64)
		return false;
	if (statvfs(base, &v) < 0 || statfs(base, &f) < 0 || access(base, W_OK | X_OK) < 0)
		return false;
	if (v.f_flag & (ST_NOEXEC | ST_RDONLY))
		return false;
	if (want_tmpfs && f.f_type != TMPFS_MAGIC)
		return false;
	if ((unsigned long long)v.f_bavail * v.f_frsize < mib * MIB)
		return false;
	return geteuid() != 0 || nobody_may(base, X_OK);
}

const char *privdir_base(unsigned mib, struct err *err)
{
	const char *const places[] = {getenv("TMPDIR"), "/dev/shm", getenv("XDG_RUNTIME_DIR"),
				      "/run",		"/tmp",	    "/var/tmp"};

	for (int want_tmpfs = 1; want_tmpfs >= 0; want_tmpfs--) {
		for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
			if (base_fits(places[i], want_tmpfs, mib))
				return places[i];
		}
	}
	err_setc(err, ENOSPC, ERR_UNSUPPORTED,
		 "no directory for the guest's memory: exec-able, with %u MiB free", mib);
	err_hint(err, "mount -o remount,exec /dev/shm, or set TMPDIR, or LABD_GUEST_MEM to less");
	return NULL;
}

/* --- programs -------------------------------------------------------------------------------- */

static int copy_program(const char *from, const char *bin, const char *name, struct err *err)
{
	_strbuf_ struct strbuf data = STRBUF_INIT;
	char to[PATH_MAX];

	snprintf(to, sizeof(to), "%s/%s", bin, name);
	if (file_read(from, 64 * MIB, &data, err))
		return err->code;
	return file_write(to, data.s, data.len, 0755, err);
}

static int fill_bin(const struct privdir_programs *o, const char *bin, bool drop, struct err *err)
{
	char path[PRIVDIR_MAX + 32];
	bool readable = !drop || nobody_may(o->labd, R_OK | X_OK);

	for (size_t i = 0; readable && o->helpers && o->helpers[i]; i++)
		readable = !drop || nobody_may(o->helpers[i], R_OK | X_OK);
	snprintf(path, sizeof(path), "%s/labd", bin);
	if (readable)
		return symlink(o->labd, path) < 0 ? err_sys(err, errno, "%s", path) : 0;
	if (copy_program(o->labd, bin, "labd", err))
		return err->code;
	for (size_t i = 0; o->helpers && o->helpers[i]; i++) {
		const char *name = strrchr(o->helpers[i], '/');

		if (copy_program(o->helpers[i], bin, name ? name + 1 : o->helpers[i], err))
			return err->code;
	}
	return 0;
}

/* --- the directory --------------------------------------------------------------------------- */

static int fill_dir(const char *dir, const struct privdir_programs *progs, struct err *err)
{
	char path[PRIVDIR_MAX + 16];
	bool drop = geteuid() == 0;

	if (drop && (chown(dir, 0, PRIVDIR_UID) < 0 || chmod(dir, 0750) < 0))
		return err_sys(err, errno, "%s", dir);
	snprintf(path, sizeof(path), "%s/run", dir);
	if (mkdir(path, 0700) < 0 || (drop && chown(path, PRIVDIR_UID, PRIVDIR_UID) < 0))
		return err_sys(err, errno, "%s", path);
	snprintf(path, sizeof(path), "%s/bin", dir);
	if (mkdir(path, 0755) < 0 || chmod(path, 0755) < 0)
		return err_sys(err, errno, "%s", path);
	return fill_bin(progs, path, drop, err);
}

/* Ours, and locked by nobody, nor about to be? */
static bool is_stale(const char *path, bool fresh)
{
	_close_ int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && st.st_uid == geteuid() &&
	       (!fresh || st.st_ctime + STALE_SECS < time(NULL)) &&
	       flock(fd, LOCK_EX | LOCK_NB) == 0;
}

static void remove_stale(const char *base)
{
	DIR *d = opendir(base);
	struct dirent *de;
	char path[PRIVDIR_MAX + NAME_MAX];

	while (d && (de = readdir(d))) {
		bool fresh = !strncmp(de->d_name, NEW_PREFIX, strlen(NEW_PREFIX));
		if (strlen(de->d_name) != strlen(PREFIX RANDOM) ||
		    (!fresh && strncmp(de->d_name, PREFIX, strlen(PREFIX))))
			continue;
		snprintf(path, sizeof(path), "%s/%s", base, de->d_name);
		if (is_stale(path, fresh))
			dir_remove(path, NULL);
	}
	if (d)
		closedir(d);
}

int privdir_make(const char *base, const struct privdir_programs *progs, char dir[PRIVDIR_MAX],
		 int *lock, struct err *err)
{
	char fresh[PRIVDIR_MAX];

	remove_stale(base);
	dir[0] = '\0';
	snprintf(fresh, sizeof(fresh), "%s/" NEW_PREFIX RANDOM, base);
	if (!mkdtemp(fresh))
		return err_sys(err, errno, "%s", base);
	snprintf(dir, PRIVDIR_MAX, "%s", fresh);
	*lock = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*lock < 0 || flock(*lock, LOCK_EX | LOCK_NB) < 0)
		return err_sys(err, errno, "%s", dir);
	memcpy(dir + strlen(base) + 1, PREFIX, strlen(PREFIX));
	if (rename(fresh, dir) < 0) {
		int r = err_sys(err, errno, "%s", dir);
		snprintf(dir, PRIVDIR_MAX, "%s", fresh);
		return r;
	}
	return fill_dir(dir, progs, err);
}
