/* SPDX-License-Identifier: MIT */
/* shell_print: single commands of the script. Private to shell*.c. */
#ifndef PLAN_SHELL_PRINT_H
#define PLAN_SHELL_PRINT_H

#include "lib/plan/shell.h"

struct printer {
	const struct desired *d;
	const struct shell_opts *o;
	struct strbuf *out;
};

/* Name of a namespace under /run/netns: LAB-NAME. In the arena. */
const char *shell_ns(const struct printer *p, int ns);

/* A pair of which this end `creates`: made, its other end configured (bridge, settings, the other
 * namespace's routes through it), this end up. */
void shell_pair(const struct printer *p, int ns, const struct dlink *l);
/* Any other device. */
void shell_link(const struct printer *p, int ns, const struct dlink *l);
void shell_addr(const struct printer *p, int ns, const struct daddr *a);
void shell_route(const struct printer *p, int ns, const struct droute *r);
void shell_neigh(const struct printer *p, int ns, const struct dneigh *n);
void shell_fdb(const struct printer *p, int ns, const struct dfdb *f);
void shell_sysctl(const struct printer *p, int ns, const struct dsysctl *s);
void shell_ipset(const struct printer *p, int ns, const struct dipset *s);
/* Virtual services and nftables of kube-proxy's other modes. */
void shell_services(const struct printer *p, int ns);
void shell_rules(const struct printer *p, int ns, const struct drules *r);
/* A file: below /etc into /etc/netns, below /run into the namespace's own /run. */
void shell_file(const struct printer *p, int ns, const struct dfile *f);
void shell_proc(const struct printer *p, int ns, const struct dproc *r);

/* The device with that name, or NULL. */
const struct dlink *shell_find_link(const struct dns *ns, const char *name);

#endif
