/* SPDX-License-Identifier: MIT */
/*
 * target: TO of a trace (`nginx:80`, `web.shop.svc.cluster.local`, `10.96.0.10:53/udp`,
 * `node/node01:31856`, `busybox1 icmp`, `10.244.1.2/icmp`), resolved against a lab. Pure.
 */
#ifndef TRACE_TARGET_H
#define TRACE_TARGET_H

#include "lib/base/err.h"
#include "lib/plan/desired.h"

struct target {
	uint8_t proto; /* IPPROTO_TCP, _UDP, _ICMP */
	ip4 ip;	       /* 0: only DNS can tell */
	uint16_t port; /* 0 for ICMP */
	/* What a program would ask DNS for, fully qualified, without the last dot; NULL when TO is
	 * no name of DNS. */
	const char *dns_name;
	const char *host; /* as an HTTP client would put it into Host: */
};

/* ns is the Kubernetes namespace that short names are looked up in. Strings are d's arena's. */
int target_resolve(const struct desired *d, const char *text, const char *ns, struct target *ret,
		   struct err *err);

/* What a beginner overlooks: the address is a Service's, or a node's and the port in the range of
 * node ports, and no Service has that port there. One line in d's arena, or NULL. */
const char *target_note(const struct desired *d, const struct target *t);

#endif
