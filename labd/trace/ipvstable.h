/* SPDX-License-Identifier: MIT */
/*
 * ipvstable: IPVS's connection table and its virtual servers, of a node, as /proc/net/ip_vs_conn
 * and /proc/net/ip_vs print them (what `ipvsadm -Lcn` and `ipvsadm -Ln` read). Only the probe's
 * connections are kept. Not for making them (labd/kernel/ipvs.h).
 */
#ifndef TRACE_IPVSTABLE_H
#define TRACE_IPVSTABLE_H

#include "lib/recording/recording.h"

/* Read both of the calling thread's namespace, which is r->ns.v[ns], and add to r->ipvs what
 * belongs to a sighting of that namespace. Nothing where there is no IPVS. */
void ipvstable_read(struct recording *r, int ns);

/* The same from texts. Pure. */
void ipvstable_parse(struct recording *r, int ns, const char *conns, const char *services);

#endif
