/* SPDX-License-Identifier: MIT */
/* Services and their endpoints, as the API server would hold them against each other. */
#include <stdio.h>
#include <string.h>

#include "lib/kube/bind.h"
#include "lib/kube/check.h"

const struct cidr check_service_network = {0x0a600000, 12};

static bool default_services(const struct checker *k)
{
	vec_foreach (struct service, s, &k->o->services)
		if (s->cluster_ip && !cidr_has(check_service_network, s->cluster_ip))
			return false;
	return true;
}

static void same_node_port(struct checker *k, const struct claim *first, const struct claim *again)
{
	/* TCP and UDP have ports of their own; so has each Service only one of a number. */
	check_fault(k, again->meta, again->path, NULL, "%u is also a nodePort of %s",
		    (unsigned)(again->number & 0xffff), first->what);
}

static void same_port(struct checker *k, const struct claim *first, const struct claim *again)
{
	(void)first;
	check_fault(k, again->meta, again->path, NULL, "a second port %u of protocol %s",
		    (unsigned)(again->number & 0xffff), again->what);
}

static void same_port_name(struct checker *k, const struct claim *first, const struct claim *again)
{
	(void)first;
	check_fault(k, again->meta, again->path, NULL, "a second port of the name `%s`",
		    again->text);
}

static void check_node_port(struct checker *k, const struct service *s,
			    const struct service_port *p, const char *path, claims *node_ports)
{
	if (!p->node_port)
		return;
	if (s->type == SVC_CLUSTER_IP || s->type == SVC_EXTERNAL_NAME) {
		check_fault(k, &s->meta, path, "use `type: NodePort`",
			    "a Service of type %s has no nodePort", svc_type_str(s->type));
		return;
	}
	if (p->node_port < NODE_PORT_MIN || p->node_port > NODE_PORT_MAX) {
		check_fault(k, &s->meta, path, NULL, "%u is not between %d and %d", p->node_port,
			    NODE_PORT_MIN, NODE_PORT_MAX);
		return;
	}
	check_claim(k, node_ports,
		    (struct claim){.number = (uint64_t)p->proto << 16 | p->node_port,
				   .meta = &s->meta,
				   .path = path,
				   .what = check_object(k, &s->meta)});
}

static void check_ports(struct checker *k, const struct service *s, claims *node_ports)
{
	claims names = {0}, numbers = {0};
	for (size_t i = 0; i < s->ports.n; i++) {
		const struct service_port *p = &s->ports.v[i];
		const char *at = arena_printf(k->a, "spec.ports[%zu]", i);
		check_node_port(k, s, p, arena_printf(k->a, "%s.nodePort", at), node_ports);
		if (p->port)
			check_claim(k, &numbers,
				    (struct claim){.number = (uint64_t)p->proto << 16 | p->port,
						   .meta = &s->meta,
						   .path = arena_printf(k->a, "%s.port", at),
						   .what = proto_str(p->proto)});
		if (*p->name)
			check_claim(k, &names,
				    (struct claim){.text = p->name,
						   .meta = &s->meta,
						   .path = arena_printf(k->a, "%s.name", at)});
		else if (s->ports.n > 1)
			check_fault(k, &s->meta, at, NULL,
				    "`name` is missing: a Service with several ports names each");
	}
	check_twice(k, &numbers, same_port);
	check_twice(k, &names, same_port_name);
}

/* A ClusterIP inside another network would never leave the node for it. */
static void check_cluster_ip(struct checker *k, const struct service *s)
{
	if (!s->cluster_ip)
		return;
	check_claim_address(k, s->cluster_ip, &s->meta, "spec.clusterIP",
			    check_object(k, &s->meta));
	if (k->default_services)
		return; /* the whole service network is looked at instead */
	vec_foreach (struct net, n, &k->nets)
		if (cidr_has(n->cidr, s->cluster_ip))
			check_fault(k, &s->meta, "spec.clusterIP", NULL, "%s lies in %s %s",
				    IP4(s->cluster_ip), n->what, CIDR(n->cidr));
}

/* Addresses that nothing can be reached at from elsewhere (ValidateNonSpecialIP); NULL for others.
 */
static const char *special_address(ip4 ip)
{
	static const struct {
		struct cidr net;
		const char *what;
	} nets[] = {
		{{0, 32}, "the unspecified address"},
		{{0x7f000000, 8}, "a loopback address"},
		{{0xa9fe0000, 16}, "a link-local address"},
		{{0xe0000000, 24}, "a link-local multicast address"},
	};
	for (size_t i = 0; i < sizeof(nets) / sizeof(nets[0]); i++)
		if (cidr_has(nets[i].net, ip))
			return nets[i].what;
	return NULL;
}

/* The addresses of a list in the document: its elements, or (key not NULL) that member of each. */
static void check_special(struct checker *k, const struct meta *m, const json_t *list,
			  const char *path, const char *key)
{
	size_t i;
	const json_t *item;
	json_array_foreach (list, i, item) {
		ip4 ip;
		const char *s = json_string_value(key ? json_object_get(item, key) : item);
		const char *what = s && ip4_parse(s, &ip) ? special_address(ip) : NULL;
		if (what)
			check_fault(k, m,
				    arena_printf(k->a, "%s[%zu]%s%s", path, i, key ? "." : "",
						 key ? key : ""),
				    NULL, "%s is %s", s, what);
	}
}

/* Fields that only some types of Service may have (pkg/apis/core/validation ValidateService). */
static void check_service_fields(struct checker *k, const struct service *s)
{
	const json_t *spec = json_object_get(s->meta.raw, "spec");
	bool lb = s->type == SVC_LOAD_BALANCER;
	bool outside = lb || s->type == SVC_NODE_PORT ||
		       (k->o->lab.kubernetes >= KUBE_1_32 && s->type == SVC_CLUSTER_IP &&
			json_array_size(json_object_get(spec, "externalIPs")) > 0);
	const char *etp = json_string_value(json_object_get(spec, "externalTrafficPolicy"));
	json_t *affinity = json_object_get(spec, "sessionAffinityConfig");
	if (etp && *etp && !outside)
		check_fault(k, &s->meta, "spec.externalTrafficPolicy",
			    "it is for types NodePort and LoadBalancer",
			    "a Service of type %s is not reached from outside",
			    svc_type_str(s->type));
	if (json_object_size(affinity) > 0 && !s->affinity_client_ip)
		check_fault(k, &s->meta, "spec.sessionAffinityConfig",
			    "set `sessionAffinity: ClientIP`", "there is no session affinity");
	if (s->source_ranges.n > 0 && !lb)
		check_fault(k, &s->meta, "spec.loadBalancerSourceRanges", NULL,
			    "a Service of type %s has no load balancer", svc_type_str(s->type));
	if (s->health_check_port && !(lb && s->etp_local))
		check_fault(k, &s->meta, "spec.healthCheckNodePort", NULL,
			    "only a Service of type LoadBalancer with `externalTrafficPolicy: "
			    "Local` has one");
	check_special(k, &s->meta, json_object_get(spec, "externalIPs"), "spec.externalIPs", NULL);
	/* RFC 1035; digits in front are for 1.34 and later. */
	if (*s->meta.name >= '0' && *s->meta.name <= '9' && k->o->lab.kubernetes <= KUBE_1_32)
		check_fault(k, &s->meta, "metadata.name", NULL,
			    "the name of a Service begins with a letter");
}

void check_services(struct checker *k)
{
	claims node_ports = {0};
	k->default_services = default_services(k);
	vec_foreach (struct service, s, &k->o->services) {
		const json_t *spec = json_object_get(s->meta.raw, "spec");
		check_cluster_ip(k, s);
		check_service_fields(k, s);
		check_ports(k, s, &node_ports);
		if (s->type == SVC_EXTERNAL_NAME) {
			if (!json_object_get(spec, "externalName"))
				check_fault(k, &s->meta, "spec", NULL,
					    "`externalName` is missing, which a Service of type "
					    "ExternalName needs");
		} else if (!s->headless && !json_object_get(spec, "ports")) {
			check_fault(k, &s->meta, "spec", NULL, "`ports` is missing");
		}
		if (s->headless && s->type != SVC_CLUSTER_IP)
			check_fault(k, &s->meta, "spec.clusterIP", NULL,
				    "a Service of type %s cannot be headless",
				    svc_type_str(s->type));
	}
	check_twice(k, &node_ports, same_node_port);
}

/* The names of nodes are looked up in the document: lists of bound addresses have lost their
 * indexes. */
static void check_node_names(struct checker *k, const struct meta *m, const json_t *list,
			     const char *path)
{
	size_t i;
	const json_t *item;
	const char *why;
	json_array_foreach (list, i, item) {
		const char *name = json_string_value(json_object_get(item, "nodeName"));
		if (name && name_ok(name, NAME_SUBDOMAIN, &why))
			check_node_name(k, m, arena_printf(k->a, "%s[%zu].nodeName", path, i),
					name);
	}
}

static void check_subsets(struct checker *k, const struct meta *m)
{
	size_t i;
	const json_t *subset;
	json_array_foreach (json_object_get(m->raw, "subsets"), i, subset) {
		check_node_names(k, m, json_object_get(subset, "addresses"),
				 arena_printf(k->a, "subsets[%zu].addresses", i));
		check_special(k, m, json_object_get(subset, "addresses"),
			      arena_printf(k->a, "subsets[%zu].addresses", i), "ip");
		check_node_names(k, m, json_object_get(subset, "notReadyAddresses"),
				 arena_printf(k->a, "subsets[%zu].notReadyAddresses", i));
	}
}

static void check_slice(struct checker *k, const struct meta *m)
{
	size_t i;
	const json_t *e, *list = json_object_get(m->raw, "endpoints");
	check_node_names(k, m, list, "endpoints");
	json_array_foreach (list, i, e) {
		const json_t *addresses = json_object_get(e, "addresses");
		const char *path = arena_printf(k->a, "endpoints[%zu].addresses", i);
		if (json_is_array(addresses) && json_array_size(addresses) == 0)
			check_fault(k, m, path, NULL, "an endpoint has at least one address");
		check_special(k, m, addresses, path, NULL);
	}
}

void check_endpoints(struct checker *k)
{
	const json_t *last = NULL;
	vec_foreach (struct ep_set, e, &k->o->ep_sets) {
		/* The subsets of one Endpoints follow each other. */
		if (e->meta.raw == last)
			continue;
		last = e->meta.raw;
		if (e->is_slice)
			check_slice(k, &e->meta);
		else
			check_subsets(k, &e->meta);
	}
}
