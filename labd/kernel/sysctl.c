/* SPDX-License-Identifier: MIT */
/* See sysctl.h. */
#include "labd/kernel/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "lib/base/cleanup.h"

/* A new procfs instance after so many namespaces: each leaves its entries in the chain. */
#define NAMESPACES_PER_INSTANCE 32
#define KEY_MAX			256

void sysctl_close(struct sysctl *s)
{
	if (s->proc >= 0)
		close(s->proc);
	*s = SYSCTL_INIT;
}

void sysctl_next(struct sysctl *s)
{
	if (++s->used > NAMESPACES_PER_INSTANCE)
		sysctl_close(s);
}

static int private_proc(void)
{
	_close_ int fs = fsopen("proc", FSOPEN_CLOEXEC);
	if (fs < 0 || fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
		return -1;
	return fsmount(fs, FSMOUNT_CLOEXEC, 0);
}

static int proc_dir(struct sysctl *s, struct err *err)
{
	if (s->proc < 0)
		s->proc = private_proc();
	/* Kernels before 5.2, and containers that may not mount. */
	if (s->proc < 0)
		s->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (s->proc < 0)
		return err_sys(err, errno, "cannot open /proc");
	return 0;
}

static void swap_separators(char *s)
{
	for (; *s; s++) {
		if (*s == '.')
			*s = '/';
		else if (*s == '/')
			*s = '.';
	}
}

/* Put the dots back into the device of "net/ipv4/conf/flannel/1/rp_filter". */
static void mend_device(char *path)
{
	static const char *const trees[] = {
		"net/ipv4/conf/",
		"net/ipv4/neigh/",
		"net/ipv6/conf/",
		"net/ipv6/neigh/",
	};
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++) {
		size_t n = strlen(trees[i]);
		if (strncmp(path, trees[i], n) != 0)
			continue;
		char *last = strrchr(path + n, '/');
		for (char *p = path + n; last && p < last; p++)
			if (*p == '/')
				*p = '.';
		return;
	}
}

static bool safe_parts(const char *path)
{
	while (*path) {
		size_t n = strcspn(path, "/");
		if (n == 0 || (n == 1 && path[0] == '.') || (n == 2 && memcmp(path, "..", 2) == 0))
			return false;
		path += n;
		if (*path == '/' && !*++path)
			return false;
	}
	return true;
}

int sysctl_path(const char *key, char *buf, size_t size)
{
	char path[KEY_MAX];
	if (strlen(key) >= sizeof(path))
		return -EINVAL;
	strcpy(path, key);
	const char *first = strpbrk(path, "./");
	if (first && *first == '.') {
		swap_separators(path);
		mend_device(path);
	}
	if (strncmp(path, "net/", 4) != 0 || !safe_parts(path))
		return -EINVAL;
	int n = snprintf(buf, size, "sys/%s", path);
	return n < 0 || (size_t)n >= size ? -EINVAL : 0;
}

static int open_key(struct sysctl *s, const char *key, int flags, struct err *err)
{
	char path[KEY_MAX + 8];
	int r = sysctl_path(key, path, sizeof(path));
	if (r < 0)
		return err_set(err, r, "sysctl %s: not a setting of a network namespace", key);
	r = proc_dir(s, err);
	if (r < 0)
		return r;
	int fd = openat(s->proc, path, flags | O_CLOEXEC | O_NOFOLLOW);
	return fd < 0 ? err_sys(err, errno, "sysctl %s", key) : fd;
}

/* Not there, or not to be set in this namespace (mode 0444, whoever asks: EACCES). */
static bool missing(int code)
{
	return code == -ENOENT || code == -EACCES || code == -EROFS;
}

int sysctl_set(struct sysctl *s, const char *key, const char *value, bool optional, struct err *err)
{
	struct err e = {0};
	_close_ int fd = open_key(s, key, O_WRONLY, &e);
	int r = fd;
	if (fd >= 0 && write(fd, value, strlen(value)) < 0)
		r = err_sys(&e, errno, "sysctl %s = %s", key, value);
	if (r >= 0 || (optional && missing(r)))
		return 0;
	if (err)
		*err = e;
	return r;
}

int sysctl_get(struct sysctl *s, const char *key, char *buf, size_t size, struct err *err)
{
	_close_ int fd = open_key(s, key, O_RDONLY, err);
	if (fd < 0)
		return fd;
	ssize_t n = read(fd, buf, size - 1);
	if (n < 0)
		return err_sys(err, errno, "sysctl %s", key);
	while (n > 0 && buf[n - 1] == '\n')
		n--;
	buf[n] = '\0';
	return 0;
}
