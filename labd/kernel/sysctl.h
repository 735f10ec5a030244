/* SPDX-License-Identifier: MIT */
/*
 * sysctl: settings below net. of a network namespace.
 *
 * They are written through a procfs instance of our own: in the system's /proc/sys/net the entries
 * of all namespaces hash into one chain, so that the first touch of a file costs time in proportion
 * to the number of namespaces (33 us at 200, 1,700 us at 4,000; through a fresh instance 25 us).
 * Settings outside net. belong to the whole machine and are refused.
 */
#ifndef KERNEL_SYSCTL_H
#define KERNEL_SYSCTL_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

struct sysctl {
	int proc;      /* root directory of the procfs instance; -1: none yet */
	unsigned used; /* namespaces it has seen */
};
#define SYSCTL_INIT                                                                                \
	(struct sysctl)                                                                            \
	{                                                                                          \
		-1, 0                                                                              \
	}
#define _sysctl_ __attribute__((cleanup(sysctl_close)))
void sysctl_close(struct sysctl *s);

/* Call once after the thread has entered another network namespace. */
void sysctl_next(struct sysctl *s);

/*
 * The path of a key below /proc, "sys/net/ipv4/conf/flannel.1/rp_filter". Accepted as sysctl(8)
 * does: the first separator decides ("net/ipv4/conf/flannel.1/rp_filter" and
 * "net.ipv4.conf.flannel/1.rp_filter"), and also "net.ipv4.conf.flannel.1.rp_filter", which is
 * clear because such keys have exactly one part behind the device. -EINVAL when it is no key of
 * net.
 */
int sysctl_path(const char *key, char *buf, size_t size);

/* Set a key in the calling thread's network namespace. optional: one that the kernel has not, or
 * that cannot be set in this namespace, is fine. */
int sysctl_set(struct sysctl *s, const char *key, const char *value, bool optional,
	       struct err *err);
/* Read one (without the newline) into buf. -ENOENT when the kernel has none. */
int sysctl_get(struct sysctl *s, const char *key, char *buf, size_t size, struct err *err);

#endif
