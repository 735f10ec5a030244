/* SPDX-License-Identifier: MIT */
/*
 * probe_mod: which kernel modules are there already, so that trying a feature loads none.
 *
 * The kernel itself asks for a missing module when a link kind, an iptables match or a netlink
 * subsystem is named that it does not know. labd loads no module unasked. So a feature is only
 * tried when
 *   - all of its modules are loaded or built in (/sys/module, /proc/modules, modules.builtin), or
 *   - nothing can be loaded at all: a kernel without CONFIG_MODULES (no kernel.modprobe), with
 *     kernel.modules_disabled=1 or an empty kernel.modprobe, or without a /lib/modules of its
 *     release. Then the kernel's own answer is the only evidence, and asking is safe.
 */
#ifndef KERNEL_PROBE_MOD_H
#define KERNEL_PROBE_MOD_H

#include <stdbool.h>

#include "lib/base/strbuf.h"

struct mods {
	bool can_load;		/* a feature that is tried may load a module */
	struct strbuf builtin;	/* modules.builtin */
	struct strbuf loadable; /* modules.dep */
	struct strbuf loaded;	/* /proc/modules */
};

void mods_read(struct mods *m);
void mods_free(struct mods *m);
#define _mods_ __attribute__((cleanup(mods_free)))

/* May a feature that needs these modules (separated by blanks) be tried? */
bool mods_may_try(const struct mods *m, const char *names);
/* Could modprobe load those of them that are missing? */
bool mods_loadable(const struct mods *m, const char *names);

#endif
