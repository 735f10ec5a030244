/* SPDX-License-Identifier: MIT */
/*
 * show: the state of a namespace as the usual programs print it, for people to read: the same text
 * as in a node's shell. Not for comparing (net_observe(), xt_save()).
 */
#ifndef KERNEL_SHOW_H
#define KERNEL_SHOW_H

#include "lib/base/err.h"
#include "lib/base/strbuf.h"
#include "lib/kube/objects.h"

enum show {
	SHOW_LINKS, /* one line each, parts of it behind '\' */
	SHOW_ADDRS,
	SHOW_ROUTES,
	SHOW_NEIGHS,
	SHOW_FDB,
	SHOW_RULES, /* as iptables-save prints them */
	SHOW_SETS,  /* as ipset save prints them */
	SHOW_VIRTUAL,
	SHOW_NFT,
	SHOW_FLOWS, /* connection tracking */
	SHOW_COUNT
};

/* Append it. backend is for SHOW_RULES. */
int show_run(int netns, enum show what, enum ipt_backend backend, struct strbuf *out,
	     struct err *err);
/* The command as a person would type it there. */
const char *show_command(enum show what);

#endif
