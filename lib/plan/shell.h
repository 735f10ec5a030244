/* SPDX-License-Identifier: MIT */
/*
 * shell: a desired state printed as a POSIX shell script of ip, bridge, sysctl, ipset and
 * iptables-restore commands that builds the same lab by hand when run by root, or takes it away.
 */
#ifndef PLAN_SHELL_H
#define PLAN_SHELL_H

#include "lib/base/strbuf.h"
#include "lib/plan/desired.h"

struct shell_opts {
	int node;	   /* only this node (index into cluster.nodes), or -1 for all */
	unsigned sections; /* enum dsection bits */
	bool down;	   /* print the commands that take it away */
};

void shell_print(const struct desired *d, const struct shell_opts *o, struct strbuf *out);

#endif
