/* SPDX-License-Identifier: MIT */
/*
 * rootfs_etc: the template's /etc and /opt; see rootfs.h. What is not listed here does not exist
 * inside: no shadow, no keys, nothing of the host's services. nsswitch.conf, profile and
 * bash.bashrc are ours: the host's may ask daemons that are not reachable (and, worse, answer
 * *.local from mDNS), and the prompt must say where one is.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "labd/kernel/rootfs.h"
#include "lib/base/cleanup.h"
#include "lib/base/file.h"

#define MAX_COPY_BYTES (4u * 1024u * 1024u) /* one file of /etc */
#define MAX_COPY_DEPTH 4
#define MAX_COPY_FILES 4096

/* Files, links and directories; one that is missing is left out. */
static const char *const listed[] = {
	"passwd",
	"group",
	"services",
	"protocols",
	"rpc",
	"networks",
	"ethertypes",
	"host.conf",
	"gai.conf",
	"ld.so.cache",
	"ld.so.conf",
	"ld.so.conf.d",
	"alternatives",
	"iproute2",
	"libnl-3",
	"mime.types",
	"nginx/mime.types",
	"login.defs",
	"inputrc",
	"localtime",
	"timezone",
	"debian_version",
	"os-release",
	"issue",
	"terminfo",
	"shells",
	"vim",
	"locale.alias",
};

static const struct {
	const char *path, *text;
} written[] = {
	{"etc/nsswitch.conf", "passwd:\tfiles\ngroup:\tfiles\nshadow:\tfiles\nhosts:\tfiles dns\n"
			      "networks:\tfiles\nprotocols:\tfiles\nservices:\tfiles\n"
			      "ethers:\tfiles\nrpc:\tfiles\n"},
	{"etc/profile", "[ -n \"$BASH\" ] && . /etc/bash.bashrc\n"},
	{"etc/bash.bashrc", "[ -z \"$PS1\" ] && return\nshopt -s checkwinsize\n"
			    "PS1='\\u@\\h:\\w\\$ '\n"},
	/* mount points */
	{"etc/hosts", ""},
	{"etc/hostname", ""},
	{"etc/resolv.conf", ""},
};

static int copy_any(const char *src, const char *dst, int depth, int *left, struct err *err);

static int copy_dir(const char *src, const char *dst, int depth, int *left, struct err *err)
{
	if (mkdir(dst, 0755) < 0 && errno != EEXIST)
		return err_sys(err, errno, "%s", dst);
	DIR *d = opendir(src);
	if (!d)
		return 0;
	int r = 0;
	for (struct dirent *e; r == 0 && (e = readdir(d));) {
		char from[PATH_MAX], to[PATH_MAX];
		size_t n = strlen(e->d_name);
		/* alternatives has a link for each manual page */
		if (e->d_name[0] == '.' || (n > 3 && !strcmp(e->d_name + n - 3, ".gz")))
			continue;
		if (snprintf(from, sizeof(from), "%s/%s", src, e->d_name) >= (int)sizeof(from) ||
		    snprintf(to, sizeof(to), "%s/%s", dst, e->d_name) >= (int)sizeof(to))
			continue;
		r = copy_any(from, to, depth + 1, left, err);
	}
	closedir(d);
	return r;
}

static int copy_file(const char *src, const char *dst, struct err *err)
{
	_strbuf_ struct strbuf b = STRBUF_INIT;
	/* What labd may not read or what is absurdly large is simply not there. */
	if (file_read(src, MAX_COPY_BYTES, &b, NULL) < 0)
		return 0;
	return file_write(dst, strbuf_str(&b), b.len, 0644, err);
}

static int copy_any(const char *src, const char *dst, int depth, int *left, struct err *err)
{
	struct stat st;
	if (lstat(src, &st) < 0 || depth > MAX_COPY_DEPTH || --*left < 0)
		return 0;
	if (S_ISDIR(st.st_mode))
		return copy_dir(src, dst, depth, left, err);
	if (S_ISREG(st.st_mode))
		return copy_file(src, dst, err);
	if (!S_ISLNK(st.st_mode))
		return 0;
	char target[PATH_MAX];
	ssize_t n = readlink(src, target, sizeof(target) - 1);
	if (n < 0)
		return 0;
	target[n] = '\0';
	return symlink(target, dst) < 0 ? err_sys(err, errno, "%s", dst) : 0;
}

static const char *const iptables_programs[] = {"iptables",  "iptables-save",  "iptables-restore",
						"ip6tables", "ip6tables-save", "ip6tables-restore"};

/* /usr/sbin/iptables is a link to /etc/alternatives/iptables, and so on; here those lead to the
 * lab's backend, for the wrong one prints an empty table without any failure. */
static int link_alternatives(struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(iptables_programs); i++) {
		char link[64], target[64];
		snprintf(link, sizeof(link), "etc/alternatives/%s", iptables_programs[i]);
		snprintf(target, sizeof(target), "/run/etc/iptables/%s", iptables_programs[i]);
		unlink(link);
		if (symlink(target, link) < 0)
			return err_sys(err, errno, "%s", link);
	}
	return 0;
}

/* The directories that /run/etc/iptables may mean: opt/labd/legacy and opt/labd/nft. */
static int link_backends(struct err *err)
{
	static const char *const backends[] = {"legacy", "nft"};
	int r = 0;
	for (size_t i = 0; r == 0 && i < 2 * ARRAY_SIZE(iptables_programs); i++) {
		const char *backend = backends[i % 2], *program = iptables_programs[i / 2];
		char dir[64], path[128], target[64];
		size_t family = strcspn(program, "-");
		snprintf(dir, sizeof(dir), "opt/labd/%s", backend);
		snprintf(path, sizeof(path), "%s/%s", dir, program);
		snprintf(target, sizeof(target), "/usr/sbin/%.*s-%s%s", (int)family, program,
			 backend, program + family);
		r = dir_make(dir, 0755, err);
		if (r == 0 && symlink(target, path) < 0)
			r = err_sys(err, errno, "%s", path);
	}
	return r;
}

int rootfs_etc(struct err *err)
{
	int left = MAX_COPY_FILES, r = 0;
	if (mkdir("etc/nginx", 0755) < 0)
		return err_sys(err, errno, "etc/nginx");
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(listed); i++) {
		char src[64], dst[64];
		snprintf(src, sizeof(src), "/etc/%s", listed[i]);
		snprintf(dst, sizeof(dst), "etc/%s", listed[i]);
		r = copy_any(src, dst, 0, &left, err);
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(written); i++) {
		const char *text = written[i].text;
		r = file_write(written[i].path, text, strlen(text), 0644, err);
	}
	if (r == 0 && mkdir("etc/alternatives", 0755) < 0 && errno != EEXIST)
		r = err_sys(err, errno, "etc/alternatives");
	if (r == 0)
		r = link_alternatives(err);
	if (r == 0 && symlink("/proc/self/mounts", "etc/mtab") < 0)
		r = err_sys(err, errno, "etc/mtab");
	return r;
}

static int copy_program(int src, const char *dst, struct err *err)
{
	_close_ int fd = open(dst, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	if (fd < 0)
		return err_sys(err, errno, "%s", dst);
	char buf[65536];
	for (off_t at = 0;;) {
		ssize_t n = pread(src, buf, sizeof(buf), at);
		if (n < 0)
			return err_sys(err, errno, "reading labd-init");
		if (n == 0)
			return 0;
		int r = write_all(fd, buf, (size_t)n);
		if (r < 0)
			return err_sys(err, r, "%s", dst);
		at += n;
	}
}

int rootfs_opt(int init_src, const char *applets, struct err *err)
{
	int r = dir_make("opt/labd/bin", 0755, err);
	if (r == 0)
		r = link_backends(err);
	if (r == 0)
		r = copy_program(init_src, ROOTFS_INIT, err);
	/* More names, so that `pidof agnhost` does not mean the first process too. */
	if (r == 0 && link(ROOTFS_INIT, "opt/labd/bin/agnhost") < 0)
		r = err_sys(err, errno, "opt/labd/bin/agnhost");
	if (r == 0 && link(ROOTFS_INIT, "opt/labd/bin/kube-proxy") < 0)
		r = err_sys(err, errno, "opt/labd/bin/kube-proxy");
	return r < 0 ? r : rootfs_applets(applets, err);
}
