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

void check_services(struct checker *k)
{
	claims node_ports = {0};
	k->default_services = default_services(k);
	vec_foreach (struct service, s, &k->o->services) {
		const json_t *spec = json_object_get(s->meta.raw, "spec");
		check_cluster_ip(k, s);
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
		check_node_names(k, m, json_object_get(subset, "notReadyAddresses"),
				 arena_printf(k->a, "subsets[%zu].notReadyAddresses", i));
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
			check_node_names(k, &e->meta, json_object_get(e->meta.raw, "endpoints"),
					 "endpoints");
		else
			check_subsets(k, &e->meta);
	}
}
