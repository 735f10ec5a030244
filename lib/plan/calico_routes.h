/* SPDX-License-Identifier: MIT */
/* calico_routes: the ways between nodes, shared by calico.c and calico_bird.c. Private to them. */
#ifndef PLAN_CALICO_ROUTES_H
#define PLAN_CALICO_ROUTES_H

#include "lib/plan/desired_build.h"

/* The way from n to what `other` has of a pool (everything but the destination); false if there is
 * none (a tunnel to a node without tunnel address). */
bool calico_route_to(struct dbuild *b, const struct cnode *n, const struct cnode *other,
		     const struct ip_pool *pool, struct droute *ret);
/* Have the node run BIRD, configured to spread and learn those routes. */
void calico_bird(struct dbuild *b, int ns, const struct cnode *n);

#endif
