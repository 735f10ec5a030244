/* SPDX-License-Identifier: MIT */
/*
 * rootless: is labd root of a user namespace only (the engine "user"), and what follows from it?
 *
 * Most of the kernel makes no difference, for what a lab needs belongs to network namespaces, and
 * those are labd's own. What does: no device can be made (the host's are bound), a new view of
 * /proc or /sys is only given to who has a whole one already (the template keeps one, rootfs.h),
 * settings of the whole machine can't be changed, and ids that the namespace has not do not exist.
 * With one id only, programs that change theirs at start (nginx, dnsmasq, tcpdump) would end there;
 * they are told that it worked (seccomp.h), which is true in effect: they have the rights of one
 * user anyway.
 */
#ifndef KERNEL_ROOTLESS_H
#define KERNEL_ROOTLESS_H

#include <stdbool.h>

/* Asked of the kernel once. */
bool rootless(void);
/* Is 0 the only user id? */
bool rootless_single(void);

#endif
