/* SPDX-License-Identifier: MIT */
/*
 * objects_check(): the lab as a whole. This file has the frame: faults, things that may be there
 * only once, names and limits. What is checked of networks, services and the lab's own parts stands
 * in check_net.c, check_service.c, check_proxy.c and check_lab.c.
 */
#include "lib/kube/check.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/limits.h"
#include "lib/base/strbuf.h"

const char *check_object(struct checker *k, const struct meta *m)
{
	const char *kind = json_string_value(json_object_get(m->raw, "kind"));
	if (!m->name || !*m->name)
		return kind ? kind : "";
	return arena_printf(k->a, "%s %s", kind ? kind : "object", meta_str(k->a, m));
}

void check_fault(struct checker *k, const struct meta *m, const char *path, const char *hint,
		 const char *fmt, ...)
{
	_strbuf_ struct strbuf text = STRBUF_INIT;
	va_list ap;
	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	const char *sep = *m->path && *path && *path != '[' ? "." : "";
	fault_add(k->faults, m->doc, FAULT_VALUE, check_object(k, m),
		  arena_printf(k->a, "%s%s%s", m->path, sep, path), hint, "%s", strbuf_str(&text));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

bool check_has_node(const struct checker *k, const char *name)
{
	return k->node_names.n && bsearch(&name, k->node_names.v, k->node_names.n,
					  sizeof(*k->node_names.v), compare_names);
}

void check_node_name(struct checker *k, const struct meta *m, const char *path, const char *name)
{
	if (check_has_node(k, name))
		return;
	const char *near = nearest_word(name, k->node_names.v, (unsigned)k->node_names.n);
	check_fault(k, m, path, near ? arena_printf(k->a, "did you mean `%s`?", near) : NULL,
		    "there is no Node `%s`", name);
}

const struct underlay *check_underlay_of(const struct checker *k, ip4 ip)
{
	vec_foreach (struct underlay, u, &k->underlays)
		if (cidr_has(u->cidr, ip))
			return u;
	return NULL;
}

/* Once only ------------------------------------------------------------------------------------ */

void check_claim(struct checker *k, claims *list, struct claim c)
{
	c.order = (unsigned)list->n;
	if (!c.text)
		c.text = "";
	*vec_push(k->a, list) = c;
}

void check_claim_address(struct checker *k, ip4 ip, const struct meta *m, const char *path,
			 const char *what)
{
	if (ip)
		check_claim(k, (claims *)&k->addresses,
			    (struct claim){.number = ip, .meta = m, .path = path, .what = what});
}

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	int r = strcmp(x->text, y->text);
	if (r)
		return r;
	/* What is not in the file counts as the first: the fault belongs to the file. */
	if (!x->meta != !y->meta)
		return x->meta ? 1 : -1;
	if (x->meta && x->meta->doc != y->meta->doc)
		return x->meta->doc < y->meta->doc ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void check_twice(struct checker *k, claims *list,
		 void (*twice)(struct checker *k, const struct claim *first,
			       const struct claim *again))
{
	if (list->n < 2)
		return;
	qsort(list->v, list->n, sizeof(*list->v), compare_claims);
	const struct claim *first = list->v;
	for (size_t i = 1; i < list->n; i++) {
		const struct claim *c = &list->v[i];
		if (c->number != first->number || strcmp(c->text, first->text) != 0)
			first = c;
		else if (c->meta)
			twice(k, first, c);
	}
}

static void same_address(struct checker *k, const struct claim *first, const struct claim *again)
{
	check_fault(k, again->meta, again->path, NULL, "%s is also the address of %s",
		    IP4((ip4)again->number), first->what);
}

/* Names ---------------------------------------------------------------------------------------- */

static void same_name(struct checker *k, const struct claim *first, const struct claim *again)
{
	/* Several parts of one object (the subsets of Endpoints) are no second one. */
	if (first->meta->raw == again->meta->raw)
		return;
	check_fault(k, again->meta, "metadata.name", NULL, "a second object of this name");
	fault_first(k->faults, first->meta->doc, first->meta->path);
}

static void claim_name(struct checker *k, claims *list, const struct meta *m)
{
	if (m->name && *m->name)
		check_claim(k, list,
			    (struct claim){.text = check_object(k, m), .meta = m, .path = ""});
}

static void check_names(struct checker *k)
{
	claims names = {0};
	const struct objects *o = k->o;
	vec_foreach (struct node, p, &o->nodes)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct pod, p, &o->pods)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct deployment, p, &o->deployments)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct service, p, &o->services)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct ep_set, p, &o->ep_sets)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct namespace_obj, p, &o->namespaces)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct network_policy, p, &o->policies)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct ip_pool, p, &o->pools)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct ipam_block, p, &o->blocks)
		claim_name(k, &names, &p->meta);
	vec_foreach (struct meta, p, &o->configmaps)
		claim_name(k, &names, p);
	check_twice(k, &names, same_name);
}

/* Limits --------------------------------------------------------------------------------------- */

static void limit(struct checker *k, size_t n, size_t max, const char *what)
{
	if (n > max)
		fault_add(k->faults, -1, FAULT_VALUE, NULL, NULL, NULL,
			  "%zu %s; at most %zu are possible", n, what, max);
}

static void check_limits(struct checker *k)
{
	const struct objects *o = k->o;
	size_t pods = o->pods.n, endpoints = 0;
	vec_foreach (struct deployment, d, &o->deployments)
		pods += d->replicas;
	vec_foreach (struct ep_set, e, &o->ep_sets)
		endpoints += e->addrs.n;
	limit(k, o->nodes.n, MAX_NODES, "nodes");
	limit(k, pods, MAX_PODS, "pods");
	limit(k, o->services.n, MAX_SERVICES, "services");
	limit(k, endpoints, MAX_ENDPOINTS, "endpoints");
	limit(k, o->policies.n, MAX_POLICIES, "network policies");
	limit(k, o->lab.hosts.n, MAX_HOSTS, "hosts");
	limit(k, o->lab.underlays.n, MAX_UNDERLAYS, "underlays");
	limit(k, o->lab.flows.n, MAX_FLOWS, "flows");
}

/* The whole ------------------------------------------------------------------------------------ */

static void list_nodes(struct checker *k)
{
	vec_foreach (struct node, n, &k->o->nodes)
		if (*n->meta.name)
			*vec_push(k->a, &k->node_names) = n->meta.name;
	if (k->node_names.n)
		qsort(k->node_names.v, k->node_names.n, sizeof(*k->node_names.v), compare_names);
}

void objects_check(const struct objects *o, struct faults *faults)
{
	struct checker k = {.o = o, .faults = faults, .a = faults->arena};
	check_limits(&k);
	check_names(&k);
	check_annotations(&k);
	if (!o->lab.present)
		return;
	list_nodes(&k);
	check_underlays(&k);
	check_nodes(&k);
	check_hosts(&k);
	check_pods(&k);
	check_pod_network(&k);
	check_services(&k);
	check_endpoints(&k);
	check_nets(&k);
	check_twice(&k, (claims *)&k.addresses, same_address);
	check_flows(&k);
	check_routing(&k);
	check_containers(&k);
	check_proxy(&k);
}
