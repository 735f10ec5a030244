/* SPDX-License-Identifier: MIT */
/* proxy_rules: a node's kube-proxy in the mode of its configuration. Only the choice. */
#include "lib/plan/proxy.h"

void proxy_rules(const struct cluster *c, int node, struct strbuf *out)
{
	switch (c->proxy.mode) {
	case PROXY_IPTABLES:
		proxy_iptables(c, node, out);
		break;
	case PROXY_NFTABLES:
		proxy_nftables(c, node, out);
		break;
	case PROXY_IPVS:
		proxy_ipvs(c, node, out);
		break;
	case PROXY_USERSPACE:
		proxy_userspace(c, node, out);
		break;
	}
}
