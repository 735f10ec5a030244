/* SPDX-License-Identifier: MIT */
/*
 * caps: what root may do inside a lab's namespaces, and labd itself.
 *
 * But in the user engine there is no user namespace, so root inside is the machine's uid 0 and only
 * capabilities, mounts and namespaces hold it. Pods get what container runtimes give by default
 * (CHOWN DAC_OVERRIDE FOWNER FSETID KILL SETGID SETUID SETPCAP NET_BIND_SERVICE NET_RAW SYS_CHROOT
 * AUDIT_WRITE SETFCAP) but MKNOD: runtimes pair that with a device cgroup, which we have not. Nodes
 * and outside machines get NET_ADMIN in addition; nobody gets SYS_ADMIN, SYS_PTRACE, SYS_MODULE,
 * SYS_RAWIO or SYS_TIME.
 */
#ifndef KERNEL_CAPS_H
#define KERNEL_CAPS_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

/* Reduce labd to what it uses (caps.c says for what), of what it has. No_new_privs, too: its tools
 * gain nothing by a setuid bit. */
int caps_keep(struct err *err);

/* Reduce the calling process to the set of the kind, for good: bounding set, permitted, effective,
 * inheritable and ambient sets, no_new_privs. For a process about to exec. Needs SETPCAP. */
int caps_drop(enum dns_kind kind, struct err *err);

#endif
