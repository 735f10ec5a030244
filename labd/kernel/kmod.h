/* SPDX-License-Identifier: MIT */
/*
 * kmod: loading kernel modules on the host, which labd does only when it is asked to (`labctl
 * engine start --load-modules`): ipip would give every namespace of the host a tunl0, and
 * br_netfilter changes how the host's own bridges filter.
 */
#ifndef KERNEL_KMOD_H
#define KERNEL_KMOD_H

#include <jansson.h>

/* modprobe what labs may need: {"loaded": [names], "failed": [{"name", "text"}]}. A module that is
 * loaded or built in already counts as loaded. New reference. */
json_t *kmod_load(void);

#endif
