/* SPDX-License-Identifier: MIT */
/*
 * net_remove: taking single links, addresses, routes, neighbours and forwarding entries out of a
 * namespace that lives on. Slower than letting go of a namespace (a link costs some 17 ms); for
 * changes of a running lab.
 */
#ifndef KERNEL_NET_REMOVE_H
#define KERNEL_NET_REMOVE_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

/* Remove what->links, addrs, routes, neighs and fdbs. What is not there is success. The calling
 * thread's network namespace is changed and restored. */
int net_remove(int netns, const struct dns *what, struct err *err);

#endif
