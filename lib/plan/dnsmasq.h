/* SPDX-License-Identifier: MIT */
/*
 * dnsmasq: the configuration with which dnsmasq answers as a cluster's CoreDNS does (dataplane
 * notes H), made from the Services. Where it cannot is written down in docs/dns.md. Pure.
 */
#ifndef PLAN_DNSMASQ_H
#define PLAN_DNSMASQ_H

#include "lib/base/strbuf.h"
#include "lib/plan/cluster.h"

#define DNS_DOMAIN "cluster.local"
#define DNS_TTL	   30 /* seconds; kubeadm's Corefile */

/* The whole configuration file; ttl of all records in seconds. */
void dnsmasq_conf(const struct cluster *c, unsigned ttl, struct strbuf *out);

#endif
