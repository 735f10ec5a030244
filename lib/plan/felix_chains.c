/* SPDX-License-Identifier: MIT */
/* felix_chains: the chains that every node has (dataplane F.6). Those of pods: felix_endpoints.c */
#include "lib/plan/felix_chains.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define COMMENT_MAX 256

struct felix_chain *felix_chain(struct arena *a, struct felix_table *t, const char *name)
{
	struct felix_chain *c = vec_push(a, &t->chains);

	*c = (struct felix_chain){.name = name};
	return c;
}

void felix_rule(struct arena *a, struct felix_chain *c, const char *comment, const char *fmt, ...)
{
	char text[COMMENT_MAX + 1] = "";
	const char *rest;
	va_list ap;

	va_start(ap, fmt);
	rest = arena_vprintf(a, fmt, ap);
	va_end(ap);
	if (comment) {
		snprintf(text, sizeof(text), "%s", comment);
		for (char *p = text; *p; p++)
			if (!isalnum((unsigned char)*p) && !strchr("_ @%+=:,./-", *p))
				*p = '_';
		rest = arena_printf(a, "-m comment --comment \"%s\"%s%s", text, *rest ? " " : "",
				    rest);
	}
	*vec_push(a, &c->rules) = rest;
}

/* "-j cali-NAME" in a built-in chain: at position 1, or at the end. */
static void jump(struct arena *a, struct felix_table *t, const char *name, bool append)
{
	struct felix_chain *c = append ? vec_push(a, &t->appends) : vec_push(a, &t->inserts);

	*c = (struct felix_chain){.name = name};
	felix_rule(a, c, NULL, "--jump cali-%s", name);
}

void felix_raw(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct felix_chain *c;

	jump(a, t, "PREROUTING", false);
	jump(a, t, "OUTPUT", false);
	c = felix_chain(a, t, "cali-PREROUTING");
	felix_rule(a, c, NULL, CLEAR_ALL);
	felix_rule(a, c, NULL, "--in-interface cali+ --jump MARK --set-mark " MARK_WORKLOAD);
	if (cfg->version >= FELIX_3_24)
		felix_rule(a, c, NULL, "-m mark --mark " MARK_WORKLOAD " --jump cali-rpf-skip");
	felix_rule(a, c, NULL,
		   "-m mark --mark " MARK_WORKLOAD " -m rpfilter --invert --validmark --jump DROP");
	felix_rule(a, c, NULL, "-m mark --mark 0/0x40000 --jump cali-from-host-endpoint");
	felix_rule(a, c, NULL, IS_ACCEPT " --jump ACCEPT");
	c = felix_chain(a, t, "cali-OUTPUT");
	felix_rule(a, c, NULL, CLEAR_ALL);
	felix_rule(a, c, NULL, "--jump cali-to-host-endpoint");
	felix_rule(a, c, NULL, IS_ACCEPT " --jump ACCEPT");
	felix_chain(a, t, "cali-from-host-endpoint");
	felix_chain(a, t, "cali-to-host-endpoint");
	if (cfg->version >= FELIX_3_24)
		felix_chain(a, t, "cali-rpf-skip");
}

void felix_mangle(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct felix_chain *c;

	jump(a, t, "PREROUTING", false);
	jump(a, t, "POSTROUTING", false);
	c = felix_chain(a, t, "cali-PREROUTING");
	felix_rule(a, c, NULL, ESTABLISHED " --jump ACCEPT");
	felix_rule(a, c, NULL, IS_ACCEPT " --jump ACCEPT");
	felix_rule(a, c, NULL, "--jump cali-from-host-endpoint");
	felix_rule(a, c, HEP_ACCEPTED, IS_ACCEPT " --jump ACCEPT");
	c = felix_chain(a, t, "cali-POSTROUTING");
	felix_rule(a, c, NULL, IS_ACCEPT " --jump RETURN");
	if (cfg->ipvs)
		felix_rule(a, c, NULL, "-m mark ! --mark 0/" MARK_ENDPOINT " --jump RETURN");
	felix_rule(a, c, NULL, CLEAR_ALL);
	felix_rule(a, c, NULL, "-m conntrack --ctstate DNAT --jump cali-to-host-endpoint");
	felix_rule(a, c, HEP_ACCEPTED, IS_ACCEPT " --jump RETURN");
	felix_chain(a, t, "cali-from-host-endpoint");
	felix_chain(a, t, "cali-to-host-endpoint");
}

static void masquerade_tunnel(struct arena *a, struct felix_chain *c, const char *dev)
{
	if (dev)
		felix_rule(a, c, NULL,
			   "--out-interface %s -m addrtype ! --src-type LOCAL --limit-iface-out "
			   "-m addrtype --src-type LOCAL --jump MASQUERADE --random-fully",
			   dev);
}

void felix_nat(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct felix_chain *c;

	jump(a, t, "PREROUTING", false);
	jump(a, t, "OUTPUT", false);
	/* From 3.28.2 on behind kube-proxy's. */
	jump(a, t, "POSTROUTING", cfg->version >= FELIX_3_28);
	felix_rule(a, felix_chain(a, t, "cali-PREROUTING"), NULL, "--jump cali-fip-dnat");
	felix_rule(a, felix_chain(a, t, "cali-OUTPUT"), NULL, "--jump cali-fip-dnat");
	c = felix_chain(a, t, "cali-POSTROUTING");
	felix_rule(a, c, NULL, "--jump cali-fip-snat");
	felix_rule(a, c, NULL, "--jump cali-nat-outgoing");
	masquerade_tunnel(a, c, cfg->tun_ipip);
	masquerade_tunnel(a, c, cfg->tun_vxlan);
	c = felix_chain(a, t, "cali-nat-outgoing");
	if (cfg->nat_outgoing)
		felix_rule(a, c, NULL,
			   "-m set --match-set cali40masq-ipam-pools src "
			   "-m set ! --match-set cali40all-ipam-pools dst "
			   "--jump MASQUERADE --random-fully");
	felix_chain(a, t, "cali-fip-dnat");
	felix_chain(a, t, "cali-fip-snat");
}

/* Who may: 3.24 and older say "whitelisted", and 3.22 does not say which IP it is. */
static const char *vxlan_comment(struct arena *a, const struct felix_config *cfg, const char *fmt_a,
				 const char *fmt_b)
{
	return arena_printf(a, "%s %sVXLAN packets %s%s hosts", fmt_a,
			    cfg->version >= FELIX_3_24 ? "IPv4 " : "", fmt_b,
			    cfg->version >= FELIX_3_28 ? "allowed" : "whitelisted");
}

static void filter_input(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct felix_chain *c = felix_chain(a, t, "cali-INPUT");

	if (cfg->ipip) {
		felix_rule(a, c, "Allow IPIP packets from Calico hosts",
			   "-p 4 -m set --match-set cali40all-hosts-net src "
			   "-m addrtype --dst-type LOCAL --jump ACCEPT");
		felix_rule(a, c, "Drop IPIP packets from non-Calico hosts", "-p 4 --jump DROP");
	}
	if (cfg->vxlan) {
		felix_rule(a, c, vxlan_comment(a, cfg, "Allow", "from "),
			   "-p 17 -m multiport --destination-ports 4789 "
			   "-m set --match-set cali40all-vxlan-net src "
			   "-m addrtype --dst-type LOCAL --jump ACCEPT");
		felix_rule(a, c, vxlan_comment(a, cfg, "Drop", "from non-"),
			   "-p 17 -m multiport --destination-ports 4789 "
			   "-m addrtype --dst-type LOCAL --jump DROP");
	}
	if (cfg->ipvs) {
		felix_rule(a, c, NULL, "--jump MARK --set-mark 0/" MARK_ENDPOINT);
		felix_rule(a, c, NULL, "--jump cali-forward-check");
		felix_rule(a, c, NULL, "-m mark ! --mark 0/" MARK_ENDPOINT " --jump RETURN");
	}
	felix_rule(a, c, NULL, "--in-interface cali+ --goto cali-wl-to-host");
	felix_rule(a, c, NULL, IS_ACCEPT " --jump ACCEPT");
	felix_rule(a, c, NULL, CLEAR_ALL);
	felix_rule(a, c, NULL, "--jump cali-from-host-endpoint");
	felix_rule(a, c, HEP_ACCEPTED, IS_ACCEPT " --jump ACCEPT");
}

static void filter_output(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct felix_chain *c = felix_chain(a, t, "cali-OUTPUT");

	felix_rule(a, c, NULL, IS_ACCEPT " --jump ACCEPT");
	if (cfg->ipvs)
		felix_rule(a, c, NULL,
			   "-m mark ! --mark 0/" MARK_ENDPOINT
			   " --goto cali-forward-endpoint-mark");
	felix_rule(a, c, NULL, "--out-interface cali+ --jump RETURN");
	if (cfg->ipip)
		felix_rule(a, c, "Allow IPIP packets to other Calico hosts",
			   "-p 4 -m set --match-set cali40all-hosts-net dst "
			   "-m addrtype --src-type LOCAL --jump ACCEPT");
	if (cfg->vxlan)
		felix_rule(a, c, vxlan_comment(a, cfg, "Allow", "to other "),
			   "-p 17 -m multiport --destination-ports 4789 "
			   "-m addrtype --src-type LOCAL "
			   "-m set --match-set cali40all-vxlan-net dst --jump ACCEPT");
	felix_rule(a, c, NULL, CLEAR_ALL);
	felix_rule(a, c, NULL, "-m conntrack ! --ctstate DNAT --jump cali-to-host-endpoint");
	felix_rule(a, c, HEP_ACCEPTED, IS_ACCEPT " --jump ACCEPT");
}

static void filter_forward(struct arena *a, struct felix_table *t)
{
	struct felix_chain *c = felix_chain(a, t, "cali-FORWARD");

	felix_rule(a, c, NULL, "--jump MARK --set-mark 0/0xe0000");
	felix_rule(a, c, NULL, "-m mark --mark 0/0x10000 --jump cali-from-hep-forward");
	felix_rule(a, c, NULL, "--in-interface cali+ --jump cali-from-wl-dispatch");
	felix_rule(a, c, NULL, "--out-interface cali+ --jump cali-to-wl-dispatch");
	felix_rule(a, c, NULL, "--jump cali-to-hep-forward");
	felix_rule(a, c, NULL, "--jump cali-cidr-block");
}

/* What IPVS forwards goes through INPUT and OUTPUT instead of FORWARD. INPUT tells it by its
 * destination and marks it with the endpoint it came from; OUTPUT then treats it as FORWARD would.
 */
static void filter_ipvs(struct arena *a, struct felix_table *t)
{
	static const char *const protos[] = {"tcp", "udp"};
	struct felix_chain *c = felix_chain(a, t, "cali-forward-check");

	felix_rule(a, c, NULL, ESTABLISHED " --jump RETURN");
	for (size_t i = 0; i < 2; i++)
		felix_rule(a, c, "To kubernetes NodePort service",
			   "-p %s -m multiport --destination-ports 30000:32767 "
			   "-m set --match-set cali40this-host dst --goto cali-set-endpoint-mark",
			   protos[i]);
	felix_rule(a, c, "To kubernetes service",
		   "-m set ! --match-set cali40this-host dst --jump cali-set-endpoint-mark");
	c = felix_chain(a, t, "cali-forward-endpoint-mark");
	felix_rule(a, c, NULL, "-m mark ! --mark " MARK_NO_CALI " --jump cali-from-endpoint-mark");
	felix_rule(a, c, NULL, "--out-interface cali+ --jump cali-to-wl-dispatch");
	felix_rule(a, c, NULL, "--jump cali-to-hep-forward");
	felix_rule(a, c, NULL, "--jump MARK --set-mark 0/" MARK_ENDPOINT);
	felix_rule(a, c, "Policy explicitly accepted packet.", IS_ACCEPT " --jump ACCEPT");
}

void felix_filter(struct arena *a, const struct felix_config *cfg, struct felix_table *t)
{
	struct felix_chain *c;

	jump(a, t, "INPUT", false);
	jump(a, t, "FORWARD", false);
	jump(a, t, "OUTPUT", false);
	c = vec_push(a, &t->appends);
	*c = (struct felix_chain){.name = "FORWARD"};
	felix_rule(a, c, "Policy explicitly accepted packet.", IS_ACCEPT " --jump ACCEPT");
	felix_rule(a, c, NULL, SET_ACCEPT);

	filter_input(a, cfg, t);
	filter_forward(a, t);
	filter_output(a, cfg, t);
	if (cfg->ipvs)
		filter_ipvs(a, t);
	c = felix_chain(a, t, "cali-wl-to-host");
	felix_rule(a, c, NULL, "--jump cali-from-wl-dispatch");
	/* The manifests' setting; Felix' own default is DROP. */
	felix_rule(a, c, "Configured DefaultEndpointToHostAction", "--jump ACCEPT");
	felix_chain(a, t, "cali-from-host-endpoint");
	felix_chain(a, t, "cali-to-host-endpoint");
	felix_chain(a, t, "cali-from-hep-forward");
	felix_chain(a, t, "cali-to-hep-forward");
	felix_chain(a, t, "cali-cidr-block");
	felix_workloads(a, cfg, t);
}
