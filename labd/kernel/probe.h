/* SPDX-License-Identifier: MIT */
/*
 * probe: what this kernel and machine can do, tried rather than guessed, without loading a module
 * and without touching the host's own network: everything is tried in a network namespace made for
 * it.
 */
#ifndef KERNEL_PROBE_H
#define KERNEL_PROBE_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/base/err.h"
#include "lib/plan/desired.h"

struct probe {
	char kernel[128]; /* uname release */
	bool netns, veth, bridge, vxlan, ipip, dummy, br_netfilter;
	bool legacy;	 /* legacy ip_tables with nat, and the program iptables-legacy-restore */
	bool nft_tables; /* iptables-nft works, with nat */
	bool nft_native; /* nft nat chains */
	bool ipset, xt_set, ipvs, conntrack, nfacct, netem, nflog, nfqueue, trace;
	bool cgroups;
	enum ipt_backend backend; /* what `auto` picks: legacy where it works, else nft */
};

/* Try everything. Needs root in its user namespace. Cheap parts only (under 20 ms). */
int probe_kernel(struct probe *ret, struct err *err);

/* Can this engine run the lab? 0, or ERR_UNSUPPORTED with what is missing and how to get it. */
int probe_suits(const struct probe *p, const struct desired *d, struct err *err);
/* In ipvs mode on a kernel without IPVS: does this version of kube-proxy go on in iptables mode (up
 * to 1.25), instead of ending? d's cluster needs its version only. */
bool probe_falls_back(const struct probe *p, const struct desired *d);

/* The rows of `labctl doctor`: [{"name","ok","text","hint"}]. */
json_t *probe_report(const struct probe *p);

#endif
