/* SPDX-License-Identifier: MIT */
/*
 * reach_listen: on which ports a pod's programs listen, as far as their arguments say: nginx, the
 * DNS server and agnhost are known, other programs are not. Pure. Private to reach*.c.
 */
#ifndef PLAN_REACH_LISTEN_H
#define PLAN_REACH_LISTEN_H

#include "lib/plan/desired.h"

enum listens { LISTENS_NO, LISTENS_YES, LISTENS_UNKNOWN };

/* What a pod certainly listens on. */
struct reach_port {
	enum proto proto;
	uint16_t port;
	bool is_dns; /* to be asked for a name */
};
struct reach_ports {
	vec_of(struct reach_port) list;
	bool others; /* it runs programs that nobody knows */
};

/* ns: a pod's entry of the desired state. */
void reach_ports_of(struct arena *a, const struct dns *ns, struct reach_ports *ret);
enum listens reach_listens(const struct reach_ports *p, enum proto proto, uint16_t port);

#endif
