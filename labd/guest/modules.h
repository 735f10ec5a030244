/* SPDX-License-Identifier: MIT */
/*
 * modules: load kernel modules inside the guest without running modprobe (a process costs 30 ms
 * there). It reads modules.dep and modules.alias of the running kernel, which Debian's package
 * keeps in /usr/lib/uml/modules/RELEASE, and calls finit_module(2). Not for the host's kernel.
 */
#ifndef GUEST_MODULES_H
#define GUEST_MODULES_H

#include "lib/base/err.h"

/* Load the modules that labs need (modules.c lists them), with what they depend on. A module that
 * this kernel doesn't have is left out. Returns how many were loaded, or a negative errno if
 * there is no module directory at all. */
int modules_load_all(struct err *err);
/* Load one, by name or by alias ("rtnl-link-ipip", "ipt_REJECT"). Loaded already is success.
 * -ENOENT when nothing is called so. For the kernel's own requests: init names labd as modprobe,
 * which is then called as `labd -q -- NAME`; see guest_modprobe_main(). */
int modules_load(const char *name, struct err *err);

#endif
