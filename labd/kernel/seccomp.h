/* SPDX-License-Identifier: MIT */
/*
 * seccomp: which system calls nodes and pods have not.
 *
 * Capabilities already refuse what these would do to the machine; the filter is the second lock,
 * and the only one before the kernel's own code for them. It names what nothing in a lab needs and
 * what reaches beyond a lab: other kernels and modules, mounts and namespaces of one's own (a user
 * namespace would give its maker every capability in it), BPF, perf, keyrings, io_uring, clocks,
 * swap, file handles. Each answers as if it were not permitted, or not there where programs know
 * how to do without. All else is allowed: tools for looking at a network must find what they
 * expect.
 *
 * In a user namespace with one id (rootless.h) the calls that change ids answer that it worked.
 *
 * A raw BPF program, for it is a list and three special cases; libseccomp would be another library
 * in every process' start.
 */
#ifndef KERNEL_SECCOMP_H
#define KERNEL_SECCOMP_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/base/err.h"

/* Reduce the calling process, about to exec, for good. Needs no_new_privs. A kernel without seccomp
 * filters is no error (doctor tells). */
int seccomp_seal(struct err *err);

/* The program, for tests. */
#define SECCOMP_MAX 192
size_t seccomp_program(struct sock_filter prog[static SECCOMP_MAX], bool fake_ids);

#endif
