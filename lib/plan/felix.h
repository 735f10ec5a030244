/* SPDX-License-Identifier: MIT */
/*
 * felix: the iptables rules of Calico's Felix: tables as lists of chains, each rule with the hash
 * by which Felix recognises its own, and their text for iptables-restore. Pure. Facts: dataplane
 * notes F.6; Calico 3.22, 3.24, 3.28; held against tests/golden/calico.
 *
 * The rules come in four parts: the chains every node has (felix_chains.c), dispatch and the chains
 * of endpoints and profiles (felix_endpoints.c), those of NetworkPolicies (felix_policy.c).
 */
#ifndef PLAN_FELIX_H
#define PLAN_FELIX_H

#include "lib/base/arena.h"
#include "lib/base/strbuf.h"
#include "lib/plan/cluster.h"

#define FELIX_HASH_LEN 16

enum felix_version { FELIX_3_22, FELIX_3_24, FELIX_3_28 };

/* A NetworkPolicy that some endpoint of the node is subject to. */
struct felix_policy {
	const char *key;      /* default/knp.default.allow-frontend */
	const char *selector; /* felix_policy_selector(): policies with the same one form a group */
	const struct network_policy *obj;
};
typedef vec_of(const struct felix_policy *) felix_policies;

/* One pod's interface. Profiles in Calico's order: kns.NAMESPACE, ksa.NAMESPACE.SERVICEACCOUNT. */
struct felix_endpoint {
	const char *iface; /* caliae3c1d6879e */
	vec_of(const char *) profiles;
	felix_policies in, out; /* that limit ingress and egress, sorted by key */
};

/* An ipset that rules of policies look into: the endpoints that a peer means. */
struct felix_set {
	const char *name;
	const struct np_peer *peer; /* NULL: all endpoints */
	const char *ns;		    /* of the policy that says so */
	const char *port_name;	    /* hash:ip,port of this container port; NULL: hash:net */
	enum proto proto;
};
typedef vec_of(struct felix_set) felix_sets;

struct felix_config {
	enum felix_version version;
	bool ipip, vxlan;     /* some pool uses it */
	bool ipvs;	      /* kube-proxy is in IPVS mode: kube-ipvs0 is there */
	bool nat_outgoing;    /* some pool wants it */
	const char *tun_ipip; /* "tunl0" when ipip */
	const char *tun_vxlan;
	vec_of(struct felix_endpoint) endpoints;
};

/* The hash of each rule covers all rules before it in its chain: h_0 = sha224(chain), h_i =
 * sha224(h_(i-1) + "-A CHAIN HASH" + " " + rule). */
struct felix_hash {
	unsigned char state[28];
	const char *chain;
};
/* Start a chain. For rules appended to a built-in chain the name is "FORWARD*appends*". */
void felix_hash_init(struct felix_hash *h, const char *chain);
/* The next rule's hash: the first 16 characters of the base64url text. rule: as Felix writes it,
 * behind "-A CHAIN HASH "; "" for an empty rule. */
void felix_hash_next(struct felix_hash *h, const char *rule, char ret[static FELIX_HASH_LEN + 1]);

/* prefix + name, or, when that is longer than a chain name may be (28), prefix + "_" + the start of
 * base64url(sha256(name)). */
const char *felix_chain_name(struct arena *a, const char *prefix, const char *name);

/* The ipsets of the policies of the node's endpoints, each once. */
void felix_policy_ipsets(struct arena *a, const struct felix_config *cfg, felix_sets *ret);

/* All of it, for `iptables-restore --noflush` behind other components' rules. The jumps go to
 * position 1 of the built-in chains (ChainInsertMode Insert). The ipsets must exist. */
void felix_iptables(struct arena *a, const struct felix_config *cfg, struct strbuf *out);

#endif
