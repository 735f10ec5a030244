/* SPDX-License-Identifier: MIT */
/*
 * felix_select: label selectors as Calico writes them (the normal form that names are hashed from)
 * and the names of the ipsets that hold the chosen endpoints. Pure. Facts: dataplane notes F.7,
 * F.8; Calico 3.22 to 3.28 agree.
 */
#ifndef PLAN_FELIX_SELECT_H
#define PLAN_FELIX_SELECT_H

#include "lib/kube/objects.h"

#define FELIX_ALL "all()" /* the normal form that chooses every endpoint */

/* Whom a NetworkPolicy of namespace ns applies to. */
const char *felix_policy_selector(struct arena *a, const struct selector *pods, const char *ns);
/* Whom a peer that is no ipBlock means, in a policy of namespace ns. */
const char *felix_peer_selector(struct arena *a, const struct np_peer *peer, const char *ns);
/* Name of the ipset with the addresses of the endpoints that the normal form chooses. */
const char *felix_set_name(struct arena *a, const char *normal);
/* The same for address and port, where the endpoint has a container port of that name. */
const char *felix_port_set_name(struct arena *a, const char *normal, enum proto proto,
				const char *port_name);

#endif
