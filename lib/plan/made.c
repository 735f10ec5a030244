/* SPDX-License-Identifier: MIT */
/* See made.h. One function for each kind. Chains of a Service are found in the plan's own text, so
 * that no mode and no version has to be known here. */
#include "lib/plan/made.h"

#include <string.h>

#include "lib/plan/calico_policy.h"
#include "lib/plan/felix_policy.h"

static void add(struct arena *a, strs *list, const char *s)
{
	vec_foreach (const char *, have, list)
		if (strcmp(*have, s) == 0)
			return;
	*vec_push(a, list) = s;
}

/* ---- Services ---- */

/* kube-proxy's chains that belong to one service port or endpoint. */
static bool is_own_chain(const char *name)
{
	static const char *const own[] = {"KUBE-SVC-", "KUBE-SVL-", "KUBE-SEP-",
					  "KUBE-EXT-", "KUBE-FW-",  "KUBE-XLB-"};
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (strncmp(name, own[i], strlen(own[i])) == 0)
			return true;
	return false;
}

/* Does a rule's comment speak of that service port? `--comment "ID` and then no more of a name. */
static bool speaks_of(const char *rule, const char *id)
{
	size_t n = strlen(id);
	for (const char *at = rule; (at = strstr(at, id)); at++)
		if ((at[-1] == '"' || at[-1] == ' ') && strchr(" \"\n", at[n]))
			return true;
	return false;
}

/* The chains that rules of an id stand in. */
static void own_chains(struct arena *a, const struct dns *ns, const char *id, strs *chains)
{
	vec_foreach (const struct drules, r, &ns->rules)
		for (const char *s = r->text; *s; s += strcspn(s, "\n"), s += *s == '\n') {
			const char *line = arena_strndup(a, s, strcspn(s, "\n"));
			if (strncmp(line, "-A ", 3) != 0 || !strstr(line, id) ||
			    !speaks_of(line, id))
				continue;
			const char *chain = arena_strndup(a, line + 3, strcspn(line + 3, " "));
			if (is_own_chain(chain))
				add(a, chains, chain);
		}
}

static void service_flows(struct arena *a, const struct csvc *s, struct made_in *in)
{
	vec_foreach (const struct csvcport, p, &s->ports) {
		*vec_push(a, &in->flows) =
			arena_printf(a, "%s %u", IP4(s->cluster_ip), p->port->port);
		if (p->node_port)
			*vec_push(a, &in->flows) = arena_printf(a, "* %u", p->node_port);
	}
}

static bool made_of_service(struct arena *a, const struct desired *d, const struct csvc *s,
			    struct made *ret)
{
	if (!s->cluster_ip) {
		*vec_push(a, &ret->notes) =
			"No rules: it has no address of its own, only names in the DNS.";
		return true;
	}
	for (int i = 0; i < (int)d->ns.n; i++) {
		const struct dns *ns = &d->ns.v[i];
		struct made_in in = {.ns = i};
		if (ns->kind != DNS_NODE)
			continue;
		add(a, &in.words, arena_strdup(a, IP4(s->cluster_ip)));
		vec_foreach (const ip4, ip, &s->obj->external_ips)
			add(a, &in.words, arena_strdup(a, IP4(*ip)));
		vec_foreach (const struct lb_ingress, ip, &s->obj->ingress)
			if (ip->ip)
				add(a, &in.words, arena_strdup(a, IP4(ip->ip)));
		vec_foreach (const struct csvcport, p, &s->ports) {
			add(a, &in.ids, p->id);
			own_chains(a, ns, p->id, &in.chains);
			/* A virtual server at each of the node's addresses, and a set of ports. */
			if (p->node_port && d->cluster->proxy.mode == PROXY_IPVS)
				add(a, &in.words, arena_printf(a, "%u", p->node_port));
			add(a, &in.nft,
			    arena_printf(a, "-%s/%s/%s/%s", s->ns, s->name,
					 proto_str(p->port->proto), p->port->name));
		}
		add(a, &in.ids, arena_printf(a, "%s/%s", s->ns, s->name));
		service_flows(a, s, &in);
		*vec_push(a, &ret->in) = in;
	}
	return true;
}

/* ---- EndpointSlices ---- */

/* The chains of its endpoints, and so, as what leads there, the balancing in the Service's own. */
static void slice_chains(struct arena *a, const struct dns *ns, const char *id, strs *chains)
{
	strs own = {0};
	own_chains(a, ns, id, &own);
	vec_foreach (const char *, c, &own)
		if (strncmp(*c, "KUBE-SEP-", 9) == 0)
			add(a, chains, *c);
}

static void slice_in(struct arena *a, const struct desired *d, const struct csvc *s,
		     struct made_in *in)
{
	vec_foreach (const struct csvcport, p, &s->ports) {
		slice_chains(a, &d->ns.v[in->ns], p->id, &in->chains);
		vec_foreach (const struct cendpoint, e, &p->eps)
			add(a, &in->words, arena_printf(a, "%s:%u", IP4(e->ip), e->port));
		/* Newer versions of that mode have no chains for endpoints. */
		add(a, &in->nft,
		    arena_printf(a, "-%s/%s/%s/%s", s->ns, s->name, proto_str(p->port->proto),
				 p->port->name));
	}
}

/* get calls it SERVICE-1. */
static const struct csvc *service_of_slice(const struct desired *d, const char *ns,
					   const char *name)
{
	size_t n = strlen(name);
	if (n < 3 || strcmp(name + n - 2, "-1") != 0)
		return NULL;
	vec_foreach (const struct csvc, s, &d->cluster->services)
		if (strncmp(s->name, name, n - 2) == 0 && !s->name[n - 2] && strcmp(s->ns, ns) == 0)
			return s;
	return NULL;
}

static bool made_of_slice(struct arena *a, const struct desired *d, const char *ns,
			  const char *name, struct made *ret)
{
	const struct csvc *s = service_of_slice(d, ns, name);
	if (!s)
		return false;
	if (!s->cluster_ip) {
		*vec_push(a, &ret->notes) =
			"No rules: its Service has no address of its own, only names in the DNS.";
		return true;
	}
	for (int i = 0; i < (int)d->ns.n; i++) {
		struct made_in in = {.ns = i};
		if (d->ns.v[i].kind != DNS_NODE)
			continue;
		slice_in(a, d, s, &in);
		*vec_push(a, &ret->in) = in;
	}
	return true;
}

/* ---- Deployments ---- */

static bool is_of(const struct cpod *p, const struct deployment *dep)
{
	return p->obj->owner && strcmp(p->obj->owner, dep->meta.name) == 0 &&
	       strcmp(p->ns, dep->meta.ns) == 0;
}

static void deployment_in(struct arena *a, const struct desired *d, const struct deployment *dep,
			  struct made_in *in)
{
	vec_foreach (const struct cpod, p, &d->cluster->pods) {
		if (!is_of(p, dep) || p->host_network)
			continue;
		add(a, &in->words, arena_strdup(a, IP4(p->ip)));
		if (p->node == d->ns.v[in->ns].node && p->host_if)
			add(a, &in->devices, p->host_if);
	}
}

static bool made_of_deployment(struct arena *a, const struct desired *d, const char *ns,
			       const char *name, struct made *ret)
{
	const struct deployment *dep = NULL;
	vec_foreach (const struct deployment, x, &d->cluster->objects->deployments)
		if (strcmp(x->meta.name, name) == 0 && strcmp(x->meta.ns, ns) == 0)
			dep = x;
	if (!dep)
		return false;
	vec_foreach (const struct cpod, p, &d->cluster->pods)
		if (is_of(p, dep) && p->node >= 0)
			*vec_push(a, &ret->notes) = arena_printf(
				a, "Pod %s on %s: %s%s%s%s", p->name,
				d->cluster->nodes.v[p->node].name,
				p->ip ? IP4(p->ip) : "no address", p->host_if ? ", " : "",
				p->host_if ? p->host_if : "", p->ready ? "" : ", not ready");
	for (int i = 0; ret->notes.n && i < (int)d->ns.n; i++) {
		struct made_in in = {.ns = i};
		if (d->ns.v[i].kind != DNS_NODE)
			continue;
		deployment_in(a, d, dep, &in);
		*vec_push(a, &ret->in) = in;
	}
	return true;
}

/* ---- IPPools ---- */

static const char *tunnel_of(const struct ip_pool *p)
{
	return p->ipip ? "tunl0" : p->vxlan ? "vxlan.calico" : NULL;
}

static bool made_of_pool(struct arena *a, const struct desired *d, const char *name,
			 struct made *ret)
{
	const struct cluster *c = d->cluster;
	const struct ip_pool *pool = NULL;
	vec_foreach (const struct ip_pool, p, &c->pools)
		if (strcmp(p->meta.name, name) == 0)
			pool = p;
	if (!pool)
		return false;
	struct made_in in = {0};
	add(a, &in.sets, "cali40all-ipam-pools");
	vec_foreach (const struct block, b, &c->blocks) {
		if (b->pool != pool || b->node < 0)
			continue;
		add(a, &in.words, arena_strdup(a, CIDR(b->cidr)));
		*vec_push(a, &ret->notes) =
			arena_printf(a, "Block: %s on %s", CIDR(b->cidr), c->nodes.v[b->node].name);
	}
	if (tunnel_of(pool))
		add(a, &in.devices, tunnel_of(pool));
	if (pool->nat_outgoing) {
		add(a, &in.sets, "cali40masq-ipam-pools");
		add(a, &in.chains, "cali-nat-outgoing");
	}
	for (in.ns = 0; in.ns < (int)d->ns.n; in.ns++)
		if (d->ns.v[in.ns].kind == DNS_NODE)
			*vec_push(a, &ret->in) = in;
	return true;
}

/* ---- pods, nodes, hosts ---- */

static bool made_of_pod(struct arena *a, const struct desired *d, size_t pod, struct made *ret)
{
	const struct cpod *p = &d->cluster->pods.v[pod];
	if (p->host_network) {
		*vec_push(a, &ret->notes) = "It uses its node's network: nothing is made for it.";
		return true;
	}
	for (int i = 0; i < (int)d->ns.n; i++) {
		const struct dns *ns = &d->ns.v[i];
		struct made_in in = {.ns = i};
		bool own = ns->kind == DNS_POD && ns->pod == (int)pod;
		if (!own && ns->kind != DNS_NODE)
			continue;
		in.all = own;
		add(a, &in.words, arena_strdup(a, IP4(p->ip)));
		if (ns->kind == DNS_NODE && ns->node == p->node && p->host_if) {
			add(a, &in.devices, p->host_if);
			add(a, &in.chains, arena_printf(a, "cali-tw-%s", p->host_if));
			add(a, &in.chains, arena_printf(a, "cali-fw-%s", p->host_if));
		}
		*vec_push(a, &ret->in) = in;
	}
	return true;
}

static void node_notes(struct arena *a, const struct desired *d, const struct cnode *n,
		       struct made *ret)
{
	const struct cluster *c = d->cluster;
	vec_foreach (const int, b, &n->blocks)
		*vec_push(a, &ret->notes) =
			arena_printf(a, "Block: %s", CIDR(c->blocks.v[*b].cidr));
	if (n->tunnel_ip)
		*vec_push(a, &ret->notes) =
			arena_printf(a, "Tunnel address: %s", IP4(n->tunnel_ip));
	if (c->cni == CNI_FLANNEL && n->pod_cidr.len)
		*vec_push(a, &ret->notes) = arena_printf(a, "Pod CIDR: %s", CIDR(n->pod_cidr));
}

static bool made_of_place(struct arena *a, const struct desired *d, enum dns_kind kind,
			  const char *name, struct made *ret)
{
	for (int i = 0; i < (int)d->ns.n; i++) {
		const struct dns *ns = &d->ns.v[i];
		if (ns->kind != kind || strcmp(ns->name, name) != 0)
			continue;
		*vec_push(a, &ret->in) = (struct made_in){.ns = i, .all = true};
		if (kind == DNS_NODE)
			node_notes(a, d, &d->cluster->nodes.v[ns->node], ret);
		return true;
	}
	return false;
}

/* ---- NetworkPolicies ---- */

/* The node's pods that a policy limits. */
static void limited(struct arena *a, const struct desired *d, const felix_policies *all,
		    const struct felix_policy *q, int node, strs *pods)
{
	vec_foreach (const struct cpod, p, &d->cluster->pods) {
		struct felix_endpoint e = {0};
		if (p->node != node || p->host_network)
			continue;
		calico_policies_of(a, all, p, &e);
		bool in = false;
		vec_foreach (const struct felix_policy *, x, &e.in)
			in |= *x == q;
		vec_foreach (const struct felix_policy *, x, &e.out)
			in |= *x == q;
		if (in)
			*vec_push(a, pods) = p->name;
	}
}

static void policy_in(struct arena *a, const struct felix_policy *q, struct made_in *in)
{
	felix_sets sets = {0};
	if (q->obj->ingress) {
		add(a, &in->chains, felix_policy_chain(a, q, true));
		felix_policy_sets(a, q, true, &sets);
	}
	if (q->obj->egress) {
		add(a, &in->chains, felix_policy_chain(a, q, false));
		felix_policy_sets(a, q, false, &sets);
	}
	vec_foreach (const struct felix_set, s, &sets)
		add(a, &in->sets, s->name);
}

static bool made_of_policy(struct arena *a, const struct desired *d, const char *ns,
			   const char *name, struct made *ret)
{
	felix_policies all = {0};
	calico_all_policies(a, d->cluster, &all);
	vec_foreach (const struct felix_policy *, q, &all) {
		const struct network_policy *np = (*q)->obj;
		if (strcmp(np->meta.ns, ns) != 0 || strcmp(np->meta.name, name) != 0)
			continue;
		if (d->cluster->cni != CNI_CALICO)
			*vec_push(a, &ret->notes) =
				"Nothing enforces it: this lab's network is not Calico's.";
		for (int i = 0; i < (int)d->ns.n && d->cluster->cni == CNI_CALICO; i++) {
			struct made_in in = {.ns = i};
			strs pods = {0};
			if (d->ns.v[i].kind != DNS_NODE)
				continue;
			limited(a, d, &all, *q, d->ns.v[i].node, &pods);
			vec_foreach (const char *, p, &pods)
				*vec_push(a, &ret->notes) =
					arena_printf(a, "It limits %s on %s", *p, d->ns.v[i].name);
			if (!pods.n)
				continue;
			policy_in(a, *q, &in);
			*vec_push(a, &ret->in) = in;
		}
		return true;
	}
	return false;
}

bool made_of(struct arena *a, const struct desired *d, const char *kind, const char *ns,
	     const char *name, struct made *ret)
{
	const struct cluster *c = d->cluster;
	*ret = (struct made){0};
	if (strcmp(kind, "nodes") == 0)
		return made_of_place(a, d, DNS_NODE, name, ret);
	if (strcmp(kind, "hosts") == 0)
		return made_of_place(a, d, DNS_HOST, name, ret);
	if (strcmp(kind, "networkpolicies") == 0)
		return made_of_policy(a, d, ns, name, ret);
	if (strcmp(kind, "deployments") == 0)
		return made_of_deployment(a, d, ns, name, ret);
	if (strcmp(kind, "endpointslices") == 0)
		return made_of_slice(a, d, ns, name, ret);
	if (strcmp(kind, "ippools") == 0)
		return made_of_pool(a, d, name, ret);
	for (size_t i = 0; strcmp(kind, "pods") == 0 && i < c->pods.n; i++)
		if (strcmp(c->pods.v[i].name, name) == 0 && strcmp(c->pods.v[i].ns, ns) == 0)
			return made_of_pod(a, d, i, ret);
	if (strcmp(kind, "services") == 0 || strcmp(kind, "endpoints") == 0)
		vec_foreach (const struct csvc, s, &c->services)
			if (strcmp(s->name, name) == 0 && strcmp(s->ns, ns) == 0)
				return made_of_service(a, d, s, ret);
	return false;
}
