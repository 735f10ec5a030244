/* SPDX-License-Identifier: MIT */
/*
 * rootfs: what a node, a pod or an outside machine sees as its file system.
 *
 * Theory of operation. Binding a dozen host directories and unmounting the host's own tree for each
 * pod would cost more than all the rest. So once, at the engine's start, a mount namespace is made
 * whose root is a small read-only tmpfs, the template, holding just what everybody shares:
 *
 *	/usr (and /bin /sbin /lib* where they are directories)   the host's, read-only
 *	/etc      a copy of a listed part of the host's, read-only
 *	/dev      null zero full random urandom tty, read-only
 *	/opt      busybox/bin: a link for each applet; labd/bin: agnhost, that is, labd-init;
 *	          labd/legacy, labd/nft: the iptables programs, one of which /run/etc/iptables means
 *
 * A descriptor keeps that namespace; nothing of it is visible in the host's, and it ends with labd.
 * A new first process enters it, and its own new mount namespace is a copy of these few mounts.
 * There it mounts a private tmpfs over the root, moves the shared mounts onto it, and adds its own
 * /proc, /sys and /dev/pts. All that is writable (/run /tmp /var /root, and / itself) is that one
 * bounded tmpfs. The emptied template stays below as the root's root: unmounting it would wait for
 * a grace period, and who gets there (CAP_SYS_CHROOT) finds empty read-only directories.
 *
 * Masking is a container's, in fewer mounts: /proc is read-only as a whole but for /proc/sys/net in
 * nodes; kcore, keys and timer_list are empty.
 */
#ifndef KERNEL_ROOTFS_H
#define KERNEL_ROOTFS_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

#define ROOTFS_PATH	    "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/labd/bin"
#define ROOTFS_BUSYBOX_PATH "/opt/busybox/bin"
#define ROOTFS_ASHRC	    "/opt/busybox/ashrc" /* what an interactive busybox sh reads */
#define ROOTFS_BYTES	    "64m"		 /* of a namespace's private files */
#define ROOTFS_INODES	    "16k"

/* labd-init, in the template. */
#define ROOTFS_INIT "opt/labd/labd-init"

/*
 * Make the template, in a child that then ends. `shared` is an existing directory (used as a mount
 * point, in the child's view only); init_src a descriptor of the labd-init program, copied into it;
 * applets the output of `busybox --list`. *mnt is its mount namespace, *init the program in it
 * (O_PATH); the caller owns both.
 */
int rootfs_template(const char *shared, int init_src, const char *applets, int *mnt, int *init,
		    struct err *err);
/* In a process that is alone in its file-system state, in a copy of the template's mount namespace
 * and in its other new namespaces: make the private root and change to it; write ns->files.
 * `iptables` is what backend says ("legacy" | "nft"). */
int rootfs_enter(const struct dns *ns, const char *backend, bool late_sys, struct err *err);
/*
 * late_sys above leaves /sys empty, until somebody goes in (proc_exec calls this): the kernel
 * compares each new sysfs with all there are (sget_fc), so that thousands would cost more than all
 * the rest of their pods.
 */
int rootfs_sys(struct err *err);
/* In a process whose root is a private one: write files into it. */
int rootfs_files(const struct dfile *files, size_t n, struct err *err);

/* rootfs_etc.c: fill ./etc and ./opt of the template; the host's files are still at their paths. */
int rootfs_etc(struct err *err);
int rootfs_opt(int init_src, const char *applets, struct err *err);
/* rootfs_busybox.c: ./opt/busybox/bin; applets as `busybox --list` prints them. */
int rootfs_applets(const char *applets, struct err *err);

#endif
