/* SPDX-License-Identifier: MIT */
/*
 * reach_listen: on which ports a pod's programs listen, as far as their arguments say: nginx, the
 * DNS server and agnhost are known, other programs are not. Pure. Private to reach*.c.
 */
#ifndef PLAN_REACH_LISTEN_H
#define PLAN_REACH_LISTEN_H

#include "lib/plan/desired.h"

enum listens { LISTENS_NO, LISTENS_YES, LISTENS_UNKNOWN };

/* ns: a pod's entry of the desired state. */
enum listens reach_listens(const struct dns *ns, enum proto proto, uint16_t port);

/* What it certainly listens on. */
struct reach_port {
	enum proto proto;
	uint16_t port;
	bool is_dns; /* to be asked for a name */
};
typedef vec_of(struct reach_port) reach_ports;
void reach_ports_of(struct arena *a, const struct dns *ns, reach_ports *ret);

#endif
